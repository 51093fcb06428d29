"""What Postfix refused, read backwards from its log.

Attackers write into this log: names, addresses and the greeting stand in it as they gave them. So a line counts only where it
can be read in one way, from end to end; one with < or > within a field, or longer than a line of ours gets, is left out and
counted. Reads a bounded part. Never writes. Called by `mailweir why`.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailweir import address
from mailweir.errors import MailweirError
from mailweir.store.moments import rfc3339

MAX_BYTES = 64 * 2**20
_BLOCK_BYTES = 2**20
_MAX_LINE_BYTES = 1000  # Postfix cuts near 2,000, where what the client gave could stand at the end
_MAX_REFUSALS = 100

_TIME = r"(?P<time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*)"
_PROGRAM = (
    rf"{_TIME} \S+ postfix(?:-[\w-]+)?/(?:\w+/)?(?:smtpd|cleanup|postscreen)\[\d+\]: (?P<queue_id>[0-9A-Za-z]+): "
)
_REFUSAL = re.compile(
    _PROGRAM + r"(?:milter-)?reject: (?P<stage>[A-Z-]+) from (?P<client>[\w.-]+\[[0-9A-Fa-f.:]+\])(?::\d+)?: "
    r"(?P<reply>(?:[45]\d\d )?[45]\.\d+\.\d+ (?:<[^<>]*>: )?(?:[^<>;]|;(?! (?:from|to|proto)=))*)"
    r"(?:; from=<(?P<sender>[^<>]*)>)?(?: to=<(?P<recipient>[^<>]*)>)?[; ]+proto=\w+(?: helo=<(?P<helo>[^<>]*)>)?"
)
# Of a notice of our own Postfix that the filter put off: it comes by no protocol, and is nothing that somebody sent
_OWN_NOTICE = re.compile(
    _PROGRAM + r"milter-reject: END-OF-MESSAGE from localhost\[127\.0\.0\.1\]: [^<>;]*; from=<> to=<[^<>]*>"
)
_MESSAGE_ID = re.compile(_PROGRAM + r"message-id=(?P<message_id><[^<>\s]+>)")
_QUEUE_ID_OF_NONE = "NOQUEUE"


class LogUnreadable(MailweirError):
    """The log isn't there, or isn't for us to read."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One time that Postfix refused something. time: RFC 3339, UTC. queue_id: None before there was one. stage: RCPT, ….

    sender, recipient: of the envelope as the client gave them, None where none was given yet. reply: what the client was told.
    """

    time: str
    queue_id: str | None
    stage: str
    client: str
    reply: str
    sender: str | None
    recipient: str | None
    message_id: str | None = None

    @property
    def is_for_good(self) -> bool:
        """5xx; else the sender comes again."""
        return self.reply.startswith("5")


@dataclass(frozen=True)
class Found:
    """Refusals, the newest first. left_out: lines with the text that can be read in two ways."""

    refusals: list[Refusal]
    left_out: int


def find(log: Path, text: str, now: datetime, limit: int | None = None, max_bytes: int = MAX_BYTES) -> Found:
    """What was refused to or from an address, under a queue id or a Message-ID. LogUnreadable. now: for the lines' year."""
    wanted = text.strip()
    by_address = address.normalise_path(wanted)
    message_ids = {wanted, f"<{wanted}>"}
    found: list[Refusal] = []
    with_id: dict[str, list[Refusal]] = {}
    left_out = 0
    for raw in _lines_backwards(log, max_bytes):
        if len(found) >= (limit or _MAX_REFUSALS):
            break
        if b"reject: " in raw:
            refusal = parse(raw, now)
            if refusal is None and _OWN_NOTICE.fullmatch(_text(raw)):
                continue
            if refusal is None:
                left_out += wanted.lower() in _text(raw).lower()
            elif _concerns(refusal, wanted, by_address):
                found.append(refusal)
            elif refusal.queue_id:
                with_id.setdefault(refusal.queue_id, []).append(refusal)
        elif b": message-id=" in raw:
            found += _with_message_id(raw, message_ids, with_id)
    return Found(found, left_out)


def _with_message_id(raw: bytes, wanted: set[str], with_id: dict[str, list[Refusal]]) -> list[Refusal]:
    """The refusals under the queue id of this line, where its Message-ID is wanted. They stand below it: they have been met."""
    match = _MESSAGE_ID.fullmatch(_text(raw))
    if match is None or match["message_id"] not in wanted:
        return []
    return [replace(one, message_id=match["message_id"]) for one in with_id.pop(match["queue_id"], [])]


def _concerns(refusal: Refusal, wanted: str, by_address: str | None) -> bool:
    if refusal.queue_id == wanted:
        return True
    given = (refusal.sender, refusal.recipient)
    return bool(by_address) and by_address in [address.normalise_path(one) for one in given if one]


def domain_of(recipient: str | None) -> str:
    """The domain of a recipient as it was given, in its normal form; "" where there is none."""
    normal = address.normalise_path(recipient) if recipient else None
    return address.split(normal)[1] if normal else ""


def parse(raw: bytes, now: datetime) -> Refusal | None:
    """One line, without its end; None where it can't be read in one way."""
    line = _text(raw)
    if len(raw) > _MAX_LINE_BYTES:
        return None
    match = _REFUSAL.fullmatch(line)
    time = _moment(match["time"], now) if match else None
    if match is None or time is None:
        return None
    queue_id = None if match["queue_id"] == _QUEUE_ID_OF_NONE else match["queue_id"]
    return Refusal(
        rfc3339(time),
        queue_id,
        match["stage"],
        match["client"],
        match["reply"].strip(),
        match["sender"],
        match["recipient"],
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _moment(text: str, now: datetime) -> datetime | None:
    """The old form of syslog has local time and no year: it is the last such moment up to now."""
    if text[0].isdigit():
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(text).astimezone(UTC)
        return None
    for year in (now.year + 1, now.year, now.year - 1):  # +1: in the last hours of a year, east of Greenwich
        with contextlib.suppress(ValueError):  # 29 February is in some years only
            moment = datetime.strptime(f"{year} {text}", "%Y %b %d %H:%M:%S").astimezone(UTC)
            if moment <= now + timedelta(hours=1):
                return moment
    return None


def _lines_backwards(log: Path, max_bytes: int) -> Iterator[bytes]:
    """The last lines of the log and of the one before it, the last one first; no more bytes than that of both."""
    left = max_bytes
    for file in (log, log.with_name(log.name + ".1")):
        try:
            with file.open("rb") as stream:
                end = stream.seek(0, 2)
                start = max(0, end - left)
                left -= end - start
                rest = b""
                while end > start:
                    size = min(_BLOCK_BYTES, end - start)
                    end -= size
                    stream.seek(end)
                    first, *lines = (stream.read(size) + rest).split(b"\n")
                    rest = first[: 2 * _MAX_LINE_BYTES]  # a line without an end must not grow over blocks
                    yield from reversed(lines)
                if start == 0:
                    yield rest
        except FileNotFoundError as error:
            if file == log:
                raise LogUnreadable(f"there is no log of Postfix at {log}, so refused mail isn't looked for") from error
        except OSError as error:
            raise LogUnreadable(
                f"can't read Postfix's log {file} ({error.strerror}), so refused mail isn't looked for"
            ) from error
        if not left:
            return
