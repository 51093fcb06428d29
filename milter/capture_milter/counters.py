"""The filter's counts: numbers in memory that the parent and all workers share, one page for each worker.

A worker writes only its own page, so no locks between processes are needed. A page outlives its worker: a kill -9 loses no
counts, and the successor continues them. Never uses the disk or the network. Made by `server` before it forks; written by
`events`, read by `metrics`.
"""

import enum
import mmap
import threading
from bisect import bisect_left
from collections.abc import Iterable

from mailweir.decision import Outcome, Reason

COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
BATCH_MESSAGES = (1, 2, 5, 10, 20, 50, 100, 200)


class TempfailCause(enum.StrEnum):
    """The cause of a temporary failure (451)."""

    DATABASE = "database"
    DNS = "dns"
    UNEXPECTED = "unexpected"


# The content of a page, in 64-bit numbers. A histogram has its buckets, then one for all larger values, then the sum.
DECISIONS = tuple((outcome, reason) for outcome in Outcome for reason in Reason)
_CELL_OF = {pair: number for number, pair in enumerate(DECISIONS)}
_TEMPFAILS_AT = len(DECISIONS)
_TEMPFAIL_CELL = {cause: _TEMPFAILS_AT + number for number, cause in enumerate(TempfailCause)}
_COMMIT_AT = _TEMPFAILS_AT + len(TempfailCause)
_COMMIT_SUM_AT = _COMMIT_AT + len(COMMIT_SECONDS) + 1  # in microseconds
_BATCH_AT = _COMMIT_SUM_AT + 1
_BATCH_SUM_AT = _BATCH_AT + len(BATCH_MESSAGES) + 1
_PID_AT = _BATCH_SUM_AT + 1
_STARTS_AT = _PID_AT + 1
_CELL_BYTES = 8
_PAGE_CELLS = mmap.PAGESIZE // _CELL_BYTES
assert _STARTS_AT < _PAGE_CELLS


class Page:
    """One worker's counts. Thread-safe."""

    def __init__(self, cells: memoryview) -> None:
        self._cells = cells
        self._lock = threading.Lock()

    def begin(self, pid: int) -> None:
        """A worker takes over the page."""
        self._cells[_PID_AT] = pid
        self._cells[_STARTS_AT] += 1

    def count_batch(self, decisions: Iterable[tuple[Outcome, Reason]], seconds: list[float]) -> None:
        """Counts messages that were committed together: their decisions, and how long each waited until it was on the disk."""
        cells = self._cells
        with self._lock:
            for pair in decisions:
                cells[_CELL_OF[pair]] += 1
            for one in seconds:
                cells[_COMMIT_AT + bisect_left(COMMIT_SECONDS, one)] += 1
            cells[_COMMIT_SUM_AT] += int(sum(seconds) * 1e6)
            cells[_BATCH_AT + bisect_left(BATCH_MESSAGES, len(seconds))] += 1
            cells[_BATCH_SUM_AT] += len(seconds)

    def count_tempfail(self, cause: TempfailCause) -> None:
        """Counts a temporary failure."""
        with self._lock:
            self._cells[_TEMPFAIL_CELL[cause]] += 1


class Counters:
    """The pages of all workers."""

    def __init__(self, workers: int) -> None:
        memory = memoryview(mmap.mmap(-1, workers * mmap.PAGESIZE)).cast("Q")
        self._pages = [memory[at * _PAGE_CELLS : (at + 1) * _PAGE_CELLS] for at in range(workers)]

    def page(self, slot: int) -> Page:
        """The page of the worker with this slot."""
        return Page(self._pages[slot])

    def decisions(self) -> dict[tuple[Outcome, Reason], int]:
        """The counts by outcome and reason, without zeros."""
        counted = {pair: self._sum(at) for at, pair in enumerate(DECISIONS)}
        return {pair: count for pair, count in counted.items() if count}

    def tempfails(self) -> dict[TempfailCause, int]:
        """The counts by cause."""
        return {cause: self._sum(at) for cause, at in _TEMPFAIL_CELL.items()}

    def commit_seconds(self) -> tuple[list[int], float]:
        """Messages by bucket of COMMIT_SECONDS, the last one for larger values; and the sum."""
        return self._buckets(_COMMIT_AT, len(COMMIT_SECONDS) + 1), self._sum(_COMMIT_SUM_AT) / 1e6

    def batch_messages(self) -> tuple[list[int], float]:
        """Commits by bucket of BATCH_MESSAGES, likewise."""
        return self._buckets(_BATCH_AT, len(BATCH_MESSAGES) + 1), float(self._sum(_BATCH_SUM_AT))

    def worker_pids(self) -> list[int]:
        """The workers' process ids by slot; 0 if none has begun yet."""
        return [page[_PID_AT] for page in self._pages]

    def worker_starts(self) -> int:
        """The number of times that a worker began."""
        return self._sum(_STARTS_AT)

    def _buckets(self, begin: int, count: int) -> list[int]:
        return [self._sum(at) for at in range(begin, begin + count)]

    def _sum(self, at: int) -> int:
        return sum(page[at] for page in self._pages)
