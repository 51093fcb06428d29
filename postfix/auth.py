"""`mailweir-auth`: tells Postfix's smtpd whether a login's password is right, live from the database.

smtpd uses Dovecot's authentication protocol (`auth_protocol`). `mailweir up` or systemd holds the socket and passes it on, so
that requests wait while this process restarts. Only this process handles cleartext passwords: they are never logged, it leaves no
core dump, and no other process can read its memory. If a request can't be decided now, its connection is closed, and smtpd
replies 454. Only an invalid request or a completed comparison gives a 535. A guardian forks the answering process, and replaces
it if it dies or hangs. Never writes, never caches. Started by `mailweir up` or systemd, as the unprivileged user.
"""

import asyncio
import ctypes
import ipaddress
import itertools
import os
import resource
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import structlog

from mailweir import daemons, guardian, log, passwords, settings
from mailweir.database_url import DatabaseUrl
from mailweir.errors import MailweirError
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.people import relay_logins
from postfix import auth_protocol, connections, listener
from postfix.auth_protocol import Conversation, Question, Refusal
from postfix.malformed import Malformed
from postfix.turns import Turns

PROCESS = daemons.AUTH.name
# smtpd gives up after 10 s, and replies 454 as it does when we hang up.
ANSWER_SECONDS = 5.0
# From a request until the reply "wrong", whether the login exists or not. Other clients don't wait meanwhile: each smtpd has its
# own connection.
PENALTY_SECONDS = 2.0
BUSY_TIMEOUT_SECONDS = 1.0
_THREADS = 2
_IPV6_NETWORK_BITS = 64
_PR_SET_DUMPABLE = 4


class CannotAnswer(Exception):
    """The request can't be decided now."""


class Verdict(NamedTuple):
    """The result of a request. login: in its stored spelling, or None if it doesn't exist."""

    login: str | None
    is_right: bool


_NOBODY = Verdict(None, is_right=False)
Prove = Callable[[str, bytes], Verdict]


class Prover:
    """Looks a login up and compares its password. decoy: a hash that no password has, for unknown logins."""

    def __init__(self, database_url: DatabaseUrl, decoy: str, logger: structlog.stdlib.BoundLogger) -> None:
        self._database = Database(database_url, busy_timeout_seconds=BUSY_TIMEOUT_SECONDS)
        self._decoy = decoy
        self._logger = logger
        self._is_checked = False

    def prove(self, login: str, password: bytes) -> Verdict:
        """Is it the login's password? The answer takes as long for an unknown login. CannotAnswer."""
        try:
            found = self._look_up(login)
            is_right = passwords.is_right(found.password_hash if found else self._decoy, password)
        except MailweirError as error:
            self._logger.error("can't answer", reason=str(error))
        except Exception as error:  # noqa: BLE001  the edge; no traceback, because its text may quote the request
            self._logger.error("can't answer", reason=type(error).__name__)
        else:
            return Verdict(found.login, is_right) if found else _NOBODY
        self._database.close()
        self._is_checked = False
        raise CannotAnswer

    def _look_up(self, login: str) -> relay_logins.Proof | None:
        if not self._is_checked:
            versions.check(self._database)
            self._is_checked = True
        return relay_logins.proof(self._database, login)


class Desk:
    """Decides requests, a few at a time, and only one at a time for each address. prove: is called in threads."""

    def __init__(self, prove: Prove, threads: int = _THREADS) -> None:
        self._prove = prove
        self._turns = Turns(threads)
        self._pool = ThreadPoolExecutor(threads)

    async def decide(self, question: Question) -> Verdict:
        """Is it the login's password? CannotAnswer, also if it takes too long."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._turns.turn(network_of(question.client)):
                running = asyncio.get_running_loop().run_in_executor(
                    self._pool, self._prove, question.login, question.password
                )
                return await running
        except TimeoutError as error:
            raise CannotAnswer from error


def network_of(client: str) -> str:
    """The network for a client's address: the address itself, or for IPv6 its /64, which one host may have as a whole."""
    with suppress(ValueError):
        address = ipaddress.ip_address(client)
        if address.version == 6:
            return str(ipaddress.ip_network((int(address), _IPV6_NETWORK_BITS), strict=False))
    return client


def per_thread(make: Callable[[], Prover]) -> Prove:
    """A `prove` with a separate Prover for each thread: a database connection belongs to one thread."""
    own = threading.local()

    def prove(login: str, password: bytes) -> Verdict:
        if not hasattr(own, "prover"):
            own.prover = make()
        return own.prover.prove(login, password)  # type: ignore[no-any-return]

    return prove


class Connection(connections.Connection):
    """One smtpd: its requests are decided in sequence."""

    _numbers = itertools.count(1)

    def __init__(
        self,
        decide: Callable[[Question], Awaitable[Verdict]],
        logger: structlog.stdlib.BoundLogger,
        open_ones: set[connections.Connection],
    ) -> None:
        super().__init__(auth_protocol.MAX_LINE_BYTES, logger, open_ones)
        self._decide = decide
        self._conversation = Conversation()
        self._deciding: asyncio.Task[None] | None = None

    def greet(self) -> None:
        """See connections.Connection."""
        self.send(auth_protocol.greeting(next(self._numbers)))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(exc)
        if self._deciding is not None:
            self._deciding.cancel()

    @property
    def is_busy(self) -> bool:
        """See connections.Connection."""
        return self._deciding is not None

    def step(self) -> bool:
        """See connections.Connection."""
        line = self._next_line()
        if line is None:
            return False
        self._take(self._conversation.receive(line))
        return True

    def log_malformed(self, reason: str) -> None:
        """See connections.Connection."""
        self._logger.warning("closed a connection on a malformed line", reason=reason)

    def _next_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", 0, auth_protocol.MAX_LINE_BYTES + 1)
        if end < 0:
            if len(self._buffer) > auth_protocol.MAX_LINE_BYTES:
                raise Malformed("a line without an end")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _take(self, outcome: bytes | Question | Refusal | None) -> None:
        if isinstance(outcome, bytes):
            self.send(outcome)
        elif outcome is not None:
            self._deciding = asyncio.get_running_loop().create_task(self._reply(outcome))

    async def _reply(self, asked: Question | Refusal) -> None:
        due = asyncio.get_running_loop().time() + PENALTY_SECONDS
        try:
            verdict = await self._decide(asked) if isinstance(asked, Question) else _NOBODY
        except CannotAnswer:
            self.hang_up()
            return
        except Exception as error:  # noqa: BLE001  the edge: smtpd learns at once that there is no answer
            self._logger.error("can't answer", reason=type(error).__name__)
            self.hang_up()
            return
        if verdict.login and verdict.is_right:
            reply = auth_protocol.ok(asked.request_id, verdict.login)
        else:
            reply = auth_protocol.fail(asked.request_id, verdict.login)
            await asyncio.sleep(due - asyncio.get_running_loop().time())
        self.send(reply)
        self._deciding = None
        self.go_on()

    def hang_up(self) -> None:
        """See connections.Connection. A pending decision is cancelled."""
        if self._deciding is not None and self._deciding is not asyncio.current_task():
            self._deciding.cancel()
        super().hang_up()


async def _serve(
    database_url: DatabaseUrl, decoy: str, listening_on: socket.socket, beat: int, logger: structlog.stdlib.BoundLogger
) -> None:
    """Answers until SIGTERM or SIGINT. beat: the descriptor for signs of life to the guardian."""
    stop = connections.stop_event()
    desk = Desk(per_thread(partial(Prover, database_url, decoy, logger)))
    os.set_blocking(beat, False)
    async with connections.answering(listening_on, partial(Connection, desk.decide, logger)):
        logger.info("answering", pid=os.getpid())
        while not stop.is_set():
            with suppress(BlockingIOError):  # the guardian itself is stopped
                os.write(beat, b".")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), guardian.BEAT_SECONDS)


def keep_secrets_in() -> None:
    """Prevents core dumps and access to this process by its own user: passwords are in its memory (prctl(2), PR_SET_DUMPABLE)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0)


def main() -> None:
    """The console script. Exit 1 with one line if the settings prevent serving. An unavailable database doesn't."""
    keep_secrets_in()
    logger = log.configure(PROCESS)
    try:
        configured = settings.load()
        database_url, path = configured.database_url, configured.auth_socket
        Database(database_url)  # checks that its driver is installed
        # A socket whose file is gone can't be reached any more.
        given = listener.handed_over(path) if path.is_socket() else None
        listening_on = given or listener.listening(path)
    except MailweirError as error:
        sys.exit(f"{PROCESS}: {error}")
    inode = path.stat().st_ino
    decoy = passwords.digest(passwords.generate())
    logger.info("keeps one that answers", socket=str(path), pid=os.getpid())
    guardian.keep(
        lambda _, beat: asyncio.run(_serve(database_url, decoy, listening_on, beat, logger)),
        partial(listener.is_there, path, inode),
        logger,
    )
    if not listener.is_there(path, inode):
        sys.exit(f"{PROCESS}: the socket {path} is gone; it is made anew at the next start")
    if not given:
        path.unlink()
    logger.info("stopped")
