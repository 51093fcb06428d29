"""The place of the tests' files: memory is used if suitable, and the caller's TMPDIR stays."""

import os
import tempfile
from pathlib import Path

import pytest

from tests import scratch


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for memory, with enough room. No TMPDIR is set."""
    tmp_path.chmod(0o1777)
    monkeypatch.setattr(scratch, "MEMORY", tmp_path)
    monkeypatch.setattr(scratch, "NEEDED_BYTES", 1)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", "")
    monkeypatch.delenv("TMPDIR")
    return tmp_path


def test_memory_is_taken(memory: Path) -> None:
    scratch.use_memory()
    assert (os.environ["TMPDIR"], tempfile.gettempdir()) == (str(memory), str(memory))


def test_the_callers_folder_stays(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/var/tmp")
    scratch.use_memory()
    assert os.environ["TMPDIR"] == "/var/tmp"


@pytest.mark.parametrize(("mode", "needed"), [(0o755, 1), (0o1777, 2**62)], ids=["not for all", "no room"])
def test_what_does_not_suit_is_not_taken(memory: Path, monkeypatch: pytest.MonkeyPatch, mode: int, needed: int) -> None:
    memory.chmod(mode)
    monkeypatch.setattr(scratch, "NEEDED_BYTES", needed)
    scratch.use_memory()
    assert "TMPDIR" not in os.environ


def test_no_such_folder_is_not_taken(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "MEMORY", memory / "absent")
    scratch.use_memory()
    assert "TMPDIR" not in os.environ


def test_what_the_daemons_reach_lies_in_no_closed_folder(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = memory / "closed"
    closed.mkdir(0o700)
    monkeypatch.setenv("TMPDIR", str(closed))
    assert scratch.open_folder() == Path("/var/tmp")
