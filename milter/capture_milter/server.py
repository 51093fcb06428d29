"""`mailweir-milter`: opens the filter's socket, and keeps the configured number of workers running on it.

The parent only forks and waits; each worker opens its own connections after the fork, because a child's close would break the
parent's. A dead worker is replaced; a worker whose parent died ends. SIGTERM ends them all and removes the socket. If the
settings name a port for metrics, one more child serves the counts. Runs as the unprivileged user that starts it.
"""

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog

import milter
from capture_milter.completing import Completer
from capture_milter.counters import Counters
from capture_milter.events import Events
from capture_milter.group_commit import GroupCommit
from capture_milter.handling import ConfirmationDesk
from capture_milter.readers import Readers
from capture_milter.session import Services, Session, register
from capture_milter.signing import Signers
from mailweir import cpu_affinity, daemons, forking, heap, log, settings
from mailweir.errors import MailweirError
from mailweir.sender_auth import DkimProver
from mailweir.settings import Settings
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.traces import Traces

WRITE_BUSY_SECONDS = 20.0
_PR_SET_NAME = 15
_M_ARENA_MAX = -8
_M_MMAP_THRESHOLD = -3
_MAPPED_FROM_BYTES = 1_048_576
_MIN_WORKER_LIFE_SECONDS = 1.0


def main() -> None:
    """The console script. Exit 1 with one line if the settings or the database prevent serving."""
    logger = log.configure(daemons.FILTER.name)
    sessions = _Sessions()
    try:
        config = settings.load()
        database = Database(config.database_url)
        versions.check(database)
        database.close()
        _open_socket(config.milter_socket, sessions)
    except (MailweirError, OSError, milter.error) as error:
        sys.exit(f"mailweir-milter: {error}")
    _keep_workers(config, sessions, logger)


class _Sessions:
    """The services that the callbacks use; empty until the worker has its own. libmilter needs the callbacks before the fork."""

    services: Services | None = None

    def session(self, ctx: Any) -> Session:
        """The session of a new connection."""
        assert self.services is not None
        return Session(self.services, ctx)


def _open_socket(path: Path, sessions: _Sessions) -> None:
    path.unlink(missing_ok=True)
    os.umask(0o117)  # the folder's group is Postfix's; nobody else may connect
    milter.setconn(f"unix:{path}")
    milter.setbacklog(256)
    register(sessions.session)
    milter.opensocket(True)
    os.umask(0o077)


def _keep_workers(config: Settings, sessions: _Sessions, logger: structlog.stdlib.BoundLogger) -> None:
    workers: dict[int, tuple[int, float]] = {}  # by pid: slot, start time
    counters = Counters(config.filter.workers) if config.metrics.port else None
    metrics_pid, is_first = 0, True
    own_socket = _inode(config.milter_socket)

    def stop(*_: object) -> None:
        # Not SIGTERM: libmilter checks only every five seconds whether to stop, and then removes the socket, which may be a
        # successor's by then. Postfix answers pending messages with 451, and nothing is half done.
        for pid in (*workers, *([metrics_pid] if metrics_pid else [])):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if _inode(config.milter_socket) == own_socket:
            config.milter_socket.unlink()
        logger.info("stopped")
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    heap.freeze()  # also for the workers
    logger.info("serving", socket=str(config.milter_socket), workers=config.filter.workers)
    while True:
        while len(workers) < config.filter.workers:
            slot = min(set(range(config.filter.workers)) - {slot for slot, _ in workers.values()})
            workers[forking.fork(partial(_work, config, sessions, slot, counters, logger), logger)] = (
                slot,
                time.monotonic(),
            )
        if counters and not metrics_pid:
            metrics_pid = forking.fork(partial(_serve_metrics, config, counters, is_first, logger), logger)
            is_first = False
        pid, status = os.wait()
        if pid == metrics_pid:
            logger.error("metrics died", pid=pid, status=os.waitstatus_to_exitcode(status))
            metrics_pid = 0
            continue
        _, started = workers.pop(pid)
        logger.error("worker died", pid=pid, status=os.waitstatus_to_exitcode(status))
        if _inode(config.milter_socket) != own_socket:
            sys.exit(f"mailweir-milter: the socket {config.milter_socket} is gone; it is made anew at the next start")
        time.sleep(max(0.0, started + _MIN_WORKER_LIFE_SECONDS - time.monotonic()))


def _inode(path: Path) -> int | None:
    with suppress(FileNotFoundError):
        return path.stat().st_ino
    return None


def _bound_heap() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    # libmilter makes a thread for each connection, and glibc would give each its own heap.
    libc.mallopt(_M_ARENA_MAX, 2)
    # By default malloc raises this threshold to the size of freed blocks, up to 32 MB. Large mails would then be in the heap, and
    # fragment it, so that it grows.
    libc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)


def _serve_metrics(config: Settings, counters: Counters, is_first: bool, logger: structlog.stdlib.BoundLogger) -> None:
    from capture_milter import metrics

    ctypes.CDLL(None).prctl(_PR_SET_NAME, b"mailweir-metrics")
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # including the filter's socket
    if not is_first:
        time.sleep(metrics.RETRY_SECONDS)  # here, and not in the parent, which monitors the workers
    metrics.serve(config, counters, logger)


def _work(
    config: Settings, sessions: _Sessions, slot: int, counters: Counters | None, logger: structlog.stdlib.BoundLogger
) -> None:
    _bound_heap()
    if config.filter.pin_workers:
        cpu_affinity.stay(os.getppid() + slot)
    page = counters.page(slot) if counters else None
    if page:
        page.begin(os.getpid())
    events = Events(page, log_decisions=config.log.decisions)

    def open_to_write() -> Database:
        return Database(config.database_url, busy_timeout_seconds=WRITE_BUSY_SECONDS)

    def open_to_read() -> Database:
        return Database(config.database_url)

    group_commit = GroupCommit(open_to_write, events.committed)
    desk = ConfirmationDesk(DkimProver(config.dns), config.confirmation)
    signers = Signers(config.token_key_path, enabled=config.dkim.sign)
    traces, completer = Traces(config.token_key_path), Completer(config.token_key_path)
    sessions.services = Services(
        *(Readers(open_to_read), group_commit, desk, signers, logger, events, config.relay, traces, completer),
        hold_limits=config.digest,
    )
    milter.main()


if __name__ == "__main__":
    main()
