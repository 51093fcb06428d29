"""Gives consents that nobody needs any more back to Google: those of mailboxes that were disconnected on the page, because the
page can't open their tokens; those of removed users; and those that the command line couldn't give back.

A separate thread beside the sweeping ones, because Google may answer slowly. A failure is retried, after growing pauses. Called
by `server`.
"""

import threading

from gmail_sync.job import Services
from mailweir import gmail_access
from mailweir.errors import DatabaseUnavailable
from mailweir.gmail_access import Left
from mailweir.store.gmail import gmail_revocations
from mailweir.store.gmail.gmail_revocations import State, Waiting

POLL_SECONDS = 10.0


class ReturnedConsents:
    """The thread of one process. Several processes may have one: each consent is taken by one of them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="returned-consents", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Asks the thread to end; a pending request to Google may complete."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                is_more = self.step()
            except DatabaseUnavailable:
                is_more = False  # the sweeping threads report it
            except Exception:
                self._services.log.exception("unexpected")
                is_more = False
            if not is_more:
                self._stopping.wait(POLL_SECONDS)

    def step(self) -> bool:
        """Tries to give back a due consent; was there one? Errors: DatabaseUnavailable."""
        services = self._services
        with services.database_pool.lent() as database:
            taken = gmail_revocations.take(database, services.clock())
        if taken is None:
            return False
        main = gmail_access.main_client_id(services.settings)
        with services.database_pool.lent() as database:
            is_in_use = gmail_revocations.is_in_use(database, taken, main)
        left, why = gmail_access.give_up(
            services.settings, taken.address, taken.token_sealed, is_shared=is_in_use, client_id=taken.client_id
        )
        self._note(taken, left, why)
        return True

    def _note(self, taken: Waiting, left: Left, why: str) -> None:
        services, now = self._services, self._services.clock()
        with services.database_pool.lent() as database:
            if left is Left.UNTOLD:
                state = gmail_revocations.failed(database, taken, why, now)
            else:
                state = State.KEPT if left is Left.SHARED else State.DONE
                gmail_revocations.end(database, taken, state, now)
        facts = {"mailbox": taken.address, "attempts": taken.attempts + 1}
        if left is Left.UNTOLD:
            services.log.warning("consent not returned", reason=why, state=str(state), **facts)
        else:
            services.log.info("consent returned" if state is State.DONE else "consent kept", **facts)
