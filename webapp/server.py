"""`mailweir-web`: serves the page over HTTP, on loopback unless the settings say otherwise. A proxy in front of it does TLS.

The parent opens the port, and keeps as many processes running as the settings say. It replaces a process that dies or hangs.
Clients that connect meanwhile wait, or another process serves them. The page's code is loaded after the fork; each process opens
its own connections, threads and secrets. The first process also does jobs. Started by `mailweir up` or systemd, as the
unprivileged user.
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
    12.0  # from SIGTERM to SIGKILL: a process finishes its requests, for 8 s at most, and then a part of a job
)
# Checks without a sign of life, one a second. A process that does an import may be slow, and killing it loses its requests. On a
# busy host, loading takes a minute.
_PATIENCE = guardian.Patience(looks=30, first_looks=300)


def main() -> None:
    """The console script. Exits 1 with one line if the settings, the database or the port can't be used."""
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
    """One process of the page, until SIGTERM. place: 0 for the first process. beat: the descriptor for signs of life."""
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
