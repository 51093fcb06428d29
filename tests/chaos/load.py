"""Senders: deliver a mix of mail. They try again after a 4xx or a lost connection until each message is acknowledged.

Never gives up a message before the load's own deadline, as a real sender does. The messages and answers stay in `Load.messages`,
for `verdict`. Called by `run`.
"""

import hashlib
import itertools
import random
import smtplib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

CLIENTS = 6
TIMEOUT_SECONDS = 150.0  # Postfix waits for the filter for up to 60 s
PAUSES_SECONDS = (0.0, 0.06)
RETRY_SECONDS = (0.1, 0.4)
MAX_PER_CONNECTION = 4
_GOOGLE = "forwarding-noreply@google.com"


class Kind(StrEnum):
    """The expected result of a message, and its route."""

    FORWARDED = "forwarded"  # a contact's, at a capture address: captured
    COPIED = "copied"  # a user's, at the log address: captured
    LARGE = "large"  # 300 kB that don't compress well: captured
    IGNORED = "ignored"  # a stranger's: ignored
    LOOKALIKE = "lookalike"  # like a forwarding confirmation, and unproven: ignored

    @property
    def is_captured(self) -> bool:
        """Must it be on the record?"""
        return self in (Kind.FORWARDED, Kind.COPIED, Kind.LARGE)


_ENVELOPES = {
    Kind.FORWARDED: ("client@client.example", "client@client.example", "richard@demo.example.net"),
    Kind.COPIED: ("richard@firm.example", "richard@firm.example", "log@demo.example.net"),
    Kind.LARGE: ("client@client.example", "client@client.example", "richard@demo.example.net"),
    Kind.IGNORED: ("bulk@elsewhere.example", "stranger@elsewhere.example", "richard@demo.example.net"),
    Kind.LOOKALIKE: (_GOOGLE, _GOOGLE, "richard@demo.example.net"),
}
_MIX = (Kind.FORWARDED, Kind.IGNORED, Kind.COPIED, Kind.FORWARDED, Kind.LOOKALIKE, Kind.IGNORED)
_LARGE_EVERY = 40
_SIZES = (60, 900, 5_000, 40_000)


@dataclass
class Message:
    """A message and its tries. digest: of all its bytes; codes: of each try, 0 for a lost connection."""

    message_id: str
    kind: Kind
    digest: bytes
    first_try_at: float
    codes: list[int] = field(default_factory=list)
    complaint: str = ""  # a complete 5xx reply
    acknowledged_at: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds from the first try to the acknowledgement."""
        return (self.acknowledged_at or time.monotonic()) - self.first_try_at


def compose(number: int, chance: random.Random) -> tuple[Message, bytes]:
    """Makes the message of this number, with its bytes."""
    kind = Kind.LARGE if number % _LARGE_EVERY == 7 else _MIX[number % len(_MIX)]
    message_id = f"<{number}@chaos.example>"
    _, author, _ = _ENVELOPES[kind]
    size = 300_000 if kind is Kind.LARGE else chance.choice(_SIZES)
    text = chance.randbytes(size // 2).hex()
    lines = "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    raw = (
        f"From: {author}\r\nTo: richard@firm.example, client@client.example\r\nSubject: chaos {number}\r\n"
        f"Date: Tue, 24 Nov 2026 03:12:55 +0000\r\nMessage-ID: {message_id}\r\n\r\n.{lines}\r\n"
    ).encode()
    return Message(message_id, kind, hashlib.sha256(raw).digest(), time.monotonic()), raw


class Load:
    """Clients that send until `finish`, at most max_messages."""

    def __init__(self, port: int, *, max_messages: int, seed: int = 1) -> None:
        self.messages: dict[str, Message] = {}
        self.temporary: Counter[str] = Counter()  # number of 4xx replies by their text
        self._port = port
        self._numbers = iter(range(max_messages))
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._give_up_at = float("inf")
        seeds = itertools.count(seed)
        self._threads = [
            threading.Thread(target=self._send_on, args=(random.Random(next(seeds)),), daemon=True)
            for _ in range(CLIENTS)
        ]

    def start(self) -> None:
        """Begins to send."""
        for thread in self._threads:
            thread.start()

    def finish(self, within_seconds: float) -> None:
        """Sends nothing new, and waits until everything is acknowledged, or until the time is up."""
        self._give_up_at = time.monotonic() + within_seconds
        self._stopping.set()
        for thread in self._threads:
            thread.join(within_seconds + TIMEOUT_SECONDS)

    def acknowledged(self) -> int:
        """The number of messages that are acknowledged by now."""
        return sum(message.acknowledged_at is not None for message in list(self.messages.values()))

    def _send_on(self, chance: random.Random) -> None:
        while not self._stopping.is_set():
            waiting = self._next_ones(chance)
            if not waiting:
                return
            while waiting and time.monotonic() < self._give_up_at:
                waiting = self._deliver(waiting)
                if waiting:
                    time.sleep(chance.uniform(*RETRY_SECONDS))
            time.sleep(chance.uniform(*PAUSES_SECONDS))

    def _next_ones(self, chance: random.Random) -> list[tuple[Message, bytes]]:
        """The next messages for one connection."""
        with self._lock:
            numbers = list(itertools.islice(self._numbers, chance.choice((1, 1, MAX_PER_CONNECTION))))
        made = [compose(number, chance) for number in numbers]
        self.messages.update({message.message_id: message for message, _ in made})
        return made

    def _deliver(self, waiting: list[tuple[Message, bytes]]) -> list[tuple[Message, bytes]]:
        """Uses one connection; returns the messages to try again."""
        open_ones = list(waiting)
        try:
            with smtplib.SMTP("127.0.0.1", self._port, "client.example", timeout=TIMEOUT_SECONDS) as smtp:
                smtp.ehlo_or_helo_if_needed()
                for message, raw in waiting:
                    code, text = _transact(smtp, message.kind, raw)
                    message.codes.append(code)
                    if code == 250:
                        message.acknowledged_at = time.monotonic()
                    elif code >= 500:
                        message.complaint = f"{code} {text}"
                    else:
                        self.temporary[f"{code} {text}"] += 1
                    if code == 250 or code >= 500:
                        open_ones.remove((message, raw))
                    else:
                        smtp.rset()
        except smtplib.SMTPResponseException as error:  # the failure of the greeting or of HELO
            _note(open_ones, error.smtp_code, str(error))
            return open_ones if error.smtp_code < 500 else []
        except (OSError, smtplib.SMTPException):
            _note(open_ones, 0, "")
        return open_ones


def _note(messages: list[tuple[Message, bytes]], code: int, complaint: str) -> None:
    for message, _ in messages[:1]:
        message.codes.append(code)
        message.complaint = complaint if code >= 500 else message.complaint


def _transact(smtp: smtplib.SMTP, kind: Kind, raw: bytes) -> tuple[int, str]:
    """The decisive reply: 250 at the end of the message, or the first refusal."""
    sender, _, recipient = _ENVELOPES[kind]
    for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>"):
        code, text = smtp.docmd(command)
        if code != 250:
            return _checked(code, text)
    try:
        return _checked(*smtp.data(raw))
    except smtplib.SMTPDataError as error:  # DATA itself was refused
        refusal = error.smtp_error
        return _checked(error.smtp_code, refusal if isinstance(refusal, bytes) else refusal.encode())


def _checked(code: int, text: bytes) -> tuple[int, str]:
    if code < 0:
        raise smtplib.SMTPServerDisconnected("no reply")
    if code == 421:
        raise smtplib.SMTPServerDisconnected(text.decode("ascii", "replace"))
    return code, text.decode("ascii", "replace")
