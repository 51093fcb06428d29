"""Is there room where mail is written: the database, and the caller's folders, usually Postfix's queue and the logs."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.sentence import said
from mailweir.settings import Settings

AREA = "disk"
_MIB = 2**20
_FEW_FILES = 1000


def check(settings: Settings, others: Iterable[Path]) -> Iterator[Finding]:
    """Checks each disk once. others: further folders. Folders that are missing or not accessible are left out."""
    least = settings.smtp.max_message_bytes * 3 // 2  # as Postfix's queue_minfree
    own = [settings.database_url.parent] if isinstance(settings.database_url, Path) else []
    seen: set[int] = set()
    for folder in (*own, *others):
        with suppress(FileNotFoundError, PermissionError):
            device = folder.stat().st_dev
            if device not in seen:
                seen.add(device)
                yield _room(folder, least)


def _room(folder: Path, least: int) -> Finding:
    usage = shutil.disk_usage(folder)
    room = said("{free:,.0f} MiB free for {folder}", free=usage.free / _MIB, folder=folder)
    found = os.statvfs(folder)
    if found.f_files and found.f_favail < _FEW_FILES:
        return wrong(
            AREA,
            said("only {files} more files can be created in {folder}", files=found.f_favail, folder=folder),
            said("remove files, or take a larger disk"),
            key="disk.no_files_left",
            folder=str(folder),
            files=found.f_favail,
        )
    if usage.free < least:
        return wrong(
            AREA,
            said("{room}: less than one and a half times the largest message; senders get 452", room=room),
            said("free some space"),
            key="disk.full",
            folder=str(folder),
            bytes=usage.free,
        )
    if usage.free < 4 * least:
        return note(
            AREA,
            said("only {room}", room=room),
            said("free some space soon"),
            key="disk.little_room",
            folder=str(folder),
            bytes=usage.free,
        )
    return ok(AREA, room, key="disk.room", folder=str(folder), bytes=usage.free)
