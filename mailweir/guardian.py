"""Keeps child processes running: a child that dies or hangs is replaced at once, and the sockets of its clients stay open
meanwhile.

A child signals that it is alive by a byte at intervals. The guardian has one thread, holds no secret and opens no database.
Called by `mailweir-auth`, which has one child, and by `mailweir-web`, which has as many as the settings say.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from mailweir import heap
from mailweir.forking import fork

BEAT_SECONDS = 0.5
LOOK_SECONDS = 1.0
# Checks in a row without a beat. Counted in checks and not in seconds: if the whole host stands still for a while, no child
# counts as hanging.
MAX_SILENT_LOOKS = 4
STOP_SECONDS = 3.0
SHORT_LIFE_SECONDS = 1.0
_ENDING_SECONDS = 0.02

Work = Callable[[int, int], None]  # the child's place, from 0 on, and the descriptor to beat on


@dataclass(frozen=True, slots=True)
class Patience:
    """How many checks in a row a child may be silent. first_looks: until its first beat, because it may have much to load."""

    looks: int = MAX_SILENT_LOOKS
    first_looks: int = MAX_SILENT_LOOKS


@dataclass(slots=True)
class _Child:
    """A running child. reader: the end of its pipe that is read here. has_begun: it has beaten once. is_ending: it has closed the
    other end of the pipe. why_killed: "" if it wasn't."""

    pid: int
    reader: int
    started_at: float
    silent_looks: int = 0
    has_beaten: bool = False
    has_begun: bool = False
    is_ending: bool = False
    why_killed: str = ""


class _Family:
    """The children by their places, and the time from which an empty place may be filled."""

    def __init__(self, work: Work, count: int, patience: Patience, logger: structlog.stdlib.BoundLogger) -> None:
        self.children: dict[int, _Child] = {}
        self._work = work
        self._due = dict.fromkeys(range(count), 0.0)
        self._patience = patience
        self._next_look_at = time.monotonic() + LOOK_SECONDS
        self._logger = logger

    def fill(self) -> None:
        """Starts the missing children, except those that died just after their start."""
        now = time.monotonic()
        for place in [place for place, due in self._due.items() if due <= now]:
            del self._due[place]
            reader, writer = os.pipe()
            pid = fork(lambda place=place, reader=reader, writer=writer: self._run(place, reader, writer), self._logger)  # type: ignore[misc]
            os.close(writer)
            self.children[place] = _Child(pid, reader, now)

    def _run(self, place: int, reader: int, writer: int) -> None:
        for other in self.children.values():
            os.close(other.reader)
        os.close(reader)
        self._work(place, writer)

    def watch(self) -> None:
        """Waits until the next check, until a child ends, or until a place may be filled again."""
        left = self._next_look_at - time.monotonic()
        if left > 0:
            self._hear(left)
        else:
            self._look()

    def _look(self) -> None:
        """Kills each child that was silent for too many checks."""
        self._next_look_at = time.monotonic() + LOOK_SECONDS
        self._hear(0.0)
        for child in self.children.values():
            child.silent_looks = 0 if child.has_beaten else child.silent_looks + 1
            child.has_beaten = False
            if child.silent_looks >= (self._patience.looks if child.has_begun else self._patience.first_looks):
                child.why_killed = "it hung, and was killed"
                _signal(child, signal.SIGKILL)  # a stopped process doesn't react to SIGTERM

    def _hear(self, seconds: float) -> None:
        """Reads beats once there are any; waits at most this long."""
        poll = select.poll()
        speaking = [child for child in self.children.values() if not child.is_ending]
        for child in speaking:
            poll.register(child.reader, select.POLLIN)
        due = [moment - time.monotonic() for moment in self._due.values()]
        due += [_ENDING_SECONDS] * (len(self.children) - len(speaking))
        ready = {descriptor for descriptor, _ in poll.poll(1000 * max(0.0, min([seconds, *due])))}
        for child in speaking:
            if child.reader in ready:
                child.is_ending = not os.read(child.reader, 4096)
                child.has_beaten = not child.is_ending
                child.has_begun = child.has_begun or child.has_beaten

    def bury(self, *, is_over: bool) -> None:
        """Forgets children that have ended, and logs it unless everything is ending."""
        for place, child in list(self.children.items()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if not pid:
                continue
            os.close(child.reader)
            del self.children[place]
            self._due[place] = child.started_at + SHORT_LIFE_SECONDS
            if not is_over:
                why = child.why_killed or f"it ended with {os.waitstatus_to_exitcode(status)}"
                self._logger.error("the one that answers is replaced", why=why)

    def tell_to_end(self) -> None:
        """Sends SIGTERM to each child."""
        for child in list(self.children.values()):
            _signal(child, signal.SIGTERM)

    def end(self, seconds: float) -> None:
        """Waits for all to end; kills those that take longer."""
        deadline = time.monotonic() + seconds
        while self.children:
            self.bury(is_over=True)
            if time.monotonic() > deadline:
                for child in self.children.values():
                    _signal(child, signal.SIGKILL)
            time.sleep(0.02)


def keep(
    work: Work,
    has_sense: Callable[[], bool],
    logger: structlog.stdlib.BoundLogger,
    *,
    count: int = 1,
    patience: Patience = Patience(),
    stop_seconds: float = STOP_SECONDS,
) -> None:
    """Runs `work` in this many children, restarting them, until SIGTERM or SIGINT, or until `has_sense` is false. Then the
    children get SIGTERM, and SIGKILL after `stop_seconds`, and the function returns."""
    family = _Family(work, count, patience, logger)
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        family.tell_to_end()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    heap.freeze()  # also for the children
    while not stopping and has_sense():
        family.fill()
        if not stopping:
            family.watch()
            family.bury(is_over=stopping or not has_sense())
    family.tell_to_end()  # the signal may have come before a child was registered here
    family.end(stop_seconds)


def _signal(child: _Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(child.pid, number)
