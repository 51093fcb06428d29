"""A chore of the supervisor: when it runs. Nothing waits for it, and its failure is one line."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from admin_cli.chores import LONGEST_SECONDS, Chore
from admin_cli.processes import Program

WAIT_SECONDS = 30.0


class Clock:
    """Calls a chore at the times that a test gives, in seconds after its start."""

    def __init__(self, folder: Path, code: str, *, every: float = 100.0) -> None:
        self.said: list[str] = []
        self.folder = folder
        program = Program("the chore", [sys.executable, "-c", code], None, folder / "chore.log")
        self.chore = Chore(program, every_seconds=every, first_after_seconds=10.0, say=self.said.append)
        self._start = time.monotonic()

    def tend(self, at: float) -> None:
        self.chore.tend(self._start + at, work_dir=self.folder, data_dir=self.folder, environment={})

    def tend_until(self, at: float, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline
            self.tend(at)
            time.sleep(0.01)

    @property
    def runs(self) -> int:
        log = self.folder / "chore.log"
        return log.read_text().count("ran") if log.exists() else 0


def test_it_runs_when_it_is_due_and_again_after_its_time(tmp_path: Path) -> None:
    clock = Clock(tmp_path, "print('ran')")
    clock.tend(9)
    assert clock.chore.remembered is None
    assert 0 < clock.chore.due_in(time.monotonic()) <= 10
    clock.tend(11)
    assert clock.chore.remembered is not None
    clock.tend_until(12, lambda: clock.chore.remembered is None)
    assert (clock.runs, clock.said) == (1, [])
    clock.tend(110)
    assert clock.chore.remembered is None
    clock.tend(112)
    clock.tend_until(113, lambda: clock.chore.remembered is None)
    assert clock.runs == 2


def test_a_failure_is_one_line_and_it_comes_again(tmp_path: Path) -> None:
    clock = Clock(tmp_path, "import sys; sys.exit('no room')", every=7200)
    clock.tend(11)
    clock.tend_until(12, lambda: bool(clock.said))
    assert clock.said == ["the chore ended with 1 (no room); again in 2 h"]
    assert clock.chore.due_in(time.monotonic()) > 0


def test_a_command_that_can_not_be_started_is_one_line(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "absent", "")
    clock.tend(11)
    assert len(clock.said) == 1
    assert clock.said[0].startswith("can't start the chore: ")
    assert clock.chore.remembered is None


def test_it_is_not_waited_for_and_is_killed_where_it_hangs(tmp_path: Path) -> None:
    clock = Clock(tmp_path, "import time; time.sleep(1000)")
    began = time.monotonic()
    clock.tend(11)
    clock.tend(200)
    assert time.monotonic() - began < 100
    assert (clock.said, clock.chore.remembered is None) == ([], False)
    clock.tend(12 + LONGEST_SECONDS)
    clock.tend_until(13 + LONGEST_SECONDS, lambda: clock.chore.remembered is None)
    assert clock.said == ["the chore was ended by signal 9; again in 0.0278 h"]


@pytest.mark.parametrize(
    ("begin", "seconds"),
    [("", WAIT_SECONDS), ("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);", 0.2)],
    ids=["", "deaf"],
)
def test_stopping_ends_it(tmp_path: Path, begin: str, seconds: float) -> None:
    clock = Clock(tmp_path, f"{begin}print('ran', flush=True); import time; time.sleep(1000)")
    clock.tend(11)
    clock.tend_until(12, lambda: clock.runs == 1)
    clock.chore.stop(seconds, tmp_path)
    assert clock.chore.remembered is None
    clock.chore.stop(0.2, tmp_path)
