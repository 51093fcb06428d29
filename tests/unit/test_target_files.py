"""Files that the admin names: nobody else decides where they are written. An existing file is replaced, and never written
into."""

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from admin_cli import target_files
from mailweir.errors import BadInput
from tests.needs import lacks

NOBODY = 65534
CONTENT = b"name,address,company\r\n"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder that somebody else can write in."""
    if os.geteuid() != 0:
        lacks("needs root, to act as another user than the link's owner")
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    return folder


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert list(tmp_path.rglob(".*")) == []


def _lay_link(at: Path, to: Path, uid: int = NOBODY) -> None:
    at.symlink_to(to)
    os.chown(at, uid, uid, follow_symlinks=False)


def test_a_new_file_has_the_mode_of_the_umask_and_one_s_own_keeps_its_own(tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    before = os.umask(0o027)
    try:
        target_files.write(file, b"old")
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        file.chmod(0o600)
        target_files.write(file, CONTENT)
    finally:
        os.umask(before)
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (CONTENT, 0o600)


def test_a_link_of_somebody_else_is_refused_wherever_it_leads(theirs: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    for to in (victim, tmp_path / "not-there", Path("/dev/null"), Path("loop")):
        link = theirs / "loop"
        _lay_link(link, to)
        with pytest.raises(BadInput, match="a symbolic link that somebody else made"):
            target_files.write(link, CONTENT)
        assert link.is_symlink()
        link.unlink()
    assert victim.read_bytes() == b"untouched"
    assert not (tmp_path / "not-there").exists()


def test_a_folder_that_is_a_link_of_somebody_else_is_refused_anywhere_in_the_path(theirs: Path, tmp_path: Path) -> None:
    inner = tmp_path / "roots" / "inner"
    inner.mkdir(parents=True)
    _lay_link(theirs / "exports", tmp_path / "roots")
    for name in ("exports/clients.csv", "exports/inner/clients.csv", "exports/../roots/clients.csv"):
        with pytest.raises(BadInput, match="somebody else"):
            target_files.write(theirs / name, CONTENT)
        with pytest.raises(BadInput, match="somebody else"):
            target_files.refuse_foreign_links(theirs / name)
    assert list(inner.parent.rglob("*.csv")) == []


def test_one_s_own_links_are_followed_on_the_way_and_not_in_the_file_s_place(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "again").symlink_to(tmp_path / "folder" / ".." / "folder")
    target_files.write(tmp_path / "again" / "clients.csv", b"first")
    target_files.write(tmp_path / "folder" / "clients.csv", CONTENT)
    target_files.refuse_foreign_links(tmp_path / "folder")
    assert (tmp_path / "real" / "clients.csv").read_bytes() == CONTENT
    for to in (tmp_path / "real" / "clients.csv", tmp_path / "real", tmp_path / "nothing"):
        link = tmp_path / "link.csv"
        link.symlink_to(to)
        with pytest.raises(BadInput, match="is a symbolic link, which isn't followed: name the file itself"):
            target_files.write(link, b"through the link")
        assert link.is_symlink()
        link.unlink()
    assert (tmp_path / "real" / "clients.csv").read_bytes() == CONTENT
    assert not (tmp_path / "nothing").exists()


def test_a_file_of_somebody_else_is_replaced_and_not_written_into(theirs: Path, tmp_path: Path) -> None:
    """Otherwise a hard link, an open descriptor or the owner of the old file would get the new content."""
    linked, file = tmp_path / "linked", theirs / "clients.csv"
    file.write_bytes(b"old")
    file.chmod(0o666)
    os.chown(file, NOBODY, NOBODY)
    os.link(file, linked)
    before = os.umask(0o077)
    try:
        target_files.write(file, CONTENT)
    finally:
        os.umask(before)
    assert (linked.read_bytes(), file.read_bytes()) == (b"old", CONTENT)
    assert (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) == (0, 0o600)


def test_a_pipe_is_written_to_unless_somebody_else_laid_it(theirs: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    target_files.write(pipe, CONTENT)
    reader.join()
    assert got == [CONTENT]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    laid = theirs / "pipe.csv"
    os.mkfifo(laid)
    os.chown(laid, NOBODY, NOBODY)
    with pytest.raises(BadInput, match="is no file, and belongs to somebody else"):
        target_files.write(laid, CONTENT)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_the_names_of_descriptors_are_those(name: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    target_files.write(Path(name), CONTENT)
    assert capfdbinary.readouterr().out == CONTENT
    target_files.write(Path("/dev/null"), CONTENT)
    target_files.write(Path("/dev/stderr"), CONTENT)
    assert capfdbinary.readouterr() == (b"", CONTENT)


def test_what_cant_be_written_is_one_sentence_and_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_bytes(b"old")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "root").symlink_to("/")
    for name, words in (
        ("none/clients.csv", "No such file"),
        ("clients.csv/x", "Not a directory"),
        (".", "Is a directory"),
        ("root", "is a symbolic link"),
        ("self/x", "Too many levels"),
        ("x" * 300, "File name too long"),
        ("/dev/full", "No space left"),
        ("/dev/fd/999", "Bad file descriptor"),
    ):
        with pytest.raises(BadInput, match=words) as failed:
            target_files.write(tmp_path / name, CONTENT)
        assert "\n" not in str(failed.value)
    assert file.read_bytes() == b"old"


def test_a_long_name_is_none_too_long_for_its_part(tmp_path: Path) -> None:
    target_files.write(tmp_path / ("x" * 255), CONTENT)
    assert (tmp_path / ("x" * 255)).read_bytes() == CONTENT


def test_nothing_stays_open(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "clients.csv")
    before = sorted(Path("/proc/self/fd").iterdir())
    for name in ("link.csv", "none/x", "clients.csv", "."):
        with contextlib.suppress(BadInput):
            target_files.write(tmp_path / name, CONTENT)
        target_files.refuse_foreign_links(tmp_path / name)
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_what_is_there_is_left_alone_where_it_may_not_be_replaced(tmp_path: Path) -> None:
    file, pipe, link = tmp_path / "offer.pdf", tmp_path / "pipe", tmp_path / "link"
    target_files.write(file, CONTENT, may_replace=False)
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "not-there")
    for there in (file, pipe, tmp_path, Path("/dev/null")):
        with pytest.raises(BadInput, match="is there already"):
            target_files.write(there, b"other", may_replace=False)
    with pytest.raises(BadInput, match="symbolic link"):
        target_files.write(link, b"other", may_replace=False)
    assert file.read_bytes() == CONTENT
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "offer.pdf", "pipe"]


def test_law_14_a_terminal_is_refused_by_its_descriptor_too() -> None:
    ours, theirs = os.openpty()
    with pytest.raises(BadInput, match="may control it"):
        target_files.write(Path(f"/dev/fd/{theirs}"), CONTENT, may_replace=False)
    target_files.write(Path(f"/dev/fd/{theirs}"), b"x", may_replace=True)
    assert os.read(ours, 9) == b"x"
    os.close(theirs)
    os.close(ours)


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match="No space left"):
        target_files.write(tmp_path / "offer.pdf", CONTENT, may_replace=False)
    assert list(tmp_path.iterdir()) == []
