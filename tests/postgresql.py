"""A private PostgreSQL cluster for a test run: made, started and stopped by the tests, on a unix socket that everybody may open.

Databases are copied from a template with this version's tables. Needs Debian's postgresql package ('make setup' installs it).
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mailweir.database_url import Postgresql
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from postfix.instance import Account
from tests import programs
from tests.stopped import standing_still

OWNER = "mailweir"  # initdb refuses root
START_SECONDS = 60.0
_TEMPLATE = "template_mailweir"


def server_programs() -> Path | None:
    """The folder of the newest server's programs, or None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Cluster:
    """A server of our own. The caller stops it."""

    def __init__(self, folder: Path, bin_dir: Path, *, as_on_hosts: bool) -> None:
        self.folder = folder
        self._bin_dir = bin_dir
        self._data = folder / "data"
        self._account = Account.named(OWNER)
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._make(as_on_hosts=as_on_hosts)

    def _make(self, *, as_on_hosts: bool) -> None:
        self.folder.chmod(0o711)
        for name, mode in (("data", 0o700), ("socket", 0o755)):
            (self.folder / name).mkdir()
            (self.folder / name).chmod(mode)
            os.chown(self.folder / name, self._account.uid, self._account.gid)
        self._run(
            "initdb",
            "-D",
            str(self._data),
            "-A",
            "trust",
            "-U",
            "postgres",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        )
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(
                f"listen_addresses = ''\nunix_socket_directories = '{self.folder / 'socket'}'\nmax_connections = 300\n"
            )
            if not as_on_hosts:
                # without fsync: tests kill processes, never the machine
                file.write("fsync = off\nshared_buffers = 32MB\nmax_wal_size = 128MB\n")

    def _run(self, program: str, *arguments: str) -> None:
        programs.run(
            self._bin_dir / program,
            *arguments,
            cwd="/",
            user=self._account.uid,
            group=self._account.gid,
            extra_groups=[],
        )

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        log = self.folder / "server.log"
        self._process = programs.start(
            "PostgreSQL",
            [self._bin_dir / "postgres", "-D", self._data],
            log,
            cwd="/",
            user=self._account.uid,
            group=self._account.gid,
            extra_groups=[],
        )
        programs.wait_until_ready(self._answers, "PostgreSQL", self._process, log, seconds=START_SECONDS)

    def _answers(self) -> bool:
        command = [str(self._bin_dir / "pg_isready"), "-q", "-h", str(self.folder / "socket")]
        return subprocess.run(command, check=False).returncode == 0

    def stop(self, number: int = signal.SIGINT) -> None:
        """Stops it (SIGINT: its fast shutdown), or kills it. Its children end with it."""
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait(START_SECONDS)
        self._process = None

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """For the block, its processes don't answer, and give no sign of it."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        with standing_still([self.pid, *map(int, children)]):
            yield

    def revive(self) -> None:
        """Starts it again if it has ended by itself."""
        assert self._process
        if self._process.poll() is not None:
            self.start()

    def recover(self) -> None:
        """Waits until it answers. Starts it again if it ends by itself meanwhile, which takes a moment after a kill."""
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < end, "PostgreSQL doesn't recover"
            self.revive()
            time.sleep(0.1)

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """For the block, it is unreachable: its socket is moved away, and its connections are ended."""
        socket = next((self.folder / "socket").glob(".s.PGSQL.*[0-9]"))
        away = socket.with_name("away")
        end_others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        with closing(Database(Postgresql(self.url("postgres")))) as database:
            database.open()
            socket.rename(away)
            database.execute(f"{end_others} AND backend_type = 'client backend'")
        try:
            yield
        finally:
            away.rename(socket)

    def url(self, name: str) -> str:
        """A database's address in the form of the settings."""
        return f"postgresql://postgres@/{name}?host={self.folder / 'socket'}"

    def make_template(self) -> None:
        """Makes the database that others are copied from."""
        self._sql(f"CREATE DATABASE {_TEMPLATE}")
        versions.upgrade(Postgresql(self.url(_TEMPLATE)))

    def make_database(self, *, empty: bool = False) -> Postgresql:
        """Makes a database, with this version's tables or empty."""
        name = f"test_{next(self._numbers)}"
        # As files: by the log, which is the default, a copy costs the server half as much again.
        self._sql(f"CREATE DATABASE {name} TEMPLATE {'template0' if empty else _TEMPLATE} STRATEGY FILE_COPY")
        return Postgresql(self.url(name))

    def drop_database(self, database_url: Postgresql) -> None:
        """Removes a database, whoever still uses it."""
        self._sql(f"DROP DATABASE IF EXISTS {_name(database_url)} WITH (FORCE)")

    def move_database(self, database_url: Postgresql, folder: Path) -> None:
        """Moves a database into a tablespace in this empty folder. The database must have no connections."""
        folder.chmod(0o700)
        os.chown(folder, self._account.uid, self._account.gid)
        self._sql(f"CREATE TABLESPACE {folder.name} LOCATION '{folder}'")
        self._sql(f"ALTER DATABASE {_name(database_url)} SET TABLESPACE {folder.name}")

    def _sql(self, statement: str) -> None:
        with closing(Database(Postgresql(self.url("postgres")))) as database:
            database.execute(statement)


def _name(database_url: Postgresql) -> str:
    return database_url.url.partition("@/")[2].partition("?")[0]


@contextmanager
def running(*, as_on_hosts: bool = False) -> Iterator[Cluster]:
    """A started cluster in a folder of its own, which is removed afterwards. as_on_hosts: with fsync, and with PostgreSQL's
    default sizes of memory and log; otherwise as small and fast as tests want it."""
    bin_dir = server_programs()
    assert bin_dir
    folder = Path(tempfile.mkdtemp(prefix="mailweir-pg-"))
    cluster = Cluster(folder, bin_dir, as_on_hosts=as_on_hosts)
    try:
        cluster.start()
        cluster.make_template()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)
