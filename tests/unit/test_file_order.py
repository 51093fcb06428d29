"""The order of the test files."""

import itertools
from pathlib import Path, PurePath

from tests import file_order

_WAITING = [PurePath("tests", "integration", f"test_{number:02}.py") for number in range(20)]
_COMPUTING = [PurePath("tests", "unit", "page", f"test_{number:02}.py") for number in range(40)]


def test_both_kinds_run_side_by_side_and_the_last_ones_compute() -> None:
    mixed = file_order.mixed([*_WAITING, *_COMPUTING])
    waiting = [place for place, path in enumerate(mixed) if path in _WAITING]
    assert max(after - before for before, after in itertools.pairwise(waiting)) <= 3
    assert waiting[0] == 0
    assert waiting[-1] < len(mixed) - 6


def test_each_file_is_there_once_and_each_kind_keeps_its_order() -> None:
    mixed = file_order.mixed([*_WAITING, *_COMPUTING])
    assert [path for path in mixed if path in _WAITING] == _WAITING
    assert [path for path in mixed if path in _COMPUTING] == _COMPUTING


def test_files_of_one_kind_alone_keep_their_order() -> None:
    assert file_order.mixed(_WAITING) == _WAITING
    assert file_order.mixed(_COMPUTING) == _COMPUTING
    assert file_order.mixed([]) == []


def test_a_files_tests_stay_together() -> None:
    one, other = PurePath("a.py"), PurePath("b.py")
    assert file_order.by_file([(one, 1), (other, 2), (one, 3)]) == {one: [1, 3], other: [2]}


def test_the_longest_files_are_first() -> None:
    longest = PurePath("tests", "integration", file_order.LONGEST[0])
    assert file_order.mixed([*_WAITING, longest, *_COMPUTING])[0] == longest


def test_the_longest_files_are_there() -> None:
    tests = Path(__file__).parents[1]
    assert [name for name in file_order.LONGEST if not list(tests.rglob(name))] == []
