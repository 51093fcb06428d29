"""Lists use indexes: a page's cost doesn't grow with the record, and no query reads a whole table. On both databases."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bench import made_record
from bench.made_record import Shape
from mailweir.database_url import DatabaseUrl
from mailweir.reading.labels import Label
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse
from mailweir.store.people import deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.users import User
from mailweir.store.record import (
    activities,
    decision_pages,
    decision_search,
    digest_queue,
    monthly,
    streams,
    todo_lists,
    user_routes,
    walking,
)
from mailweir.store.record.decision_search import Wanted
from mailweir.store.record.decisions import Asker
from mailweir.store.record.digest_queue import Lane, Stage
from mailweir.store.record.stream_filter import StreamFilter
from mailweir.store.record.visibility import Reader
from tests.postgresql import Cluster

pytestmark = pytest.mark.slow  # it needs a large record

FEW, MANY = 3_000, 60_000
BOUND = 400  # ids of a page in this test
ALL_THAT_IS_LOOKED_AT = 700  # in hundreds of steps of SQLite's virtual machine
SOME = Reader(1, (7, 8))  # together they have more mail than a list may read
ADMIN = Asker(reader=SOME, username="user7", capture_address="user7@demo.example.net", is_admin=True)
NEWEST = parse("2026-01-01T00:00:00.000000Z") + timedelta(seconds=made_record.SECONDS_BETWEEN * FEW)
_OURS = ("PRAGMA", "EXPLAIN", "SELECT set_config")


class Watched(Database):
    """Keeps the statements that run, and on PostgreSQL also how each was executed."""

    def __init__(self, url: DatabaseUrl) -> None:
        super().__init__(url, busy_timeout_seconds=60)
        self.statements: list[tuple[str, Sequence[Any]]] = []
        self.plans: list[Any] = []

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """See Database."""
        if not sql.startswith(_OURS):
            self.statements.append((sql, parameters))
            if not self.is_sqlite:
                (plan,) = super().execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters).fetchone()
                self.plans.append(plan if isinstance(plan, list) else json.loads(plan))
        return super().execute(sql, parameters)


Ask = Callable[[Database, Deployment], object]


def _stream(wanted: StreamFilter, reader: Reader | None = SOME, **place: int) -> Ask:
    return lambda database, demo: streams.stream(database, demo, reader, wanted, **place)


def _why(text: str) -> Ask:
    """The answer of `why` to a user."""
    asker = replace(ADMIN, is_admin=False)
    return lambda database, demo: decision_search.search(
        database, Wanted(text=text, deployment=demo, limit=20, digests={demo.id: bytes(12)}, told=(), asker=asker)
    )


def _user7(database: Database, demo: Deployment) -> User:
    return users.find(database, demo, "user7")


LISTS: dict[str, Ask] = {
    "all": _stream(StreamFilter()),
    "all, older": _stream(StreamFilter(), before=2_000),
    "all, newer": _stream(StreamFilter(), after=500),
    "all, to an operator": _stream(StreamFilter(), None),
    "a user's": _stream(StreamFilter(users=(9,))),
    "a contact's": _stream(StreamFilter(contacts=(1,))),
    "a contact's, newer": _stream(StreamFilter(contacts=(1,)), after=500),
    "contacts'": _stream(StreamFilter(contacts=(1, 25, 50))),
    "a company's": _stream(StreamFilter(company=5)),
    "a thread's": _stream(StreamFilter(thread=300)),
    "since": _stream(StreamFilter(since=NEWEST - timedelta(hours=1))),
    "until": _stream(StreamFilter(until=NEWEST - timedelta(hours=10))),
    "outgoing": _stream(StreamFilter(direction="outgoing")),
    "a rare verdict": _stream(StreamFilter(verdict="fail")),
    "another rare verdict": _stream(StreamFilter(verdict="none", users=(9,))),
    "a rare route": _stream(StreamFilter(route="gmail_in")),
    "a rare label": _stream(StreamFilter(label=Label.ENCRYPTED)),
    "what nobody has": _stream(StreamFilter(users=(9,), route="gmail_in", direction="outgoing")),
    "months": lambda database, demo: monthly.counts(database, demo, SOME, StreamFilter(contacts=(1,)), NEWEST),
    "to-dos": lambda database, demo: todo_lists.open_ones(database, demo, 7),
    "to-dos, the oldest first": lambda database, demo: todo_lists.open_ones(database, demo, 7, oldest_first=True),
    "to-dos, done": lambda database, demo: todo_lists.done_ones(database, demo, 7),
    "decisions": lambda database, demo: decision_pages.page(database, demo, ADMIN),
    "why, an address": _why("stranger7@else.example"),
    "why, a contact's address": _why("contact7@client.example"),
    "why, a Message-ID": _why("<7@client.example>"),
    "why, a queue id": _why("q7"),
    "a user's last mail": lambda database, demo: user_routes.last_of_user(database, demo, _user7(database, demo)),
    "a user's days": lambda database, demo: user_routes.forwarded_times(
        database, demo, _user7(database, demo), NEWEST - timedelta(days=240)
    ),
    "command line": lambda database, demo: activities.select(database, demo, activities.Filter(limit=50)),
    "command line, a user's": lambda database, demo: activities.select(
        database, demo, activities.Filter(user="user9", limit=50)
    ),
    "command line, since": lambda database, demo: activities.select(
        database, demo, activities.Filter(since=NEWEST, limit=50)
    ),
}


LISTS_OF_MONTHS: dict[int, Ask] = {
    contact: lambda database, demo, contact=contact: monthly.counts(  # type: ignore[misc]
        database, demo, SOME, StreamFilter(contacts=(contact,)), NEWEST
    )
    for contact in (1, 77)
}


@pytest.fixture(autouse=True)
def _small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Low limits, so that the small record reaches them, too."""
    monkeypatch.setattr(walking, "LARGEST_STEP", BOUND)
    monkeypatch.setattr(walking, "LARGEST_WINDOW", BOUND)
    monkeypatch.setattr(streams, "LOOKED_AT", BOUND)
    monkeypatch.setattr(monthly, "LOOKED_AT", BOUND)
    monkeypatch.setattr(decision_pages, "STEPS", (60, BOUND))
    monkeypatch.setattr(decision_search, "TRACED_BUCKETS", 2)


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Watched]]:
    """SQLite's record, small and large. The tests read it only."""
    folder = tmp_path_factory.mktemp("sizes")
    versions.upgrade(folder / "few.db")
    versions.upgrade(folder / "many.db")
    with closing(Watched(folder / "few.db")) as few, closing(Watched(folder / "many.db")) as many:
        for database, count in ((few, FEW), (many, MANY)):
            made_record.fill(database, Shape(activities=count, private=0.95, newest=False))
            database.statements.clear()
        yield [few, many]


@pytest.fixture(scope="module")
def on_postgresql(cluster: Cluster) -> Iterator[Watched]:
    """The large record. The tests read it only."""
    url = cluster.make_database()
    with closing(Database(url, busy_timeout_seconds=3600)) as filled:
        made_record.fill(filled, Shape(activities=MANY, private=0.95, newest=False))
    with closing(Watched(url)) as database:
        yield database
    cluster.drop_database(url)


def _steps(database: Watched, ask: Ask) -> int:
    """The steps of SQLite's virtual machine for a list, in hundreds."""
    demo = deployments.find(database, "demo")
    ask(database, demo)
    taken: list[None] = []
    connection = database.peewee.connection()
    connection.set_progress_handler(lambda: taken.append(None), 100)
    ask(database, demo)
    connection.set_progress_handler(None, 0)
    return len(taken)


def test_a_page_costs_the_same_of_twenty_times_the_record(sizes: list[Watched]) -> None:
    """It counts steps of SQLite's virtual machine, which other programs don't slow down."""
    taken = {name: [_steps(database, ask) for database in sizes] for name, ask in LISTS.items()}
    # in the small record, a contact has fewer than a page looks at
    assert {
        name: (few, many) for name, (few, many) in taken.items() if many > max(1.5 * few, ALL_THAT_IS_LOOKED_AT)
    } == {}


def test_no_list_reads_a_whole_table_on_sqlite(sizes: list[Watched]) -> None:
    database = sizes[0]
    demo = deployments.find(database, "demo")
    database.statements.clear()
    for ask in LISTS.values():
        ask(database, demo)
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
    plans = {
        (row[3], sql)
        for sql, parameters in dict(database.statements).items()
        for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
    }
    aliases = {"a", "own", "part", "one", "seen", "told", "version", "open_one", "c", "f", "led", "mine", "s", *tables}
    # tables with few rows: users, and deployments with the alias d
    scans = [one for one in plans if one[0].startswith("SCAN") and one[0].split()[1] in aliases - {"users"}]
    assert {plan for plan, _ in scans} == set(), scans
    used = " ".join(plan for plan, _ in plans)
    assert {
        name
        for name in (
            "activities_newest",
            "activities_open",
            "activities_recorded",
            "activities_unproven",
            "sightings_uncommon",
            "activity_labels",
            "activity_contacts_newest",
            "activity_threads_newest",
            "activity_users_user",
            "contacts_company",
            "todos_done",
            "decisions_newest",
            "sightings_of_user",
            "decisions_ignored",
            "decisions_ignored_of_several",
            "decisions_message_ids",
            "decisions_authors",
            "decisions_traced",
            "decisions_named",
            "decisions_refused",
            "activity_contacts_addresses",
        )
        if name not in used
    } == set()


def _nodes(plan: Any) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def test_no_list_reads_a_whole_table_on_postgresql(on_postgresql: Watched) -> None:
    demo = deployments.find(on_postgresql, "demo")
    on_postgresql.plans.clear()
    for name in LISTS.keys() - {"months"}:
        LISTS[name](on_postgresql, demo)
    nodes = [node for (plan,) in on_postgresql.plans for node in _nodes(plan["Plan"])]
    read = [(node.get("Relation Name"), node["Actual Rows"] * node["Actual Loops"]) for node in nodes]
    large = {"activities", "activity_users", "activity_contacts", "activity_threads", "sightings", "todos", "decisions"}
    seq_scans = [node for node in nodes if node["Node Type"] == "Seq Scan" and node["Relation Name"] in large]
    assert [(node["Relation Name"], node.get("Filter")) for node in seq_scans] == []
    assert [(name, rows) for name, rows in read if name in large and rows > 3 * BOUND] == []
    assert [node for node in nodes if node.get("Rows Removed by Filter", 0) * node["Actual Loops"] > 3 * BOUND] == []


def test_a_picture_compares_ranges_or_looks_up_what_is_few_on_postgresql(on_postgresql: Watched) -> None:
    """One statement for each span of ids. It reads no activity that the reader may not know of."""
    demo = deployments.find(on_postgresql, "demo")
    plans = {}
    for contact in (1, 77):
        on_postgresql.plans.clear()
        LISTS_OF_MONTHS[contact](on_postgresql, demo)
        plans[contact] = [node for (plan,) in on_postgresql.plans for node in _nodes(plan["Plan"])]
    kinds = {contact: {node["Node Type"] for node in nodes} for contact, nodes in plans.items()}
    assert not {"Seq Scan", "Bitmap Heap Scan"} & set().union(*kinds.values())
    assert "Merge Join" in kinds[1]
    looked_up = {
        node["Index Name"]: node["Actual Rows"] * node["Actual Loops"]
        for node in plans[77]
        if node.get("Index Name") in ("activities_open", "activity_users_user", "activity_users_pkey")
    }
    assert sum(looked_up.values()) <= 3 * BOUND


def test_the_digest_reads_only_its_part_of_the_queue_on_postgresql(on_postgresql: Watched) -> None:
    """The queue has no statistics yet, as in a flood."""
    now, count = NEWEST, 128
    on_postgresql.execute(
        "INSERT INTO digest_queue (raw_id, stage) SELECT id, 'reading' FROM raw_messages ON CONFLICT DO NOTHING"
    )
    on_postgresql.plans.clear()
    for _ in range(3):
        taken = digest_queue.take(
            on_postgresql, Stage.READING, Lane.NEW, count, now=now, until=now + timedelta(hours=1)
        )
        assert len(taken) == count
        digest_queue.done(on_postgresql, Stage.READING, *(one.raw_id for one in taken))
    nodes = [node for (plan,) in on_postgresql.plans for node in _nodes(plan["Plan"])]
    on_postgresql.execute("DELETE FROM digest_queue")
    assert max(node["Actual Rows"] * node["Actual Loops"] for node in nodes) == count
    assert max(node.get("Rows Removed by Filter", 0) * node["Actual Loops"] for node in nodes) <= 2 * count


def _statements(database: Watched, ask: Ask) -> int:
    demo = deployments.find(database, "demo")
    database.statements.clear()
    ask(database, demo)
    return len(database.statements)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("all", 6),  # the walk, and five for fifty activities
        ("a contact's", 6),
        ("a company's", 7),
        ("a thread's", 7),
        ("a rare verdict", 7),
        ("months", 6),  # of several spans
    ],
)
def test_a_list_takes_few_statements(sizes: list[Watched], name: str, most: int) -> None:
    assert 2 <= _statements(sizes[1], LISTS[name]) <= most
