"""Memory for whole messages: many threads may process a large message at a time, for example a circular to everybody.

Nothing waits here: a sweep without room comes back later. Stored in `job`, and used by the sweep.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gmail_sync.budget import OverBudget
from mailweir.sentence import said

MAX_BYTES = 64 << 20  # of messages as received; a message takes about three times its size for a moment
_WAIT_SECONDS = 5.0


class MemoryLimit:
    """The limit of one process."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        self._taken = 0

    @contextmanager
    def taken(self, size_bytes: int) -> Iterator[None]:
        """Reserves room for a message of about this size. Errors: OverBudget if other messages take up the room. A message that
        is larger than the whole limit gets its turn alone."""
        size = min(max(0, size_bytes), self._max_bytes)
        with self._lock:
            if self._taken + size > self._max_bytes:
                raise OverBudget(said("other large messages are being read"), _WAIT_SECONDS)
            self._taken += size
        try:
            yield
        finally:
            with self._lock:
                self._taken -= size
