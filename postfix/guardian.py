"""Keeps one child at work: one that dies or hangs is replaced at once, and what its clients connect to stays open meanwhile.

The child tells that it goes on by a byte now and then. The guardian has one thread, knows no secret and opens no database. Called
by `auth`.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from mailweir.forking import fork

BEAT_SECONDS = 0.5
LOOK_SECONDS = 1.0
# Looks in a row without a beat. Looks, and not seconds: where the whole host stood still, nobody hangs.
MAX_SILENT_LOOKS = 4
_STOP_SECONDS = 3.0
SHORT_LIFE_SECONDS = 1.0

Work = Callable[[int], None]  # the descriptor to beat on


def keep(work: Work, has_sense: Callable[[], bool], logger: structlog.stdlib.BoundLogger) -> None:
    """Runs `work` in a child, again and again, until SIGTERM or SIGINT, or until it has no sense any more. Then the child gets
    SIGTERM, and this returns.
    """
    stopping = False
    child = 0

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        if child:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while not stopping:
        started = time.monotonic()
        reader, writer = os.pipe()
        child = fork(lambda reader=reader, writer=writer: _work(work, reader, writer), logger)  # type: ignore[misc]
        os.close(writer)
        if stopping:  # the signal came before the child had a number here
            stop()
        said = _watch(reader, child, has_sense)
        os.close(reader)
        status, child = _buried(child), 0
        if stopping or not has_sense():
            return
        logger.error("the one that answers is replaced", why=said or f"it ended with {status}")
        time.sleep(max(0.0, started + SHORT_LIFE_SECONDS - time.monotonic()))


def _work(work: Work, reader: int, writer: int) -> None:
    os.close(reader)
    work(writer)


def _watch(reader: int, child: int, has_sense: Callable[[], bool]) -> str:
    """Waits until the child has ended, or hangs and is killed, or is told to end; why it was killed, or ""."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    silent_looks = 0
    while silent_looks < MAX_SILENT_LOOKS:
        if not poll.poll(LOOK_SECONDS * 1000):
            silent_looks += 1
        elif os.read(reader, 4096):
            silent_looks = 0
        else:
            return ""
        if not has_sense():
            os.kill(child, signal.SIGTERM)
            return ""
    os.kill(child, signal.SIGKILL)  # SIGTERM would wait for one that is stopped
    return "it hung, and was killed"


def _buried(child: int) -> int:
    """The exit code of a child that ends; killed where it takes too long about it."""
    deadline = time.monotonic() + _STOP_SECONDS
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
