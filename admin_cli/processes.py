"""Processes as the supervisor needs them: started in a session of their own, remembered in a file, ended with all that they
started.

Only processes that are certainly ours are ended: the session is a remembered one, the process is no older than the remembered
one, and it works in the data folder. Called by `supervisor` and `commands.up`.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mailweir.errors import MailweirError
from postfix.instance import SEARCH_PATH, Account

TERMINATE_SECONDS = 5.0  # time in which a process may end by itself; then it is killed
KILL_SECONDS = 5.0
_POLL_SECONDS = 0.02
_PR_SET_PDEATHSIG = 1
_PR_GET_PDEATHSIG = 2
_PR_SET_CHILD_SUBREAPER = 36
_MAX_RECORD_BYTES = 65_536
_LOCK_TRIES, _LOCK_PAUSE_SECONDS = 10, 0.05


class CannotStart(MailweirError):
    """`mailweir up` can't run here, or not now."""


@dataclass(frozen=True)
class Program:
    """One of the processes of the stack.

    account: the user that it runs as; None is root. stdin: the socket that it answers on, which stays open when it ends; None:
    nothing to read.
    """

    name: str
    command: list[str]
    account: Account | None
    log_file: Path
    stdin: socket.socket | None = None


@dataclass(frozen=True)
class Remembered:
    """A process of ours. Its start time (clock ticks since boot) distinguishes it from a later process of the same number."""

    name: str
    pid: int
    started_ticks: int


@dataclass(frozen=True)
class _Seen:
    pid: int
    session: int
    started_ticks: int
    gone: bool


def _end_with(parent: int, library: ctypes.CDLL) -> bool:
    """The kernel sends this process SIGTERM when its parent dies; False if the parent is dead already."""
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == parent


def start(program: Program, *, work_dir: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Starts the program as the leader of a session of its own. Its output is appended to its log.

    The program gets SIGTERM when this process dies, in whatever way; but see `keep`. OSError if it can't be started.
    """
    library = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def end_with_parent() -> None:
        # Runs between fork and exec, and after the change of user, which would clear the signal (PR_SET_PDEATHSIG(2const)).
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if not _end_with(parent, library):
            os._exit(1)

    account = program.account
    with program.log_file.open("ab") as log:
        return subprocess.Popen(
            program.command,
            cwd=work_dir,
            env={"PATH": SEARCH_PATH, "LANG": "C.UTF-8", **environment},
            stdin=program.stdin.fileno() if program.stdin else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=end_with_parent,  # this process has one thread
        )


@contextlib.contextmanager
def still_ending_with_parent() -> Iterator[None]:
    """Keeps the signal that `start` set for the death of our parent (in the demo, for example): the block changes our effective
    user, which clears the signal."""
    library, number, parent = ctypes.CDLL(None, use_errno=True), ctypes.c_int(0), os.getppid()
    library.prctl(_PR_GET_PDEATHSIG, ctypes.byref(number))
    try:
        yield
    finally:
        library.prctl(_PR_SET_PDEATHSIG, number.value)
        if number.value and os.getppid() != parent:
            os.kill(os.getpid(), number.value)


def keep(pid: int) -> int:
    """Starts a keeper, which only waits for our death and then sends SIGTERM to `pid`; returns the keeper's pid.

    The caller has blocked SIGTERM. Postfix's master needs a keeper: it changes its effective user when it starts, and then the
    kernel no longer signals our death to it.
    """
    parent, library, target = os.getpid(), ctypes.CDLL(None, use_errno=True), os.pidfd_open(pid)
    keeper = os.fork()
    if keeper:
        os.close(target)
        return keeper
    try:
        os.setsid()
        os.chdir("/")
        os.dup2(target, 0)
        os.closerange(1, os.sysconf("SC_OPEN_MAX"))  # also the descriptor of the lock
        if _end_with(parent, library):
            signal.sigwait({signal.SIGTERM})
        signal.pidfd_send_signal(0, signal.SIGTERM)
    finally:
        os._exit(0)


def dismiss(keeper: int) -> None:
    """Ends a keeper whose process is dead."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(keeper, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(keeper, 0)


def remember(name: str, pid: int) -> Remembered:
    """A record that tells this running process from a later one with the same number."""
    seen = _look(pid)
    return Remembered(name, pid, seen.started_ticks if seen else 0)


class Lock:
    """DIR/run/up.lock: held by the one `up` that runs there. It lists the processes that this `up` started.

    The kernel releases the lock when its holder dies. The list stays, so that the next holder can clear up.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def take(self) -> list[Remembered]:
        """Takes the lock. Returns the processes that an earlier holder remembered. CannotStart if another process holds it."""
        # The folder belongs to the unprivileged user: root neither follows that user's links nor trusts the file.
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotStart(f"can't open {self._path}: {error.strerror}") from error
        if os.fstat(self._descriptor).st_uid != os.geteuid():
            raise CannotStart(f"{self._path} belongs to another user than root; remove it")
        if not self._locked():
            raise CannotStart(f"another 'mailweir up' runs on {self._path.parent.parent}; stop it first")
        return self._read()

    def _locked(self) -> bool:
        """Tries a few times: `doctor` holds the lock itself for a moment, to see whether it is free."""
        for _ in range(_LOCK_TRIES):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(_LOCK_PAUSE_SECONDS)
        return False

    def _read(self) -> list[Remembered]:
        text = os.pread(self._descriptor, _MAX_RECORD_BYTES, 0)
        with contextlib.suppress(ValueError, TypeError):
            return [
                Remembered(str(one["name"]), int(one["pid"]), int(one["started_ticks"])) for one in json.loads(text)
            ]
        return []

    def write(self, processes: Collection[Remembered]) -> None:
        """Remembers only these processes."""
        text = json.dumps([asdict(process) for process in processes]).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))

    def release(self) -> None:
        """Releases the lock. The file stays: if it were removed, two processes could hold it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def users_of(files: Iterable[Path]) -> list[str]:
    """The processes that hold one of these files open, as `NAME (PID)`. Only root sees what other users' processes hold."""
    held = {str(file.resolve()) for file in files}
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if not held.isdisjoint(_open_files(entry.name)):
                name = Path(f"/proc/{entry.name}/comm").read_text(errors="replace").strip()
                found.append(f"{name} ({entry.name})")
    return sorted(found)


def _open_files(pid: str) -> Iterator[str]:
    for link in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile; the other files count
            yield str(Path(link.path).readlink())


def adopt_orphans() -> None:
    """Processes of a dead child become our children, and not init's. In a container, init may not reap them."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_sessions(remembered: Collection[Remembered], data_dir: Path) -> list[str]:
    """Ends these processes and all that they started, as far as they still run. Returns the names of those with anything left.

    CannotStart if a process can't be ended.
    """
    names = sorted({process.name for process in remembered if _members([process], data_dir)})
    for number, seconds in ((signal.SIGTERM, TERMINATE_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        for pid in _members(remembered, data_dir):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if _wait_until_gone(remembered, data_dir, seconds):
            return names
    left = ", ".join(str(pid) for pid in _members(remembered, data_dir))
    raise CannotStart(f"processes of an earlier run can't be ended: {left}")


def kill_session(remembered: Remembered, data_dir: Path) -> None:
    """Kills at once everything that a dead process left running: its successor needs the port and the sockets."""
    for pid in _members([remembered], data_dir):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _wait_until_gone([remembered], data_dir, KILL_SECONDS)
    deadline = time.monotonic() + KILL_SECONDS
    with contextlib.suppress(ChildProcessError):  # no child is left
        while time.monotonic() < deadline:
            # Its orphans are in its process group. `_members` misses a process that is just ending, which can't be reaped yet.
            if os.waitpid(-remembered.pid, os.WNOHANG)[0] == 0:
                time.sleep(_POLL_SECONDS)


def _wait_until_gone(remembered: Collection[Remembered], data_dir: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _members(remembered, data_dir):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _members(remembered: Collection[Remembered], data_dir: Path) -> list[int]:
    """The living processes of these sessions that work in the data folder: Postfix in its queue, the daemons in DIR/run."""
    since = {process.pid: process.started_ticks for process in remembered}
    return [
        seen.pid
        for seen in _all_seen()
        if not seen.gone and since.get(seen.session, seen.started_ticks + 1) <= seen.started_ticks
        if _works_in(seen.pid, data_dir)
    ]


def _works_in(pid: int, data_dir: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(data_dir)
    except OSError:
        return False


def _all_seen() -> Iterator[_Seen]:
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and (seen := _look(int(entry.name))):
            yield seen


def _look(pid: int) -> _Seen | None:
    """See proc(5), /proc/PID/stat: the name is in brackets and may contain anything, so fields begin after the last bracket."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return _Seen(pid, session=int(fields[3]), started_ticks=int(fields[19]), gone=fields[0] in "ZX")
