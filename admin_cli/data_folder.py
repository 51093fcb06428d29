"""Checks the data folder before anything uses it: each part is absent, or of the right kind.

Some of its folders belong to the unprivileged user. A symbolic link, a pipe or a file that this user put there must neither lead
root elsewhere nor make it wait. Code that opens such a part doesn't follow links. This check reports the part earlier, as
a sentence. Never changes anything. Called by `mailweir up`, before any change, and by `doctor`.
"""

import contextlib
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from mailweir.settings import Settings
from postfix.rendering import Places

_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def faults(settings: Settings) -> Iterator[str]:
    """A sentence for each part of the wrong kind. Parts that can't be seen are passed over."""
    for path in outbox_folders(settings) if settings.run_by == "systemd" else _folders(settings):
        yield from _unless(path, stat.S_ISDIR, "a folder", follow=False)
    if settings.run_by == "systemd":
        return
    for path in _files(settings):
        yield from _unless(path, stat.S_ISREG, "a file", follow=False)
    for path in _files_of_the_admin(settings):
        yield from _unless(path, _can_be_written_to, "a file", follow=True)
    for path in (settings.milter_socket, settings.lookups_socket, settings.auth_socket):
        yield from _unless(path, _can_be_removed, "a socket", follow=False)


def outbox_folders(settings: Settings) -> list[Path]:
    """The outbox and the folders of its maildir, if the setting `outbound` is `outbox`."""
    outbox = settings.outbox_dir
    return [outbox, *(outbox / name for name in ("tmp", "new", "cur"))] if settings.outbound == "outbox" else []


def _folders(settings: Settings) -> list[Path]:
    places, database = Places.of(settings), settings.database_url
    return [
        settings.milter_socket.parent,
        settings.log_dir,
        places.certificate_file.parent,
        *([database.parent] if isinstance(database, Path) and database.is_relative_to(settings.data_dir) else []),
        places.config_dir.parent,
        places.config_dir,
        places.queue_dir,
        places.state_dir,
        *outbox_folders(settings),
    ]


def _files(settings: Settings) -> list[Path]:
    run_dir = settings.milter_socket.parent
    return [run_dir / "up.lock", run_dir / "mailweir.toml", settings.log_dir / "postfix.log"]


def _files_of_the_admin(settings: Settings) -> list[Path]:
    """Files in whose place the admin may put a link: their folders are root's, or the folder's owner opens them, not root."""
    database = settings.database_url
    return [
        *sorted(file for file in settings.log_dir.glob("*.log") if file.name != "postfix.log"),
        Places.of(settings).certificate_file,
        settings.token_key_path,
        *([database] if isinstance(database, Path) else []),
    ]


def _can_be_removed(mode: int) -> bool:
    return not stat.S_ISDIR(mode)


def _can_be_written_to(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISCHR(mode)  # a log may be a link to /dev/null


def _unless(path: Path, is_right: Callable[[int], bool], wanted: str, *, follow: bool) -> Iterator[str]:
    with contextlib.suppress(OSError):
        mode = path.stat(follow_symlinks=follow).st_mode
        if not is_right(mode):
            found = next((name for is_kind, name in _KINDS if is_kind(mode)), "no file")
            yield f"{path} is {found}, and must be {wanted} or nothing: move it away, or put {wanted} in its place"
