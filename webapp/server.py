"""`mailweir-web`: serves the page, with waitress, on loopback unless the settings say otherwise; TLS is what stands before it.

Started by `mailweir up` or systemd, as the unprivileged user.
"""

import signal
import sys
from datetime import UTC, datetime
from typing import Any

import waitress

from mailweir import daemons, log, settings
from mailweir.errors import MailweirError
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from webapp import application, forms, jobs

PROCESS = daemons.WEB.name
_STOP_SECONDS = 5.0  # for the part of a job in hand


def main() -> None:
    """The console script. Exit 1 with one line where the settings, the database or the port don't allow to work."""
    logger = log.configure(PROCESS)
    try:
        config = settings.load()
        database = Database(config.database_url)
        versions.check(database)
        database.close()
    except MailweirError as error:
        sys.exit(f"{PROCESS}: {error}")
    app = application.create(config, _now)
    try:
        server = waitress.create_server(
            app,
            host=config.web.bind_address,
            port=config.web.port,
            threads=config.web.threads,
            ident=None,
            max_request_body_size=forms.MAX_UPLOAD_BYTES,
            url_scheme="https" if app.config["IS_HTTPS"] else "http",
        )
    except OSError as error:
        sys.exit(f"{PROCESS}: can't listen on {config.web.bind_address} port {config.web.port}: {error.strerror}")

    def end(*_: Any) -> None:
        raise SystemExit(0)  # waitress lets the requests in hand end

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    worker = jobs.Worker(config.database_url, _now, logger)
    worker.start()
    logger.info("serving", port=config.web.port)
    try:
        server.run()
    finally:
        worker.stop(_STOP_SECONDS)
        logger.info("stopped")


def _now() -> datetime:
    return datetime.now(UTC)
