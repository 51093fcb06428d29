"""`mailweir-lookups`: answers Postfix's queries about addresses, live from the database.

Postfix queries five maps, each with a whole address: at each RCPT `rcpt` (may mail for it come in?), from the queue manager
`transport` (may mail for it go out?), from cleanup `alias` (who gets postmaster's mail?), and on the relay `sender` (which logins
own it?) and `relayed` (is it a capture address without an owner?). Never writes, never caches: an addition or removal counts at
the next query. Handles no passwords: `auth` does. Started by `mailweir up` or systemd, as the unprivileged user; Postfix queries
it over `socketmap:`.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Protocol

import structlog

from mailweir import address, daemons, heap, log, settings
from mailweir.errors import DatabaseUnavailable, MailweirError
from mailweir.settings import Settings
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.people.directory import SqlDirectory, Standing
from postfix import connections, socketmap

PROCESS = daemons.LOOKUPS.name
BUSY_TIMEOUT_SECONDS = 1.0  # readers don't wait for writers; this limits the wait for SQLite's recovery after a crash

ACCEPT = socketmap.found("permit")
REFUSE_UNKNOWN = socketmap.found("550 5.1.1 nobody by that name here")
REFUSE_FOREIGN = socketmap.found("554 5.7.1 not a domain of ours, and nothing is relayed here")
# `retry:` defers; `error:` would bounce, whatever its code (Postfix 3.7: "ignoring dsn code", transport(5)).
KEEP_HERE = socketmap.found("retry:4.3.0 mail for a capture domain doesn't leave this host")


class LookupDirectory(Protocol):
    """The directory of known people. SqlDirectory; in tests a small one in memory."""

    def standing(self, text: str) -> Standing:
        """The kind of a recipient address, in Postfix's spelling."""

    def relay_owners(self, sender: str) -> list[str]:
        """The logins that may send as this address."""


class Lookups:
    """The maps' answers. Errors: DatabaseUnavailable, of the directory."""

    def __init__(self, directory: LookupDirectory, *, hostname: str, admin_address: str) -> None:
        self._directory = directory
        # A bare `postmaster` already has $myorigin appended when its alias is queried.
        self._own_roles = {f"{role}@{hostname.lower()}" for role in address.ROLE_LOCAL_PARTS}
        self._admin_address = address.normalise(admin_address) or admin_address
        self._maps: dict[str, Callable[[str], str]] = {
            "rcpt": self._rcpt,
            "transport": self._transport,
            "alias": self._alias,
            "sender": self._sender,
            "relayed": self._relayed,
        }

    def answer(self, map_name: str, key: str) -> str:
        """The socketmap reply for a key. A key without `@` (a domain, a wildcard) is in no map."""
        ask = self._maps.get(map_name)
        if ask is None:
            return f"PERM there is no map '{map_name}'"
        return ask(key) if "@" in key else socketmap.NOT_FOUND

    def _rcpt(self, key: str) -> str:
        standing = self._directory.standing(key)
        if standing is Standing.UNKNOWN:
            return REFUSE_UNKNOWN
        return REFUSE_FOREIGN if standing is Standing.FOREIGN else ACCEPT

    def _relayed(self, key: str) -> str:
        return REFUSE_UNKNOWN if self._directory.standing(key) is Standing.UNKNOWN else socketmap.NOT_FOUND

    def _sender(self, key: str) -> str:
        owners = self._directory.relay_owners(key)
        return socketmap.found(",".join(owners)) if owners else socketmap.NOT_FOUND

    def _transport(self, key: str) -> str:
        # By the domain alone: mail for a capture domain must not go out because of an unreadable local part.
        domain = key.rpartition("@")[2]
        foreign = self._directory.standing(f"postmaster@{domain}") is Standing.FOREIGN
        return socketmap.NOT_FOUND if foreign else KEEP_HERE

    def _alias(self, key: str) -> str:
        recipient = address.normalise_path(key)
        if recipient == self._admin_address:
            return socketmap.NOT_FOUND  # otherwise it would be queried again and again
        is_role = recipient in self._own_roles or self._directory.standing(key) is Standing.ROLE
        return socketmap.found(self._admin_address) if is_role else socketmap.NOT_FOUND


def guarded(
    answer: socketmap.Answer, disconnect: Callable[[], None], logger: structlog.stdlib.BoundLogger
) -> socketmap.Answer:
    """Makes an error a TEMP reply, for which Postfix replies 451; the next query uses a new database connection."""

    def answer_anyway(map_name: str, key: str) -> str:
        try:
            return answer(map_name, key)
        except DatabaseUnavailable as error:
            logger.error("can't answer", map=map_name, reason=str(error))
        except Exception:
            logger.exception("can't answer", map=map_name, key=key)
        disconnect()
        return socketmap.temporary("the database can't be asked now")

    return answer_anyway


async def serve(configured: Settings, database: Database, logger: structlog.stdlib.BoundLogger) -> None:
    """Answers until SIGTERM or SIGINT."""
    lookups = Lookups(SqlDirectory(database), hostname=configured.hostname, admin_address=configured.admin_address)
    stop = connections.stop_event()
    answer = guarded(lookups.answer, database.close, logger)
    async with connections.serving(configured.lookups_socket, partial(socketmap.Connection, answer, logger)):
        heap.freeze()
        logger.info("answering", socket=str(configured.lookups_socket), pid=os.getpid())
        await stop.wait()
    logger.info("stopped")


def main() -> None:
    """The console script: settings, a check of the database's version, then serve in the foreground."""
    logger = log.configure(PROCESS)
    try:
        configured = settings.load()
        database = Database(configured.database_url, busy_timeout_seconds=BUSY_TIMEOUT_SECONDS)
        versions.check(database)
        asyncio.run(serve(configured, database, logger))
    except MailweirError as error:
        sys.stderr.write(f"{PROCESS}: {error}\n")
        sys.exit(1)
