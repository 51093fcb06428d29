"""The place of a scenario: a stack of its own, its database, and the count of kills.

Called by `scenarios`; made by `run`.
"""

import contextlib
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mailweir.database_url import DatabaseUrl, Postgresql
from mailweir.store.database.connection import Database
from tests.chaos.load import Load
from tests.integration.conftest import Stack
from tests.integration.waiting import wait_until
from tests.ports import free_port
from tests.postgresql import Cluster

PEOPLE = (
    ("deployment", "add", "demo", "--domain", "demo.example.net"),
    ("user", "add", "richard", "--email", "richard@firm.example"),
    ("contact", "add", "The client", "client@client.example"),
)
PAUSES_SECONDS = (0.05, 0.35)  # pause between two kills
PROGRESS_SECONDS = 45.0  # without the fault; less than the minute for which Postfix may throttle a server
_HERE = Path(__file__).parent

UP = """\
#!{python}
import sys
from admin_cli import main, preflight
programs = preflight.check_programs
preflight.check_programs = lambda: programs() | {programs!r}
sys.exit(main.run())
"""
FAULTY = '#!/bin/sh\nexec env LD_PRELOAD="{library}" CHAOS_FAULTS="{faults}" "{program}"\n'


class Site:
    """The place of one scenario. budget: number of blows; seconds: the longest time for them. has_page: does mailweir-web run,
    too?"""

    def __init__(
        self,
        *,
        budget: int,
        seconds: float,
        cluster: Cluster | None,
        workers: int,
        has_page: bool = False,
        seed: int = 1,
    ) -> None:
        self.chance = random.Random(seed)
        self.budget = budget
        self.faults = 0
        self.cluster = cluster
        self._seconds = seconds
        self._deadline = 0.0
        port = free_port()
        database = {"database": str(cluster.make_database(empty=True))} if cluster else {}
        web = {"web": {"port": free_port()}} if has_page else {}
        self.stack = Stack({"smtp": {"smtp_port": port}, "filter": {"workers": workers}, **database, **web})
        self.stack.smtp_port = port
        self.load = Load(port, max_messages=200_000)
        self._cleanup = contextlib.ExitStack()
        self._small = Path()

    @property
    def database_url(self) -> DatabaseUrl:
        """The database of the stack."""
        return self.stack.settings.database_url

    @property
    def database_dir(self) -> Path:
        """The folder of SQLite's file."""
        assert isinstance(self.database_url, Path)
        return self.database_url.parent

    def start(self) -> None:
        """Starts the stack and the load, and waits until mail flows."""
        self.stack.start()
        for arguments in PEOPLE:
            self.stack.cli(*arguments, check=True)
        self.load.start()
        self.progress(20)
        self._deadline = time.monotonic() + self._seconds

    def remove(self) -> None:
        """Stops everything and removes the files."""
        self.stack.stop()
        self._cleanup.close()
        self.stack.remove()

    def progress(self, messages: int = 5) -> None:
        """Waits until so many more messages are acknowledged."""
        goal = self.load.acknowledged() + messages
        wait_until(lambda: self.load.acknowledged() >= goal, "mail is accepted again", PROGRESS_SECONDS)

    def goes_on(self) -> bool:
        """Is another blow wanted?"""
        return self.faults < self.budget and time.monotonic() < self._deadline

    def pause(self, shortest: float | None = None, longest: float | None = None) -> None:
        """Waits a random time: the pause between two kills, if no time is given."""
        time.sleep(self.chance.uniform(shortest or PAUSES_SECONDS[0], longest or PAUSES_SECONDS[1]))

    def kill_again_and_again(self, victims: Callable[[], list[int]]) -> None:
        """Kills one of these with -9, pauses, and repeats that."""
        while self.goes_on():
            self.pause()
            if found := victims():
                self.kill(self.chance.choice(found))

    def kill(self, pid: int) -> None:
        """One kill -9, if the process still lives."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.faults += 1

    def filter_processes(self) -> tuple[list[int], list[int]]:
        """The filter's parent and its workers, by parent ids."""
        pids = self.stack.pids("mailweir-milter")
        parents = {pid: _parent(pid) for pid in pids}
        return [p for p in pids if parents[p] not in pids], [p for p in pids if parents[p] in pids]

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """For the block, another process holds an open write transaction."""
        with contextlib.closing(Database(self.database_url, busy_timeout_seconds=60)) as other, other.transaction():
            if not other.is_sqlite:
                other.execute("LOCK TABLE decisions IN EXCLUSIVE MODE")
            yield
        self.faults += 1

    # --- before the start -------------------------------------------------------------------------------------------

    def put_in_place(self, programs: dict[str, Path]) -> None:
        """`mailweir up` starts these programs in place of its daemons."""
        self._write_script(
            "mailweir", UP.format(python=sys.executable, programs={k: str(v) for k, v in programs.items()})
        )
        self.stack.script = self._bin / "mailweir"

    def limit_pages(self) -> None:
        """The filter obeys `set_max_pages`."""
        self.replace_filter("limited_filter.py")

    def replace_filter(self, name: str) -> None:
        """Puts a faulty filter of this folder in the filter's place."""
        text = f"#!{sys.executable}\n" + (_HERE / name).read_text()
        self.put_in_place({"mailweir-milter": self._write_script("mailweir-milter", text)})

    def preload_faults(self) -> None:
        """The filter and the look-ups follow `set_faults`."""
        library, faults = self._bin / "faults.so", self._bin / "faults"
        subprocess.run(
            ["gcc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", library, _HERE / "faults.c", "-ldl"],
            check=True,
        )
        faults.write_bytes(struct.pack("qq", 0, 0))
        daemons = {}
        for name in ("mailweir-milter", "mailweir-lookups"):
            text = FAULTY.format(library=library, faults=faults, program=Path(sys.executable).with_name(name))
            daemons[name] = self._write_script(name, text)
        self.put_in_place(daemons)

    def mount_small(self, size_bytes: int) -> None:
        """Puts the database's folder onto a file system of this size: SQLite's folder, or PostgreSQL's tablespace."""
        self._small = self.cluster.folder / "small" if self.cluster else self.database_dir
        self._small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "chaos", self._small], check=True)
        # lazily: a server still has its files open
        self._cleanup.callback(lambda: subprocess.run(["umount", "--lazy", self._small], check=False))
        if self.cluster:
            assert isinstance(self.database_url, Postgresql)
            self.cluster.move_database(self.database_url, self._small)

    @property
    def _bin(self) -> Path:
        folder = self.stack.data_dir / "bin"
        folder.mkdir(exist_ok=True)
        return folder

    def _write_script(self, name: str, text: str) -> Path:
        path = self._bin / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    # --- while it runs ----------------------------------------------------------------------------------------------

    def set_faults(self, *, clock_seconds: int = 0, fsync_ms: int = 0) -> None:
        """See faults.c. The file is mapped: a write in place takes effect at once."""
        with (self._bin / "faults").open("r+b") as file:
            file.write(struct.pack("qq", clock_seconds, fsync_ms))

    def set_max_pages(self, count: int | None) -> None:
        """See limited_filter.py; None: no limit. Applies to connections made from now on."""
        limit = self.stack.data_dir / "run" / "max_page_count"
        if count is None:
            limit.unlink(missing_ok=True)
        else:
            limit.write_text(str(count))

    def grow(self, size_bytes: int) -> None:
        """Enlarges the small file system."""
        subprocess.run(["mount", "-o", f"remount,size={size_bytes}", self._small], check=True)

    def refused(self) -> int:
        """4xx replies so far."""
        return sum(400 <= code < 500 for message in list(self.load.messages.values()) for code in list(message.codes))

    def wait_for_refusals(self, count: int = 5, seconds: float = 60.0) -> None:
        """Waits until the fault shows."""
        goal = self.refused() + count
        wait_until(lambda: self.refused() >= goal, "4xx replies", seconds)


def can_mount(folder: Path) -> bool:
    """May this process mount a tmpfs?"""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "chaos", folder], check=False, capture_output=True)
    if done.returncode == 0:
        subprocess.run(["umount", folder], check=True)
    shutil.rmtree(folder)
    return done.returncode == 0


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
