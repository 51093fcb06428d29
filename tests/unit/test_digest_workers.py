"""The digest's children: a child that dies, stops midway or reads nothing more affects nothing else."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mailweir.digest import workers
from mailweir.digest.workers import Facts, Limits, Pool
from mailweir.store.database.connection import Database

LIMITS = Limits(data_bytes=600_000_000, cpu_seconds=1.0, wall_seconds=30.0, answer_bytes=1_000)


def _answers(pool: Pool[int], count: int) -> dict[int, bytes | None]:
    found: dict[int, bytes | None] = {}
    deadline = time.monotonic() + 30
    while len(found) < count:
        assert time.monotonic() < deadline, found
        found.update(workers.wait([pool], 1.0))
    return found


def _one_or_death(about: Facts, content: bytes) -> bytes:
    os.kill(os.getpid(), about.get("signal", 0))
    return content


@pytest.mark.parametrize("children_count", [1, 2])
def test_a_child_that_died_is_replaced_and_takes_nothing_with_it(children_count: int) -> None:
    """The dead child had further mails. Another child does these, and they aren't blamed."""
    pool: Pool[int] = Pool(children_count, _one_or_death, LIMITS)
    try:
        for number in range(6):
            pool.give(number, {"signal": (0, signal.SIGKILL)[number % 2]}, b"%d" % number)
        assert _answers(pool, 6) == {0: b"0", 1: None, 2: b"2", 3: None, 4: b"4", 5: None}
        assert pool.is_idle
    finally:
        pool.stop()


def _sleeps(about: Facts, content: bytes) -> bytes:
    time.sleep(about["seconds"])
    return content


def test_what_waits_behind_a_slow_one_goes_to_others() -> None:
    """Other children return its result, once. The slow mail isn't blamed for being slow."""
    pool: Pool[int] = Pool(2, _sleeps, LIMITS)
    try:
        for number in range(12):
            pool.give(number, {"seconds": {0: 4.0}.get(number, 0.0)}, b"%d" % number)
        began = time.monotonic()
        found: list[tuple[int, bytes | None]] = []
        while len(found) < 11:
            found += workers.wait([pool], 5.0)
        assert time.monotonic() - began < 3.5
        assert sorted(found) == [(number, b"%d" % number) for number in range(1, 12)]
        assert _answers(pool, 1) == {0: b"0"}
        assert pool.is_idle
        pool.give(99, {"seconds": 0.0}, b"99")
        assert _answers(pool, 1) == {99: b"99"}
    finally:
        pool.stop()


def test_a_child_that_had_nothing_to_do_for_long_is_as_good_as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    pool: Pool[int] = Pool(2, _sleeps, LIMITS)
    try:
        for number in range(2):
            pool.give(number, {"seconds": 0.0}, b"x")
        assert _answers(pool, 2) == {0: b"x", 1: b"x"}
        moment = time.monotonic() + 3_600
        monkeypatch.setattr(time, "monotonic", lambda: moment)
        assert list(workers.wait([pool], 0.1)) == []
        pool.give(2, {"seconds": 0.0}, b"y")
        assert _answers(pool, 1) == {2: b"y"}
    finally:
        pool.stop()


def _files() -> dict[int, str]:
    """The target of each open descriptor."""
    links = [link for link in Path("/proc/self/fd").iterdir() if os.path.lexists(link)]
    return {int(link.name): os.readlink(link) for link in links}  # noqa: PTH115  a socket has no path


def _stops_midway(about: Facts, content: bytes) -> bytes:
    """Sends the beginning of an answer on the socket that it finds, and stops there."""
    (pipe,) = [number for number, name in _files().items() if number > 2 and name.startswith("socket:")]
    os.write(pipe, b"\x00\x00")
    time.sleep(600)
    return b""


def test_a_child_that_stops_midway_stops_nobody_else() -> None:
    slow: Pool[int] = Pool(1, _stops_midway, replace(LIMITS, wall_seconds=5.0))
    quick: Pool[int] = Pool(1, _one_or_death, LIMITS)
    try:
        slow.give(0, {}, b"")
        quick.give(1, {}, b"one")
        found: dict[int, bytes | None] = {}
        began = time.monotonic()
        while 1 not in found:
            found.update(workers.wait([slow, quick], 5.0))
        assert time.monotonic() - began < 4.5  # before the slow child runs out of time
        assert _answers(slow, 1) == {0: None}
    finally:
        slow.stop()
        quick.stop()


def _reads_nothing(about: Facts, content: bytes) -> bytes:
    time.sleep(600)
    return b""


def test_a_child_that_reads_nothing_more_stops_nobody() -> None:
    """It is given more than a pipe can hold."""
    pool: Pool[int] = Pool(1, _reads_nothing, replace(LIMITS, wall_seconds=5.0))
    try:
        began = time.monotonic()
        pool.give(0, {}, b"x")
        pool.give(1, {}, bytes(5_000_000))
        assert time.monotonic() - began < 4
        assert not pool.has_room
        assert dict(workers.wait([pool], 2.0)) in ({}, {0: None})
    finally:
        pool.stop()


def _open_files(about: Facts, content: bytes) -> bytes:
    return json.dumps(sorted(_files().values())).encode()


def test_a_child_has_no_connection_to_the_database(sqlite_database: Database) -> None:
    sqlite_database.execute("SELECT 1")
    pool: Pool[int] = Pool(1, _open_files, LIMITS)
    try:
        pool.give(0, {}, b"")
        (answer,) = _answers(pool, 1).values()
        assert answer
        assert not [name for name in json.loads(answer) if "mailweir" in name]
    finally:
        pool.stop()
