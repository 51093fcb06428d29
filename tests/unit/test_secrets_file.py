"""The key file: sealed values open for their purpose only, and a file that others can read isn't used."""

import base64
import os
import pwd
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mailweir import secrets_file
from mailweir.errors import SettingsError
from mailweir.secrets_file import Sealer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A key file."""
    path = tmp_path / "token.key"
    secrets_file.make(path)
    return path


def test_what_is_sealed_opens_and_shows_nothing(file: Path) -> None:
    secrets = secrets_file.load(file)
    sealed = secrets.seal(b"a private thing", "thing 1")
    assert b"private" not in sealed
    assert secrets.seal(b"a private thing", "thing 1") != sealed
    assert secrets_file.load(file).open(sealed, "thing 1") == b"a private thing"


@pytest.mark.parametrize(
    ("alter", "purpose"),
    [
        (lambda sealed: sealed, "thing 2"),
        (lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]), "thing 1"),
        (lambda sealed: sealed[:9], "thing 1"),
        (lambda sealed: b"", "thing 1"),
        (lambda sealed: b"\x02" + sealed[1:], "thing 1"),
        (lambda sealed: b"\x03" + sealed[1:], "thing 1"),
    ],
    ids=["purpose", "a bit", "cut", "empty", "format", "another format"],
)
def test_what_was_altered_or_moved_does_not_open(file: Path, alter: Callable[[bytes], bytes], purpose: str) -> None:
    secrets = secrets_file.load(file)
    sealed = secrets.seal(b"a private thing", "thing 1")
    with pytest.raises(SettingsError, match=r"token\.key doesn't open .* copy the file"):
        secrets.open(alter(sealed), purpose)


def test_another_hosts_own_key_opens_nothing(file: Path, tmp_path: Path) -> None:
    sealed = secrets_file.load(file).seal(b"x", "thing 1")
    other = tmp_path / "other.key"
    secrets_file.make(other)
    with pytest.raises(SettingsError, match=r"other\.key doesn't open"):
        secrets_file.load(other).open(sealed, "thing 1")


def test_what_the_public_half_seals_the_file_opens_and_nobody_else(file: Path, tmp_path: Path) -> None:
    secrets = secrets_file.load(file)
    sealer = Sealer(secrets.public_half)
    sealed = sealer.seal(b"a private thing", "thing 1")
    assert b"private" not in sealed
    assert sealer.seal(b"a private thing", "thing 1") != sealed
    assert not hasattr(sealer, "open")
    assert secrets_file.load(file).open(sealed, "thing 1") == b"a private thing"
    other = tmp_path / "other.key"
    secrets_file.make(other)
    with pytest.raises(SettingsError, match=r"other\.key doesn't open"):
        secrets_file.load(other).open(sealed, "thing 1")


@pytest.mark.parametrize(
    ("alter", "purpose"),
    [
        (lambda sealed: sealed, "thing 2"),
        (lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]), "thing 1"),
        (lambda sealed: sealed[:2] + bytes([sealed[2] ^ 1]) + sealed[3:], "thing 1"),
        (lambda sealed: sealed[:1] + bytes(32) + sealed[33:], "thing 1"),
        (lambda sealed: sealed[:20], "thing 1"),
        (lambda sealed: sealed[:33], "thing 1"),
        (lambda sealed: b"\x01" + sealed[1:], "thing 1"),
    ],
    ids=["purpose", "a bit", "a bit of the sender", "a sender that is none", "cut", "no text", "format"],
)
def test_a_box_that_was_altered_or_moved_does_not_open(
    file: Path, alter: Callable[[bytes], bytes], purpose: str
) -> None:
    secrets = secrets_file.load(file)
    sealed = Sealer(secrets.public_half).seal(b"a private thing", "thing 1")
    with pytest.raises(SettingsError, match=r"token\.key doesn't open .* copy the file"):
        secrets.open(alter(sealed), purpose)


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(32), b"x" * 33])
def test_a_public_half_that_is_none_seals_nothing(public: bytes) -> None:
    with pytest.raises(SettingsError, match="public key is malformed"):
        Sealer(public).seal(b"a private thing", "thing 1")


def test_the_file_is_its_owners_alone_and_is_never_made_anew(file: Path) -> None:
    before = file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secrets_file.make(file)
    assert file.read_bytes() == before
    assert [one.name for one in file.parent.iterdir()] == ["token.key"]


def test_two_that_make_it_at_once_end_with_one_key(tmp_path: Path) -> None:
    path = tmp_path / "token.key"
    found = []

    def work() -> None:
        secrets_file.make(path)
        found.append(path.read_bytes())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_reach_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(SettingsError, match=r"others can read it: chmod 600"):
        secrets_file.load(file)


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"!!!", base64.b64encode(bytes(31)), base64.b64encode(bytes(33)), b"\xff" * 44]
)
def test_a_file_without_a_key_is_refused(file: Path, text: bytes) -> None:
    file.write_bytes(text)
    with pytest.raises(SettingsError, match="holds no key"):
        secrets_file.load(file)


@pytest.mark.parametrize(
    "make",
    [
        lambda path, file: None,
        lambda path, file: path.symlink_to(file),
        lambda path, file: os.mkfifo(path, 0o600),
        lambda path, file: path.mkdir(0o700),
    ],
    ids=["missing", "link", "fifo", "folder"],
)
def test_what_is_no_file_is_refused_at_once(file: Path, make: Callable[[Path, Path], object]) -> None:
    path = file.with_name("x")
    make(path, file)
    with pytest.raises(SettingsError, match=r"x: |x holds no key"):
        secrets_file.load(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="root steps down")
def test_whose_a_file_is_to_be_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "client.json"
    file.write_text("{}")
    file.chmod(0o600)
    os.seteuid(pwd.getpwnam("daemon").pw_uid)
    try:
        with pytest.raises(SettingsError, match="must belong to daemon"):
            secrets_file.read_private(file, "client secret", 100)
    finally:
        os.seteuid(0)
