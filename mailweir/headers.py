"""A bounded look at raw header bytes: author, header recipients, Message-ID, date, subject and a few marks.

Never parses a body and never raises, on any bytes. Reads only what matching and the record need; subject and date only on
request. Called by the filter when the first piece of the body comes, and by the sync. Pure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from mailweir import automatic, candidates, dates, encoded_words, original_author
from mailweir.original_author import Original

Header = tuple[bytes, bytes]  # name; value with its leading white space and its folds (CRLF), without the final CRLF

MAX_RECIPIENT_BYTES = 250_000  # of To and Cc together, each of which may occur once
# Postfix passes at most 60,000 bytes of a header, omits the whole folded line that doesn't fit, and gives no sign of it. A value
# near that size may be cut: of `jane@client.example.evil.example` the filter may get `jane@client.example`.
MAX_WHOLE_BYTES = 50_000
MAX_AUTHOR_BYTES = MAX_WHOLE_BYTES  # an author that may be part of a longer address isn't read
MAX_SUBJECT_CHARS = 998
MAX_MESSAGE_ID_BYTES = 998  # RFC 5322 2.1.1: no line is longer; and PostgreSQL indexes at most 2,700
LOOP_HEADER = b"X-Mailweir-Loop"
MAX_LOOP_BYTES = 1_000  # about 30 tokens
# RFC 5322 3.6, RFC 2045: a message has each of these at most once; if there are two, readers differ in which they show.
ONCE = frozenset(b"from to cc subject date message-id reply-to sender content-type content-transfer-encoding".split())
MAX_PROVABLE_HEADERS = 300  # no signature is checked in a message with more: ordinary mail has 20 to 60

_BRACKETED = re.compile(rb"<[^<>]+>")
# An empty value, or an empty group such as `undisclosed-recipients:;` (RFC 5322 3.4)
_NOBODY = re.compile(rb"\s*(?:[^:;@<>]*:[\s;]*)?")
_TOKEN = re.compile(rb"(?<![0-9a-z])[0-9a-f]{32}(?![0-9a-z])")
_CONFIRMATION_MARK = b"x-google-address-confirmation"
_WANTED = frozenset(
    {
        b"from",
        b"to",
        b"cc",
        b"message-id",
        b"date",
        b"subject",
        b"content-transfer-encoding",
        _CONFIRMATION_MARK,
        LOOP_HEADER.lower(),
        *original_author.NAMES,
        *automatic.NAMES,
        # The source of labels and thread keys, which `reading` derives later.
        b"references",
        b"x-forwarded-message-id",
        b"list-id",
        b"list-post",
        b"list-unsubscribe",
        b"content-type",
    }
)


class HeaderView(NamedTuple):  # a frozen dataclass takes three times as long to create
    """The content of the headers.

    candidates: the addresses that readers of From could show (`candidates`), in normal form; none if the author is uncertain:
    From occurs twice, or holds no address or too many. named_in_from: the addresses in From in any reading, for `why` alone.
    repaired: there is a candidate only if nothing is taken for a quote or a comment. recipients: the addresses of To and Cc in
    normal form. named: those that any reader of To and Cc could show. unread_recipients: To or Cc isn't empty, and no address was
    found in them. message_id: as in the mail, or None. original: the author before a group or list put its own address into From,
    if the mail names that author. is_automatic_answer: an out-of-office or the like. loop_tokens: the content of our loop header,
    whoever wrote it. marked_confirmation: Google's header of a forwarding confirmation is present. found: the original values of
    all headers that this module or `reading` reads, by name in lower case.
    """

    candidates: tuple[str, ...]
    named_in_from: tuple[str, ...]
    repaired: bool
    recipients: tuple[str, ...]
    named: frozenset[str]
    unread_recipients: bool
    message_id: str | None
    raw_date: bytes
    raw_subject: bytes
    transfer_encoding: bytes
    original: Original | None
    is_automatic_answer: bool
    loop_tokens: tuple[str, ...]
    marked_confirmation: bool
    found: Mapping[bytes, Sequence[bytes]]

    @property
    def author(self) -> str | None:
        """The author, if all readers show the same one."""
        return self.candidates[0] if len(self.candidates) == 1 else None

    @property
    def subject(self) -> str:
        """Decoded, one line, U+FFFD for bad bytes."""
        return encoded_words.decode(self.raw_subject, max_chars=MAX_SUBJECT_CHARS)

    @property
    def sent_at(self) -> datetime | None:
        """The Date header in UTC, or None if it gives no certain moment."""
        return dates.read(self.raw_date)


def look(headers: Iterable[Header], *, may_be_cut: bool = True, envelope_sender: str | None = None) -> HeaderView:
    """Reads a message's headers, in their order. may_be_cut: they come from Postfix, which cuts long ones without a sign.
    envelope_sender: empty for the null sender, None if unknown."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        key = name.rstrip().lower()
        if key in _WANTED:
            found.setdefault(key, []).append(value)
    wrote = _read_from(found.get(b"from", []))
    got = _read_recipients(found.get(b"to", []) + found.get(b"cc", []), may_be_cut=may_be_cut)
    return HeaderView(
        candidates=wrote.candidates,
        named_in_from=wrote.named,
        repaired=wrote.repaired,
        recipients=tuple(got.recipients),
        named=frozenset(got.named),
        unread_recipients=got.unread,
        message_id=_read_message_id(found.get(b"message-id", [b""])[0]),
        raw_date=found.get(b"date", [b""])[0].strip(),
        raw_subject=found.get(b"subject", [b""])[0],
        transfer_encoding=found.get(b"content-transfer-encoding", [b""])[0].strip().lower(),
        original=original_author.read(found),
        is_automatic_answer=automatic.is_answer(found, envelope_sender),
        loop_tokens=_read_loop_tokens(found.get(LOOP_HEADER.lower(), [])),
        marked_confirmation=_CONFIRMATION_MARK in found,
        found=found,
    )


class _From(NamedTuple):
    """See HeaderView."""

    candidates: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    repaired: bool = False


def _read_from(values: list[bytes]) -> _From:
    texts = [_text(value) for value in values[:2] if len(value) <= MAX_AUTHOR_BYTES]
    readings = [candidates.read(text) for text in texts]
    if len(values) == len(readings) == 1 and len(readings[0].shown) == 1 and not readings[0].in_doubt:
        return _From(readings[0].shown, readings[0].shown)
    named = tuple(dict.fromkeys(one for reading in readings for one in reading.all))[: candidates.MAX_CANDIDATES]
    # RFC 5322 3.6: exactly one From. If there are two, readers differ in which one they show. For some readers, a NUL ends a
    # text.
    if len(values) != 1 or not readings or "\0" in texts[0]:
        return _From(named=named)
    shown, raw = readings[0].shown, readings[0].raw
    if len(shown) + len(raw) > candidates.MAX_CANDIDATES:
        return _From(named=named)
    return _From((*shown, *raw), named, repaired=not shown and bool(raw))


class _Recipients(NamedTuple):
    """See HeaderView."""

    recipients: dict[str, None]
    named: set[str]
    unread: bool


def _read_recipients(values: list[bytes], *, may_be_cut: bool) -> _Recipients:
    found = _Recipients({}, set(), unread=False)
    left = MAX_RECIPIENT_BYTES
    for value in values:
        # In a cut value, the last address could be part of another one.
        whole = len(value) <= left and (len(value) <= MAX_WHOLE_BYTES or not may_be_cut)
        part = value if whole else value[: max(value.rfind(b",", 0, left), value.rfind(b";", 0, left), 0)]
        reading = candidates.read(_text(part))
        found.recipients.update(dict.fromkeys(reading.recipients))
        found.named.update(reading.all)
        left -= len(value)
        if left <= 0:
            break
    unread = not found.recipients and any(_NOBODY.fullmatch(value) is None for value in values)
    return found._replace(unread=unread)


def _read_loop_tokens(values: list[bytes]) -> tuple[str, ...]:
    # One token for each deployment that redirected the message; another Mailweir's header may stand above ours.
    return tuple(token.decode() for token in _TOKEN.findall(b" ".join(values)[:MAX_LOOP_BYTES])) if values else ()


def _read_message_id(value: bytes) -> str | None:
    match = _BRACKETED.search(value)
    raw = match[0] if match else value.strip()
    text = encoded_words.flatten(raw.decode("utf-8", "replace"))
    part = text.encode("utf-8", "replace")[:MAX_MESSAGE_ID_BYTES].decode("utf-8", "ignore")
    return None if text == "<>" else part or None


def _text(value: bytes) -> str:
    # Surrogates replace bytes that aren't UTF-8: acceptable in a display name, and never part of an address.
    return value.decode("utf-8", "surrogateescape")
