"""How much the digest writes in a transaction: so much as takes some milliseconds here and now. Called by `outcomes`.

The filter waits for the write lock meanwhile. How long a word takes depends on the machine, its disk and what else runs, so what
a transaction takes is measured, and the next one has more or less.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

WANTED_SECONDS = 0.01  # of a transaction: one that takes four times as long as the last is below 50 ms then
_FIRST, _FEWEST, _MOST = 4_000, 1_500, 20_000  # words of the index

_Item = TypeVar("_Item")


class Portions:
    """Says what goes into the next transaction. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._most = _FIRST
        self._taken = 0
        self._began = 0.0

    def take(self, left: deque[tuple[_Item, int]]) -> list[_Item]:
        """Takes off the first of what is left, at least one. left: each with what it costs, in words of the index."""
        portion: list[_Item] = []
        self._taken = 0
        while left and (not portion or self._taken + left[0][1] <= self._most):
            item, cost = left.popleft()
            portion.append(item)
            self._taken += cost
        return portion

    def begin(self) -> None:
        """What `take` gave is being written from now on: the write lock is held."""
        self._began = self._clock()

    def end(self) -> float:
        """It is written; how many seconds that took."""
        took = self._clock() - self._began
        if took > WANTED_SECONDS:
            self._most = max(_FEWEST, min(self._most, self._taken) // 2)
        elif self._taken > self._most // 2:  # a small one says nothing of a large one
            self._most = min(_MOST, self._most + self._most // 4)
        return took
