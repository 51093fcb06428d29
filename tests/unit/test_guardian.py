"""The guardian: it replaces a child that dies or hangs, and a stop ends both. Real processes, with short intervals."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mailweir import guardian, log
from mailweir.forking import fork

WAIT_SECONDS = 30.0


class Kept:
    """A guardian of so many children in a process of its own. Each child writes its number and its place into a file, and
    beats."""

    def __init__(self, folder: Path, count: int = 1, load_seconds: float = 0.0) -> None:
        self._load_seconds = load_seconds
        self._births = folder / "births"
        self._wanted = folder / "wanted"
        self._births.touch()
        self._wanted.touch()
        patience = guardian.Patience(first_looks=100)
        self.pid = fork(
            lambda: guardian.keep(self._work, self._wanted.exists, log.silent(), count=count, patience=patience),
            log.silent(),
        )

    def _work(self, place: int, beat: int) -> None:
        with self._births.open("a") as file:
            file.write(f"{os.getpid()} {place}\n")
        time.sleep(self._load_seconds)
        while True:
            os.write(beat, b".")
            time.sleep(0.02)

    def forget(self) -> None:
        """Ends the need for its work."""
        self._wanted.unlink()

    def children(self) -> list[int]:
        return [int(line.split()[0]) for line in self._births.read_text().splitlines()]

    def places(self) -> list[int]:
        return [int(line.split()[1]) for line in self._births.read_text().splitlines()]

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


@pytest.fixture(autouse=True)
def _short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardian, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(guardian, "SHORT_LIFE_SECONDS", 0.05)


def _end(made: Kept) -> None:
    if _lives(made.pid):
        os.kill(made.pid, signal.SIGKILL)
        os.waitpid(made.pid, 0)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    _end(made)


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path, 3)
    yield made
    _end(made)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_one_that_ends_or_stands_still_is_replaced(kept: Kept, number: signal.Signals) -> None:
    (first,) = kept.wait_for_children(1)
    os.kill(first, number)
    _, second = kept.wait_for_children(2)
    assert not _lives(first)
    assert _lives(second)


def test_one_that_has_much_to_load_is_given_the_time(tmp_path: Path) -> None:
    loading = Kept(tmp_path, load_seconds=3.0)
    (first,) = loading.wait_for_children(1)
    time.sleep(1.5)  # fifteen intervals
    assert loading.children() == [first]
    _end(loading)


@pytest.mark.slow
def test_a_guardian_that_stood_still_itself_kills_nobody(kept: Kept) -> None:
    (first,) = kept.wait_for_children(1)
    for pid in (kept.pid, first):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(1.0)  # the time of ten intervals
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


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_one_of_several_is_replaced_in_its_place_and_the_others_stay(three: Kept, number: signal.Signals) -> None:
    born = three.wait_for_children(3)
    assert sorted(three.places()) == [0, 1, 2]
    os.kill(born[1], number)
    fourth = three.wait_for_children(4)[3]
    assert three.places()[3] == three.places()[1]
    assert [_lives(pid) for pid in (*born, fourth)] == [True, False, True, True]


def test_one_that_dies_again_and_again_hides_none_that_stands_still(three: Kept) -> None:
    born = three.wait_for_children(3)
    os.kill(born[0], signal.SIGSTOP)
    until(lambda: _kill_youngest(three, but=born[0]) and not _lives(born[0]))


def _kill_youngest(kept: Kept, but: int) -> bool:
    youngest = max(set(kept.children()) - {but}, key=kept.children().index)
    with suppress(ProcessLookupError):
        os.kill(youngest, signal.SIGKILL)
    return True


def test_a_stop_ends_all(three: Kept) -> None:
    born = three.wait_for_children(3)
    os.kill(three.pid, signal.SIGTERM)
    assert os.waitpid(three.pid, 0)[1] == 0
    assert [_lives(pid) for pid in born] == [False] * 3
