"""A file that the admin names, written at that place and nowhere else.

A command often runs as root, and anyone who can write in a folder of the path can put a symbolic link there. So a link in the
place of the file isn't followed. A link on the way to it is followed only if root or the user of the command made it. The path is
walked folder by folder, so that nobody can change a part after its check. A file appears whole or not at all: an existing file of
that name is replaced, never written into. Called by the commands that export.
"""

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from mailweir.errors import BadInput

_MAX_LINKS = 40  # as many as the kernel allows (path_resolution(7))
_DESCRIPTOR = re.compile(r"/dev/fd/(\d+)|/proc/self/fd/(\d+)|/dev/(stdout)|/dev/(stderr)")


def write(file: Path, content: bytes, *, may_replace: bool = True) -> None:
    """Writes the content there. A pipe or a device is written to directly, and so is `/dev/stdout` or `/dev/fd/N`. BadInput.

    may_replace: if False, an existing file of any kind is refused, and so is a terminal by its descriptor's name.
    """
    try:
        descriptor = _open_descriptor(file)
        if descriptor is not None:
            if not may_replace and os.isatty(descriptor):
                raise BadInput(f"{file} is a terminal, and bytes in mail may control it: --force writes there")
            with os.fdopen(descriptor, "wb", closefd=False) as stream:
                stream.write(content)
            return
        with _folder_of(file, follow_last=False) as (folder, name):
            if not may_replace and _look(folder, name):
                raise BadInput(f"{file} is there already: name another file, or replace it with --force")
            _put(folder, name, content)
    except OSError as error:
        raise BadInput(f"{file} can't be written: {error.strerror or error}") from error


def refuse_foreign_links(file: Path) -> None:
    """BadInput if the path leads through a symbolic link of somebody else's. Does nothing if a folder in it doesn't exist."""
    with contextlib.suppress(OSError), _folder_of(file, follow_last=True):
        pass


def _open_descriptor(file: Path) -> int | None:
    """The descriptor that a name stands for, or None. Such names are links in /dev and /proc whose targets needn't be paths."""
    match = _DESCRIPTOR.fullmatch(str(file))
    if match is None:
        return None
    return int(match[1] or match[2] or ("1" if match[3] else "2"))


def _put(folder: int, name: str, content: bytes) -> None:
    there = _look(folder, name)
    if there and stat.S_ISDIR(there.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if there is None or stat.S_ISREG(there.st_mode):
        _replace(folder, name, content, there)
        return
    if there.st_uid not in _trusted():
        raise BadInput(f"{name} is no file, and belongs to somebody else: name another one")
    with os.fdopen(os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder), "wb") as stream:
        stream.write(content)


def _look(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _replace(folder: int, name: str, content: bytes, there: os.stat_result | None) -> None:
    """Puts a new file in its place. The new file gets the old one's mode only if the old one is the user's own."""
    part = f".{name[:200]}.{secrets.token_hex(8)}"
    kept = stat.S_IMODE(there.st_mode) & 0o777 if there and there.st_uid == os.geteuid() else None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(part, flags, 0o666 if kept is None else 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            if kept is not None:
                os.fchmod(stream.fileno(), kept)
            os.fsync(stream.fileno())
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(part, dir_fd=folder)
        raise


@contextlib.contextmanager
def _folder_of(file: Path, *, follow_last: bool) -> Iterator[tuple[int, str]]:
    """Yields the opened folder of a file, and the file's name there, which isn't a link. OSError, BadInput."""
    parts, links = list(file.absolute().parts[1:]), 0
    folder = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        while True:
            name = parts.pop(0) if parts else "."
            found = _open_part(folder, name, is_last=not parts)
            if found is None:
                yield folder, name
                return
            try:
                target = _link(found, file)
                if target is not None and not parts and not follow_last:
                    raise BadInput(f"{file} is a symbolic link, which isn't followed: name the file itself")
                links += target is not None
                if links > _MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                if target is None and not parts:
                    yield folder, name
                    return
                if target is None:
                    folder, found = found, folder
                else:
                    parts[:0] = [part for part in target.split("/") if part not in ("", ".")]
                    if target.startswith("/"):
                        os.close(folder)
                        folder = os.open("/", os.O_PATH | os.O_CLOEXEC)
            finally:
                os.close(found)
    finally:
        os.close(folder)


def _open_part(folder: int, name: str, *, is_last: bool) -> int | None:
    """One part of a path, of any kind; None if the last part doesn't exist."""
    try:
        return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        if is_last:
            return None
        raise


def _link(found: int, file: Path) -> str | None:
    """The target of a symbolic link; None if it isn't a link."""
    state = os.fstat(found)
    if not stat.S_ISLNK(state.st_mode):
        return None
    if state.st_uid not in _trusted():
        raise BadInput(f"{file} leads through a symbolic link that somebody else made: name the place itself")
    return os.readlink("", dir_fd=found)


def _trusted() -> set[int]:
    return {0, os.geteuid()}
