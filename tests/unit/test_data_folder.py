"""The content of the data folder: the allowed kind of each part, and the error for any other kind."""

import os
from pathlib import Path

import pytest

from admin_cli import data_folder
from mailweir.settings import Settings

FOLDERS = (
    "run", "log", "tls", "db", "postfix", "postfix/etc", "postfix/spool", "postfix/data",
    "outbox", "outbox/tmp", "outbox/new", "outbox/cur",
)  # fmt: skip
FILES = ("run/up.lock", "run/mailweir.toml", "log/postfix.log")
ADMINS = ("log/mailweir-milter.log", "tls/self-signed.pem", "db/mailweir.db")
KINDS = ("a symbolic link", "a dangling link", "a file", "a folder", "a pipe")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a correct folder."""
    for name in FOLDERS:
        (tmp_path / "data" / name).mkdir(parents=True)
    for name in (*FILES, *ADMINS):
        (tmp_path / "data" / name).write_text("x")
    return Settings(data_dir=tmp_path / "data")


def _put(path: Path, kind: str, elsewhere: Path) -> None:
    """Replaces the existing object by one of this kind."""
    path.rename(elsewhere)
    if "link" in kind:
        path.symlink_to(elsewhere if kind == "a symbolic link" else elsewhere.with_name("nothing"))
    elif kind == "a file":
        path.write_text("x")
    elif kind == "a folder":
        path.mkdir()
    else:
        os.mkfifo(path)


def test_a_folder_that_is_new_or_in_order_has_no_faults(settings: Settings, tmp_path: Path) -> None:
    assert list(data_folder.faults(settings)) == []
    assert list(data_folder.faults(Settings(data_dir=tmp_path / "new"))) == []


# The allowed kinds of a part, and an admin's allowed replacements for some.
_ALLOWED = {
    **dict.fromkeys(FOLDERS, frozenset({"a folder"})),
    **dict.fromkeys(FILES, frozenset({"a file"})),
    **dict.fromkeys(ADMINS, frozenset({"a file", "a symbolic link", "a dangling link"})),
}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in _ALLOWED for kind in sorted(_ALLOWED[name])])
def test_each_part_may_be_what_it_is_for(settings: Settings, tmp_path: Path, name: str, kind: str) -> None:
    _put(settings.data_dir / name, kind, tmp_path / "elsewhere")
    assert list(data_folder.faults(settings)) == []


@pytest.mark.parametrize(
    ("name", "wanted", "kind"),
    [
        (name, wanted, kind)
        for names, wanted in ((FOLDERS, "a folder"), ((*FILES, *ADMINS), "a file"))
        for name in names
        for kind in KINDS
        if kind not in _ALLOWED[name]
    ],
)
def test_each_part_that_is_another_kind_is_told_once(
    settings: Settings, tmp_path: Path, name: str, wanted: str, kind: str
) -> None:
    _put(settings.data_dir / name, kind, tmp_path / "elsewhere")
    seen = kind.replace("dangling", "symbolic")
    assert list(data_folder.faults(settings)) == [
        f"{settings.data_dir / name} is {seen}, and must be {wanted} or nothing: move it away, or put {wanted} in its place"
    ]


def test_where_nothing_goes_into_files_the_outbox_is_nobodys(settings: Settings, tmp_path: Path) -> None:
    _put(settings.outbox_dir, "a file", tmp_path / "elsewhere")
    assert list(data_folder.faults(settings.model_copy(update={"outbound": "mx"}))) == []


def test_on_a_host_of_systemds_only_the_outbox_is_ours(settings: Settings, tmp_path: Path) -> None:
    by_systemd = settings.model_copy(update={"run_by": "systemd"})
    _put(settings.milter_socket.parent, "a symbolic link", tmp_path / "run")
    assert list(data_folder.faults(by_systemd)) == []
    _put(settings.outbox_dir / "new", "a symbolic link", tmp_path / "new")
    assert len(list(data_folder.faults(by_systemd))) == 1


def test_a_folder_in_the_place_of_a_socket_and_a_log_that_goes_nowhere(settings: Settings) -> None:
    log = settings.log_dir / "mailweir-digest.log"
    log.symlink_to("/dev/null")
    assert list(data_folder.faults(settings)) == []
    settings.auth_socket.mkdir()
    assert ["is a folder, and must be a socket or nothing" in one for one in data_folder.faults(settings)] == [True]
