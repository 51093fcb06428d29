"""The place of the tests' files: in memory if there is room. A new database takes a twentieth of the time there that it takes on
disk.

The tests need no disk: they kill programs, never the machine. `bench/` measures a disk, and isn't run by pytest. Called by
`conftest` before anything is made, and by `integration/` for files that the daemons' unprivileged user needs.
"""

import os
import stat
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
NEEDED_BYTES = 3 * 2**30  # all workers together use less than half of it
_VARIABLE = "TMPDIR"


def use_memory() -> None:
    """Makes memory the folder for temporary files, of this process and all its children. A TMPDIR that is set stays."""
    if _VARIABLE not in os.environ and suits(MEMORY) and available_bytes() >= NEEDED_BYTES:
        os.environ[_VARIABLE] = str(MEMORY)
        tempfile.tempdir = None  # pytest has read it already


def suits(folder: Path) -> bool:
    """May everybody make files in it and run them, and is there room? A container often has 64 MB, from which nothing can run."""
    if not folder.is_dir() or stat.S_IMODE(folder.stat().st_mode) != 0o1777:
        return False
    system = os.statvfs(folder)
    return not system.f_flag & os.ST_NOEXEC and system.f_bavail * system.f_frsize >= NEEDED_BYTES


def available_bytes() -> int:
    """The memory that programs may still take; 0 where the kernel doesn't say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def open_folder() -> Path:
    """A folder that other users can reach: TMPDIR if everybody may enter it, or /var/tmp."""
    chosen = Path(os.environ.get(_VARIABLE, "/var/tmp")).resolve()
    is_open = all(folder.is_dir() and folder.stat().st_mode & stat.S_IXOTH for folder in (chosen, *chosen.parents))
    return chosen if is_open else Path("/var/tmp")
