"""Child processes that examine mail, each under limits of memory and time: hostile mail can end one of them and nothing else.

What a child says is one short line; nothing that it sends is unpickled. One that dies or takes too long is killed and replaced.
Called by `server`.
"""

import ctypes
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

from mailweir import sender_verdict

MAX_DATA_BYTES = 600_000_000
MAX_SECONDS = 30.0  # DNS has its own, shorter deadline
MAX_ANSWER_BYTES = sender_verdict.MAX_PACKED_BYTES
DIED = "died"  # what is said for a child that can't say anything more
_PR_SET_PDEATHSIG = 1
_FORK = multiprocessing.get_context("fork")

Job = TypeVar("Job")
Work = Callable[[tuple[object, ...]], str]


@dataclass
class _Worker(Generic[Job]):
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    job: Job | None = None
    deadline: float = 0.0


class Workers(Generic[Job]):
    """So many children, forked when they are needed. work: takes what `run` got for a job, and says one word."""

    def __init__(self, count: int, work: Work, *, max_seconds: float = MAX_SECONDS) -> None:
        self._count = count
        self._work = work
        self._max_seconds = max_seconds
        self._idle: list[_Worker[Job]] = []
        self._busy: list[_Worker[Job]] = []

    def run(self, jobs: Iterable[tuple[Job, tuple[object, ...]]]) -> Iterator[tuple[Job, str]]:
        """Does them all, in any order: (job, what is to be examined) in, (job, word) out. Takes a job when a child is free."""
        left = iter(jobs)
        is_more = True
        while is_more or self._busy:
            while is_more and len(self._busy) < self._count:
                try:
                    job, content = next(left)
                except StopIteration:
                    is_more = False
                    break
                self._give(job, content)
            yield from self._collect()

    def stop(self) -> None:
        """Ends all children."""
        for worker in (*self._idle, *self._busy):
            _end(worker)
        self._idle, self._busy = [], []

    def _give(self, job: Job, content: tuple[object, ...]) -> None:
        worker = self._idle.pop() if self._idle else self._start()
        worker.job, worker.deadline = job, time.monotonic() + self._max_seconds
        self._busy.append(worker)
        with suppress(OSError):  # it died: seen when its answer is read
            worker.pipe.send(content)

    def _collect(self) -> Iterator[tuple[Job, str]]:
        """What is done by now; waits until something is."""
        if not self._busy:
            return
        first = min(worker.deadline for worker in self._busy)
        ready = wait([worker.pipe for worker in self._busy], max(0.0, first - time.monotonic()))
        for worker in list(self._busy):
            if worker.pipe in ready:
                answer = _answer(worker.pipe)
            elif worker.deadline <= time.monotonic():
                answer = DIED
            else:
                continue
            self._busy.remove(worker)
            if answer == DIED:
                _end(worker)
            else:
                self._idle.append(worker)
            assert worker.job is not None
            yield worker.job, answer

    def _start(self) -> _Worker[Job]:
        ours, theirs = _FORK.Pipe()
        process = _FORK.Process(target=_serve, args=(theirs, self._work, os.getpid()), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)


def _answer(pipe: Connection) -> str:
    try:
        return pipe.recv_bytes(MAX_ANSWER_BYTES).decode("ascii", "replace")
    except (OSError, EOFError):
        return DIED


def _end(worker: _Worker[Job]) -> None:
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()


def _serve(pipe: Connection, work: Work, parent: int) -> None:
    """The child's life. Whatever goes wrong in it ends it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's matter
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA_BYTES, MAX_DATA_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        while True:
            pipe.send_bytes(work(pipe.recv()).encode("ascii"))
    finally:
        os._exit(1)
