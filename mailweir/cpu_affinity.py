"""Keeps a process with many threads on one core. Called by the filter and by the sync at their start."""

import os
from contextlib import suppress


def stay(number: int) -> None:
    """Pins the process to one core. Only one Python thread runs at a time; on several cores, each hand-over of the interpreter
    lock wakes another core.

    On one core the filter takes a third less CPU, the sync a quarter. number: chooses the core, so that processes differ.
    SCHED_BATCH (sched(7)) saves a tenth more: a waking thread doesn't pre-empt the thread that holds the lock, for which it would
    have to wait.
    """
    with suppress(OSError):  # a sandbox may forbid it; only speed depends on it
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
