"""Forks a child that does one task and ends, and that never outlives its parent.

Called by processes that keep workers: the filter, `mailweir-auth` and the digest. The caller must have one thread only.
"""

import ctypes
import os
import signal
from collections.abc import Callable

import structlog

_PR_SET_PDEATHSIG = 1
_STOPS = {signal.SIGTERM, signal.SIGINT}


def fork(work: Callable[[], None], logger: structlog.stdlib.BoundLogger) -> int:
    """Starts a child that does `work` and ends, with exit code 1 if that raised; returns the child's pid. SIGTERM and SIGINT end
    the child at once."""
    parent = os.getpid()
    # A stop signal that reaches the child before it has reset its handlers would be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        return pid
    status = 1
    try:
        _end_with(parent)
        for number in _STOPS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        work()
        status = 0
    except Exception as error:
        logger.error("worker failed", exc_info=error)
    finally:
        os._exit(status)


def _end_with(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
