"""`mailweir-web`: serves the page, on loopback unless the settings say otherwise. A server before it does TLS.

The parent opens the port, and keeps as many processes on it as the settings say. It replaces a process that dies or hangs.
Clients that connect meanwhile wait, or another process serves them. Nothing of the page is loaded before the fork; each process
opens its own connections, threads and secrets. The first one does long work beside its pages. Started by `mailweir up` or
systemd, as the unprivileged user.
"""

import os
import socket
import sys
from datetime import UTC, datetime
from functools import partial

import structlog

from mailweir import daemons, guardian, heap, log, settings
from mailweir.errors import MailweirError
from mailweir.settings import Settings
from mailweir.store.database import versions
from mailweir.store.database.connection import Database

PROCESS = daemons.WEB.name
BACKLOG = 1024
STOP_SECONDS = (
    12.0  # from telling a process to end until killing it: its requests take 8 s at most, then a part of a job
)
# Some seconds each, because an import beside the pages may be slow, and a kill loses the requests in hand. A busy host takes a
# minute to load.
_PATIENCE = guardian.Patience(looks=30, first_looks=300)


def main() -> None:
    """The console script. Exits 1 with one line if the settings, the database or the port don't let it work."""
    logger = log.configure(PROCESS)
    try:
        config = settings.load()
        database = Database(config.database_url)
        versions.check(database)
        database.close()
    except MailweirError as error:
        sys.exit(f"{PROCESS}: {error}")
    try:
        listening = _listening(config.web.bind_address, config.web.port)
    except OSError as error:
        sys.exit(f"{PROCESS}: can't listen on {config.web.bind_address} port {config.web.port}: {error.strerror}")
    logger.info("listening", port=config.web.port, processes=config.web.processes)
    guardian.keep(
        partial(_work, config, listening, logger),
        lambda: True,
        logger,
        count=config.web.processes,
        patience=_PATIENCE,
        stop_seconds=STOP_SECONDS,
    )
    logger.info("stopped")


def _listening(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=BACKLOG)


def _work(
    config: Settings, listening: socket.socket, logger: structlog.stdlib.BoundLogger, place: int, beat: int
) -> None:
    """One process of the page, until SIGTERM. place: the first one's is 0."""
    from webapp import application, jobs, serving

    app = application.create(config, _now)
    worker = jobs.Worker(config.database_url, _now, logger) if place == 0 else None
    page = serving.Server(app, listening, config.web.threads, is_https=app.config["IS_HTTPS"])
    if worker:
        worker.start()
    heap.freeze()
    logger.info("serving", port=config.web.port, pid=os.getpid())
    page.run(beat)
    if worker:
        worker.stop(serving.STOP_SECONDS)


def _now() -> datetime:
    return datetime.now(UTC)
