"""Chores of the supervisor: commands that run now and then, beside the programs that are kept running.

A chore never makes the supervisor wait, and never ends it. If it fails, it writes one line, and runs again later. Called by
`supervisor`, whose single thread tends it whenever it wakes.
"""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from admin_cli import processes
from admin_cli.processes import Program, Remembered

LONGEST_SECONDS = 3600.0  # a chore that takes longer is hanging
_LOG_TAIL_BYTES = 2000
_SHORT_SECONDS = 60.0  # pauses up to this are shown in seconds


class Chore:
    """A command that is due first after `first_after_seconds`, then each `every_seconds`."""

    def __init__(
        self, program: Program, *, every_seconds: float, first_after_seconds: float, say: Callable[[str], None]
    ) -> None:
        self._program = program
        self._every_seconds = every_seconds
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._since = time.monotonic()
        self._due_at = self._since + first_after_seconds
        self.remembered: Remembered | None = None

    def due_in(self, now: float) -> float:
        """Seconds until `tend` has to start the command, or to kill it. If the command ends earlier, SIGCHLD reports that."""
        return (self._due_at if self._process is None else self._since + LONGEST_SECONDS) - now

    def tend(self, now: float, *, work_dir: Path, data_dir: Path, environment: Mapping[str, str]) -> None:
        """Starts the command when it is due, reports its failure, and kills it if it hangs. Returns at once. now: monotonic."""
        if self._process is None:
            if now >= self._due_at:
                self._start(now, work_dir, environment)
            return
        if self._process.poll() is None and self.due_in(now) <= 0:
            self._process.kill()  # doesn't wait for its end: a later call notices that
            self._since = now
        if self._process.returncode is not None:
            self._note(self._process.returncode)
            self._clear(data_dir)

    def _start(self, now: float, work_dir: Path, environment: Mapping[str, str]) -> None:
        self._since, self._due_at = now, now + self._every_seconds
        try:
            self._process = processes.start(self._program, work_dir=work_dir, environment=environment)
        except (OSError, subprocess.SubprocessError) as error:
            self._say(f"can't start {self._program.name}: {error}; again in {self._pause()}")
            return
        self.remembered = processes.remember(self._program.name, self._process.pid)

    def _note(self, status: int) -> None:
        if status == 0:
            return
        how = f"was ended by signal {-status}" if status < 0 else f"ended with {status}"
        last = last_line(self._program.log_file) if status > 0 else ""
        self._say(f"{self._program.name} {how}{f' ({last})' if last else ''}; again in {self._pause()}")

    def _pause(self) -> str:
        seconds = self._every_seconds
        return f"{seconds / 3600:.3g} h" if seconds > _SHORT_SECONDS else f"{seconds:.0f} s"

    def _clear(self, data_dir: Path) -> None:
        if self.remembered is not None:
            processes.kill_session(self.remembered, data_dir)
        self._process = self.remembered = None

    def stop(self, seconds: float, data_dir: Path) -> None:
        """Ends the command if it runs. An interrupted chore does no harm."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._clear(data_dir)


def last_line(log_file: Path) -> str:
    """The last line of a log; "" if there is none."""
    try:
        with log_file.open("rb") as log:
            log.seek(max(0, log_file.stat().st_size - _LOG_TAIL_BYTES))
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
