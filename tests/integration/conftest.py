"""Fixtures of the tests with real daemons: a running stack, an SMTP sink, waiting with a time limit.

All need root and Postfix: without them they skip with that reason, or fail if CI=true.
"""

import atexit
import contextlib
import functools
import os
import shutil
import signal
import smtplib
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from admin_cli import processes, settings_files
from admin_cli.processes import Program
from mailweir import settings as reader
from mailweir.digest import server
from mailweir.digest.server import Digest
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.record.digest_queue import Stage
from postfix.instance import SEARCH_PATH
from tests import programs, scratch
from tests.integration.smtp_sink import MakeSink, Sink, sink_maker
from tests.integration.waiting import wait_until
from tests.needs import lacks
from tests.ports import free_port
from tests.warm_command import WarmCommand

READY_SECONDS = 90.0  # the machine may be busy with other things
STOP_SECONDS = 30.0
COMMAND_SECONDS = 60.0


def require_root_and_postfix() -> None:
    """Skips without them, or fails if CI=true."""
    missing = "needs root" if os.geteuid() != 0 else ""
    if shutil.which("postfix", path=SEARCH_PATH) is None:
        missing = "needs Postfix"
    if missing:
        lacks(missing)


def mailweir_script() -> Path:
    """The console script of the environment that the tests run in."""
    return Path(sys.executable).with_name("mailweir")


@functools.cache
def _warm_command() -> WarmCommand:
    made = WarmCommand()
    atexit.register(made.close)
    return made


@pytest.fixture(name="wait_until", scope="session")
def _wait_until() -> Callable[..., Any]:
    """wait_until(condition, "description", seconds=20)."""
    return wait_until


class Stack:
    """`mailweir up` on a folder of its own. `overrides` are keys of the settings file, sections as dictionaries."""

    def __init__(self, overrides: dict[str, Any]) -> None:
        # other users can't open pytest's own folders
        self.data_dir = Path(tempfile.mkdtemp(prefix="mailweir-test-", dir=scratch.open_folder()))
        self.data_dir.chmod(0o711)
        self.script = mailweir_script()  # a test of faults may put another script here
        self.smtp_port = free_port()
        self.config = self.data_dir / "mailweir.toml"
        self.submission_port, self.submissions_port = free_port(), free_port()
        ports = {
            "smtp_port": self.smtp_port,
            "submission_port": self.submission_port,
            "submissions_port": self.submissions_port,
        }
        smtp = {**ports, **overrides.pop("smtp", {})}
        values = {"data_dir": str(self.data_dir), "hostname": "mx.host.example", "admin_mailbox": "admin@host.example"}
        web = {"port": 0, **overrides.pop("web", {})}  # the page runs only for tests that want it
        self.config.write_text(settings_files.to_toml({**values, **overrides, "smtp": smtp, "web": web}))
        self.process: subprocess.Popen[bytes] | None = None
        self._said_before = 0

    @property
    def settings(self) -> Settings:
        """The settings in its file; flags don't count."""
        return reader.load(self.config)

    def start(self, *flags: str, ready: bool = True) -> None:
        """Starts it, and waits until it is ready."""
        self._said_before = len(self.said)
        command = [str(self.script), "up", "--data", str(self.data_dir), *flags]
        # in a session of its own: Ctrl-C of the test run doesn't reach it, but it ends when the test run dies
        self.process = processes.start(
            Program("mailweir", command, None, self._output), work_dir=Path("/"), environment={}
        )
        self._show_logs()
        if ready:
            programs.wait_until_ready(
                self._said_ready, "mailweir up", self.process, self._output, seconds=READY_SECONDS
            )

    def _said_ready(self) -> bool:
        return "ready" in self.said[self._said_before :]

    def _show_logs(self) -> None:
        programs.show("mailweir up", self._output)
        for name in (
            "postfix",
            "mailweir-milter",
            "mailweir-lookups",
            "mailweir-auth",
            "mailweir-digest",
            "mailweir-web",
        ):
            programs.show(name, self.data_dir / "log" / f"{name}.log")

    @property
    def _output(self) -> Path:
        return self.data_dir.with_name(self.data_dir.name + ".out")

    @property
    def said(self) -> list[str]:
        """The lines that `mailweir up` printed, since the beginning."""
        return self._output.read_text().splitlines() if self._output.exists() else []

    def stop(self) -> int | None:
        """Ends it by SIGTERM; returns its exit code. Does nothing if it isn't running."""
        if self.process is None:
            return None
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process = None

    def kill(self) -> None:
        """Ends the supervisor by SIGKILL, and nothing else."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def remove(self) -> None:
        """Stops it and removes its files."""
        try:
            self.stop()
        finally:
            for pid in self._living():  # a test may have killed their supervisor
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.data_dir, ignore_errors=True)
            self._output.unlink(missing_ok=True)

    def cli(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Runs `mailweir …` on this stack. check: a failure fails the test."""
        environment = {**os.environ, reader.PATH_VARIABLE: str(self.config)}
        if self.script == mailweir_script():
            done = _warm_command().run(arguments, environment, COMMAND_SECONDS)
        else:
            done = subprocess.run(
                [self.script, *arguments],
                env=environment,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        assert not check or done.returncode == 0, f"mailweir {' '.join(arguments)}: {done.stderr}"
        return done

    def connect(self) -> smtplib.SMTP:
        """An SMTP session, EHLO said."""
        client = smtplib.SMTP("127.0.0.1", self.smtp_port, "client.example", timeout=60)
        client.ehlo()
        return client

    def deliver(self, sender: str, recipients: list[str], raw: bytes) -> dict[str, tuple[int, bytes]]:
        """Delivers a message as these bytes; returns the refused recipients. smtplib's errors if all are refused."""
        with self.connect() as client:
            return client.sendmail(sender, recipients, raw)

    def transact(self, sender: str, recipients: Iterable[str], raw: bytes) -> tuple[int, str]:
        """Delivers a message to recipients exactly as given; returns the reply at its end, or the first refusal."""
        with self.connect() as client:
            for command in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients)):
                code, text = client.docmd(command)
                if code != 250:
                    return code, text.decode()
            code, text = client.data(raw)
            return code, text.decode()

    def rows(self, sql: str, *parameters: object) -> list[Any]:
        """Rows straight from the database."""
        with contextlib.closing(sqlite3.connect(self.settings.database_path)) as database:
            return database.execute(sql, parameters).fetchall()

    def outbox(self) -> list[bytes]:
        """The messages that went out, as Postfix's virtual(8) wrote them."""
        return [file.read_bytes() for file in sorted((self.data_dir / "outbox" / "new").glob("*"))]

    def log(self, name: str = "postfix") -> str:
        """The content of a process's log."""
        file = self.data_dir / "log" / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def postfix(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs one of Postfix's commands on this instance: postfix("postqueue", "-j")."""
        return programs.run(
            command[0],
            "-c",
            self.data_dir / "postfix" / "etc",
            *command[1:],
            env={**os.environ, "PATH": SEARCH_PATH},
            timeout=COMMAND_SECONDS,
        )

    def drain(self) -> None:
        """Waits until Postfix's queue is empty: accepted mail is delivered, or given up."""
        queue = self.data_dir / "postfix" / "spool"
        folders = [queue / name for name in ("maildrop", "incoming", "active", "deferred")]
        wait_until(
            lambda: not any(file.is_file() for folder in folders for file in folder.rglob("*")), "an empty queue"
        )

    def pids(self, name: str) -> list[int]:
        """Its running processes of this name (as in /proc/PID/comm), oldest first."""
        found = []
        for pid in self._living():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == name[:15]:
                    found.append(pid)
        return sorted(found)

    def _living(self) -> list[int]:
        """All processes that work in its folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (process / "cwd").readlink().is_relative_to(self.data_dir):
                    found.append(int(process.name))
        return found


MakeStack = Callable[..., Stack]


@contextlib.contextmanager
def stack_maker() -> Iterator[MakeStack]:
    """Makes stacks as `make_stack` does; they end with the block."""
    require_root_and_postfix()
    with contextlib.ExitStack() as kept:

        def make(*, start: bool = True, flags: tuple[str, ...] = (), **overrides: Any) -> Stack:
            stack = Stack(overrides)
            kept.callback(stack.remove)
            if start:
                stack.start(*flags)
            return stack

        yield make


@pytest.fixture
def make_stack() -> Iterator[MakeStack]:
    """Makes a stack for this test alone: make_stack(outbound="relayhost 127.0.0.1:2600", smtp={…}, start=False, flags=(…))."""
    with stack_maker() as make:
        yield make


@pytest.fixture(scope="module")
def make_module_stack() -> Iterator[MakeStack]:
    """The same for all tests of a file."""
    with stack_maker() as make:
        yield make


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """One stack for all tests that don't change it: make deployments of your own in it, with domains of your own."""
    with stack_maker() as make:
        yield make()


@pytest.fixture
def make_sink() -> Iterator[MakeSink]:
    """Makes an SMTP sink: make_sink(eight_bit=False, refuse="550 5.1.1 no")."""
    with sink_maker() as make:
        yield make


@pytest.fixture(scope="module")
def make_module_sink() -> Iterator[MakeSink]:
    """The same for all tests of a file."""
    with sink_maker() as make:
        yield make


@pytest.fixture
def sink(make_sink: MakeSink) -> Sink:
    """An SMTP sink that takes everything."""
    return make_sink()


@pytest.fixture
def work_off(database: Database, now: datetime, tmp_path: Path) -> Iterator[Callable[[], int]]:
    """The digest, with its own children."""
    made: list[Digest] = []

    def run() -> int:
        of_reading = {
            key: pool for key, pool in server.pools(Settings(data_dir=tmp_path)).items() if key[0] is Stage.READING
        }
        made.append(Digest(database, of_reading, structlog.get_logger(), lambda: now + timedelta(hours=1)))
        return made[-1].work_off()

    yield run
    for digest in made:
        digest.stop()
