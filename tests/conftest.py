"""Fixtures that many tests share: a database, mail samples, and the command line run within the test's process."""

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard

from admin_cli import main
from mailweir import recording
from mailweir.database_url import DatabaseUrl, Postgresql
from mailweir.decision import Decision, Direction, Doubt, Outcome, Reason, Route
from mailweir.directory import DeploymentRef
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.people.directory import SqlDirectory
from tests import file_order, postgresql, programs, scratch
from tests.needs import lacks
from tests.postgresql import Cluster

# They need Ansible and minutes: `make test-deploy` collects them.
collect_ignore = [] if os.environ.get("MAILWEIR_TEST_DEPLOY") else ["deploy"]

pytest_plugins = (
    "pytester",
    "tests.held_mail",
    "tests.linear_time",
    "tests.openid_provider",
    "tests.page",
    "tests.live_page",
    "tests.people",
)

_LEFT_OUT = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="leave out what needs PostgreSQL's server, and what is slow")


def pytest_configure(config: pytest.Config) -> None:
    scratch.use_memory()
    config.pluginmanager.register(programs.ShowsLogs())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Orders the files. `--quick` deselects tests, and says how many. SQLite's half of a test on both databases stays."""
    files = file_order.by_file((item.path.relative_to(config.rootpath), item) for item in items)
    items[:] = [item for path in file_order.mixed(list(files)) for item in files[path]]
    if not config.getoption("--quick"):
        return
    needs_server = [item for item in items if _needs_postgresql(item)]
    slow = [item for item in items if item not in needs_server and item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=[*needs_server, *slow])
    left_out = {*needs_server, *slow}
    items[:] = [item for item in items if item not in left_out]
    config.stash[_LEFT_OUT] = (
        f"--quick left out {len(needs_server)} tests that need PostgreSQL's server, {len(slow)} slow ones"
    )


def _needs_postgresql(item: pytest.Item) -> bool:
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return parameters.get("database_url") == "postgresql" or "cluster" in getattr(item, "fixturenames", ())


# xdist collects in its workers, and doesn't report deselected tests. So the workers send their number when they end.
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(_LEFT_OUT, "")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[_LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", "")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if left_out := config.stash.get(_LEFT_OUT, ""):
        terminalreporter.write_line(left_out)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_counts() -> None:
    """A shell starts background jobs with SIGINT ignored, and the programs under test would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _others_may_read() -> None:
    """The daemons' user reads much of the tests' output. A strict umask has tests of its own."""
    os.umask(0o022)


@pytest.fixture
def now() -> datetime:
    """The time at which a test's rows are made."""
    return datetime(2026, 11, 24, 3, 12, 55, 123456, tzinfo=UTC)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server of the test run's own."""
    missing = (
        "needs root"
        if os.geteuid() != 0
        else "needs PostgreSQL's server"
        if postgresql.server_programs() is None
        else ""
    )
    if missing:
        lacks(missing)
    with postgresql.running() as started:
        yield started


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that others are copied from. Making it takes a transaction for each step of an upgrade."""
    path = tmp_path_factory.mktemp("template") / "mailweir.db"
    versions.upgrade(path)
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, _sqlite_template: Path) -> Path:
    """An empty database of this version, in a file."""
    path = tmp_path / "db" / "mailweir.db"
    path.parent.mkdir()
    shutil.copy(_sqlite_template, path)  # with its mode
    return path


@pytest.fixture
def postgresql_url(cluster: Cluster) -> Iterator[Postgresql]:
    """An empty database of this version, on a server."""
    database_url = cluster.make_database()
    yield database_url
    cluster.drop_database(database_url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> DatabaseUrl:
    """An empty database of this version, of each kind in turn."""
    chosen: DatabaseUrl = request.getfixturevalue(f"{request.param}_url")
    return chosen


@pytest.fixture
def database(database_url: DatabaseUrl) -> Iterator[Database]:
    """An empty database of this version, of each kind in turn."""
    with closing(Database(database_url)) as opened:
        yield opened


@pytest.fixture
def sqlite_database(sqlite_url: Path) -> Iterator[Database]:
    """An empty database on SQLite alone, for tests of its specifics."""
    with closing(Database(sqlite_url)) as opened:
        yield opened


@dataclass(frozen=True)
class Ran:
    """A command's result: exit code and output."""

    code: int
    raw_out: bytes
    err: str

    @property
    def out(self) -> str:
        """stdout as text."""
        return self.raw_out.decode()

    @property
    def json(self) -> Any:
        """stdout as JSON."""
        return json.loads(self.raw_out)


Mailweir = Callable[..., Ran]


@pytest.fixture
def mailweir(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Mailweir:
    """Runs `mailweir …` on that database, with settings of its own: `mailweir("user", "list")`."""
    config = tmp_path / "mailweir.toml"
    kind = f'database = "{database.url}"\n' if not database.is_sqlite else ""
    config.write_text(f'data_dir = "{tmp_path}"\nhostname = "mail.example.net"\n{kind}')
    monkeypatch.setenv("MAILWEIR_CONFIG", str(config))

    def run(*arguments: str) -> Ran:
        capsysbinary.readouterr()
        code = main.run(arguments)
        written = capsysbinary.readouterr()
        return Ran(code, written.out, written.err.decode())

    return run


Record = Callable[..., int]


@pytest.fixture
def record(database: Database, now: datetime) -> Record:
    """Puts a message from a contact on a user's record, as the filter does; returns its activity's id.

    record("demo", "richard", "jane@client.example", raw=b"…", number=2): the number sets Message-ID, queue id and the minute.
    """

    def put(
        deployment: str,
        username: str,
        author: str,
        *,
        number: int = 1,
        raw: bytes = b"Subject: x\r\n\r\nhello\r\n",
        subject: str = "An offer",
        queue_id: str | None = None,
        doubt: Doubt | None = None,
        is_proven: bool = False,
    ) -> int:
        tenant = deployments.find(database, deployment)
        directory = SqlDirectory(database)
        (user,) = directory.users_named(tenant.id, [username]).values()
        decision = Decision(
            deployment=DeploymentRef(tenant.id, tenant.name, tenant.domain),
            addresses=(tenant.capture_address(username),),
            outcome=Outcome.CAPTURED,
            reason=Reason.AUTHOR_IS_CONTACT,
            author=author,
            message_id=f"<{number}@client.example>",
            direction=Direction.INCOMING,
            contacts=directory.people_with(tenant.id, [author]).contacts[author],
            users=(user.id,),
            todo_users=(user.id,),
            sightings=((Route.FORWARD, user.id),),
            doubt=doubt,
        )
        content = recording.Content(
            identity=hashlib.sha256(b"%d" % number).digest(),
            version_digest=hashlib.sha256(raw).digest(),
            raw_zstd=zstandard.compress(raw),
            size_bytes=len(raw),
            subject=subject,
            sent_at=now,
            is_proven=is_proven,
        )
        seen_at = now + timedelta(minutes=number)
        entry = recording.Entry(decision, queue_id or f"4Xy{number}", seen_at, content)
        with database.transaction():
            activity_id = recording.record(database, entry).activity_id
        assert activity_id is not None
        return activity_id

    return put


@pytest.fixture
def with_one_mail(mailweir: Mailweir, record: Record) -> Mailweir:
    """The command line on a deployment with one captured mail."""
    for line in (
        "deployment add demo --domain demo.example.net",
        "user add richard --email richard@firm.example",
        "contact add Jane jane@client.example",
    ):
        assert mailweir(*line.split()).code == 0
    record("demo", "richard", "jane@client.example")
    return mailweir


Ignore = Callable[..., None]


@pytest.fixture
def ignore(database: Database, now: datetime) -> Ignore:
    """Writes the decision that a message isn't captured: ignore("demo", reason, author=…, queue_id=…, at=…)."""

    def put(
        deployment: str,
        reason: Reason = Reason.UNKNOWN_AUTHOR,
        *,
        outcome: Outcome = Outcome.IGNORED,
        author: str | None = "jane@x.example",
        message_id: str | None = "<1@x.example>",
        queue_id: str = "4XyZ",
        at: datetime | None = None,
        named: tuple[str, ...] = (),
        to: str = "richard",
    ) -> None:
        tenant = deployments.find(database, deployment)
        decision = Decision(
            deployment=DeploymentRef(tenant.id, tenant.name, tenant.domain),
            addresses=(tenant.capture_address(to),),
            outcome=outcome,
            reason=reason,
            author=author,
            message_id=message_id,
            named=named,
        )
        with database.transaction():
            recording.record(database, recording.Entry(decision, queue_id, at or now))

    return put


def shared_folder() -> Path:
    """The folder of shared material: `../shared`, or the value of MAILWEIR_SHARED."""
    return Path(os.environ.get("MAILWEIR_SHARED") or Path(__file__).parents[1].parent / "shared")


@pytest.fixture(scope="session")
def corpus() -> list[Path]:
    """Mail samples of other projects."""
    found = sorted(path for path in (shared_folder() / "corpus").rglob("*") if path.suffix in (".eml", ".raw"))
    if not found:
        lacks(f"no mail samples in {shared_folder() / 'corpus'}; MAILWEIR_SHARED may name their folder")
    return found
