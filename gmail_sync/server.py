"""`mailweir-gmail-sync`: sweeps connected Gmail mailboxes for ever. Started by `mailweir up` or systemd, as the unprivileged
user.

Several processes on several hosts may share one PostgreSQL database; leases keep them from working on one mailbox together.
Without the file of a client or service account in the settings it exits with one line.
"""

import os
import signal
import sys

from gmail_sync import job_factory, process_name
from gmail_sync.job_factory import JobFactory
from gmail_sync.returned_consents import ReturnedConsents
from gmail_sync.scheduler import Scheduler
from mailweir import cpu_affinity, daemons, heap, log, settings
from mailweir.errors import MailweirError
from mailweir.store.database import versions

PROCESS = daemons.SYNC.name


def main() -> None:
    """The console script. Exit 1 with one line if the settings or the database prevent its work."""
    logger = log.configure(PROCESS)
    try:
        config = settings.load()
        services = job_factory.services(config, logger)
        with services.database_pool.lent() as database:
            versions.check(database)
        job_factory.note_public_half(services)
        scheduler = Scheduler(services, JobFactory(services), process_name.own())
    except MailweirError as error:
        sys.exit(f"{PROCESS}: {error}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: scheduler.stop())
    if config.gmail.pin_process:
        cpu_affinity.stay(os.getpid())
    heap.freeze()
    logger.info("serving", threads=config.gmail.threads, sweep_seconds=config.gmail.sweep_seconds)
    returned = ReturnedConsents(services)
    returned.start()
    scheduler.run()
    returned.stop()
    logger.info("stopped")
