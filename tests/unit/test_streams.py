"""Activities as a page lists them: the rows that each reader gets (laws 4, 8 and 13), and the way to the next page."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from mailweir.reading.labels import Label, to_bits
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.people import deployments
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import id_ranges, monthly, streams, walking
from mailweir.store.record.stream_filter import StreamFilter
from mailweir.store.record.streams import Page
from mailweir.store.record.visibility import Reader
from mailweir.store.record.walking import Walk
from tests.people import DEMO, OTHER, MemoryDirectory

COUNT = 150
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
RICHARD, MARY = Reader(DEMO.id, (1,)), Reader(DEMO.id, (2,))
COMPANY, OTHERS_COMPANY = 1, 2
LABELS = (Label.INVITATION, Label.LIST)


@dataclass(frozen=True)
class Made:
    """An activity of the test's, with its versions: (contact, is in Bcc, is the version proven)."""

    id: int
    deployment: int
    author: str
    users: tuple[int, ...]
    parts: tuple[tuple[int, bool, bool], ...]
    visibility: str
    verdict: str
    direction: str
    route: str
    label: Label | None
    thread: int

    @property
    def recorded_at(self) -> datetime:
        return BEGAN + timedelta(hours=self.id)

    def names(self, contacts: set[int], reader: Reader | None) -> bool:
        """Does one of these contacts take part, as far as the reader may know?"""
        mine = [
            bcc for contact, bcc, proven in self.parts if contact in contacts and (self.verdict != "pass" or proven)
        ]
        return bool(mine) and (not all(mine) or (reader is not None and self.author == AUTHOR_OF[reader.user_ids[0]]))

    def is_open_to(self, reader: Reader | None, *, whole: bool) -> bool:
        if reader is None:
            return not whole
        return (
            bool(set(self.users) & set(reader.user_ids))
            or self.visibility == "everyone"
            or (self.visibility == "metadata" and not whole)
        )


AUTHOR_OF = {1: "richard@firm.example", 2: "mary@firm.example"}


def _made() -> list[Made]:
    chance = random.Random(7)
    made = []
    for number in range(1, COUNT + 1):
        is_others = number % 10 == 0
        contacts: tuple[int, ...] = (4,) if is_others else (1, 2, 3)
        parts = {(chance.choice(contacts), chance.random() < 0.3, chance.random() < 0.7) for _ in range(2)}
        made.append(
            Made(
                id=number,
                deployment=OTHER.id if is_others else DEMO.id,
                author=chance.choice(["jane@client.example", "richard@firm.example", "mary@firm.example"]),
                users=(4,) if is_others else tuple(sorted({chance.choice((1, 2, 3)), 3})),
                parts=tuple(sorted({(one, bcc): (one, bcc, proven) for one, bcc, proven in parts}.values())),
                visibility=chance.choice(["everyone", "metadata", "participants", "participants"]),
                verdict=chance.choice(["pass", "pass", "none", "fail"]),
                direction=chance.choice(["incoming", "outgoing"]),
                route=chance.choice(["forward", "relay"]),
                label=chance.choice([None, *LABELS]),
                thread=2 if is_others else chance.choice([1, 3]),
            )
        )
    return made


MADE = _made()


@pytest.fixture
def demo(database: Database, people: MemoryDirectory) -> Deployment:
    """A deployment with the test's record; contacts 1 and 2 work for a company."""
    people.write(database)
    with database.transaction():
        for company, tenant in ((COMPANY, DEMO.id), (OTHERS_COMPANY, OTHER.id)):
            columns = ("id", "deployment_id", "name", "created_at")
            batches.insert(database, "companies", columns, [(company, tenant, "Client Ltd", "")])
        database.execute("UPDATE contacts SET company_id = ? WHERE id IN (1, 2)", (COMPANY,))
        database.execute("UPDATE contacts SET company_id = ? WHERE id = 4", (OTHERS_COMPANY,))
        for thread, tenant in ((1, DEMO.id), (2, OTHER.id), (3, DEMO.id)):
            batches.insert(database, "threads", ("id", "deployment_id", "created_at"), [(thread, tenant, "")])
        _put(database)
    return deployments.find(database, DEMO.name)


_READING = (
    *("raw_id", "reader_version", "state", "read_at", "subject", "snippet", "labels", "thread_keys", "problems"),
    *("remote_images", "folds", "text_zstd"),
)


def _reading(raw_id: int, label: Label | None) -> tuple[object, ...]:
    return (raw_id, 1, "read", "", "", "We can", to_bits([label]) if label else 0, "", "[]", 0, "[]", b"x")


def _put(database: Database) -> None:
    """Each activity has a proven and an unproven version. One of them leads."""
    tables: tuple[tuple[str, str, list[tuple[object, ...]]], ...] = (
        (
            "activities",
            "id, deployment_id, identity, direction, author, subject, recorded_at, sender_verdict, leading_raw_id, visibility",
            [
                (
                    one.id,
                    one.deployment,
                    b"%d" % one.id,
                    one.direction,
                    one.author,
                    "An offer",
                    rfc3339(one.recorded_at),
                    one.verdict,
                    2 * one.id,
                    one.visibility,
                )
                for one in MADE
            ],
        ),
        (
            "raw_messages",
            "id, activity_id, version_digest, size_bytes, content_zstd, recorded_at, verdict",
            [
                (2 * one.id + other, one.id, b"%d" % other, 1, b"x", "", "none" if other else one.verdict)
                for one in MADE
                for other in (0, 1)
            ],
        ),
        ("activity_users", "activity_id, user_id", [(one.id, user) for one in MADE for user in one.users]),
        (
            "activity_contacts",
            "activity_id, contact_id, address, raw_message_id, is_bcc",
            [
                (one.id, contact, f"{int(bcc)}@client.example", 2 * one.id + (not proven), int(bcc))
                for one in MADE
                for contact, bcc, proven in one.parts
            ],
        ),
        (
            "sightings",
            "activity_id, route, source_id, raw_message_id, seen_at",
            [(one.id, one.route, f"4Xy{one.id}", 2 * one.id, "2026-11-24T03:12:55.000000Z") for one in MADE],
        ),
        (
            "readings",
            ", ".join(_READING),
            [_reading(2 * one.id, one.label) for one in MADE],
        ),
        (
            "activity_threads",
            "activity_id, deployment_id, thread_id, subject_digest",
            [(one.id, one.deployment, one.thread, b"x") for one in MADE],
        ),
    )
    for name, columns, rows in tables:
        batches.insert(database, name, columns.split(", "), rows)


Fits = Callable[[Made, Reader | None], bool]
SINCE, UNTIL = BEGAN + timedelta(hours=40), BEGAN + timedelta(hours=110)
FILTERS: dict[str, tuple[StreamFilter, Fits]] = {
    "all": (StreamFilter(), lambda one, reader: True),
    "a contact": (StreamFilter(contacts=(1,)), lambda one, reader: one.names({1}, reader)),
    "contacts": (StreamFilter(contacts=(1, 3)), lambda one, reader: one.names({1, 3}, reader)),
    "a company": (StreamFilter(company=COMPANY), lambda one, reader: one.names({1, 2}, reader)),
    "contacts and who isn't there": (
        StreamFilter(contacts=(3, 2, *range(900, 910))),
        lambda one, reader: one.names({2, 3}, reader),
    ),
    "a user": (StreamFilter(users=(2,)), lambda one, reader: 2 in one.users),
    "a user and a contact": (
        StreamFilter(users=(2,), contacts=(2,)),
        lambda one, reader: 2 in one.users and one.names({2}, reader),
    ),
    "outgoing": (StreamFilter(direction="outgoing"), lambda one, reader: one.direction == "outgoing"),
    "relay": (StreamFilter(route="relay"), lambda one, reader: one.route == "relay"),
    "a verdict": (StreamFilter(verdict="fail"), lambda one, reader: one.verdict == "fail"),
    "another verdict": (StreamFilter(verdict="none"), lambda one, reader: one.verdict == "none"),
    "the usual ones": (
        StreamFilter(verdict="pass", route="forward"),
        lambda one, reader: one.verdict == "pass" and one.route == "forward",
    ),
    "two that are rare": (
        StreamFilter(verdict="fail", route="relay"),
        lambda one, reader: one.verdict == "fail" and one.route == "relay",
    ),
    "a user's rare ones": (
        StreamFilter(users=(2,), route="relay", since=SINCE),
        lambda one, reader: 2 in one.users and one.route == "relay" and one.recorded_at >= SINCE,
    ),
    "a contact's rare ones": (
        StreamFilter(contacts=(1,), verdict="fail"),
        lambda one, reader: one.names({1}, reader) and one.verdict == "fail",
    ),
    "a company's rare ones": (
        StreamFilter(company=COMPANY, verdict="none", direction="incoming"),
        lambda one, reader: one.names({1, 2}, reader) and one.verdict == "none" and one.direction == "incoming",
    ),
    "a thread's rare ones": (
        StreamFilter(thread=1, route="relay"),
        lambda one, reader: one.thread == 1 and one.route == "relay",
    ),
    "a label of rare ones": (
        StreamFilter(label=Label.LIST, verdict="fail"),
        lambda one, reader: one.label is Label.LIST and one.verdict == "fail",
    ),
    "a label": (StreamFilter(label=Label.INVITATION), lambda one, reader: one.label is Label.INVITATION),
    "a thread": (StreamFilter(thread=1), lambda one, reader: one.thread == 1),
    "since": (StreamFilter(since=SINCE), lambda one, reader: one.recorded_at >= SINCE),
    "until": (StreamFilter(until=UNTIL), lambda one, reader: one.recorded_at < UNTIL),
    "much at once": (
        StreamFilter(company=COMPANY, users=(3,), direction="incoming", since=SINCE, until=UNTIL, verdict="pass"),
        lambda one, reader: (
            one.names({1, 2}, reader)
            and 3 in one.users
            and one.direction == "incoming"
            and SINCE <= one.recorded_at < UNTIL
            and one.verdict == "pass"
        ),
    ),
    "another tenant's contact": (StreamFilter(contacts=(4,)), lambda one, reader: False),
    "another tenant's company": (StreamFilter(company=OTHERS_COMPANY), lambda one, reader: False),
    "another tenant's user": (StreamFilter(users=(4,)), lambda one, reader: False),
    "another tenant's thread": (StreamFilter(thread=2), lambda one, reader: False),
    "nobody's": (StreamFilter(contacts=(999, 998)), lambda one, reader: False),
}
READERS = {"richard": RICHARD, "mary": MARY, "an operator": None}


def _expected(name: str, reader: Reader | None) -> list[int]:
    wanted, fits = FILTERS[name]
    whole = wanted.label is not None or wanted.thread is not None
    return [
        one.id
        for one in reversed(MADE)
        if one.deployment == DEMO.id and one.is_open_to(reader, whole=whole) and fits(one, reader)
    ]


def _ids(page: Page) -> list[int]:
    return [one.id for one in page.activities]


def _older(database: Database, demo: Deployment, reader: Reader | None, wanted: StreamFilter) -> list[int]:
    page = streams.stream(database, demo, reader, wanted, limit=7)
    found = _ids(page)
    while page.older is not None:
        page = streams.stream(database, demo, reader, wanted, before=page.older, limit=7)
        found += _ids(page)
    return found


def _newer(database: Database, demo: Deployment, reader: Reader | None, wanted: StreamFilter) -> list[int]:
    """Pages from the oldest activity on; returns the newest first, as the other walk does."""
    after: int | None = 0
    found: list[int] = []
    while after is not None:
        page = streams.stream(database, demo, reader, wanted, after=after, limit=7)
        found = _ids(page) + found
        after = page.newer
    return found


@pytest.fixture(params=["at once", "in small steps"])
def steps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of rows that a step reads, and that a page may read."""
    if request.param == "in small steps":
        monkeypatch.setattr(walking, "FIRST_STEP", 2)
        monkeypatch.setattr(walking, "LARGEST_STEP", 11)
        monkeypatch.setattr(walking, "LARGEST_WINDOW", 12)
        monkeypatch.setattr(streams, "LOOKED_AT", 20)
        monkeypatch.setattr(id_ranges, "PROBED", 2)
        monkeypatch.setattr(id_ranges, "MOST_CONTACTS", 1)


@pytest.mark.parametrize("walked", [_older, _newer])
@pytest.mark.usefixtures("steps")
def test_pages_have_what_the_reader_may_know_of_and_all_of_it_once(
    database: Database, demo: Deployment, walked: Callable[..., list[int]]
) -> None:
    """Laws 4, 8 and 13. The test decides about each activity by itself, and compares."""
    asked = [(name, reader) for name in FILTERS for reader in READERS.values()]
    found = {(name, reader): walked(database, demo, reader, FILTERS[name][0]) for name, reader in asked}
    assert found == {(name, reader): _expected(name, reader) for name, reader in asked}
    assert sum(map(len, found.values())) > 500, "there is much to find"


@pytest.mark.parametrize("reader", [RICHARD, MARY])
@pytest.mark.usefixtures("steps")
def test_a_walk_itself_leaves_out_what_the_reader_may_not_know_of(
    database: Database, demo: Deployment, reader: Reader
) -> None:
    """Law 13 is part of the query, whichever index range it uses: activities that are only counted are never loaded."""
    found = {name: list(Walk(database, demo, reader, wanted).ids(7)) for name, (wanted, _) in FILTERS.items()}
    assert found == {name: _expected(name, reader) for name in FILTERS}


def test_who_may_not_see_all_sees_the_metadata_and_no_bcc(database: Database, demo: Deployment) -> None:
    seen = streams.stream(database, demo, MARY, StreamFilter(), limit=200).activities
    by_id = {one.id: one for one in MADE}
    part = [one for one in seen if by_id[one.id].visibility == "metadata" and 2 not in by_id[one.id].users]
    assert part
    assert {(one.subject, one.snippet, one.labels, one.thread) for one in part} == {("", "", (), None)}
    assert {one.subject for one in seen} == {"", "An offer"}
    foreign = [one for one in seen if one.author != AUTHOR_OF[2]]
    assert [contact for one in foreign for contact in one.contacts if contact.bcc] == []
    own = [one for one in seen if one.author == AUTHOR_OF[2]]
    assert [contact for one in own for contact in one.contacts if contact.bcc]


def test_an_operator_sees_no_text_and_no_bcc(database: Database, demo: Deployment) -> None:
    seen = streams.stream(database, demo, None, StreamFilter(), limit=200).activities
    assert len(seen) == COUNT * 9 // 10
    assert {(one.subject, one.snippet, one.labels, one.attachments) for one in seen} == {("", "", (), ())}
    assert [contact for one in seen for contact in one.contacts if contact.bcc] == []


def test_a_page_says_what_is_beside_it(database: Database, demo: Deployment) -> None:
    every = _expected("all", RICHARD)
    first = streams.stream(database, demo, RICHARD, StreamFilter(), limit=5)
    assert (_ids(first), first.older, first.newer, first.continues_from) == (every[:5], every[4], None, None)
    second = streams.stream(database, demo, RICHARD, StreamFilter(), before=first.older, limit=5)
    assert (_ids(second), second.older, second.newer) == (every[5:10], every[9], every[5])
    back = streams.stream(database, demo, RICHARD, StreamFilter(), after=second.newer, limit=5)
    assert (_ids(back), back.older, back.newer) == (every[:5], every[4], None)
    last = streams.stream(database, demo, RICHARD, StreamFilter(), before=every[-3], limit=5)
    assert (_ids(last), last.older) == (every[-2:], None)
    beyond = streams.stream(database, demo, RICHARD, StreamFilter(), before=every[-1], limit=5)
    assert (_ids(beyond), beyond.older, beyond.newer) == ([], None, every[-1] - 1)


def test_a_rare_kind_ends_a_page_after_so_much_was_looked_at(
    database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "FIRST_STEP", 10)
    monkeypatch.setattr(walking, "LARGEST_STEP", 10)
    monkeypatch.setattr(streams, "LOOKED_AT", 10)
    page = streams.stream(database, demo, None, StreamFilter(direction="never"), limit=5)
    assert (_ids(page), page.older) == ([], page.continues_from)
    assert page.continues_from is not None
    further = streams.stream(database, demo, None, StreamFilter(direction="never"), before=page.continues_from, limit=5)
    assert further.continues_from is not None
    assert further.continues_from < page.continues_from


FEW_OF_ALL = [149, 77, 3]


@pytest.mark.parametrize("reader", [MARY, RICHARD])
@pytest.mark.parametrize(
    "wanted",
    [
        StreamFilter(verdict="fail"),
        StreamFilter(route="gmail_out", direction="outgoing"),
        StreamFilter(label=Label.SIGNED),
        StreamFilter(label=Label.SIGNED, route="gmail_out", verdict="fail"),
    ],
)
def test_what_few_have_is_found_without_looking_at_the_rest(
    database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch, wanted: StreamFilter, reader: Reader
) -> None:
    monkeypatch.setattr(walking, "FIRST_STEP", 5)
    monkeypatch.setattr(streams, "LOOKED_AT", 10)
    marks = ",".join("?" * len(FEW_OF_ALL))
    database.execute("UPDATE activities SET sender_verdict = 'pass'")
    database.execute(
        "UPDATE activities SET sender_verdict = 'fail', direction = 'outgoing', visibility = 'everyone'"
        f" WHERE id IN ({marks})",
        FEW_OF_ALL,
    )
    database.execute(f"UPDATE sightings SET route = 'gmail_out' WHERE activity_id IN ({marks})", FEW_OF_ALL)
    raw_ids = [2 * one for one in FEW_OF_ALL]
    database.execute(f"DELETE FROM readings WHERE raw_id IN ({marks})", raw_ids)
    batches.insert(database, "readings", _READING, [_reading(one, Label.SIGNED) for one in raw_ids])
    page = streams.stream(database, demo, reader, wanted, limit=5)
    assert (_ids(page), page.older, page.continues_from) == (FEW_OF_ALL, None, None)
    page = streams.stream(database, demo, reader, wanted, limit=2)
    assert (_ids(page), page.older, page.continues_from) == (FEW_OF_ALL[:2], 77, None)


def test_what_another_tenant_has_much_of_keeps_nobody_from_their_own(database: Database, demo: Deployment) -> None:
    """The index of routes contains all tenants' mail."""
    database.execute("UPDATE sightings SET route = 'forward'")
    others = "SELECT id FROM activities WHERE deployment_id <> ? OR id = 3"
    database.execute(f"UPDATE sightings SET route = 'log' WHERE activity_id IN ({others})", (demo.id,))
    assert _ids(streams.stream(database, demo, None, StreamFilter(route="log"), limit=5)) == [3]


@pytest.mark.parametrize("given", [{"before": 1, "after": 1}, {"limit": 0}, {"limit": 201}])
def test_a_page_that_can_not_be_is_refused(database: Database, demo: Deployment, given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="a page is asked for"):
        streams.stream(database, demo, RICHARD, StreamFilter(), **given)


def test_a_reader_of_another_deployment_is_refused(database: Database, demo: Deployment) -> None:
    stranger = Reader(OTHER.id, (4,))
    with pytest.raises(ValueError, match="another deployment's"):
        streams.stream(database, demo, stranger, StreamFilter())
    with pytest.raises(ValueError, match="another deployment's"):
        monthly.counts(database, demo, stranger, StreamFilter(company=COMPANY), BEGAN)


@pytest.mark.parametrize("number", [-(10**30), -1, 0, 10**30])
def test_an_id_of_any_size_is_taken(database: Database, demo: Deployment, number: int) -> None:
    every = _expected("all", None)
    assert _ids(streams.stream(database, demo, None, StreamFilter(), before=number, limit=200)) in ([], every)
    assert _ids(streams.stream(database, demo, None, StreamFilter(), after=number, limit=200)) in ([], every)


LATER = BEGAN + timedelta(days=40)
OF_CONTACTS = [
    name for name, (one, _) in FILTERS.items() if one == StreamFilter(contacts=one.contacts, company=one.company)
][1:]


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_months_count_what_the_reader_may_know_of(database: Database, demo: Deployment, reader: Reader | None) -> None:
    """Laws 4, 8 and 13: as many as the lists have."""
    counted = {name: monthly.counts(database, demo, reader, FILTERS[name][0], LATER) for name in OF_CONTACTS}
    assert [month for month, _ in counted["a company"].months] == [
        *("2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06"),
        *("2026-07", "2026-08", "2026-09", "2026-10", "2026-11", "2026-12"),
    ]
    november = {name: dict(one.months)["2026-11"] for name, one in counted.items()}
    assert november == {name: len(_expected(name, reader)) for name in OF_CONTACTS}
    assert [
        one for one in counted.values() if one.is_partial or sum(dict(one.months).values()) > max(november.values())
    ] == []


def test_months_go_by_when_mail_was_sent_if_that_can_be(database: Database, demo: Deployment) -> None:
    database.execute("UPDATE activities SET sent_at = '2026-03-05T00:00:00.000000Z' WHERE id < ?", (52,))
    database.execute("UPDATE activities SET sent_at = '2036-03-05T00:00:00.000000Z' WHERE id > ?", (52,))
    every = _expected("a company", None)
    older = [one for one in every if one < 52]
    counted = dict(monthly.counts(database, demo, None, StreamFilter(company=COMPANY), LATER).months)
    assert (counted["2026-03"], counted["2026-11"]) == (len(older), len(every) - len(older))
    past = BEGAN - timedelta(days=400)
    assert dict(monthly.counts(database, demo, None, StreamFilter(company=COMPANY), past).months) == (
        dict.fromkeys(("2024-10", "2024-11", "2024-12", *(f"2025-{month:02d}" for month in range(1, 10))), 0)
    )


@pytest.mark.parametrize("most", [1, 20, 60])
def test_months_of_much_mail_are_partial(
    database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(monthly, "LOOKED_AT", most)
    counted = monthly.counts(database, demo, RICHARD, StreamFilter(company=COMPANY), LATER)
    assert counted.is_partial
    assert sum(count for _, count in counted.months) < len(_expected("a company", RICHARD))


def test_partial_months_count_the_newest_once(
    database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a span with too many entries nothing is counted; then come narrower ones, each id in one of them."""
    database.execute("UPDATE activities SET sent_at = '2026-03-05T00:00:00.000000Z' WHERE id <= ?", (75,))
    monkeypatch.setattr(monthly, "LOOKED_AT", 120)
    counted = monthly.counts(database, demo, None, StreamFilter(company=COMPANY), LATER)
    newer = [one for one in _expected("a company", None) if one > 75]
    assert counted.is_partial
    assert dict(counted.months)["2026-11"] == len(newer)
    assert 0 < dict(counted.months)["2026-03"] < len(_expected("a company", None)) - len(newer)


@pytest.mark.parametrize(
    "wanted", [StreamFilter(), StreamFilter(contacts=(1,), users=(1,)), StreamFilter(company=1, thread=1)]
)
def test_months_are_of_contacts_and_all_their_mail(database: Database, demo: Deployment, wanted: StreamFilter) -> None:
    with pytest.raises(ValueError, match="of contacts or of a company"):
        monthly.counts(database, demo, RICHARD, wanted, LATER)


@pytest.mark.parametrize("reader", [None, RICHARD])
@pytest.mark.parametrize("wanted", [StreamFilter(users=(4,)), StreamFilter(thread=2), StreamFilter(contacts=(4,))])
def test_a_walk_leaves_another_deployments_ids_out(
    database: Database, demo: Deployment, reader: Reader | None, wanted: StreamFilter
) -> None:
    """Law 4. They are left out before rows are loaded."""
    assert list(Walk(database, demo, reader, wanted, tells_bcc=True).ids(COUNT)) == []
