"""The callbacks of one SMTP connection: they collect data, call `handling`, and carry out its answer.

Never decides, parses or writes by itself. Postfix waits for an answer only at the end of the message. If it also waited for a
SKIP at a body chunk, every message would need another round trip, only to save copying a few large unwanted ones. Anything
unexpected gives `451 4.3.0`, and a traceback with the queue id in the log: the sender tries again and nothing is lost. libmilter
calls each object from one thread at a time. Registered by `server`; without pymilter's `Base`, whose layers cost a fifth of the
filter's CPU.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

import milter
from capture_milter import handling, notices, relay, signing
from capture_milter.assembly import Assembly
from capture_milter.completing import Completer, Completion
from capture_milter.counters import TempfailCause
from capture_milter.events import Events
from capture_milter.group_commit import GroupCommit
from capture_milter.handling import Answer, ConfirmationDesk, Plan, Refusal
from capture_milter.readers import Readers
from capture_milter.relay_directory import CachedRelayDirectory
from capture_milter.signing import Signers, Signing
from mailweir.envelope import Envelope, Recipient, read_recipient, read_sender
from mailweir.errors import DatabaseUnavailable, DnsUnavailable
from mailweir.headers import LOOP_HEADER, Header
from mailweir.recording import Entry
from mailweir.settings import Digest as HoldLimits
from mailweir.settings import Relay as RelayLimits
from mailweir.traces import Traces

COMMIT_TIMEOUT_SECONDS = 60.0
_KEEP_ALIVE_SECONDS = 5.0
ACTIONS = milter.ADDHDRS | milter.ADDRCPT | milter.DELRCPT | milter.CHGFROM | milter.SETSYMLIST
# P_NO: callbacks that we don't need. P_NR: callbacks whose answers Postfix doesn't wait for. P_HDR_LEADSPC: headers come with
# their white space and folds.
PROTOCOL = (
    (milter.P_NOHELO | milter.P_NODATA | milter.P_NOUNKNOWN | milter.P_NOEOH)
    | (milter.P_NR_CONN | milter.P_NR_MAIL | milter.P_NR_RCPT | milter.P_NR_HDR | milter.P_NR_BODY)
    | milter.P_HDR_LEADSPC
)


@dataclass(frozen=True, slots=True)
class Services:
    """The objects that a worker's connections share."""

    readers: Readers
    group_commit: GroupCommit
    desk: ConfirmationDesk
    signers: Signers
    log: structlog.stdlib.BoundLogger
    events: Events
    relay_limits: RelayLimits
    traces: Traces
    completer: Completer
    hold_limits: HoldLimits = field(default_factory=HoldLimits)
    large_turn: threading.Lock = field(default_factory=threading.Lock)


class Session:
    """One connection, which may bring many messages. ctx: libmilter's side of it."""

    __slots__ = (
        "_assembly",
        "_body",
        "_client",
        "_completion",
        "_ctx",
        "_daemon",
        "_failure",
        "_headers",
        "_login",
        "_plan",
        "_received_at",
        "_recipients",
        "_sender",
        "_services",
        "_signing",
    )

    def __init__(self, services: Services, ctx: Any) -> None:
        self._services = services
        self._ctx = ctx
        self._client = ""
        self._daemon: str | None = None
        self._reset()

    def _reset(self) -> None:
        self._sender = ""
        self._login: str | None = None
        self._received_at = datetime.now(UTC)
        self._recipients: list[Recipient] = []
        self._headers: list[Header] = []
        self._plan: Plan | None = None
        self._assembly: Assembly | None = None
        self._body: list[bytes] = []  # of a possible confirmation only
        self._signing: Signing | None = None
        self._completion: Completion | None = None
        self._failure: Exception | None = None  # reported at the end of the message

    def connect(self, hostaddr: Any) -> int:
        """Notes the client, and the service that accepted it (master.cf's milter_macro_daemon_name)."""
        self._client = hostaddr[0] if hostaddr else ""
        self._daemon = self._ctx.getsymval("{daemon_name}")
        return milter.NOREPLY

    def envfrom(self, sender: bytes) -> int:
        """A new message begins; data from earlier messages of the connection is dropped."""
        self._reset()
        self._sender = sender.decode("utf-8", "surrogateescape")
        self._login = self._ctx.getsymval("{auth_authen}")
        return milter.NOREPLY

    def envrcpt(self, recipient: bytes) -> int:
        """Notes a recipient as typed, and as Postfix reads it."""
        typed = recipient.decode("utf-8", "surrogateescape")
        self._recipients.append(read_recipient(typed, self._ctx.getsymval("{rcpt_addr}")))
        return milter.NOREPLY

    def header(self, name: str, value: bytes) -> int:
        """Notes a header, with its white space and folds."""
        if b"\n" in value:
            value = value.replace(b"\n", b"\r\n")
        self._headers.append((name.encode("utf-8"), value))
        return milter.NOREPLY

    def body(self, chunk: bytes) -> int:
        """Takes a part of the body, if it is needed."""
        if self._failure is None:
            try:
                self._take(chunk)
            except Exception as error:  # noqa: BLE001  the edge: Postfix gets an answer for whatever happens
                self._failure = error
        return milter.NOREPLY

    def _take(self, chunk: bytes) -> None:
        plan = self._planned()
        if self._signing:
            self._signing.add(chunk)
        if self._completion:
            self._completion.add(chunk)
            return
        if not plan.wants_body:
            return
        if self._assembly is None:
            self._assembly = Assembly(self._headers)
        self._assembly.add(chunk)
        if plan.possible_confirmation and self._assembly.size_bytes <= handling.MAX_CONFIRMATION_BYTES:
            self._body.append(chunk)

    def eom(self) -> int:
        """The end of a message: records it, and only then answers."""
        try:
            if self._failure is not None:
                raise self._failure
            plan = self._completed()
            if not plan.decisions:
                return self._refuse(plan.refusal) if plan.refusal else self._accept()
            queue_id = self._ctx.getsymval("i")
            if not queue_id:
                raise RuntimeError("Postfix gave no queue id")
            with self._large_turn():
                recorded = self._services.group_commit.commit(
                    self._entries(plan, queue_id), timeout_seconds=COMMIT_TIMEOUT_SECONDS, keep_alive=self._ctx.progress
                )
                self._assembly = None
            if plan.refusal:
                return self._refuse(plan.refusal)
            return self._carry_out(handling.answer(plan, recorded))
        except Exception as error:  # noqa: BLE001  likewise
            return self._try_again(error)

    @contextmanager
    def _large_turn(self) -> Iterator[None]:
        """A worker holds one large message in memory at a time: a database driver keeps copies of the data that it writes."""
        if self._assembly is None or not self._assembly.is_large:
            yield
            return
        left = COMMIT_TIMEOUT_SECONDS
        while not self._services.large_turn.acquire(timeout=_KEEP_ALIVE_SECONDS):
            left -= _KEEP_ALIVE_SECONDS
            if left <= 0:
                raise TimeoutError("other large messages took too long to be written")
            self._ctx.progress()
        try:
            yield
        finally:
            self._services.large_turn.release()

    def abort(self) -> int:
        """The message is aborted; may be called twice."""
        self._reset()
        return milter.CONTINUE

    def close(self) -> int:
        """The connection ends: releases libmilter's side, which holds a reference to this object."""
        self._reset()
        self._ctx.setpriv(None)
        self._ctx = None
        return milter.CONTINUE

    def _planned(self) -> Plan:
        if self._plan is None:
            sender, recipients = read_sender(self._sender), tuple(self._recipients)
            envelope = Envelope(
                sender=sender,
                recipients=recipients,
                login=self._login,
                client=self._client,
                received_at=self._received_at,
            )
            with self._services.readers.directory() as directory:
                if self._login is None and self._daemon != relay.DAEMON_NAME:
                    plan = handling.plan(envelope, self._headers, directory)
                else:
                    asked = CachedRelayDirectory(directory)
                    plan = relay.plan(envelope, self._headers, asked, self._services.relay_limits)
                    if not plan.refusal:
                        self._signing = self._services.signers.begin(self._login, plan.view, self._headers, asked)
                        self._completion = self._services.completer.begin(plan, self._headers)
            self._plan = plan
        return self._plan

    def _completed(self) -> Plan:
        """The plan at the end of the message. The headers that it lacked are known now, and are sent and recorded with it."""
        plan = self._planned()
        if self._completion:
            self._plan = plan = handling.complete(plan, self._completion.headers())
            self._assembly = self._completion.assembly()
        return plan

    def _entries(self, plan: Plan, queue_id: str) -> list[Entry]:
        assembly = self._assembly
        if assembly is None and plan.wants_body:  # a message without a body
            assembly = Assembly(self._headers)
        if plan.possible_confirmation:
            assert assembly is not None
            return self._services.desk.entries(plan, self._headers, b"".join(self._body), assembly, queue_id)
        return handling.entries(plan, assembly, queue_id, self._services.traces, self._services.hold_limits)

    def _carry_out(self, answer: Answer) -> int:
        if answer.discard:
            return milter.DISCARD
        if answer.loop_mark:
            # Index 0 is above Received, where no signature covers it. P_HDR_LEADSPC: we write the leading space ourselves.
            self._ctx.addheader(LOOP_HEADER.decode(), f" {answer.loop_mark}", 0)
        if answer.sender is not None:
            self._ctx.chgfrom(f"<{answer.sender}>", None)
        for name in answer.remove:
            self._ctx.delrcpt(name)
        for mailbox in answer.add:
            self._ctx.addrcpt(f"<{mailbox}>", None)
        return self._accept()

    def _accept(self) -> int:
        """Mail from the relay gets its missing headers, and is signed; of Postfix's notices only the permitted ones are sent."""
        if self._login is None and self._daemon == notices.DAEMON_NAME:
            return milter.ACCEPT if self._is_owed() else milter.DISCARD
        added = self._plan.added if self._plan else ()
        for name, value in added:
            # Below the message's own headers, as Postfix would add them. P_HDR_LEADSPC: the value includes its leading space.
            self._ctx.addheader(name.decode("ascii"), value.decode("ascii"))
        if self._signing:  # above all others
            self._ctx.addheader(signing.NAME, self._signing.value(added=added), 0)
        return milter.ACCEPT

    def _is_owed(self) -> bool:
        about = notices.bounced_queue_id(self._headers)
        with self._services.readers.directory() as directory:
            owed = notices.is_owed(self._recipients, about, directory)
        self._services.log.info(
            "notice passed on" if owed else "notice thrown away",
            queue_id=self._ctx.getsymval("i"),
            about=about,
            to=" ".join(recipient.typed for recipient in self._recipients),
        )
        return owed

    def _refuse(self, refusal: Refusal) -> int:
        facts = {"queue_id": self._ctx.getsymval("i"), "login": self._login, "client": self._client}
        if self._plan and self._plan.use and self._plan.use.suspend:
            self._services.log.error("login suspended", **facts, reason=self._plan.use.suspend)
        self._services.log.warning("refused on the relay", **facts, code=refusal.code, reason=refusal.sentence)
        self._ctx.setreply(refusal.code, refusal.enhanced, refusal.sentence)
        return milter.TEMPFAIL if refusal.code.startswith("4") else milter.REJECT

    def _try_again(self, error: Exception) -> int:
        facts = {"queue_id": self._ctx.getsymval("i"), "client": self._client}
        if isinstance(error, (DatabaseUnavailable, TimeoutError)):
            cause = TempfailCause.DATABASE
            self._services.log.error("database unavailable", **facts, error=str(error))
            self._ctx.setreply("451", "4.3.0", "The record can't be written right now, try again later")
        elif isinstance(error, DnsUnavailable):
            cause = TempfailCause.DNS
            self._services.log.warning("DNS unavailable", **facts, error=str(error))
            self._ctx.setreply("451", "4.4.3", "A signature can't be checked right now, try again later")
        else:
            cause = TempfailCause.UNEXPECTED
            self._services.log.error("unexpected", **facts, exc_info=error)
            self._ctx.setreply("451", "4.3.0", "Something went wrong here, try again later")
        self._services.events.tempfailed(cause)
        return milter.TEMPFAIL


def register(make_session: Callable[[Any], Session]) -> None:
    """Registers our callbacks with libmilter; call it before the socket is opened. make_session: makes the session of a
    connection from libmilter's side of it."""

    def negotiate(ctx: Any, options: list[int]) -> int:
        if options[1] & PROTOCOL != PROTOCOL:
            raise RuntimeError(
                "this mail server lacks a part of the milter protocol that is needed: Postfix 3.7 has all"
            )
        ctx.setpriv(make_session(ctx))
        for stage in (milter.M_HELO, milter.M_DATA, milter.M_EOH):
            ctx.setsymlist(stage, "")
        ctx.setsymlist(milter.M_CONNECT, "{daemon_name}")
        ctx.setsymlist(milter.M_ENVFROM, "{auth_authen}")
        ctx.setsymlist(milter.M_ENVRCPT, "{rcpt_addr}")
        ctx.setsymlist(milter.M_EOM, "i")
        options[:] = [ACTIONS, PROTOCOL, 0, 0]
        return milter.CONTINUE

    milter.set_connect_callback(lambda ctx, name, family, hostaddr: ctx.getpriv().connect(hostaddr))
    milter.set_envfrom_callback(lambda ctx, sender, *_: ctx.getpriv().envfrom(sender))
    milter.set_envrcpt_callback(lambda ctx, recipient, *_: ctx.getpriv().envrcpt(recipient))
    milter.set_header_callback(lambda ctx, name, value: ctx.getpriv().header(name, value))
    milter.set_body_callback(lambda ctx, chunk: ctx.getpriv().body(chunk))
    milter.set_eom_callback(lambda ctx: ctx.getpriv().eom())
    milter.set_abort_callback(lambda ctx: ctx.getpriv().abort())
    milter.set_close_callback(lambda ctx: ctx.getpriv().close())
    milter.set_flags(ACTIONS)
    milter.register("mailweir", negotiate=negotiate)
