"""The one write path on a real SQLite file: a decision's rows. A repeat duplicates nothing."""

import hashlib
import multiprocessing
import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import peewee
import pytest
import zstandard

from capture_milter import handling
from mailweir import headers, matching, recording
from mailweir.arrivals import sort_recipients
from mailweir.confirmation import Confirmation
from mailweir.database_url import DatabaseUrl
from mailweir.decision import Decision, Doubt, Outcome, Reason
from mailweir.envelope import Envelope, read_recipient
from mailweir.errors import DatabaseUnavailable
from mailweir.recording import Content, Entry, Recorded, Redirect
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.record import activities, decision_search, verdicts
from mailweir.store.record.activities import Filter

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

RICHARD, MARY = 1, 2
JANE_TO_RICHARD = [
    ("From", "jane@client.example"),
    ("To", "richard@firm.example"),
    ("Message-ID", "<1@client.example>"),
]
CONFIRMATION = Confirmation("https://mail-settings.google.com/mail/vf-x", "x@gmail.com")


@pytest.fixture
def filled(database: Database, people: "MemoryDirectory") -> Database:
    """A database that knows the people."""
    people.write(database)
    return database


Decide = Callable[..., Decision]


@pytest.fixture
def decide(people: "MemoryDirectory") -> Decide:
    """The decision on a message: decide("richard@demo.example.net", lines)."""

    def make(recipients: str, lines: list[tuple[str, str]] = JANE_TO_RICHARD) -> Decision:
        found = sort_recipients([read_recipient(one) for one in recipients.split()], people)
        view = headers.look([(name.encode(), value.encode()) for name, value in lines])
        return matching.decide(found.arrivals[0], view, people)

    return make


def _content(body: bytes = b"hello", key: bytes = b"key") -> Content:
    raw = b"From: jane@client.example\r\n\r\n" + body
    digest = hashlib.sha256(body).digest()
    return Content(
        identity=hashlib.sha256(key).digest(),
        version_digest=digest,
        raw_zstd=zstandard.compress(raw),
        size_bytes=len(raw),
        subject="An offer",
        sent_at=None,
    )


Write = Callable[..., list[Recorded]]


@pytest.fixture(params=["together", "apart"])
def write(request: pytest.FixtureRequest, filled: Database) -> Write:
    """Records entries: in one batch, as the filter does with messages that wait at the same time, or each in a transaction."""

    def all_of(*entries: Entry) -> list[Recorded]:
        batches = [list(entries)] if request.param == "together" else [[entry] for entry in entries]
        done: list[Recorded] = []
        for batch in batches:
            with filled.transaction():
                done += recording.record_all(filled, batch)
        return done

    return all_of


def _rows(database: Database, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = database.execute(f"SELECT {columns} FROM {table} ORDER BY 1").fetchall()
    return found


_TABLES = (
    *("activities", "raw_messages", "sightings", "activity_contacts", "activity_users", "todos", "decisions"),
    "forwarding_confirmations",
)


def _counts(database: Database) -> dict[str, int]:
    """The number of rows in each table of the record."""
    return {table: len(_rows(database, table)) for table in _TABLES}


def _dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    return {table: _rows(database, table) for table in _TABLES}


# --- captured mail ---------------------------------------------------------------------------------------------------


def test_a_captured_message_leaves_each_of_its_rows_once(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    sent_at = datetime(2026, 11, 24, 5, 0, 0, tzinfo=timezone(timedelta(hours=2)))
    content = replace(_content(), sent_at=sent_at)
    (done,) = write(Entry(decide("richard@demo.example.net"), "4Xy1", now, content))
    assert done == Recorded(Outcome.CAPTURED, 1)
    stamp = "2026-11-24T03:12:55.123456Z"
    said = (1, content.identity, "incoming", "jane@client.example", "An offer", "2026-11-24T03:00:00.000000Z", stamp)
    columns = "deployment_id, identity, direction, author, subject, sent_at, recorded_at"
    assert _rows(filled, "activities", columns) == [said]
    columns = "message_id, sender_verdict, leading_raw_id"
    assert _rows(filled, "activities", columns) == [("<1@client.example>", "pending", 1)]
    raw = (1, 1, content.version_digest, content.size_bytes, content.raw_zstd, stamp, "pending", None, 0, "")
    assert _rows(filled, "raw_messages") == [(*raw, "An offer", None, None, 0, None, None, None)]
    assert _rows(filled, "sightings") == [(1, 1, "forward", "4Xy1", RICHARD, 1, stamp)]
    assert _rows(filled, "activity_contacts") == [(1, 1, "jane@client.example", 1, 0)]
    assert _rows(filled, "activity_users") == [(1, RICHARD)]
    assert _rows(filled, "todos") == [(1, 1, RICHARD, stamp, None)]
    decision = (1, 1, "4Xy1", stamp, "captured", "author is a contact", '["richard@demo.example.net"]')
    assert _rows(filled, "decisions") == [
        (*decision, "jane@client.example", "<1@client.example>", 1, None, None, None, None, None)
    ]


@pytest.mark.parametrize(
    ("doubt", "reason"),
    [
        (Doubt.REPAIRED, "author_in_doubt"),
        (Doubt.SEVERAL, "author_in_doubt"),
        (Doubt.FORWARDED, "forwarded_by_hand"),
    ],
)
def test_a_version_whose_author_is_less_sure_waits_for_no_verdict(
    filled: Database, write: Write, decide: Decide, now: datetime, doubt: Doubt, reason: str
) -> None:
    decision = replace(
        decide("richard@demo.example.net"), doubt=doubt, named=("jane@client.example", '"é b"@x.example')
    )
    write(Entry(decision, "4Xy1", now, _content()))
    assert _rows(filled, "raw_messages", "verdict, author_doubt, verdict_reason") == [("none", doubt, reason)]
    assert _rows(filled, "activities", "sender_verdict, leading_raw_id") == [("none", 1)]
    assert _rows(filled, "decisions", "named") == [('["jane@client.example", "\\"é b\\"@x.example"]',)]
    assert verdicts.count_pending(filled) == 0
    named = [decision_search.find(filled, text)[0].named for text in ("jane@client.example", '"é b"@x.example')]
    assert named == [decision.named] * 2
    assert decision_search.find(filled, "ane@client.example") == []
    # the same mail as it was written; once proven, it leads
    plain = decide("richard@demo.example.net")
    write(Entry(plain, "4Xy2", now, replace(_content(b"plain"), is_proven=True)))
    assert _rows(filled, "activities", "sender_verdict, leading_raw_id") == [("pass", 2)]
    (found,) = activities.select(filled, deployments.find(filled, "demo"), Filter())
    assert found.author_doubt is None
    assert (found.sender_verdict_reason, found.sender_verdict_domain) == ("login", None)


def test_law_2_two_mails_under_one_message_id_and_second_are_two_activities_and_copies_of_them_add_nothing(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    named = ("Invoice 1", "Invoice 2", "Re: [clients] invoice 1", "[clients] Invoice 2", "Invoice 3", "")
    decision = decide("richard@demo.example.net")
    entries = [
        Entry(decision, f"4Xy{number}", now, replace(_content(b"%d" % number), subject=subject))
        for number, subject in enumerate(named)
    ]
    done = write(*entries)
    ids = [one.activity_id for one in done]
    first, second, third = dict.fromkeys(ids)
    assert ids == [first, second, first, second, third, first]
    assert _rows(filled, "activities", "subject") == [("Invoice 1",), ("Invoice 2",), ("Invoice 3",)]
    before = _counts(filled)
    assert [one.activity_id for one in write(*reversed(entries))] == ids[::-1]
    assert _counts(filled) == before


def test_outgoing_mail_makes_no_todo(filled: Database, write: Write, decide: Decide, now: datetime) -> None:
    lines = [("From", "richard@firm.example"), ("To", "jane@client.example")]
    write(Entry(decide("log@demo.example.net", lines), "4Xy1", now, _content()))
    assert _rows(filled, "sightings", "route, user_id") == [("log", RICHARD)]
    assert (_counts(filled)["activities"], _counts(filled)["todos"]) == (1, 0)


def test_law_2_the_same_entry_again_changes_nothing(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    entry = Entry(decide("richard@demo.example.net mary@demo.example.net"), "4Xy1", now, _content())
    first = write(entry)
    before = _dump(filled)
    assert write(entry, replace(entry, seen_at=now + timedelta(hours=1))) == first * 2
    assert _dump(filled) == before


def test_law_2_a_retry_of_the_same_message_adds_a_sighting_and_a_decision(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    entry = Entry(decide("richard@demo.example.net"), "4Xy1", now, _content())
    write(entry)
    before = _counts(filled)
    later = replace(entry, source_id="4Xy2", seen_at=now + timedelta(minutes=5))
    assert write(later)[0].activity_id == 1
    assert _counts(filled) == before | {"sightings": 2, "decisions": 2}
    assert _rows(filled, "sightings", "source_id, raw_message_id") == [("4Xy1", 1), ("4Xy2", 1)]
    assert _rows(filled, "activities", "recorded_at") == [("2026-11-24T03:12:55.123456Z",)]


def test_law_2_another_users_forward_adds_an_owner_and_a_todo(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    write(Entry(decide("richard@demo.example.net"), "4Xy1", now, _content()))
    write(Entry(decide("mary@demo.example.net"), "4Xy2", now, _content()))
    assert _counts(filled)["activities"] == 1
    assert _rows(filled, "activity_users") == [(1, RICHARD), (1, MARY)]
    assert _rows(filled, "todos", "user_id, done_at") == [(RICHARD, None), (MARY, None)]


def test_law_2_a_copy_at_log_is_the_same_activity(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    write(Entry(decide("richard@demo.example.net"), "4Xy1", now, _content()))
    write(Entry(decide("log@demo.example.net"), "4Xy2", now, _content()))
    write(Entry(decide("log@demo.example.net"), "4Xy2", now, _content()))
    assert _rows(filled, "sightings", "route, user_id") == [("forward", RICHARD), ("log", None)]
    assert _counts(filled)["todos"] == 1


def test_a_todo_that_is_done_stays_done(filled: Database, write: Write, decide: Decide, now: datetime) -> None:
    entry = Entry(decide("richard@demo.example.net"), "4Xy1", now, _content())
    write(entry)
    with filled.transaction():
        filled.execute("UPDATE todos SET done_at = 'then'")
    write(replace(entry, source_id="4Xy2"), Entry(decide("mary@demo.example.net"), "4Xy3", now, _content()))
    assert _rows(filled, "todos", "user_id, done_at") == [(RICHARD, "then"), (MARY, None)]


def test_law_2_another_body_under_the_same_key_is_kept_and_the_first_leads(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    """A forged copy that is sent first can't suppress the real mail: both are stored."""
    entry = Entry(decide("richard@demo.example.net"), "4Xy1", now, _content(b"forged"))
    real = replace(entry, source_id="4Xy2", content=_content(b"real"))
    write(entry, real, replace(entry, source_id="4Xy3"), replace(real, source_id="4Xy4"))
    raws = [
        zstandard.decompress(row[0]).rpartition(b"\r\n")[2] for row in _rows(filled, "raw_messages", "content_zstd")
    ]
    assert sorted(raws) == [b"forged", b"real"]
    assert _rows(filled, "activities", "id, leading_raw_id") == [(1, 1)]
    seen = [("4Xy1", 1), ("4Xy2", 2), ("4Xy3", 1), ("4Xy4", 2)]
    assert _rows(filled, "sightings", "source_id, raw_message_id") == seen


def test_of_two_copies_with_one_body_the_first_is_kept(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    first = _content()
    raw = b"Received: again\r\n" + zstandard.decompress(first.raw_zstd)
    again = replace(first, raw_zstd=zstandard.compress(raw), size_bytes=len(raw))
    decision = decide("richard@demo.example.net")
    write(Entry(decision, "4Xy1", now, first), Entry(decision, "4Xy2", now + timedelta(minutes=1), again))
    kept = [(first.size_bytes, first.raw_zstd, "2026-11-24T03:12:55.123456Z")]
    assert _rows(filled, "raw_messages", "size_bytes, content_zstd, recorded_at") == kept


def test_a_large_batch_gives_each_entry_its_own_result(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    """There are more than fit into one statement; captured and ignored are mixed, and each message comes twice."""
    captured, ignored = (
        decide("richard@demo.example.net"),
        decide("richard@demo.example.net", [("From", "x@y.example")]),
    )
    contents = {n: _content(b"%d" % (n % 60), b"%d" % (n % 60)) for n in range(120) if n % 3}
    decisions = {n: captured for n in contents} | dict.fromkeys(range(0, 120, 3), ignored)
    entries = [Entry(decisions[n], f"4Xy{n}", now, contents.get(n)) for n in range(120)]
    done = write(*entries)
    for entry, result in zip(entries, done, strict=True):
        assert result.outcome is entry.decision.outcome
        sql = (
            "SELECT r.version_digest FROM raw_messages r JOIN sightings s ON s.raw_message_id = r.id"
            " WHERE s.source_id = ?"
        )
        found = filled.execute(sql, (entry.source_id,)).fetchall()
        assert found == [(content.version_digest,) for content in [entry.content] if content]
        sql = "SELECT activity_id FROM decisions WHERE source_id = ?"
        assert filled.execute(sql, (entry.source_id,)).fetchall() == [(result.activity_id,)]
    counts = {"activities": 40, "raw_messages": 40, "sightings": 80, "decisions": 120, "todos": 40}
    assert _counts(filled) | counts == _counts(filled)


def test_a_proven_body_that_leads_is_not_pushed_aside(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    entry = Entry(decide("richard@demo.example.net"), "4Xy1", now, _content(b"forged"))
    write(entry, replace(entry, source_id="4Xy2", content=_content(b"real")))
    with filled.transaction():
        filled.execute("UPDATE activities SET leading_raw_id = 2, sender_verdict = 'pass'")
    write(replace(entry, source_id="4Xy3"))
    assert _rows(filled, "activities", "leading_raw_id, sender_verdict") == [(2, "pass")]


def test_law_4_the_same_message_in_two_deployments_is_two_activities(
    filled: Database, write: Write, people: "MemoryDirectory", now: datetime
) -> None:
    lines = [(b"From", b"joe@client.example"), (b"Message-ID", b"<1@x>")]
    envelope = Envelope(
        sender="",
        recipients=tuple(map(read_recipient, ("richard@demo.example.net", "richard@other.example.org"))),
        login=None,
        client="",
        received_at=now,
    )
    plan = handling.plan(envelope, lines, people)
    entries = [Entry(decision, "4Xy1", now, _content()) for decision in plan.decisions]
    assert [done.activity_id for done in write(*entries)] == [1, 2]
    assert _rows(filled, "activities", "id, deployment_id") == [(1, 1), (2, 2)]
    assert _rows(filled, "activity_users") == [(1, RICHARD), (2, 4)]
    assert _rows(filled, "activity_contacts", "activity_id, contact_id") == [(1, 2), (2, 4)]
    assert _rows(filled, "decisions", "id, deployment_id, source_id") == [(1, 1, "4Xy1"), (2, 2, "4Xy1")]


def test_an_entry_that_can_not_be_written_leaves_nothing(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    decision = replace(decide("richard@demo.example.net"), users=(RICHARD, 99))
    with pytest.raises((peewee.IntegrityError, Exception), match=r"(?i)foreign key"):
        write(Entry(decision, "4Xy1", now, _content()))
    assert set(_counts(filled).values()) == {0}


# --- ignored mail ----------------------------------------------------------------------------------------------------


def _ignored(people: "MemoryDirectory", now: datetime) -> list[Entry]:
    """A stranger's mail, with words that must not be found later."""
    lines = [
        (b"From", b" Stranger-Name <x@stranger.example>"),
        (b"To", b" secret-recipient@y.example"),
        (b"Subject", b" secret-subject"),
        (b"X-Secret", b" secret-header"),
        (b"Message-ID", b" <1@stranger.example>"),
    ]
    envelope = Envelope(
        sender="secret-sender@y.example",
        recipients=(read_recipient("richard@demo.example.net"),),
        login=None,
        client="192.0.2.1",
        received_at=now,
    )
    plan = handling.plan(envelope, lines, people)
    assert not plan.wants_body
    return list(handling.entries(plan, None, "4Xy1"))


def test_law_3_of_ignored_mail_nothing_is_kept_but_the_decision(
    filled: Database, write: Write, people: "MemoryDirectory", now: datetime
) -> None:
    assert write(*_ignored(people, now)) == [Recorded(Outcome.IGNORED)]
    assert _counts(filled) == dict.fromkeys(_counts(filled), 0) | {"decisions": 1}
    decision = (
        1,
        1,
        "4Xy1",
        "2026-11-24T03:12:55.123456Z",
        "ignored",
        "unknown author",
        '["richard@demo.example.net"]',
    )
    assert _rows(filled, "decisions") == [
        (*decision, "x@stranger.example", "<1@stranger.example>", None, None, None, None, None, None)
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # a server takes care of its own files
def test_law_3_of_ignored_mail_the_disk_holds_nothing_else(
    filled: Database, write: Write, people: "MemoryDirectory", now: datetime
) -> None:
    assert write(*_ignored(people, now)) == [Recorded(Outcome.IGNORED)]
    filled.close()
    on_disk = b"".join(file.read_bytes() for file in filled.path.parent.iterdir())
    assert b"x@stranger.example" in on_disk
    assert [word for word in (b"secret", b"Stranger-Name", b"192.0.2.1") if word in on_disk] == []


def test_a_decision_is_written_once_for_a_deployment_and_queue_id(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    ignored = decide("richard@demo.example.net", [("From", "x@stranger.example")])
    write(Entry(ignored, "4Xy1", now), Entry(ignored, "4Xy1", now), Entry(ignored, "4Xy2", now))
    assert _rows(filled, "decisions", "source_id") == [("4Xy1",), ("4Xy2",)]


# --- redirected confirmations -----------------------------------------------------------------------------------------


def _redirect(
    decision: Decision, source_id: str, at: datetime, owners: tuple[tuple[int, str], ...], per_hour: int = 20
) -> Entry:
    decision = replace(decision, outcome=Outcome.REDIRECTED, reason=Reason.CONFIRMATION)
    return Entry(
        decision,
        source_id,
        at,
        None,
        redirect=Redirect(confirmation=CONFIRMATION, owners=owners, max_per_message=3, max_per_user_and_hour=per_hour),
    )


RICHARDS = ((RICHARD, "richard@firm.example"),)
MARYS = ((MARY, "mary@firm.example"),)


def _google(number: int) -> list[tuple[str, str]]:
    return [("From", "forwarding-noreply@google.com"), ("Message-ID", f"<{number}@google.com>")]


def test_a_confirmation_is_redirected_three_times_for_its_message_id(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    decision = decide("richard@demo.example.net", _google(1))
    done = [write(_redirect(decision, f"4Xy{n}", now + timedelta(hours=2 * n), RICHARDS))[0] for n in range(5)]
    assert [one.mailboxes for one in done] == [("richard@firm.example",)] * 3 + [()] * 2
    assert [one.outcome for one in done] == [Outcome.REDIRECTED] * 3 + [Outcome.IGNORED] * 2
    assert len({one.token for one in done[:3]}) == 1
    assert done[0].token is not None
    assert len(done[0].token) >= 32
    columns = "requester, link, redirects, message_id, bounced_at"
    assert _rows(filled, "forwarding_confirmations", columns) == [
        ("x@gmail.com", CONFIRMATION.link, 3, "<1@google.com>", None)
    ]
    reasons = [("redirected", "forwarding confirmation")] * 3 + [
        ("ignored", "forwarding confirmation over its limit")
    ] * 2
    assert sorted(_rows(filled, "decisions", "outcome, reason"), reverse=True) == reasons
    assert _counts(filled) == dict.fromkeys(_counts(filled), 0) | {"decisions": 5, "forwarding_confirmations": 1}


def test_confirmations_of_a_user_are_limited_by_the_hour(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    def redirect(number: int, minutes: int, owners: tuple[tuple[int, str], ...] = RICHARDS) -> tuple[str, ...]:
        decision = decide("richard@demo.example.net", _google(number))
        at = now + timedelta(minutes=minutes)
        return write(_redirect(decision, f"4Xy{number}-{minutes}", at, owners, per_hour=2))[0].mailboxes

    assert redirect(1, 0)
    assert redirect(2, 10)
    assert not redirect(3, 20)
    assert redirect(3, 20, MARYS)  # another user has a limit of her own
    assert redirect(3, 61)  # the first redirect is over an hour ago
    assert not redirect(4, 62)
    # the link of a confirmation that wasn't redirected is stored for the page
    assert len(_rows(filled, "forwarding_confirmations")) == 5
    assert {row[0] for row in _rows(filled, "forwarding_confirmations", "link")} == {CONFIRMATION.link}


def test_confirmations_without_a_message_id_are_limited_by_the_hour(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    decision = decide("richard@demo.example.net", _google(1)[:1])
    done = [write(_redirect(decision, f"4Xy{n}", now, RICHARDS, per_hour=4))[0] for n in range(6)]
    assert [bool(one.mailboxes) for one in done] == [True] * 4 + [False] * 2


def test_one_owner_over_the_limit_does_not_stop_another(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    decision = decide("richard@demo.example.net mary@demo.example.net", _google(1))
    write(*(_redirect(decision, f"4Xy{n}", now, RICHARDS) for n in range(3)))
    (done,) = write(_redirect(decision, "4Xy9", now, RICHARDS + MARYS))
    assert (done.outcome, done.mailboxes) == (Outcome.REDIRECTED, ("mary@firm.example",))
    tokens = dict(_rows(filled, "forwarding_confirmations", "user_id, token"))
    assert done.token == tokens[MARY]


def test_the_token_of_a_redirect_is_one_of_those_it_went_to(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    decision = decide("richard@demo.example.net mary@demo.example.net", _google(1))
    write(*(_redirect(decision, f"4Xy{n}", now, MARYS) for n in range(3)))
    (done,) = write(_redirect(decision, "4Xy9", now, RICHARDS + MARYS))
    assert done.mailboxes == ("richard@firm.example",)
    assert done.token == dict(_rows(filled, "forwarding_confirmations", "user_id, token"))[RICHARD]


def test_law_4_a_bounce_is_noted_in_its_own_deployment_only(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    decision = decide("richard@demo.example.net", _google(1))
    (done,) = write(_redirect(decision, "4Xy1", now, RICHARDS))
    foreign = decide(f"bounce+{done.token}@other.example.org", [])
    assert foreign.reason is Reason.BOUNCE
    write(Entry(foreign, "4Xy2", now))
    write(Entry(decide("bounce+nonsense@demo.example.net", []), "4Xy3", now))
    assert _rows(filled, "forwarding_confirmations", "bounced_at") == [(None,)]

    bounce = decide(f"bounce+{done.token}@demo.example.net", [])
    write(Entry(bounce, "4Xy4", now), Entry(bounce, "4Xy5", now + timedelta(hours=1)))
    assert _rows(filled, "forwarding_confirmations", "bounced_at") == [("2026-11-24T03:12:55.123456Z",)]
    assert _counts(filled) == dict.fromkeys(_counts(filled), 0) | {"decisions": 5, "forwarding_confirmations": 1}


# --- several writers --------------------------------------------------------------------------------------------------


def _write_all(database_url: DatabaseUrl, entries: list[Entry]) -> None:
    with closing(Database(database_url)) as database:
        for entry in entries:
            with database.transaction(alone=False):
                recording.record(database, entry)


def test_two_processes_write_at_once(filled: Database, decide: Decide, now: datetime) -> None:
    """Two workers see the same 60 messages, each under another queue id: there is one activity for each, and nothing is lost."""
    decision = decide("richard@demo.example.net")
    filled.close()  # a connection doesn't survive a fork
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(
            target=_write_all,
            args=(filled.url, [Entry(decision, f"{worker}-{n}", now, _content(key=b"%d" % n)) for n in range(60)]),
        )
        for worker in ("a", "b")
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0, 0]
    each = {"activities": 60, "raw_messages": 60, "activity_contacts": 60, "activity_users": 60, "todos": 60}
    assert _counts(filled) == each | {"sightings": 120, "decisions": 120, "forwarding_confirmations": 0}


def test_the_longest_message_id_that_is_read_can_be_written(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    """PostgreSQL can index some 2,700 bytes. An outsider's input must always fit into a row."""
    chance = random.Random(1)
    long = "<" + "".join(chr(chance.randrange(0x10000, 0x1FFFF)) for _ in range(5_000)) + "@x.example>"
    ignored = decide("richard@demo.example.net", [("From", "x@stranger.example"), ("Message-ID", long)])
    assert ignored.message_id is not None
    assert len(ignored.message_id.encode()) in range(990, 999)
    write(Entry(ignored, "4Xy1", now))
    assert _rows(filled, "decisions", "message_id") == [(ignored.message_id,)]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has no such limit
def test_a_row_that_is_too_large_for_an_index_is_no_outage(
    filled: Database, write: Write, decide: Decide, now: datetime
) -> None:
    chance = random.Random(1)
    long = "".join(chr(chance.randrange(0x10000, 0x1FFFF)) for _ in range(998))
    with pytest.raises(Exception, match="index row size") as caught:
        write(Entry(decide("richard@demo.example.net"), long, now, _content()))
    assert not isinstance(caught.value, DatabaseUnavailable)
