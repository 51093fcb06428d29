"""`mailweir up` on a data folder with foreign objects in it: it writes one line, touches nobody's files, and doesn't wait."""

import json
import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack

Lay = Callable[[Path, Path], None]


@pytest.fixture(scope="module")
def used(make_module_stack: "MakeStack") -> "Stack":
    """A stack that ran before."""
    made = make_module_stack()
    made.stop()
    return made


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A folder of root's, closed to others. It must be unchanged afterwards."""
    folder = tmp_path / "victim"
    folder.mkdir(mode=0o700)
    (folder / "file").write_text("untouched")
    yield folder
    state = folder.stat()
    assert (state.st_uid, state.st_mode & 0o7777) == (0, 0o700)
    assert [(one.name, one.read_text(), one.stat().st_uid) for one in folder.iterdir()] == [("file", "untouched", 0)]


def _link(path: Path, to: Path) -> None:
    path.symlink_to(to)


def _file(path: Path, _: Path) -> None:
    path.write_text("x")


def _pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("lay", [_link, _file, _pipe])
@pytest.mark.parametrize("name", ["outbox", "outbox/new", "outbox/cur", "run", "log", "tls", "db", "postfix/spool"])
def test_a_folder_that_is_something_else(used: "Stack", victim: Path, tmp_path: Path, name: str, lay: Lay) -> None:
    path, kept = used.data_dir / name, used.data_dir / "kept"
    path.rename(kept)
    lay(path, victim)
    run_as = pwd.getpwnam("mailweir")
    os.chown(path, run_as.pw_uid, run_as.pw_gid, follow_symlinks=False)
    try:
        ran = used.cli("up", "--data", str(used.data_dir))
        assert (ran.returncode, ran.stderr.count("\n")) == (1, 1), ran.stderr
        assert f"mailweir: {path} is " in ran.stderr
        assert "and must be a folder or nothing" in ran.stderr
        found = json.loads(used.cli("doctor", "--json").stdout)
        (told,) = [one for one in found if one["area"] == "data folder"]
        assert (told["level"], str(path) in told["finding"], bool(told["to_do"])) == ("wrong", True, True)
        assert not [one for one in found if "this check failed" in one["finding"] and "outbox" in one["finding"]]
    finally:
        path.unlink()
        kept.rename(path)


@pytest.mark.parametrize("name", ["run/up.lock", "run/mailweir.toml", "log/postfix.log", "log/mailweir-digest.log"])
def test_a_pipe_in_the_place_of_a_file_makes_nobody_wait(used: "Stack", name: str) -> None:
    path, kept = used.data_dir / name, used.data_dir / "kept"
    path.rename(kept)
    os.mkfifo(path)
    try:
        ran = used.cli("up", "--data", str(used.data_dir))
        assert (ran.returncode, ran.stderr.count("\n")) == (1, 1), ran.stderr
        assert f"{path} is a pipe, and must be a file or nothing" in ran.stderr
        assert used.cli("doctor").returncode == 1
        assert used.cli("why", "jane@client.example").returncode == 1
    finally:
        path.unlink()
        kept.rename(path)


def test_what_nobody_looked_at_is_one_line_too(used: "Stack") -> None:
    """Somebody may also have put it there after the check."""
    path = used.data_dir / "run" / ".mailweir.toml.new"
    path.mkdir()
    try:
        ran = used.cli("up", "--data", str(used.data_dir))
        assert (ran.returncode, ran.stderr) == (1, f"mailweir: can't use {path}: Is a directory\n")
    finally:
        path.rmdir()


def test_with_all_in_its_place_it_runs_again(used: "Stack") -> None:
    """The control."""
    used.start()
    assert used.stop() == 0
