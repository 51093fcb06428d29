"""Search in the record, on both databases: the hits, their order, the readers. Both databases find the same."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailweir.database_url import Postgresql
from mailweir.errors import NotFound
from mailweir.reading import search_entry
from mailweir.reading.search_query import parse
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.people import contacts, deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import search, search_index
from mailweir.store.record.search import Reader, Wanted
from tests.conftest import Record

JANE = "jane@client.example"
Put = Callable[..., int]


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A firm with richard and anna, who know jane and joe."""
    made = deployments.add(database, "demo", "demo.example.net", now)
    for username in ("richard", "anna"):
        users.add(database, made, username, f"{username}@firm.example", "", now)
    for name, address in (("Jane", JANE), ("Joe", "joe@client.example")):
        contacts.add(database, made, name, [address], None, now)
    return made


@pytest.fixture
def other(database: Database, now: datetime) -> Deployment:
    """Another firm, which knows the same jane."""
    made = deployments.add(database, "other", "other.example.net", now)
    users.add(database, made, "richard", "richard@else.example", "", now)
    contacts.add(database, made, "Jane", [JANE], None, now)
    return made


@pytest.fixture
def put(database: Database, record: Record) -> Put:
    """Records a mail and indexes it: put("demo", "its text", number=2); the activity's id."""

    def recorded(
        deployment: str,
        text: str = "",
        *,
        number: int = 1,
        subject: str = "",
        names: tuple[str, ...] = (),
        file_names: tuple[str, ...] = (),
        username: str = "richard",
        author: str = JANE,
    ) -> int:
        activity_id = record(deployment, username, author, number=number, subject=subject or "x")
        index(database, activity_id, text, subject, names, file_names)
        return activity_id

    return recorded


def index(
    database: Database,
    activity_id: int,
    text: str,
    subject: str = "",
    names: tuple[str, ...] = (),
    file_names: tuple[str, ...] = (),
) -> None:
    """Indexes the version that leads an activity."""
    sql = "SELECT leading_raw_id, deployment_id FROM activities WHERE id = ?"
    raw_id, deployment_id = database.execute(sql, (activity_id,)).fetchone()
    entry = search_entry.make(
        raw_id=raw_id, deployment_id=deployment_id, text=text, subject=subject, names=names, file_names=file_names
    )
    with database.transaction():
        search_index.put(database, [entry])


def found(
    database: Database, deployment: Deployment, typed: str, reader: Reader | None = None, **wanted: object
) -> list[int]:
    """The ids of the hits."""
    asked = Wanted(**{"limit": 50, **wanted})  # type: ignore[arg-type]
    return [hit.activity.id for hit in search.select(database, deployment, parse(typed), asked, reader)]


@pytest.mark.parametrize(
    ("typed", "is_found"),
    [
        ("boiler", True),
        ("BOILER price", True),
        ("price boiler", True),
        ("boiler engine", False),
        ('"fixed price"', True),
        ('"price fixed"', False),
        ("boil*", True),
        ("boil", False),
        ('"fixed pri"', False),
        (JANE, True),
        ("client.example", True),
        ("jane@client.exam*", True),
        ("jane@client.exam", False),
        ("example@client", False),
        ("doe", True),
        ("plan-2026.pdf", True),
        ("pdf", True),
        ("offer", True),
        ("strasse", True),
        ("運用", True),
        ("用運", False),
        ('"offer plan"', False),  # a phrase doesn't match across two fields
        ('"boiler" AND "price"', False),  # a word like others
        ("'boiler' -price", True),
        ('(boiler) "', True),
        ("1d", False),
        ("x", False),  # the placeholder of a gap
    ],
)
def test_words_phrases_and_beginnings_are_found(
    database: Database, demo: Deployment, put: Put, typed: str, is_found: bool
) -> None:
    text = "The boiler has a fixed price.\nRue de la Straße. 運用回議"
    activity_id = put("demo", text, subject="An offer", names=("Jane Doe", JANE), file_names=("plan-2026.pdf",))
    assert found(database, demo, typed) == [activity_id] * is_found


def test_a_word_ends_where_a_longer_one_goes_on(database: Database, demo: Deployment, put: Put) -> None:
    ids = [put("demo", text, number=number) for number, text in enumerate(("offer", "offers offered", "off er"), 1)]
    assert found(database, demo, "offer") == ids[:1]
    assert found(database, demo, "offer*") == ids[1::-1]
    assert found(database, demo, '"off er"') == ids[2:]


def test_the_one_recorded_last_is_first_and_pages_meet(database: Database, demo: Deployment, put: Put) -> None:
    ids = [put("demo", "boiler", number=number) for number in range(1, 8)][::-1]
    assert found(database, demo, "boiler") == ids
    assert found(database, demo, "boiler", limit=3) == ids[:3]
    assert found(database, demo, "boiler", limit=3, before=ids[2]) == ids[3:6]
    assert found(database, demo, "boiler", limit=3, before=ids[5]) == ids[6:]
    assert found(database, demo, "boiler", before=ids[6]) == []
    assert found(database, demo, "boiler", before=10**30) == ids


def test_all_chunks_are_read(database: Database, demo: Deployment, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailweir.store.record.search.FIRST_CHUNK", 2)
    monkeypatch.setattr("mailweir.store.record.search.LARGEST_CHUNK", 3)
    monkeypatch.setattr(search_index, "WINDOW_BITS", (1, 2, 3))
    ids = [put("demo", "boiler", number=number) for number in range(1, 10)]
    ids += [put("demo", "boiler", number=number, username="anna") for number in range(10, 13)]
    assert found(database, demo, "boiler") == ids[::-1]
    assert found(database, demo, "boil*") == ids[::-1]
    assert found(database, demo, "boiler", user="richard") == ids[8::-1]
    assert found(database, demo, "boiler", user="richard", limit=4) == ids[8:4:-1]


def test_a_search_is_narrowed_to_users_contacts_and_time(
    database: Database, demo: Deployment, put: Put, now: datetime
) -> None:
    first = put("demo", "boiler", number=1)
    second = put("demo", "boiler", number=2, username="anna")
    third = put("demo", "boiler", number=3, username="anna", author="joe@client.example")
    assert found(database, demo, "boiler", user="anna") == [third, second]
    assert found(database, demo, "boiler", contact=JANE) == [second, first]
    assert found(database, demo, "boiler", contact=JANE, user="anna") == [second]
    assert found(database, demo, "boiler", since=now + timedelta(minutes=2)) == [third, second]
    assert found(database, demo, "boiler", since=now + timedelta(days=2)) == []
    assert found(database, demo, "boiler", since=datetime.min.replace(tzinfo=now.tzinfo)) == [third, second, first]
    with pytest.raises(NotFound, match="unknown user"):
        found(database, demo, "boiler", user="bob")


def test_a_moment_is_found_by_halves(database: Database, demo: Deployment, put: Put, now: datetime) -> None:
    ids = [put("demo", "boiler", number=number * 60) for number in range(1, 20)]
    for place in range(len(ids)):
        since = now + timedelta(hours=place + 1)
        assert found(database, demo, "boiler", since=since) == ids[place:][::-1]


def test_deployments_find_their_own_mail_alone(
    database: Database, demo: Deployment, other: Deployment, put: Put
) -> None:
    ours, theirs = put("demo", "boiler", names=(JANE,)), put("other", "boiler engine", names=(JANE,))
    for typed in ("boiler", "boil*", JANE):
        assert found(database, demo, typed) == [ours]
        assert found(database, other, typed) == [theirs]
    assert found(database, demo, "engine") == []
    assert found(database, demo, "boiler", before=theirs) == [ours]


def test_the_leading_version_is_what_is_found(database: Database, demo: Deployment, put: Put, record: Record) -> None:
    activity_id = put("demo", "boiler")
    assert record("demo", "anna", JANE, raw=b"another body", queue_id="4Xy9", subject="x") == activity_id
    raw_ids = [row[0] for row in database.execute("SELECT id FROM raw_messages ORDER BY id").fetchall()]
    entry = search_entry.make(raw_id=raw_ids[1], deployment_id=demo.id, text="engine", subject="")
    with database.transaction():
        search_index.put(database, [entry])
    assert (found(database, demo, "boiler"), found(database, demo, "engine")) == ([activity_id], [])
    database.execute("UPDATE activities SET leading_raw_id = ?", (raw_ids[1],))
    assert (found(database, demo, "boiler"), found(database, demo, "engine")) == ([], [activity_id])


def test_twice_indexed_is_once_indexed(database: Database, demo: Deployment, put: Put) -> None:
    activity_id = put("demo", "boiler")
    for text in ("boiler", "engine", "engine"):
        index(database, activity_id, text)
    assert (found(database, demo, "boiler"), found(database, demo, "engine")) == ([], [activity_id])
    assert database.execute("SELECT COUNT(*) FROM search_texts").fetchone()[0] == 1


def test_what_left_the_index_is_not_found(database: Database, demo: Deployment, put: Put) -> None:
    first, second = put("demo", "boiler", number=1), put("demo", "boiler", number=2)
    with database.transaction():
        search_index.remove(database, [first, 999])
    assert found(database, demo, "boiler") == [second]


def test_readers_find_what_they_may_see(database: Database, demo: Deployment, put: Put) -> None:
    """Law 13. If a reader sees only author and time of an activity, it is found by names, and not by its text."""
    whole = put("demo", "boiler jane", number=1, names=("Jane", JANE))
    metadata = put("demo", "boiler", number=2, subject="secret", names=("Jane", JANE), file_names=("plan.pdf",))
    hidden = put("demo", "boiler", number=3, names=("Jane", JANE))
    reader = Reader(whole="a.id = ?", whole_values=(whole,), names="a.id IN (?, ?)", names_values=(metadata, whole))
    assert found(database, demo, "jane") == [hidden, metadata, whole]
    assert found(database, demo, "jane", reader) == [metadata, whole]
    assert found(database, demo, JANE, reader, limit=1) == [metadata]
    hits = search.select(database, demo, parse("jane"), Wanted(limit=9), reader)
    assert [(hit.is_whole, hit.activity.subject) for hit in hits] == [(False, ""), (True, "x")]
    assert found(database, demo, "boiler", reader) == [whole]
    for typed in ("secret", "plan", "plan.pdf", '"jane boiler"', "jane boiler secret"):
        assert found(database, demo, typed, reader) == []


def test_without_a_word_nothing_is_found(database: Database, demo: Deployment, put: Put) -> None:
    put("demo", "boiler")
    assert found(database, demo, "!?") == []


def test_the_longest_message_is_indexed(database: Database, demo: Deployment, put: Put) -> None:
    text = " ".join(f"{'𐐨' * 60}{number}" for number in range(16_000)) + " boiler" * 20_000
    activity_id = put("demo", text, subject=text, names=(text,) * 20, file_names=(text,) * 20)
    assert found(database, demo, f"{'𐐨' * 60}7") == [activity_id]


# --- both databases find the same -------------------------------------------------------------------------------------

_PIECES = st.sampled_from(
    [
        "offer",
        "Offer",
        "offers",
        "straße",
        "運用",
        "回",
        "a-b",
        "jane@client.example",
        "e\u0301",
        "x",
        "OR",
        "1d",
        "ø",
        "ไทย",
    ]
)
_TEXT = st.lists(st.one_of(_PIECES, st.text(max_size=6)), max_size=8).map(" ".join)
_TYPED = st.lists(
    st.one_of(_PIECES, _PIECES.map(lambda one: one[:4] + "*"), _TEXT.map(lambda one: f'"{one}"'), st.text(max_size=6)),
    min_size=1,
    max_size=3,
).map(" ".join)


@pytest.fixture
def both(sqlite_url: Path, postgresql_url: Postgresql) -> Iterator[tuple[Database, Database]]:
    """SQLite and PostgreSQL, each with a firm and thirty mails without words."""
    with closing(Database(sqlite_url)) as one, closing(Database(postgresql_url)) as another:
        for database in (one, another):
            with database.transaction():
                _put_mails(database)
        yield one, another


def _put_mails(database: Database) -> None:
    at = "2026-11-24T03:12:55.123456Z"
    columns = ("id", "name", "domain", "created_at")
    batches.insert(database, "deployments", columns, [(1, "demo", "demo.example.net", at)])
    of_activity = ("id", "deployment_id", "identity", "direction", "author", "subject", "recorded_at", "leading_raw_id")
    rows = [(n, 1, b"%d" % n, "incoming", JANE, "", at, n) for n in range(1, 31)]
    batches.insert(database, "activities", of_activity, rows)
    of_raw = ("id", "activity_id", "version_digest", "size_bytes", "content_zstd", "recorded_at")
    batches.insert(database, "raw_messages", of_raw, [(n, n, b"%d" % n, 1, b"x", at) for n in range(1, 31)])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(_TEXT, min_size=1, max_size=30), queries=st.lists(_TYPED, min_size=5, max_size=15))
def test_both_databases_find_the_same(both: tuple[Database, Database], texts: list[str], queries: list[str]) -> None:
    entries = [
        search_entry.make(raw_id=n, deployment_id=1, text=text, subject=texts[0], names=(texts[-1],))
        for n, text in enumerate(texts, 1)
    ]
    for database in both:
        with database.transaction():
            search_index.remove(database, range(1, 31))
            search_index.put(database, entries)
    for typed in [*queries, *texts, *(f'"{text}"' for text in texts)]:
        one, another = (found(database, deployments.find(database, "demo"), typed) for database in both)
        assert one == another, typed


def test_both_databases_find_the_same_at_the_bounds(both: tuple[Database, Database]) -> None:
    text = "offer plan " * 300 + "end of it " + " ".join(f"w{number}" for number in range(20_000))
    entry = search_entry.make(raw_id=1, deployment_id=1, text=text, subject="")
    queries = ('"plan end"', '"end of it"', "w15000", "w19999", '"offer plan"', '"w7 w8 w9"', "w1500*")
    results = []
    for database in both:
        with database.transaction():
            search_index.put(database, [entry])
        results.append([found(database, deployments.find(database, "demo"), typed) for typed in queries])
    assert results[0] == results[1] == [[], [1], [1], [], [1], [1], [1]]
