"""How much the digest writes in one transaction: an amount that takes some milliseconds on this machine. Called by `outcomes`.

The filter waits for the write lock meanwhile. The time for a word depends on the machine, its disk and its load, so each
transaction is measured, and the next one gets more or fewer words.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

WANTED_SECONDS = 0.01  # of a transaction: even if one takes four times as long as the last, it stays below 50 ms
# On PostgreSQL while nobody else writes. Its locks hold rows, so others needn't wait, and a statement for many rows costs its
# server half as much for each row.
WANTED_SECONDS_ALONE = 0.025
_FIRST, _FEWEST, _MOST = 4_000, 1_500, 20_000  # words of the index

_Item = TypeVar("_Item")


class Portions:
    """Chooses the amount for the next transaction. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._most = _FIRST
        self._taken = 0
        self._began = 0.0

    def take(self, left: deque[tuple[_Item, int]]) -> list[_Item]:
        """Removes and returns the first of the remaining items, at least one. left: each with its cost, in words of the index."""
        portion: list[_Item] = []
        self._taken = 0
        while left and (not portion or self._taken + left[0][1] <= self._most):
            item, cost = left.popleft()
            portion.append(item)
            self._taken += cost
        return portion

    def begin(self) -> None:
        """Writing the items of `take` starts now: the write lock is held."""
        self._began = self._clock()

    def end(self, wanted_seconds: float = WANTED_SECONDS) -> float:
        """The items are written; returns the seconds taken. wanted_seconds: of the next transaction."""
        took = self._clock() - self._began
        if took > wanted_seconds:
            self._most = max(_FEWEST, min(self._most, self._taken) // 2)
        elif self._taken > self._most // 2:  # the time of a small portion says nothing about a large one
            self._most = min(_MOST, self._most + self._most // 4)
        return took
