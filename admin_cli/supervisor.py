"""The supervisor of `mailweir up`: starts the processes of the stack, restarts those that die, and stops them all.

It stays root, because only root can start Postfix's master again, which runs as root, too. A keeper ends the master if the
supervisor dies. All other processes get the unprivileged user before they run a line of their own. The supervisor has one thread,
because the kernel signals a child about the death of the thread that made it. Never serves mail, never opens the database. Called
by `commands.up`.
"""

import contextlib
import signal
import smtplib
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from admin_cli import processes
from admin_cli.chores import Chore, last_line
from admin_cli.processes import CannotStart, Lock, Program, Remembered
from mailweir.settings import Settings

READY_WITHIN_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0  # senders whose mail isn't accepted meanwhile try again
STEADY_AFTER_SECONDS = 10.0  # if a process ran for this long, its next pause is the first one again
STOP_SECONDS = 10.0

_PROBE_TIMEOUT_SECONDS = 5.0
_FIRST_PROBE_PAUSE_SECONDS = 0.05
_LONGEST_PROBE_PAUSE_SECONDS = 0.2
IDLE_SECONDS = 3600.0
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def accepts_mail(settings: Settings) -> bool:
    """Do Postfix, the filter and the look-ups answer? One SMTP dialogue, up to a recipient that nobody accepts.

    220 shows that Postfix answers, 250 to MAIL that the filter does, and 554 to RCPT that the look-ups do. Without the filter or
    the look-ups, Postfix replies 451.
    """
    if not (settings.milter_socket.exists() and settings.lookups_socket.exists()):
        return False  # otherwise each try would put errors into Postfix's log
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.smtp.bind_address, settings.smtp.bind_address)
    try:
        with smtplib.SMTP(host, settings.smtp.smtp_port, "localhost", _PROBE_TIMEOUT_SECONDS) as client:
            client.ehlo()
            return client.mail("")[0] == 250 and client.rcpt("ready@probe.invalid")[0] == 554
    except (OSError, smtplib.SMTPException):
        return False


@dataclass
class _Kept:
    """A program and its state. restart_at: when it is started again if it is dead, on the monotonic clock."""

    program: Program
    process: "subprocess.Popen[bytes] | None" = None
    remembered: Remembered | None = None
    keeper: int | None = None
    started_at: float = 0.0
    pause_seconds: float = FIRST_PAUSE_SECONDS
    restart_at: float = 0.0


class Supervisor:
    """Keeps these programs running. They are stopped in their order and started in the opposite one."""

    def __init__(
        self,
        programs: Collection[Program],
        *,
        lock: Lock,
        data_dir: Path,
        environment: Mapping[str, str],
        say: Callable[[str], None],
        chores: Collection[Chore] = (),
    ) -> None:
        self._kept = [_Kept(program) for program in programs]
        self._lock = lock
        self._data_dir = data_dir
        self._environment = environment
        self._say = say
        self._chores = list(chores)

    def run(self, is_ready: Callable[[], bool]) -> None:
        """Runs until a signal to stop, and leaves no process behind. Prints `ready` once `is_ready` is true; CannotStart if it
        isn't within READY_WITHIN_SECONDS."""
        processes.adopt_orphans()
        with blocked(STOP_SIGNALS | {signal.SIGCHLD}):
            try:
                for kept in reversed(self._kept):
                    self._start(kept)
                self._watch(is_ready)
            finally:
                self._stop()

    def _watch(self, is_ready: Callable[[], bool]) -> None:
        deadline, pause = time.monotonic() + READY_WITHIN_SECONDS, _FIRST_PROBE_PAUSE_SECONDS
        ready = False
        while self._keep_up(IDLE_SECONDS if ready else pause):
            if ready:
                continue
            pause = min(1.5 * pause, _LONGEST_PROBE_PAUSE_SECONDS)
            ready = all(kept.process for kept in self._kept) and is_ready()
            if ready:
                self._say("ready")
            elif time.monotonic() > deadline:
                logs = self._data_dir / "log"
                raise CannotStart(f"no mail is accepted after {READY_WITHIN_SECONDS:.0f} s; see the logs in {logs}")

    def _keep_up(self, longest_seconds: float) -> bool:
        """Waits at most this long for a signal, then looks after dead processes and chores; False on a signal to stop."""
        now = time.monotonic()
        due = [kept.restart_at - now for kept in self._kept if kept.process is None]
        due += [chore.due_in(now) for chore in self._chores]
        number = _wait_for_signal(max(0.0, min([*due, longest_seconds])))
        if number in STOP_SIGNALS:
            self._say(f"stopping on {signal.Signals(number).name}")
            return False
        for kept in self._kept:
            self._look_after(kept)
        for chore in self._chores:
            self._tend(chore)
        return True

    def _tend(self, chore: Chore) -> None:
        before = chore.remembered
        chore.tend(
            time.monotonic(),
            work_dir=self._data_dir / "run",
            data_dir=self._data_dir,
            environment=self._environment,
        )
        if chore.remembered is not before:
            self._remember()

    def _look_after(self, kept: _Kept) -> None:
        now = time.monotonic()
        if kept.process is not None and kept.process.poll() is not None:
            if now - kept.started_at > STEADY_AFTER_SECONDS:
                kept.pause_seconds = FIRST_PAUSE_SECONDS
            self._say(
                f"{kept.program.name} {self._how_it_ended(kept)}; starting it again in {kept.pause_seconds:.1f} s"
            )
            self._clear(kept)
            kept.restart_at = now + kept.pause_seconds
            kept.pause_seconds = min(2 * kept.pause_seconds, LONGEST_PAUSE_SECONDS)
        elif kept.process is None and now >= kept.restart_at:
            self._start_again(kept)

    def _start_again(self, kept: _Kept) -> None:
        """Starts a program, or plans the next try: a program that can't start doesn't stop the others."""
        try:
            self._start(kept)
        except CannotStart as error:
            self._say(f"{error}; trying again in {kept.pause_seconds:.1f} s")
            kept.restart_at = time.monotonic() + kept.pause_seconds
            kept.pause_seconds = min(2 * kept.pause_seconds, LONGEST_PAUSE_SECONDS)

    def _start(self, kept: _Kept) -> None:
        try:
            kept.process = processes.start(kept.program, work_dir=self._data_dir / "run", environment=self._environment)
        except (OSError, subprocess.SubprocessError) as error:
            raise CannotStart(f"can't start {kept.program.name}: {error}") from error
        kept.keeper = processes.keep(kept.process.pid) if kept.program.account is None else None
        kept.started_at = time.monotonic()
        kept.remembered = processes.remember(kept.program.name, kept.process.pid)
        self._remember()

    def _clear(self, kept: _Kept) -> None:
        """Forgets a dead process, once nothing that it started is left."""
        if kept.keeper is not None:
            processes.dismiss(kept.keeper)
        if kept.remembered is not None:
            processes.kill_session(kept.remembered, self._data_dir)
        kept.process = kept.remembered = kept.keeper = None
        self._remember()

    def _remember(self) -> None:
        living = [kept.remembered for kept in self._kept] + [chore.remembered for chore in self._chores]
        self._lock.write([remembered for remembered in living if remembered])

    def _how_it_ended(self, kept: _Kept) -> str:
        assert kept.process is not None
        status = kept.process.returncode
        if status < 0:
            return f"was ended by signal {-status}"
        last = last_line(kept.program.log_file)
        return f"ended with {status}" + (f" ({last})" if status and last else "")

    def _stop(self) -> None:
        """Stops Postfix first, so that no mail comes in that nobody handles."""
        for kept in self._kept:
            if kept.process is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                kept.process.terminate()
            try:
                kept.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._say(f"{kept.program.name} didn't stop within {STOP_SECONDS:.0f} s; killing it")
                kept.process.kill()
                kept.process.wait()
            self._clear(kept)
        for chore in self._chores:
            chore.stop(STOP_SECONDS, self._data_dir)


@contextlib.contextmanager
def blocked(numbers: Collection[signal.Signals]) -> Iterator[None]:
    """In the block, these signals stay pending until `_wait_for_signal` takes them. So none interrupts a start or a stop."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait_for_signal(seconds: float) -> int | None:
    found = signal.sigtimedwait(STOP_SIGNALS | {signal.SIGCHLD}, seconds)
    return found.si_signo if found else None
