"""An answer to any query has the fitting decisions, the newest first. It says how far it looked, and how to continue."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailweir.decision import Outcome, Reason
from mailweir.store.database.connection import Database
from mailweir.store.people import contacts, deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import activities, decision_search, visibility
from mailweir.store.record.decision_search import BUCKET_IDS, Part, Place, Wanted
from mailweir.store.record.decisions import Asker
from mailweir.visibility import Visibility
from tests.conftest import Ignore, Record

JANE, STRANGER, EVE = "jane@client.example", "stranger@x.example", "eve@x.example"
DIGEST = bytes(range(12))
APART = 3 * BUCKET_IDS + 7  # so that each decision has a bucket of its own


@pytest.fixture
def demo(database: Database, record: Record, ignore: Ignore, now: datetime) -> Deployment:
    """Thirty decisions, each in a bucket of its own. They alternate between Jane's mail to richard and mail that wasn't kept."""
    made = deployments.add(database, "demo", "demo.example.net", now)
    deployments.add(database, "other", "other.example.net", now)
    for username in ("richard", "anna"):
        users.add(database, made, username, f"{username}@example.com", "", now)
    contacts.add(database, made, "Jane", [JANE], None, now)
    for number in range(1, 16):
        record("demo", "richard", JANE, number=number)
        ignore(
            "demo",
            author=STRANGER,
            message_id=f"<{number}@x.example>",
            queue_id=f"4XyI{number}",
            at=now + timedelta(minutes=number, seconds=1),
        )
    # two statements: with one, two rows would have the same key for a moment
    database.execute("UPDATE decisions SET id = -id")
    database.execute("UPDATE decisions SET id = -id * ?", (APART,))
    return made


@pytest.fixture
def asker(database: Database, demo: Deployment) -> Callable[..., Asker]:
    """asker("anna"): a user; asker("anna", is_admin=True)."""

    def made(username: str, *, is_admin: bool = False) -> Asker:
        reader = activities.reader_named(database, demo, username)
        address = demo.capture_address(username)
        return Asker(reader=reader, username=username, capture_address=address, is_admin=is_admin)

    return made


def queue_ids(part: Part) -> list[str | None]:
    """The queue ids of the found decisions."""
    return [one.queue_id for one in part.decisions]


def parts(database: Database, wanted: Wanted) -> Iterator[Part]:
    """All answers, one after the other."""
    part = decision_search.search(database, wanted)
    yield part
    while part.further is not None:
        part = decision_search.search(database, wanted, part.further)
        yield part


CAPTURED = [f"4Xy{number}" for number in range(15, 0, -1)]
IGNORED = [f"4XyI{number}" for number in range(15, 0, -1)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (JANE, CAPTURED),
        (STRANGER, IGNORED),
        ("<7@client.example>", ["4Xy7"]),
        ("7@x.example", ["4XyI7"]),
        ("4XyI3", ["4XyI3"]),
        ("An off", CAPTURED),
        ("nobody@x.example", []),
        ("7@other.example", []),
    ],
)
@pytest.mark.parametrize(("steps", "hits"), [((16, 4_096), 500), ((1, 1), 500), ((4, 8), 3), ((4_096, 4_096), 1)])
def test_all_that_fits_is_found_once_and_in_order(
    database: Database,
    demo: Deployment,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    expected: list[str],
    steps: tuple[int, int],
    hits: int,
) -> None:
    monkeypatch.setattr(decision_search, "FIRST_STEP", steps[0])
    monkeypatch.setattr(decision_search, "LARGEST_STEP", steps[1])
    monkeypatch.setattr(decision_search, "MOST_HITS", hits)
    part = decision_search.search(database, Wanted(text=text))
    assert (queue_ids(part), part.further, part.until) == (expected, None, None)
    assert queue_ids(decision_search.search(database, Wanted(text=text, limit=4, deployment=demo))) == expected[:4]
    assert [one.queue_id for one in decision_search.find(database, text, demo)] == expected


@pytest.mark.parametrize(("text", "expected"), [(JANE, CAPTURED), (STRANGER, IGNORED), ("2@x.example", ["4XyI2"])])
@pytest.mark.parametrize("buckets", [1, 7, 40])
def test_an_answer_that_ends_says_how_far_it_looked_and_the_next_goes_on(
    database: Database,
    demo: Deployment,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    expected: list[str],
    buckets: int,
    now: datetime,
) -> None:
    monkeypatch.setattr(decision_search, "MOST_BUCKETS", buckets)
    wanted = Wanted(text=text, deployment=demo)
    seen = list(parts(database, wanted))
    assert len(seen) > 1
    assert [one for part in seen for one in queue_ids(part)] == expected
    assert [part.until is None for part in seen] == [part.further is None for part in seen]
    moments = [part.until for part in seen if part.until]
    assert moments == sorted(moments, reverse=True)
    assert all(one.minute == one.second == one.microsecond == 0 and one.tzinfo is UTC for one in moments)
    assert queue_ids(decision_search.search(database, wanted, goes_on=True)) == expected


def test_what_is_newer_than_an_answer_reaches_was_looked_at(
    database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    """There is a decision a day, and an answer looks at some of them."""
    for number in range(30):
        moment = (now + timedelta(days=number)).isoformat(timespec="microseconds").replace("+00:00", "Z")
        database.execute("UPDATE decisions SET decided_at = ? WHERE id = ?", (moment, APART * (number + 1)))
    monkeypatch.setattr(decision_search, "MOST_BUCKETS", 31)
    part = decision_search.search(database, Wanted(text=STRANGER))
    assert part.until is not None
    older = [one.time for one in decision_search.find(database, STRANGER) if one not in part.decisions]
    assert older
    assert max(older) < part.until < min(one.time for one in part.decisions) + timedelta(hours=1)
    since = Wanted(text=STRANGER, since=part.until)
    assert decision_search.search(database, since).further is None, "no wanted decision is left"


@pytest.mark.parametrize("text", [JANE, STRANGER])
def test_an_answer_asks_of_so_many_hits_whether_they_may_be_told(
    database: Database, demo: Deployment, asker: Callable[..., Asker], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(decision_search, "MOST_ASKED", 1)
    monkeypatch.setattr(decision_search, "FIRST_STEP", 1)
    found = list(parts(database, Wanted(text=text, deployment=demo, asker=asker("richard"), limit=100)))
    assert len(found) > 5
    assert [one for part in found for one in queue_ids(part)] == decision_ids(database, text)


def decision_ids(database: Database, author: str) -> list[str]:
    """The queue ids of an author's mail, the newest first."""
    sql = "SELECT source_id FROM decisions WHERE author = ? ORDER BY decided_at DESC"
    return [one for (one,) in database.execute(sql, (author,)).fetchall()]


@pytest.mark.parametrize("limit", [1, 4, 15, 16, 30])
def test_the_newest_come_first_by_whichever_way_they_are_found(
    database: Database, demo: Deployment, limit: int
) -> None:
    """Jane wrote some of them, and takes part in others."""
    _set(database, "author", STRANGER, "4Xy14", "4Xy9", "4Xy2", "4Xy1")
    assert (
        queue_ids(decision_search.search(database, Wanted(text=JANE, limit=limit, deployment=demo))) == CAPTURED[:limit]
    )


def test_an_answer_that_has_enough_offers_no_more(
    database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_search, "MOST_BUCKETS", 40)
    full = decision_search.search(database, Wanted(text=STRANGER, limit=3))
    assert (queue_ids(full), full.further) == (IGNORED[:3], None)
    part = decision_search.search(database, Wanted(text=STRANGER, limit=12))
    assert part.further is not None
    assert 3 < len(part.decisions) < 12
    on = decision_search.search(database, Wanted(text=STRANGER, limit=12), goes_on=True)
    assert (queue_ids(on), on.further) == (IGNORED[:12], None)


def test_a_place_that_can_not_be_finds_nothing_or_begins_anew(database: Database, demo: Deployment) -> None:
    wanted = Wanted(text=STRANGER)
    assert decision_search.search(database, wanted, Place(0, 0)) == Part()
    assert queue_ids(decision_search.search(database, wanted, Place(10**18, 10**18))) == IGNORED


# --- other participants ----------------------------------------------------------------------------------------------


def _set(database: Database, column: str, value: object, *queues: str) -> None:
    for queue in queues:
        database.execute(f"UPDATE decisions SET {column} = ? WHERE source_id = ?", (value, queue))


def test_recipients_of_mail_that_was_not_kept_are_read_in_bounded_parts(
    database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(database, "recipient_digests", DIGEST, "4XyI1", "4XyI9")
    _set(database, "recipient_digests", bytes(12) + DIGEST, "4XyI12")
    _set(database, "recipient_digests", bytes(12), "4XyI2", "4XyI15")
    wanted = Wanted(text=EVE, digests={demo.id: DIGEST})
    assert queue_ids(decision_search.search(database, wanted)) == ["4XyI12", "4XyI9", "4XyI1"]
    monkeypatch.setattr(decision_search, "TRACED_BUCKETS", 20)
    found = list(parts(database, wanted))
    assert len(found) > 2
    assert [one for part in found for one in queue_ids(part)] == ["4XyI12", "4XyI9", "4XyI1"]
    other = deployments.find(database, "other")
    assert decision_search.search(database, replace(wanted, deployment=other)).decisions == ()


def test_what_from_names_besides_is_read_in_bounded_parts(
    database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(database, "named", json.dumps([EVE, JANE]), "4XyI1", "4XyI9", "4XyI12")
    _set(database, "named", json.dumps(["e_e@x.example"]), "4XyI2", "4XyI15")
    assert queue_ids(decision_search.search(database, Wanted(text=EVE))) == ["4XyI12", "4XyI9", "4XyI1"]
    assert queue_ids(decision_search.search(database, Wanted(text="e_e@x.example"))) == ["4XyI15", "4XyI2"]
    monkeypatch.setattr(decision_search, "MOST_READ", 1)
    found = list(parts(database, Wanted(text=EVE)))
    assert len(found) > 1
    assert [one for part in found for one in queue_ids(part)] == ["4XyI12", "4XyI9", "4XyI1"]


@pytest.mark.parametrize("buckets", [4_000, 1])
def test_who_takes_part_is_found_even_where_the_address_is_no_contacts_any_more(
    database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch, buckets: int
) -> None:
    """It is found once, even if the address is also in From."""
    monkeypatch.setattr(decision_search, "MOST_BUCKETS", buckets)
    database.execute("UPDATE activity_contacts SET address = ? WHERE activity_id > 10", (EVE,))
    _set(database, "author", EVE, "4Xy12")
    _set(database, "named", json.dumps([EVE, JANE]), "4Xy13")
    _set(database, "author", None, "4Xy14")
    found = [one for part in parts(database, Wanted(text=EVE)) for one in queue_ids(part)]
    assert sorted(map(str, found)) == ["4Xy11", "4Xy12", "4Xy13", "4Xy14", "4Xy15"]


def test_what_postfix_refused_is_found_by_its_queue_id(database: Database, demo: Deployment, ignore: Ignore) -> None:
    ignore("demo", Reason.POSTFIX_REFUSED, outcome=Outcome.REFUSED, queue_id="4XyR:ab12", message_id=None)
    ignore("demo", Reason.POSTFIX_REFUSED, outcome=Outcome.REFUSED, queue_id="4XyR2:ab12", message_id=None)
    assert queue_ids(decision_search.search(database, Wanted(text="4XyR", told=()))) == ["4XyR"]
    assert decision_search.search(database, Wanted(text="4XyR", told=("4XyR:ab12",))).decisions == ()
    assert decision_search.search(database, Wanted(text="4XyR")).decisions == ()


# --- the reader's rights ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("buckets", [4_000, 5])
def test_each_is_told_what_is_theirs(
    database: Database,
    demo: Deployment,
    asker: Callable[..., Asker],
    monkeypatch: pytest.MonkeyPatch,
    now: datetime,
    buckets: int,
) -> None:
    monkeypatch.setattr(decision_search, "MOST_BUCKETS", buckets)
    for activity_id in range(1, 14):
        visibility.set_by_hand(database, activity_id, Visibility.PARTICIPANTS, "richard", now)

    def told(text: str, *who: str, **role: bool) -> list[str | None]:
        wanted = Wanted(text=text, deployment=demo, limit=100, asker=asker(*who, **role))
        return [one for part in parts(database, wanted) for one in queue_ids(part)]

    assert (told(JANE, "richard"), told(JANE, "anna")) == (CAPTURED, CAPTURED[:2])
    assert told(JANE, "anna", is_admin=True) == CAPTURED[:2]
    assert (told(STRANGER, "richard"), told(STRANGER, "anna")) == (IGNORED, [])
    assert told(STRANGER, "anna", is_admin=True) == IGNORED
    assert (told("4Xy3", "anna"), told("<3@client.example>", "anna"), told("3@x.example", "anna")) == ([], [], [])
    assert told("An offer", "richard") == [], "subjects are searched elsewhere"


@pytest.mark.parametrize("text", ["KÜCHE", "küche", "kuche", "Ku\u0308che", "STRASSE", "straße", "für die Küche"])
def test_a_subject_is_found_whatever_its_accents_and_capitals(
    database: Database, demo: Deployment, record: Record, text: str
) -> None:
    record("demo", "richard", JANE, number=40, subject="Angebot für die Küche, Straße 7")
    assert queue_ids(decision_search.search(database, Wanted(text=text))) == ["4Xy40"]


def test_a_subject_isnt_found_by_a_pattern(database: Database, demo: Deployment, record: Record) -> None:
    record("demo", "richard", JANE, number=40, subject="Angebot für die Küche")
    for text in ("K%che", "K_che", "Kü!che"):
        assert queue_ids(decision_search.search(database, Wanted(text=text))) == []
