"""The garbage collector passes over the loaded code of a daemon."""

import gc
import importlib
import inspect
import weakref
from collections.abc import Iterator

import pytest

from mailweir import daemons, heap
from mailweir.daemons import Daemon


@pytest.fixture
def thawed() -> Iterator[None]:
    """Nothing stays frozen in the process of the tests."""
    yield
    gc.unfreeze()


class _Ring:
    """An object that only a collection frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.usefixtures("thawed")
def test_a_full_collection_looks_at_new_objects_alone() -> None:
    loaded = len(gc.get_objects())
    heap.freeze()
    assert gc.get_freeze_count() > loaded // 2
    assert len(gc.get_objects()) < 1_000


@pytest.mark.usefixtures("thawed")
def test_garbage_is_freed_before_and_after() -> None:
    before = weakref.ref(_Ring())
    heap.freeze()
    after = weakref.ref(_Ring())
    gc.collect()
    assert (before(), after()) == (None, None)


@pytest.mark.parametrize("daemon", daemons.ALL, ids=lambda one: one.name)
def test_each_daemon_freezes_before_it_serves(daemon: Daemon) -> None:
    source = inspect.getsource(importlib.import_module(daemon.entry.partition(":")[0]))
    assert "heap.freeze()" in source or "guardian.keep(" in source
