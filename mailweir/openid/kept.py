"""Caches a provider's document for an hour: fetched on first use, by one thread at a time.

A failed fetch isn't final: after some seconds the next caller tries again, and the old document is used meanwhile. Called by
`provider`.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from mailweir.openid.refusals import ProviderRefusal, Why

_Document = TypeVar("_Document")
FRESH_SECONDS = 3_600.0
AGAIN_SECONDS = 5.0
RENEW_SECONDS = 30.0
_WAIT_SECONDS = 1.0


class Kept(Generic[_Document]):
    """fetch: gets the document from the provider, or raises ProviderRefusal. clock: monotonic seconds. Thread-safe."""

    def __init__(self, fetch: Callable[[], _Document], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._found: _Document | None = None
        self._found_at = 0.0
        self._refusal: ProviderRefusal | None = None
        self._refused_at = 0.0
        self._renewed_at: float | None = None

    def get(self) -> _Document:
        """The document. ProviderRefusal if there is none."""
        found = self._found
        if found is not None and self._clock() - self._found_at < FRESH_SECONDS:
            return found
        return self._fetched()

    def renewed(self) -> _Document:
        """The document, fetched again unless `renewed` did that lately. To be called if an entry is missing in the known one."""
        if self._renewed_at is not None and self._clock() - self._renewed_at < RENEW_SECONDS:
            return self.get()
        self._renewed_at = self._clock()
        self._found_at -= FRESH_SECONDS
        return self._fetched()

    def _fetched(self) -> _Document:
        if not self._lock.acquire(timeout=_WAIT_SECONDS):
            return self._old(ProviderRefusal(Why.BUSY, "others wait for the provider"))
        try:
            if self._found is not None and self._clock() - self._found_at < FRESH_SECONDS:
                return self._found  # another thread was faster
            if self._refusal is not None and self._clock() - self._refused_at < AGAIN_SECONDS:
                return self._old(self._refusal)
            try:
                self._found = self._fetch()
            except ProviderRefusal as refusal:
                self._refusal, self._refused_at = refusal, self._clock()
                return self._old(refusal)
            self._found_at, self._refusal = self._clock(), None
            return self._found
        finally:
            self._lock.release()

    def _old(self, refusal: ProviderRefusal) -> _Document:
        if self._found is None:
            raise ProviderRefusal(refusal.why, str(refusal))
        return self._found
