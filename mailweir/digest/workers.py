"""Child processes that examine mail, each under limits of memory and time: hostile mail can end a child and nothing else.

Requests to a child and its answers are frames: a length of 4 bytes and that many bytes. A child's answer is never unpickled, and
this process never waits for a child that stops midway. A child that dies, answers too much or takes too long is killed and
replaced. The mail that ended it is certain, because a child works on one mail at a time; its other mails go to other children, as
do mails that wait behind a slow mail. Called by `server`.
"""

import json
import os
import resource
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog

from mailweir import forking

_LENGTH_BYTES = 4
_AHEAD = 32  # mails given to a child in advance, so that it never waits for this process
_AHEAD_BYTES = 256_000
_PATIENCE_SECONDS = 1.0  # nearly all mail takes a hundredth of it
_CHUNK_BYTES = 262_144

Job = TypeVar("Job")
Facts = Mapping[str, Any]  # of JSON types
Work = Callable[[Facts, bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits for one mail. data_bytes: of the child, beside the memory of its parent (RLIMIT_DATA). cpu_seconds: user and system.
    wall_seconds: in total, plus some for each megabyte, because a busy machine leaves a child little CPU."""

    data_bytes: int
    cpu_seconds: float
    wall_seconds: float
    answer_bytes: int
    niceness: int = 0
    wall_seconds_a_megabyte: float = 0.0


@dataclass(frozen=True, slots=True)
class _Task(Generic[Job]):
    job: Job
    frame: bytes
    wall_seconds: float


@dataclass(slots=True)
class _Child(Generic[Job]):
    """tasks: the child works on the first. ahead_bytes: of all tasks. deadline: of the first, on the monotonic clock.
    patience_until: when the mails behind the first go to other children. is_last: the child ends after this mail, because others
    have its remaining mail."""

    pid: int
    socket: socket.socket
    tasks: deque[_Task[Job]] = field(default_factory=deque)
    unsent: deque[memoryview] = field(default_factory=deque)
    received: bytearray = field(default_factory=bytearray)
    ahead_bytes: int = 0
    deadline: float = 0.0
    patience_until: float = 0.0
    is_last: bool = False


class Pool(Generic[Job]):
    """A number of children, forked on demand. work: gets the arguments of `give` for a job, and returns its answer."""

    def __init__(self, count: int, work: Work, limits: Limits) -> None:
        self._count = count
        self._work = work
        self._limits = limits
        self._children: list[_Child[Job]] = []
        self._returned: deque[_Task[Job]] = deque()

    @property
    def has_room(self) -> bool:
        """May another job be given?"""
        return not self._returned and self._can_take

    @property
    def is_idle(self) -> bool:
        """Is nothing in hand?"""
        return not self._returned and not any(child.tasks for child in self._children)

    def give(self, job: Job, facts: Facts, content: bytes) -> None:
        """Passes on a job, without waiting. Call it only if there is room. facts: `size` in bytes, if it takes longer."""
        about = json.dumps(facts).encode()
        body = b"".join((len(about).to_bytes(_LENGTH_BYTES), about, content))
        seconds = self._limits.wall_seconds + self._limits.wall_seconds_a_megabyte * facts.get("size", 0) / 1e6
        self._assign(_Task(job, len(body).to_bytes(_LENGTH_BYTES) + body, seconds))

    def stop(self) -> None:
        """Ends all children, and drops their jobs."""
        for child in self._children:
            _end(child)
        self._children, self._returned = [], deque()

    # --- for `wait` -------------------------------------------------------------------------------------------------------

    def interests(self) -> Iterator[tuple[int, int]]:
        """The descriptors of busy children, and the poll events to wait for."""
        for child in self._children:
            if child.tasks:
                yield child.socket.fileno(), select.POLLIN | (select.POLLOUT if child.unsent else 0)

    def deadline(self) -> float:
        """When the next child is out of time, or the mail behind its first must go to others; infinity if all are idle."""
        return min(map(self._next_look, (child for child in self._children if child.tasks)), default=float("inf"))

    def collect(self, ready: Mapping[int, int]) -> Iterator[tuple[Job, bytes | None]]:
        """The finished jobs, with None for each that ended its child. ready: poll's result by descriptor."""
        for child in list(self._children):
            events = ready.get(child.socket.fileno(), 0)
            if events & select.POLLOUT:
                _send(child)
            is_alive = True
            if events & ~select.POLLOUT:
                is_alive = _receive(child, self._limits.answer_bytes)
                yield from self._answers(child)
                is_alive = is_alive and not _is_too_long(child, self._limits.answer_bytes)
            now = time.monotonic()
            if not is_alive or (child.tasks and child.deadline <= now) or (child.is_last and not child.tasks):
                yield from self._bury(child)
            elif child.tasks and self._next_look(child) <= now:
                self._withdraw(child)
        while self._returned and self._can_take:
            self._assign(self._returned.popleft())

    def _next_look(self, child: _Child[Job]) -> float:
        is_waited_for = len(child.tasks) > 1 and any(not one.is_last for one in self._children if one is not child)
        return min(child.deadline, child.patience_until) if is_waited_for else child.deadline

    def _withdraw(self, child: _Child[Job]) -> None:
        """Gives the mails behind a child's first to others. The child may have received them already, so it ends before it works
        on them, too."""
        first, *others = child.tasks
        child.tasks = deque([first])
        child.is_last = True
        self._returned.extend(others)

    def _answers(self, child: _Child[Job]) -> Iterator[tuple[Job, bytes]]:
        while child.tasks and (answer := _next_frame(child.received, self._limits.answer_bytes)) is not None:
            task = child.tasks.popleft()
            child.ahead_bytes -= len(task.frame)
            self._begins(child)
            yield task.job, answer

    def _begins(self, child: _Child[Job]) -> None:
        now = time.monotonic()
        if child.tasks:
            child.deadline, child.patience_until = now + child.tasks[0].wall_seconds, now + _PATIENCE_SECONDS

    def _bury(self, child: _Child[Job]) -> Iterator[tuple[Job, None]]:
        self._children.remove(child)
        _end(child)
        if child.tasks:
            yield child.tasks.popleft().job, None
        self._returned.extend(child.tasks)

    @property
    def _can_take(self) -> bool:
        return len(self._children) < self._count or any(_has_room(child) for child in self._children)

    def _assign(self, task: _Task[Job]) -> None:
        idle = [child for child in list(self._children) if not child.tasks and self._is_alive(child)]
        if not idle and len(self._children) < self._count:
            idle = [self._start()]
        child = idle[0] if idle else min(self._children, key=lambda one: (one.is_last, len(one.tasks)))
        child.tasks.append(task)
        child.ahead_bytes += len(task.frame)
        if len(child.tasks) == 1:
            self._begins(child)
        child.unsent.append(memoryview(task.frame))
        _send(child)

    def _is_alive(self, child: _Child[Job]) -> bool:
        """Is an idle child alive? If not, something other than a mail ended it."""
        if os.waitpid(child.pid, os.WNOHANG) == (0, 0):
            return True
        child.socket.close()
        self._children.remove(child)
        return False

    def _start(self) -> _Child[Job]:
        ours, theirs = socket.socketpair()
        with theirs:
            pid = forking.fork(lambda: _live(theirs, self._work, self._limits), structlog.get_logger())
        ours.setblocking(False)
        child: _Child[Job] = _Child(pid, ours)
        self._children.append(child)
        return child


def wait(pools: Sequence[Pool[Job]], timeout_seconds: float) -> Iterator[tuple[Job, bytes | None]]:
    """The finished jobs of any of the pools' children, once there are some, or after the time-out; None for a job that ended its
    child."""
    poll = select.poll()
    for pool in pools:
        for descriptor, events in pool.interests():
            poll.register(descriptor, events)
    first = min((pool.deadline() for pool in pools), default=float("inf"))
    pause = max(0.0, min(timeout_seconds, first - time.monotonic()))
    ready = dict(poll.poll(pause * 1_000))
    for pool in pools:
        yield from pool.collect(ready)


def _has_room(child: _Child[Any]) -> bool:
    return len(child.tasks) < _AHEAD and child.ahead_bytes < _AHEAD_BYTES and not child.is_last


def _send(child: _Child[Any]) -> None:
    """Sends as much as the pipe takes. A dead child is noticed when its answers are read."""
    with suppress(OSError):
        while child.unsent:
            sent = child.socket.send(child.unsent[0])
            if sent == len(child.unsent[0]):
                child.unsent.popleft()
            else:
                child.unsent[0] = child.unsent[0][sent:]


def _receive(child: _Child[Any], max_answer_bytes: int) -> bool:
    """Reads the available bytes, at most an answer or two; returns whether the child lives."""
    while len(child.received) <= _LENGTH_BYTES + max_answer_bytes:
        try:
            chunk = child.socket.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not chunk:
            return False
        child.received += chunk
    return True


def _next_frame(received: bytearray, max_bytes: int) -> bytes | None:
    """Removes and returns the first whole frame; None if there is none yet, or if it is too long."""
    length = int.from_bytes(received[:_LENGTH_BYTES])
    end = _LENGTH_BYTES + length
    if len(received) < _LENGTH_BYTES or length > max_bytes or len(received) < end:
        return None
    frame = bytes(received[_LENGTH_BYTES:end])
    del received[:end]
    return frame


def _is_too_long(child: _Child[Any], max_bytes: int) -> bool:
    """Does the child answer more than allowed, or without a request?"""
    length = int.from_bytes(child.received[:_LENGTH_BYTES]) if len(child.received) >= _LENGTH_BYTES else 0
    return length > max_bytes or (bool(child.received) and not child.tasks)


def _end(child: _Child[Any]) -> None:
    child.socket.close()
    with suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(child.pid, 0)


# --- in the child ---------------------------------------------------------------------------------------------------------


def _live(pipe: socket.socket, work: Work, limits: Limits) -> None:
    """The child's main loop. Any error ends the child, and the log contains no word of the mail."""
    try:
        _confine(pipe, limits)
        while True:
            body = _receive_whole(pipe)
            about = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES])
            facts, content = json.loads(body[_LENGTH_BYTES:about]), bytes(memoryview(body)[about:])
            del body
            signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)
            answer = work(facts, content)
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            pipe.sendall(len(answer).to_bytes(_LENGTH_BYTES) + answer)
    finally:
        os._exit(1)


def _confine(pipe: socket.socket, limits: Limits) -> None:
    """Applies the limits, and closes the parent's descriptors: no connection to the database."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    os.closerange(3, pipe.fileno())
    os.closerange(pipe.fileno() + 1, 65_536)
    data_bytes = _data_bytes() + limits.data_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, data_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _step_back(limits.niceness)


def _step_back(niceness: int) -> None:
    """Gives priority to the processes that others wait for: the filter and Postfix, and the parent, which may hold the database's
    write lock.

    If the kernel shares processors among sessions (sched(7), autogroup), niceness only counts within a session. So the child gets
    its own session.
    """
    os.nice(niceness)
    with suppress(OSError):
        os.setsid()
        Path("/proc/self/autogroup").write_text(str(niceness))


def _data_bytes() -> int:
    """The parent's memory at the fork counts for the child, too, and most of it is shared (proc_pid_status(5), VmData)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmData:")[2].split()[0]) * 1_024


def _receive_whole(pipe: socket.socket) -> bytearray:
    length = int.from_bytes(_receive_exactly(pipe, _LENGTH_BYTES))
    return _receive_exactly(pipe, length)


def _receive_exactly(pipe: socket.socket, count: int) -> bytearray:
    """Errors: EOFError if the parent is gone."""
    received = bytearray(count)
    view, at = memoryview(received), 0
    while at < count:
        size = pipe.recv_into(view[at:])
        if not size:
            raise EOFError
        at += size
    return received
