"""The callbacks of one SMTP connection: they collect, ask `handling`, and carry out its answer.

Never decides, parses or writes by itself. Postfix waits for an answer only where there is one to give: at each body chunk (to
SKIP what nobody wants) and at the end of the message. Anything unexpected is `451 4.3.0`, with a traceback in the log and the
queue id: the sender tries again and nothing is lost. libmilter calls each object from one thread at a time.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import Milter
import structlog

from capture_milter import handling
from capture_milter.assembly import Assembly
from capture_milter.group_commit import GroupCommit
from capture_milter.handling import Answer, ConfirmationDesk, Plan
from capture_milter.readers import Readers
from mailweir.envelope import Envelope, read_recipient, read_sender
from mailweir.errors import DatabaseUnavailable, DnsUnavailable
from mailweir.headers import LOOP_HEADER, Header
from mailweir.recording import Entry

COMMIT_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Services:
    """What a worker's connections share."""

    readers: Readers
    group_commit: GroupCommit
    desk: ConfirmationDesk
    log: structlog.stdlib.BoundLogger


@Milter.header_leading_space
class Session(Milter.Base):
    """One connection, which may bring many messages."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._client = ""
        self._reset()

    def _reset(self, sender: str = "") -> None:
        self._sender = sender
        self._login: str | None = None
        self._received_at = datetime.now(UTC)
        self._recipients: list[str] = []
        self._headers: list[Header] = []
        self._plan: Plan | None = None
        self._assembly: Assembly | None = None
        self._body: list[bytes] = []  # of a possible confirmation only

    @Milter.noreply
    def connect(self, hostname: str, family: Any, hostaddr: Any) -> int:
        """Notes the client."""
        self._client = hostaddr[0] if hostaddr else ""
        return Milter.CONTINUE

    @Milter.noreply
    def envfrom(self, sender: str, *_: str) -> int:
        """A new message begins; whatever the connection brought before is forgotten."""
        self._reset(sender)
        self._login = self.getsymval("{auth_authen}")
        return Milter.CONTINUE

    @Milter.noreply
    def envrcpt(self, recipient: str, *_: str) -> int:
        """Notes a recipient as it was typed."""
        self._recipients.append(recipient)
        return Milter.CONTINUE

    @Milter.noreply
    @Milter.decode("bytes")
    def header(self, name: str, value: bytes) -> int:
        """Notes a header, with its white space and folds."""
        self._headers.append((name.encode("ascii", "surrogateescape"), value.replace(b"\n", b"\r\n")))
        return Milter.CONTINUE

    def body(self, chunk: bytes) -> int:
        """Takes a part of the body, or says that nobody wants the rest of it."""
        try:
            plan = self._planned()
            if not plan.wants_body:
                return Milter.SKIP
            if self._assembly is None:
                self._assembly = Assembly(self._headers)
            self._assembly.add(chunk)
            if plan.possible_confirmation and self._assembly.size_bytes <= handling.MAX_CONFIRMATION_BYTES:
                self._body.append(chunk)
            return Milter.CONTINUE
        except Exception as error:  # noqa: BLE001  the edge: Postfix gets an answer for whatever happens
            return self._try_again(error)

    def eom(self) -> int:
        """The end of a message: records it, and only then answers."""
        try:
            plan = self._planned()
            queue_id = self.getsymval("i")
            if not queue_id:
                raise RuntimeError("Postfix gave no queue id")
            if not plan.recipients.arrivals:
                return Milter.ACCEPT
            recorded = self._services.group_commit.commit(
                self._entries(plan, queue_id), timeout_seconds=COMMIT_TIMEOUT_SECONDS, keep_alive=self.progress
            )
            return self._carry_out(handling.answer(plan.recipients, recorded))
        except Exception as error:  # noqa: BLE001  likewise
            return self._try_again(error)

    def abort(self) -> int:
        """The message ends before its end; can come twice."""
        self._reset()
        return Milter.CONTINUE

    def close(self) -> int:
        """The connection ends."""
        self._reset()
        return Milter.CONTINUE

    def _planned(self) -> Plan:
        if self._plan is None:
            envelope = Envelope(
                read_sender(self._sender),
                tuple(read_recipient(typed) for typed in self._recipients),
                self._login,
                self._client,
                self._received_at,
            )
            with self._services.readers.directory() as directory:
                self._plan = handling.plan(envelope, self._headers, directory)
        return self._plan

    def _entries(self, plan: Plan, queue_id: str) -> list[Entry]:
        assembly = self._assembly
        if assembly is None and plan.wants_body:  # a message without a body
            assembly = Assembly(self._headers)
        if plan.possible_confirmation:
            assert assembly is not None
            return self._services.desk.entries(plan, self._headers, b"".join(self._body), assembly, queue_id)
        return handling.entries(plan, assembly, queue_id)

    def _carry_out(self, answer: Answer) -> int:
        if answer.discard:
            return Milter.DISCARD
        if answer.loop_mark:
            # At index 0 it lands above Received, where no signature covers it; header_leading_space leaves its space to us.
            self.addheader(LOOP_HEADER.decode(), f" {answer.loop_mark}", 0)
        if answer.sender is not None:
            self.chgfrom(f"<{answer.sender}>")
        for typed in answer.remove:
            self.delrcpt(typed)
        for mailbox in answer.add:
            self.addrcpt(f"<{mailbox}>")
        return Milter.ACCEPT

    def _try_again(self, error: Exception) -> int:
        queue_id = self.getsymval("i")
        if isinstance(error, (DatabaseUnavailable, TimeoutError)):
            self._services.log.error("database unavailable", queue_id=queue_id, error=str(error))
            self.setreply("451", "4.3.0", "The record can't be written right now, try again later")
        elif isinstance(error, DnsUnavailable):
            self._services.log.warning("DNS unavailable", queue_id=queue_id, error=str(error))
            self.setreply("451", "4.4.3", "A signature can't be checked right now, try again later")
        else:
            self._services.log.error("unexpected", queue_id=queue_id, exc_info=error)
            self.setreply("451", "4.3.0", "Something went wrong here, try again later")
        return Milter.TEMPFAIL
