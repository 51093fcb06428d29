"""The guardian: a child that dies or hangs is replaced, and a stop ends both. Real processes, and a short look."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailweir import log
from mailweir.forking import fork
from postfix import guardian

WAIT_SECONDS = 30.0


class Kept:
    """A guardian in a process of its own. Each child writes its number into a file, and beats."""

    def __init__(self, folder: Path) -> None:
        self._births = folder / "births"
        self._wanted = folder / "wanted"
        self._births.touch()
        self._wanted.touch()
        self.pid = fork(lambda: guardian.keep(self._work, self._wanted.exists, log.silent()), log.silent())

    def _work(self, beat: int) -> None:
        with self._births.open("a") as file:
            file.write(f"{os.getpid()}\n")
        while True:
            os.write(beat, b".")
            time.sleep(0.02)

    def forget(self) -> None:
        """Its work has no sense any more."""
        self._wanted.unlink()

    def children(self) -> list[int]:
        return [int(line) for line in self._births.read_text().split()]

    def wait_for_children(self, count: int) -> list[int]:
        until(lambda: len(self.children()) >= count)
        return self.children()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setattr(guardian, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(guardian, "SHORT_LIFE_SECONDS", 0.05)
    made = Kept(tmp_path)
    yield made
    if _lives(made.pid):
        os.kill(made.pid, signal.SIGKILL)
        os.waitpid(made.pid, 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_one_that_ends_or_stands_still_is_replaced(kept: Kept, number: signal.Signals) -> None:
    (first,) = kept.wait_for_children(1)
    os.kill(first, number)
    _, second = kept.wait_for_children(2)
    assert not _lives(first)
    assert _lives(second)


@pytest.mark.slow
def test_a_guardian_that_stood_still_itself_kills_nobody(kept: Kept) -> None:
    (first,) = kept.wait_for_children(1)
    for pid in (kept.pid, first):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(1.0)  # ten looks' time
    for pid in (kept.pid, first):
        os.kill(pid, signal.SIGCONT)
    time.sleep(0.5)
    assert kept.children() == [first]
    assert _lives(first)


def test_a_stop_ends_both(kept: Kept) -> None:
    (child,) = kept.wait_for_children(1)
    os.kill(kept.pid, signal.SIGTERM)
    assert os.waitpid(kept.pid, 0)[1] == 0
    assert not _lives(child)


def test_a_stop_ends_also_one_that_stands_still(kept: Kept) -> None:
    (child,) = kept.wait_for_children(1)
    os.kill(child, signal.SIGSTOP)
    os.kill(kept.pid, signal.SIGTERM)
    assert os.waitpid(kept.pid, 0)[1] == 0
    assert not _lives(child)


def test_a_child_dies_with_its_guardian(kept: Kept) -> None:
    (child,) = kept.wait_for_children(1)
    os.kill(kept.pid, signal.SIGKILL)
    os.waitpid(kept.pid, 0)
    until(lambda: not _lives(child))


def test_work_without_sense_ends(kept: Kept) -> None:
    (child,) = kept.wait_for_children(1)
    kept.forget()
    assert os.waitpid(kept.pid, 0)[1] == 0
    assert not _lives(child)
