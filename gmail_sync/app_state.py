"""Does Google accept the app: the OAuth client or service account, and its project?

A fault of the app affects all mailboxes. So it is reported once, in the log and in the database. No mailbox needs a new consent
because of it. One mailbox after another asks Google again until Google accepts the app. Used by `job` and `ending`.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from gmail_sync.database_pool import DatabasePool
from mailweir import backoff
from mailweir.errors import DatabaseUnavailable
from mailweir.gmail.errors import AppRefused
from mailweir.store.gmail import gmail_app

FIRST_HOLD, LONGEST_HOLD = timedelta(seconds=30), timedelta(minutes=10)
_OTHERS_COUNT = timedelta(hours=2)  # a mailbox that was read this recently shows that the app is accepted


class AppHeld(AppRefused):
    """Google refused the app a moment ago: no requests are made before `until`."""

    def __init__(self, text: str, until: datetime) -> None:
        super().__init__(text, is_certain=True)
        self.until = until


class AppState:
    """The app's state, as far as this process knows it. Thread-safe."""

    def __init__(
        self, database_pool: DatabasePool, log: structlog.stdlib.BoundLogger, clock: Callable[[], datetime]
    ) -> None:
        self._database_pool = database_pool
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._error: str | None = None
        self._is_told = True  # an earlier process's report may still be stored
        self._refusals = 0
        self._held_until: datetime | None = None
        self._worked: dict[int, datetime] = {}

    def refuse_if_held(self) -> None:
        """Errors: AppHeld while requests make no sense. The first caller after that asks Google, and the others still wait."""
        with self._lock:
            if self._held_until is None:
                return
            now = self._clock()
            # If the clock was set back, a hold still lasts no longer than its normal maximum.
            if now < self._held_until <= now + LONGEST_HOLD:
                raise AppHeld(self._error or "", self._held_until)
            self._held_until = now + FIRST_HOLD  # for the others, while this caller asks

    def refused(self, error: AppRefused) -> datetime:
        """Records Google's refusal; returns when to ask again."""
        now = self._clock()
        with self._lock:
            until = now + backoff.pause(self._refusals, FIRST_HOLD, LONGEST_HOLD)
            self._refusals += 1
            self._held_until = until if error.is_certain else None
            is_new, self._error, self._is_told = self._error != str(error), str(error), True
        if is_new:
            self._log.error("app refused", reason=str(error))
            # reported with the next refusal
            with suppress(DatabaseUnavailable), self._database_pool.lent() as database:
                gmail_app.put(database, str(error), now)
        return until

    def is_taken_for_others(self, mailbox_id: int) -> bool:
        """Was another mailbox read recently? Then the app isn't at fault."""
        with self._lock:
            since = self._clock() - _OTHERS_COUNT
            return any(at > since for other, at in self._worked.items() if other != mailbox_id)

    def worked(self, mailbox_id: int) -> None:
        """A mailbox could be read."""
        with self._lock:
            self._worked[mailbox_id] = self._clock()
            if not self._is_told:
                return
            self._is_told, self._error, self._held_until, self._refusals = False, None, None, 0
        try:
            with self._database_pool.lent() as database:
                was_refused = gmail_app.clear(database)
        except DatabaseUnavailable:
            self._is_told = True
            return
        if was_refused:
            self._log.info("app is taken again")

    def changed(self) -> None:
        """The client's or account's file was replaced: Google's answers for the old one no longer count."""
        with self._lock:
            self._held_until, self._refusals = None, 0
            self._worked.clear()
