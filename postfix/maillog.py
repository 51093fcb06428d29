"""Mail that Postfix refused, or gave up in the middle of a message, read backwards from its log.

Attackers write into this log: names, addresses and the greeting are in it as they gave them. So a line is used only if the whole
line has one possible reading. A line with < or > within a field, or of more than MAX_LINE_BYTES, is left out and counted. Reads a
bounded part. Never writes. Called by `mailweir why` and `new_refusals`.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from mailweir import address
from mailweir.store.database.moments import rfc3339
from postfix import broken_off, log_lines
from postfix.broken_off import BrokenOff, Transactions
from postfix.log_lines import CLIENT, MAX_BYTES, MAX_LINE_BYTES, text_of

_MAX_REFUSALS = 100
_KEY_DIGITS = 24

_PROGRAM = log_lines.program("smtpd", "cleanup", "postscreen") + r"(?P<queue_id>[0-9A-Za-z]+): "
_REFUSAL = re.compile(
    _PROGRAM + rf"(?:milter-)?reject: (?P<stage>[A-Z-]+) from {CLIENT}: "
    r"(?P<reply>(?:[45]\d\d )?[45]\.\d+\.\d+ (?:<[^<>]*>: )?(?:[^<>;]|;(?! (?:from|to|proto)=))*)"
    r"(?:; from=<(?P<sender>[^<>]*)>)?(?: to=<(?P<recipient>[^<>]*)>)?[; ]+proto=\w+(?: helo=<(?P<helo>[^<>]*)>)?"
)
# A notice of our own Postfix that the filter deferred. Its line has no `proto=`, and no sender's mail was refused.
_OWN_NOTICE = re.compile(
    _PROGRAM + r"milter-reject: END-OF-MESSAGE from localhost\[127\.0\.0\.1\]: [^<>;]*; from=<> to=<[^<>]*>"
)
_MESSAGE_ID = re.compile(_PROGRAM + r"message-id=(?P<message_id><[^<>\s]+>)")
_QUEUE_ID_OF_NONE = "NOQUEUE"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal by Postfix. time: UTC. queue_id: None before there was one. stage: RCPT, ….

    sender, recipient: of the envelope as the client gave them, None if not given yet. reply: sent to the client, or a text that
    the connection was lost. client: "" if the log doesn't show it.
    """

    time: datetime
    queue_id: str | None
    stage: str
    client: str
    reply: str
    sender: str | None
    recipient: str | None
    message_id: str | None = None

    @property
    def is_for_good(self) -> bool:
        """5xx; otherwise the sender tries again."""
        return self.reply.startswith("5")

    @property
    def is_broken_off(self) -> bool:
        """The connection was lost in the middle of the message: nobody refused it."""
        return self.reply.startswith(broken_off.LOST_CONNECTION)

    @property
    def key(self) -> str:
        """Hexadecimal digits that identify it, the same for each reading and each file."""
        fields = (rfc3339(self.time), self.queue_id, self.stage, self.client, self.reply, self.sender, self.recipient)
        return hashlib.sha256(repr(fields).encode("utf-8", "surrogatepass")).hexdigest()[:_KEY_DIGITS]


@dataclass(frozen=True)
class Found:
    """Refusals, the newest first. left_out: the number of ambiguous lines that contain the text."""

    refusals: list[Refusal]
    left_out: int


def find(log: Path, text: str, now: datetime, limit: int | None = None, max_bytes: int = MAX_BYTES) -> Found:
    """The refusals that match the text: an address, a domain, a client's host name or IP address, a queue id, a Message-ID, or
    `NOQUEUE` for refusals without a queue id. LogUnreadable. now: for the lines' year."""
    search = _Search(text.strip(), now)
    for raw in log_lines.backwards(log, max_bytes):
        if len(search.found) >= (limit or _MAX_REFUSALS):
            break
        search.take(raw)
    search.end()
    # Sorted, because a message that was given up is found at its oldest line.
    return Found(sorted(search.found, key=lambda one: one.time, reverse=True), search.left_out)


class _Search:
    """The results for a text, collected from the lines, the newest first."""

    def __init__(self, wanted: str, now: datetime) -> None:
        self.found: list[Refusal] = []
        self.left_out = 0
        self._wanted, self._now = wanted, now
        self._by_address = address.normalise_path(wanted)
        # a host has a dot or a colon: the text may be any word, and the log has `unknown` for many hosts
        may_be_host = "@" not in wanted and ("." in wanted or ":" in wanted)
        self._host = (address.typed_domain(wanted) or wanted.lower()) if may_be_host else ""
        self._message_ids = {wanted, f"<{wanted}>"}
        self._with_id: dict[str, list[Refusal]] = {}
        self._ids_found: dict[str, str] = {}  # the wanted Message-ID, by queue id
        self._transactions = Transactions(now)

    def take(self, raw: bytes) -> None:
        """Reads one line, without its end."""
        if b"reject: " in raw:
            self._take_refusal(raw)
        elif b": message-id=" in raw:
            self._take_message_id(raw)
        elif done := self._transactions.take(raw):
            self._take_broken_off(done)

    def end(self) -> None:
        """Adds the messages that are incomplete at the end of the part that was read."""
        for done in self._transactions.rest():
            self._take_broken_off(done)

    def _take_refusal(self, raw: bytes) -> None:
        refusal = parse(raw, self._now)
        if refusal is None and _OWN_NOTICE.fullmatch(text_of(raw)):
            return
        if refusal is None:
            self.left_out += self._wanted.lower() in text_of(raw).lower()
        elif self._concerns(refusal):
            self.found.append(refusal)
        elif refusal.queue_id:
            self._with_id.setdefault(refusal.queue_id, []).append(refusal)

    def _take_message_id(self, raw: bytes) -> None:
        """Refusals with the line's queue id are further down in the log, so they have been read. A message that was given up is
        found later, at its oldest line."""
        queue_id, found = message_id_of(raw) or ("", "")
        if found not in self._message_ids:
            return
        self._ids_found[queue_id] = found
        self.found += [replace(one, message_id=found) for one in self._with_id.pop(queue_id, [])]

    def _take_broken_off(self, done: BrokenOff) -> None:
        message_id = self._ids_found.get(done.queue_id or "")
        self.found += [one for one in given_up(done, message_id) if message_id or self._concerns(one)]

    def _concerns(self, refusal: Refusal) -> bool:
        if self._wanted == (refusal.queue_id or _QUEUE_ID_OF_NONE):
            return True
        if self._host and self._host in refusal.client.lower().rstrip("]").split("["):
            return True
        given = [one for one in (refusal.sender, refusal.recipient) if one]
        if self._wanted.lower() == "postmaster":  # RFC 5321 4.5.1: the one address without a domain
            return "postmaster" in [one.lower() for one in given]
        normal = [one for one in map(address.normalise_path, given) if one]
        return self._by_address in normal or self._host in [address.split(one)[1] for one in normal]


def given_up(done: BrokenOff, message_id: str | None) -> list[Refusal]:
    """One refusal for each recipient, because the recipients may belong to several deployments."""
    recipients: list[str | None] = [*done.recipients]
    return [
        Refusal(
            done.time,
            done.queue_id,
            done.stage,
            done.client or "",
            done.reply,
            done.sender,
            recipient,
            message_id,
        )
        for recipient in recipients or [None]
    ]


def message_id_of(raw: bytes) -> tuple[str, str] | None:
    """The queue id and the Message-ID of a line, without its end; None for a line without both."""
    match = _MESSAGE_ID.fullmatch(text_of(raw))
    return None if match is None else (match["queue_id"], match["message_id"])


def parse(raw: bytes, now: datetime) -> Refusal | None:
    """Parses one line, without its end; None if it is ambiguous."""
    if len(raw) > MAX_LINE_BYTES:
        return None
    match = _REFUSAL.fullmatch(text_of(raw))
    time = log_lines.moment(match["time"], now) if match else None
    if match is None or time is None:
        return None
    queue_id = None if match["queue_id"] == _QUEUE_ID_OF_NONE else match["queue_id"]
    return Refusal(
        time,
        queue_id,
        match["stage"],
        match["client"],
        match["reply"].strip(),
        match["sender"],
        match["recipient"],
    )
