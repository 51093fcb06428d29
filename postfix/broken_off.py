"""Messages that Postfix gave up after their recipients were accepted: too many hops, too large, a full disk, a lost connection.

The log line of such a failure names no address, and often not even the queue id. So the transaction is reconstructed from earlier
lines: by the queue id, or by the pid of an smtpd, which serves one client at a time. For the addresses, main.cf makes smtpd log
each accepted recipient (`info: RCPT … envelope`). Takes the lines from the newest to the oldest, and ignores those that could be
forged (`log_lines`); never reads or writes a file. Called by `maillog` and `new_refusals`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from postfix import log_lines
from postfix.log_lines import CLIENT

_QUEUE_ID = r"(?P<queue_id>[0-9A-Za-z]+): "
_SMTPD, _CLEANUP, _EITHER = (log_lines.program(*names) for names in (("smtpd",), ("cleanup",), ("smtpd", "cleanup")))
LOST_CONNECTION = "the connection was lost"  # no reply: nobody was left to receive it
# cleanup_strerror.c, for all errors without words of their own
_WRITE_ERROR = "451 4.3.0 Error: queue file write error"

# The text in the log, the stage, and the reply to the client (smtpd.c, cleanup_strerror.c). `why` is appended to it. When a
# connection ends, Postfix 3.10 gives the queue id, 3.7 doesn't.
_CAUSES = tuple(
    (re.compile(pattern), stage, reply)
    for pattern, stage, reply in (
        (
            _CLEANUP + rf"warning: {_QUEUE_ID}message rejected: hopcount exceeded",
            "END-OF-MESSAGE",
            "554 5.4.0 Error: too many hops",
        ),
        (
            _EITHER + rf"warning: {_QUEUE_ID}queue file size limit exceeded",
            "END-OF-MESSAGE",
            "552 5.3.4 Error: message file too big",
        ),
        (
            _EITHER + rf"warning: {_QUEUE_ID}write queue file: (?P<why>[A-Z][\w /-]+)",
            "END-OF-MESSAGE",
            _WRITE_ERROR,
        ),
        (
            _CLEANUP + rf"warning: {_QUEUE_ID}(?P<why>[^<>]*?)(?: -- )?message not accepted, try again later",
            "END-OF-MESSAGE",
            _WRITE_ERROR,
        ),
        (_SMTPD + r"warning: mail_stream_cleanup: close error", "END-OF-MESSAGE", _WRITE_ERROR),
        (
            _SMTPD + rf"improper command pipelining after (?P<stage>DATA|BDAT) from {CLIENT}: .*",
            "",
            "554 5.5.0 Error: SMTP protocol synchronization",
        ),
        (
            _SMTPD + rf"(?:{_QUEUE_ID})?timeout after (?P<stage>DATA|BDAT) \((?P<why>\d+ bytes)\) from {CLIENT}",
            "",
            "421 4.4.2 Error: timeout exceeded",
        ),
        (
            _SMTPD
            + rf"(?:{_QUEUE_ID})?lost connection after (?P<stage>DATA|BDAT) \((?P<why>\d+ bytes)\) from {CLIENT}",
            "",
            LOST_CONNECTION,
        ),
    )
)
_MAY_BE_CAUSE = re.compile(
    rb"rejected: hopcount| size limit exceeded|write queue file|not accepted, try again|close error| bytes\) from"
    rb"|command pipelining after"
)
_MAY_BE_OF_IT = re.compile(rb"]: connect from |: client=|: info: RCPT from ")
_BEGINS = re.compile(_SMTPD + r"connect from .*")
_IS_CLIENTS = re.compile(_SMTPD + rf"{_QUEUE_ID}client={CLIENT}(?:, .*)?")
_TAKES = re.compile(
    _SMTPD + rf"{_QUEUE_ID}info: RCPT from {CLIENT}: envelope; from=<(?P<sender>[^<>]*)> to=<(?P<recipient>[^<>]*)>"
    r" proto=\w+(?: helo=<[^<>]*>)?"
)


@dataclass(slots=True)
class BrokenOff:
    """One failed message. reply: sent to the client, or a text that no reply was possible.

    recipients: the last one first. client, sender: None if the log doesn't show them.
    """

    time: datetime
    stage: str
    reply: str
    queue_id: str | None = None
    client: str | None = None
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)


class Transactions:
    """Takes the lines, the newest first, and returns each message once its beginning was found."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._by_pid: dict[str, BrokenOff] = {}  # whose queue id isn't known yet
        self._by_queue_id: dict[str, BrokenOff] = {}
        self._first: dict[str, BrokenOff] = {}  # by pid: its first recipient, logged without queue id, is missing
        self._begins_only = False

    def take(self, raw: bytes) -> BrokenOff | None:
        """Reads one line, without its end; returns a message that it completes."""
        if len(raw) > log_lines.MAX_LINE_BYTES:
            return None
        if not self._begins_only and _MAY_BE_CAUSE.search(raw):
            self._note(log_lines.text_of(raw))
        elif (self._by_pid or self._by_queue_id or self._first) and _MAY_BE_OF_IT.search(raw):
            return self._complete(log_lines.text_of(raw))
        return None

    def awaits(self, queue_id: str) -> bool:
        """Is the beginning of this message still missing?"""
        return queue_id in self._by_queue_id

    def begins_only(self) -> None:
        """From here on, lines only complete known messages: older failures were reported before."""
        self._begins_only = True

    def rest(self) -> Iterator[BrokenOff]:
        """The transactions whose beginning isn't in the part of the log that was read."""
        yield from self._by_queue_id.values()
        yield from self._first.values()

    def _note(self, line: str) -> None:
        for pattern, stage, reply in _CAUSES:
            match = pattern.fullmatch(line)
            time = log_lines.moment(match["time"], self._now) if match else None
            if match is None or time is None:
                continue
            given = match.groupdict()
            why = f" ({given['why']})" if given.get("why") else ""
            found = BrokenOff(time, given.get("stage") or stage, reply + why)
            if given.get("queue_id"):
                # The earliest cause is found last, and counts: the later ones are its consequences.
                found.queue_id = given["queue_id"]
                self._by_queue_id[given["queue_id"]] = found
            else:
                self._by_pid[match["pid"]] = found
            return

    def _complete(self, line: str) -> BrokenOff | None:
        if match := _TAKES.fullmatch(line):
            return self._add_recipient(match)
        if match := _IS_CLIENTS.fullmatch(line):
            return self._learn_queue_id(match)
        if match := _BEGINS.fullmatch(line):
            self._by_pid.pop(match["pid"], None)
            return self._first.pop(match["pid"], None)
        return None

    def _learn_queue_id(self, match: re.Match[str]) -> BrokenOff | None:
        """Reads the line in which a transaction got its queue id. Returns a later transaction of this smtpd that still lacks its
        first recipient: no older line can have it."""
        pid, queue_id = match["pid"], match["queue_id"]
        later = self._first.pop(pid, None)
        by_pid = self._by_pid.pop(pid, None)
        found = self._by_queue_id.pop(queue_id, by_pid)
        if found:
            found.queue_id, found.client = queue_id, match["client"]
            self._first[pid] = found
        return later

    def _add_recipient(self, match: re.Match[str]) -> BrokenOff | None:
        pid, queue_id = match["pid"], match["queue_id"]
        if queue_id == "NOQUEUE":  # the first one, so everything is known
            done = self._first.pop(pid, None)
            return _with(done, match) if done else None
        # In Postfix 3.7, smtpd's line about a lost connection has no queue id.
        found = self._by_queue_id.get(queue_id) or self._by_pid.get(pid)
        if found:
            _with(found, match)
        return None


def _with(found: BrokenOff, match: re.Match[str]) -> BrokenOff:
    found.sender = match["sender"]
    found.recipients.append(match["recipient"])
    return found
