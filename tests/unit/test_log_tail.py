"""Postfix's log, read on from the last position: rotation, truncation, half a line, and too much."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.store.record.log_positions import LogPosition
from postfix import log_tail
from postfix.log_lines import LogUnreadable


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "postfix.log"
    path.write_bytes(b"one\ntwo\n")
    return path


def _append(log: Path, text: bytes) -> None:
    with log.open("ab") as stream:
        stream.write(text)


def test_only_what_is_new_is_read_with_what_was_before_it(log: Path) -> None:
    first = log_tail.read(log, None)
    assert (first.lines, first.context, first.skipped_bytes, first.is_lost) == ([b"one", b"two"], [], 0, False)
    again = log_tail.read(log, first.position)
    assert (again.lines, again.position) == ([], first.position)
    _append(log, b"three\n")
    later = log_tail.read(log, again.position)
    assert (later.lines, later.context) == ([b"three"], [b"one", b"two"])


def test_half_a_line_waits_for_its_end(log: Path) -> None:
    _append(log, b"thr")
    first = log_tail.read(log, None)
    assert first.lines == [b"one", b"two"]
    _append(log, b"ee\nfour")
    later = log_tail.read(log, first.position)
    assert later.lines == [b"three"]
    _append(log, b"\n")
    assert log_tail.read(log, later.position).lines == [b"four"]


def test_a_line_without_an_end_is_not_waited_for_for_ever(log: Path) -> None:
    _append(log, b"x" * 100_000)
    first = log_tail.read(log, None)
    assert len(first.lines) == 3
    _append(log, b"x\nfour\n")
    assert log_tail.read(log, first.position).lines == [b"x", b"four"]


def test_the_rest_of_a_rotated_log_is_read_before_the_new_one(log: Path) -> None:
    """As with logrotate and `mailweir_log_days`: Postfix writes into the old file until it is reloaded."""
    first = log_tail.read(log, None)
    log.rename(log.with_name("postfix.log.1"))
    _append(log.with_name("postfix.log.1"), b"three\nfour")  # its last line has no end, and never gets one
    log.write_bytes(b"five\n")
    later = log_tail.read(log, first.position)
    assert (later.lines, later.context, later.is_lost) == ([b"three", b"four", b"five"], [b"one", b"two"], False)
    _append(log, b"six\n")
    assert log_tail.read(log, later.position).lines == [b"six"]


def test_copytruncate_is_a_rotation_too(log: Path) -> None:
    first = log_tail.read(log, None)
    _append(log, b"three\n")
    shutil.copy(log, log.with_name("postfix.log.1"))
    log.write_bytes(b"four, and so much that the log is larger than it was\n")  # the same inode
    later = log_tail.read(log, first.position)
    assert later.lines == [b"three", b"four, and so much that the log is larger than it was"]
    assert not later.is_lost


@pytest.mark.parametrize("text", [b"", b"new\n", b"new, and so much that the log is larger than it was\n"])
def test_a_truncated_log_is_read_from_its_beginning_and_the_rest_is_lost(log: Path, text: bytes) -> None:
    first = log_tail.read(log, None)
    log.write_bytes(text)
    later = log_tail.read(log, first.position)
    assert (later.lines, later.is_lost) == (text.split(b"\n")[:-1], True)
    _append(log, b"next\n")
    assert log_tail.read(log, later.position).lines == [b"next"]


def test_a_log_that_was_rotated_twice_or_compressed_is_lost_and_said_so(log: Path) -> None:
    first = log_tail.read(log, None)
    log.rename(log.with_name("postfix.log.2"))
    log.with_name("postfix.log.1").write_bytes(b"three\n")
    log.write_bytes(b"four\n")
    later = log_tail.read(log, first.position)
    assert (later.lines, later.is_lost) == ([b"four"], True)


def test_an_empty_log_that_was_rotated_is_known_by_its_number(log: Path) -> None:
    log.write_bytes(b"")
    first = log_tail.read(log, None)
    log.rename(log.with_name("postfix.log.1"))
    _append(log.with_name("postfix.log.1"), b"one\n")
    log.write_bytes(b"two\n")
    assert log_tail.read(log, first.position).lines == [b"one", b"two"]


def test_what_is_too_much_is_skipped_from_its_oldest_line_on(log: Path) -> None:
    first = log_tail.read(log, None)
    log.rename(log.with_name("postfix.log.1"))
    _append(log.with_name("postfix.log.1"), b"".join(b"old %d\n" % number for number in range(100)))
    log.write_bytes(b"".join(b"new %d\n" % number for number in range(10)))
    tail = log_tail.read(log, first.position, max_bytes=100)
    assert tail.lines[0].startswith(b"old ")
    assert tail.lines[-10:] == [b"new %d" % number for number in range(10)]
    assert sum(len(line) + 1 for line in tail.lines) <= 100
    assert tail.skipped_bytes == 10 * 6 + 90 * 7 + 10 * 6 - 100
    assert log_tail.read(log, tail.position).lines == []


@pytest.mark.parametrize("make", [lambda _: None, Path.mkdir, os.mkfifo], ids=["absent", "folder", "pipe"])
def test_what_can_not_be_read_is_said_and_nobody_waits(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "postfix.log"
    make(path)
    with pytest.raises(LogUnreadable):
        log_tail.read(path, None)


def _read_through(log: Path, pieces: list[bytes], turns: set[int]) -> list[bytes]:
    """The lines that are read while the pieces are written. turns: after which pieces the log is rotated. Postfix does that
    between two lines."""
    read: list[bytes] = []
    position: LogPosition | None = None
    for number, piece in enumerate(pieces):
        _append(log, piece)
        tail = log_tail.read(log, position)
        read, position = [*read, *tail.lines], tail.position
        if number in turns and tail.position.offset == log.stat().st_size:
            log.rename(log.with_name("postfix.log.1"))
            log.touch()
    return read


@given(pieces=st.lists(st.binary(max_size=40) | st.just(b"\n"), max_size=30), turns=st.sets(st.integers(0, 29)))
def test_whatever_is_written_each_line_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], turns: set[int]
) -> None:
    log = tmp_path_factory.mktemp("log") / "postfix.log"
    log.touch()
    assert _read_through(log, pieces, turns) == b"".join(pieces).split(b"\n")[:-1]
