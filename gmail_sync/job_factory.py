"""Prepares a leased mailbox for a sweep: its credentials, and its share of the quota. Called by `scheduler` and the command
line."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from gmail_sync.budget import Bucket, Project, Spending
from gmail_sync.database_pool import DatabasePool, PooledDirectory
from gmail_sync.job import Job, Services
from mailweir import secrets_file
from mailweir.errors import DatabaseUnavailable, SettingsError
from mailweir.gmail import oauth_files, tokens
from mailweir.gmail.api import Api
from mailweir.gmail.tokens import Credentials
from mailweir.secrets_file import Secrets
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.gmail import sealing_keys
from mailweir.store.gmail.gmail_leases import Leased
from mailweir.store.gmail.gmail_mailboxes import token_purpose

BUSY_SECONDS = 20.0
MAX_KEPT = 20_000  # credentials with their access tokens, which would otherwise be requested again for each sweep


_Stamp = tuple[tuple[int, int, int] | None, ...]  # of each file, as read


class JobFactory:
    """Makes jobs. Access tokens stay in memory until the mailbox is connected again."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        """SettingsError if Gmail isn't set up."""
        self._services = services
        self._stamp = self._stamp_now()
        self._identities = oauth_files.load_all(services.settings.gmail)
        self._api = Api(services.settings.gmail)
        self._faulty_stamp: _Stamp | None = None
        self._secrets: Secrets | None = None
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, tuple[bytes | None, Credentials]] = OrderedDict()

    def job(self, leased: Leased, project: Project) -> Job:
        """A leased mailbox, ready for a sweep. Errors: SettingsError, NeedsReconnect."""
        self._look_for_another_file()
        spending = Spending(self._bucket(leased), project, self._services.settings.gmail.history_units)
        mailbox = self._api.mailbox(self._credentials(leased), spending)
        return Job(self._services, leased, mailbox, spending, is_by_page=self._identities.is_web(leased.client_id))

    def _stamp_now(self) -> _Stamp:
        return tuple(map(_stamp_of, self._services.settings.gmail.identity_files))

    def _look_for_another_file(self) -> None:
        """Reads the client's or account's file again if the admin has replaced it."""
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        try:
            identities = oauth_files.load_all(self._services.settings.gmail)
        except SettingsError as error:
            # The old one stays in use: it may be fine, and the new file half written.
            if stamp != self._faulty_stamp:
                self._faulty_stamp = stamp
                self._services.log.error("the new file of the Gmail client can't be used", error=str(error))
            return
        with self._lock:
            self._stamp, self._identities = stamp, identities
            self._kept.clear()
        self._services.app.changed()
        self._services.page_app.changed()
        self._services.log.info("the file of the Gmail client was read anew")

    def _bucket(self, leased: Leased) -> Bucket:
        gmail = self._services.settings.gmail
        least = gmail.history_units + gmail.list_units + gmail.profile_units + 2 * gmail.get_units
        bucket = Bucket(gmail.user_units_per_minute, self._clock, leased.units, least)
        bucket.refill((self._services.clock() - leased.units_at).total_seconds())
        return bucket

    def _credentials(self, leased: Leased) -> Credentials:
        with self._lock:
            found = self._kept.get(leased.id)
            if found and found[0] == leased.token_sealed:
                self._kept.move_to_end(leased.id)
                return found[1]
        token = self._open(leased.address, leased.token_sealed) if leased.token_sealed else None
        credentials = tokens.credentials_of(self._identities, leased.address, token, leased.client_id)
        with self._lock:
            self._kept[leased.id] = (leased.token_sealed, credentials)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return credentials

    def _open(self, address: str, sealed: bytes) -> str:
        found = self._secrets
        if found is None:
            found = self._secrets = secrets_file.load(self._services.settings.token_key_path)
        try:
            return found.open(sealed, token_purpose(address)).decode()
        except SettingsError:
            self._secrets = None  # so that the right file is read once it exists
            raise


def _stamp_of(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def note_public_half(services: Services) -> None:
    """Stores the public half of the key file, so that the page can seal tokens for it. Does nothing if there is no key file yet,
    or the database isn't available: the next start repeats it."""
    with suppress(SettingsError, DatabaseUnavailable), services.database_pool.lent() as database:
        public = secrets_file.load(services.settings.token_key_path).public_half
        sealing_keys.note(database, public, services.clock())


def services(settings: Settings, log: structlog.stdlib.BoundLogger, busy_seconds: float = BUSY_SECONDS) -> Services:
    """The services that sweeps of one process share."""
    database_pool = DatabasePool(lambda: Database(settings.database_url, busy_timeout_seconds=busy_seconds))
    return Services(database_pool, PooledDirectory(database_pool), settings, log, lambda: datetime.now(UTC))
