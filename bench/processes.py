"""CPU time and memory of a process and its descendants, read from /proc (proc(5)). Never starts or ends one.

Called by `rounds`.
"""

import os
from contextlib import suppress
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> list[int]:
    """The process and all of its living descendants, in no order."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            children.setdefault(int(_stat_fields(int(entry.name))[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        parent = waiting.pop()
        found.append(parent)
        waiting += children.get(parent, [])
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the process and of its descendants, including those that have ended."""
    ticks = 0
    for member in descendants(pid):
        with suppress(OSError):
            # utime stime cutime cstime: the last two hold what ended children have used
            ticks += sum(int(field) for field in _stat_fields(member)[11:15])
    return ticks / _TICKS_A_SECOND


def peak_memory_bytes(pid: int) -> int:
    """The most memory (resident set) that one of the processes had at a time."""
    return _most(pid, "VmHWM:")


def memory_bytes(pid: int) -> int:
    """The memory (resident set) of the largest of the processes now."""
    return _most(pid, "VmRSS:")


def _most(pid: int, key: str) -> int:
    found = [0]
    for member in descendants(pid):
        with suppress(OSError):
            for line in Path(f"/proc/{member}/status").read_text().splitlines():
                if line.startswith(key):
                    found.append(int(line.split()[1]) * 1024)
    return max(found)


def _stat_fields(pid: int) -> list[str]:
    # The command's name, in brackets, may contain anything; the fields come after it.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
