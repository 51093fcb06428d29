"""Server programs that tests start. If a program doesn't start, ends, or a test fails, the failure shows its last output.

Called by all that starts one: `postgresql`, `integration/conftest`, `gmail/`, `deploy/engine`.
"""

import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

LAST_LINES = 40
LAST_BYTES = 8_000
_POLL_SECONDS = 0.02

_shown: dict[Path, str] = {}  # the log, and the name of its program
_over: set[Path] = set()  # logs that a test doesn't need any more


class ProgramFailed(AssertionError):
    """A program ended, or didn't answer. The text has its last output."""


def last_words(log: Path) -> str:
    """The end of a program's output: a few lines of at most some thousand bytes."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LAST_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return "(it has no log)"
    return "\n".join(text.splitlines()[-LAST_LINES:]) or "(it wrote nothing)"


def start(
    name: str, command: Sequence[str | Path], log: Path, *, stdout: int | None = None, **options: Any
) -> "subprocess.Popen[bytes]":
    """Starts a program that appends to this log. stdout: subprocess.PIPE if the test reads it."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=file if stdout is None else stdout,
            stderr=file,
            text=False,
            **options,
        )
    show(name, log)
    return process


def wait_until_ready(
    ready: Callable[[], object], name: str, process: "subprocess.Popen[Any]", log: Path, *, seconds: float
) -> None:
    """Waits until a program answers. ProgramFailed if it ends before, or doesn't answer within this many seconds."""
    deadline = time.monotonic() + seconds
    while not ready():
        status = process.poll()
        if status is not None:
            raise ProgramFailed(f"{name} ended with {status}:\n{last_words(log)}")
        if time.monotonic() > deadline:
            raise ProgramFailed(f"{name} isn't ready within {seconds:.0f} s:\n{last_words(log)}")
        time.sleep(_POLL_SECONDS)


def next_line(name: str, process: "subprocess.Popen[bytes]", log: Path) -> str:
    """The next line of its stdout. ProgramFailed if it ends without writing one."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise ProgramFailed(f"{name} ended with {process.wait()}:\n{last_words(log)}")
    return line.decode()


def run(*command: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Runs a program to its end. ProgramFailed if its exit code isn't 0."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        written = (done.stderr or done.stdout)[-LAST_BYTES:]
        raise ProgramFailed(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{written}")
    return done


# --- what is shown beside a failed test -------------------------------------------------------------------------------


def show(name: str, log: Path) -> None:
    """From now on, a failed test shows the end of this log."""
    _shown[log] = name
    _over.discard(log)


def done_with(log: Path) -> None:
    """Stops that once the running test has ended: the program may have been stopped on its way out."""
    _over.add(log)


def sections() -> list[tuple[str, str]]:
    """The sections to show: program, and last output."""
    return [(f"{name}: {log}", last_words(log)) for log, name in _shown.items() if log.exists()]


class ShowsLogs:
    """The plugin of pytest that shows them."""

    def pytest_runtest_setup(self) -> None:
        """Forgets the programs of an earlier test."""
        for log in _over:
            _shown.pop(log, None)
        _over.clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Adds the sections to the report of a failed test."""
        report = yield
        if report.failed:
            report.sections += sections()
        return report
