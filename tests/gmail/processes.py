"""`mailweir-gmail-sync` as in production: a process with its settings file, which a test may kill."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from mailweir import settings
from tests import programs

COMMAND = Path(sys.executable).with_name("mailweir-gmail-sync")


class SyncProcess:
    """A process; `stop` or `kill` ends it. log: its log file. command: another way to start it."""

    def __init__(self, settings_file: Path, log: Path, command: Sequence[str] = (str(COMMAND),)) -> None:
        self._settings_file = settings_file
        self._log = log
        self._command = command
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {settings.PATH_VARIABLE: str(self._settings_file)}
        return programs.start(COMMAND.name, self._command, self._log, env=environment)

    @property
    def is_running(self) -> bool:
        """Is it still running?"""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self._process.send_signal(number)

    def restart(self) -> None:
        """Starts another process in its place."""
        self._process = self._start()

    def stop(self) -> int:
        """Sends SIGTERM; returns the exit code."""
        programs.done_with(self._log)
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(40)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def text(self) -> str:
        """Its output."""
        return self._log.read_text()


def wait_until(ready: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Waits until the condition is true; AssertionError after this time."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)
