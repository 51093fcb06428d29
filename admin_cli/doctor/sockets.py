"""The unix sockets between Postfix and our daemons: Postfix can reach them, and nobody else can."""

import grp
import stat
from collections.abc import Iterator
from pathlib import Path

from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.sentence import said
from mailweir.settings import Settings
from postfix.instance import MAIL_OWNER

AREA = "sockets"
_OTHERS = stat.S_IRWXO
_GROUP_READS_AND_WRITES = stat.S_IRGRP | stat.S_IWGRP
_TO_DO = said(
    "something changed its owner or mode: restart the processes, which sets both; check who else has access to the folder"
)


def check(settings: Settings) -> Iterator[Finding]:
    """Owner and mode of each existing socket. A missing socket is reported by the check of its process."""
    try:
        gid = grp.getgrnam(MAIL_OWNER).gr_gid
    except KeyError:
        return  # Postfix isn't installed: another check reports that
    faults: list[Finding] = []
    sockets = (settings.milter_socket, settings.lookups_socket, settings.auth_socket)
    seen = 0
    for path in sockets:
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        except PermissionError:
            yield note(
                AREA,
                said("can't look at {path}", path=path),
                said("run 'mailweir doctor' as root"),
                key="sockets.closed_to_us",
                file=str(path),
            )
            return
        seen += 1
        mode = stat.S_IMODE(found.st_mode)
        if mode & _OTHERS:
            faults.append(
                wrong(
                    AREA,
                    said("{path} is open to everybody (mode {mode:o})", path=path, mode=mode),
                    _TO_DO,
                    key="sockets.open_to_all",
                    file=str(path),
                )
            )
        if found.st_gid != gid or mode & _GROUP_READS_AND_WRITES != _GROUP_READS_AND_WRITES:
            faults.append(
                wrong(
                    AREA,
                    said(
                        "Postfix can't open {path} (group {gid}, mode {mode:o})",
                        path=path,
                        gid=found.st_gid,
                        mode=mode,
                    ),
                    _TO_DO,
                    key="sockets.closed_to_postfix",
                    file=str(path),
                )
            )
    faults += _folder(settings.milter_socket.parent, gid)
    yield from faults or (
        [
            ok(
                AREA,
                said("{seen} sockets: open to Postfix, closed to others", seen=seen),
                key="sockets.fine",
                sockets=seen,
            )
        ]
        if seen
        else []
    )


def _folder(folder: Path, gid: int) -> list[Finding]:
    try:
        found = folder.stat()
    except OSError:
        return []
    mode = stat.S_IMODE(found.st_mode)
    if mode & _OTHERS:
        return [
            wrong(
                AREA,
                said("{folder} is open to everybody (mode {mode:o})", folder=folder, mode=mode),
                said("chmod o= {folder}", folder=folder),
                key="sockets.folder_open_to_all",
                file=str(folder),
            )
        ]
    if found.st_gid != gid or not mode & stat.S_IXGRP:
        return [
            wrong(
                AREA,
                said(
                    "Postfix can't look into {folder} (group {gid}, mode {mode:o})",
                    folder=folder,
                    gid=found.st_gid,
                    mode=mode,
                ),
                _TO_DO,
                key="sockets.folder_closed_to_postfix",
                file=str(folder),
            )
        ]
    return []
