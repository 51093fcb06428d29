"""The order of the test files: those that wait for servers beside those that compute, so that no processor idles.

Called by `conftest`. Files in the order of their names would wait at first, and compute at the end. The longest files are
first, and the last files are of the folder that computes: they are short, so no long file is left to one worker at the end.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import TypeVar

COMPUTING = ("tests", "unit")
LONGEST = (
    "test_role.py",
    "test_chaos.py",
    "test_up.py",
    "test_web_processes.py",
    "test_relay_bounces.py",
    "test_doctor.py",
)
_MIXED_SHARE = 0.85  # of the files that compute; the others are last

_Item = TypeVar("_Item")


def by_file(items: Iterable[tuple[PurePath, _Item]]) -> dict[PurePath, list[_Item]]:
    """The tests of each file, in the order in which they come."""
    files: dict[PurePath, list[_Item]] = defaultdict(list)
    for path, item in items:
        files[path].append(item)
    return files


def mixed(paths: Sequence[PurePath]) -> list[PurePath]:
    """The same files, relative to the root. Each kind keeps its order, after the longest files."""
    computing = [path for path in paths if path.parts[:2] == COMPUTING]
    waiting = [path for path in paths if path.parts[:2] != COMPUTING]
    waiting.sort(key=lambda path: path.name not in LONGEST)
    places = {path: (number + 0.5) / len(waiting) for number, path in enumerate(waiting)}
    places |= {path: (number + 1) / (_MIXED_SHARE * len(computing)) for number, path in enumerate(computing)}
    return sorted(paths, key=places.__getitem__)
