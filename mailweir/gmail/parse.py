"""Parses Gmail's answers: from JSON to the data that the sweep uses. Pure. An answer of another shape is Garbled. Called by
`api`."""

import binascii
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, TypeVar

from mailweir import address, candidates
from mailweir.headers import Header

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID = re.compile(r"[!-~]{1,256}")
_HISTORY_ID = re.compile(r"[0-9]{1,39}")

# Messages with these labels don't belong on the record now. If that changes (a draft is sent, a mail is rescued from spam or
# restored from the trash), Gmail removes the label, which makes a new history record.
_NEVER = frozenset({"SPAM", "TRASH", "CHAT"})
_ARRIVING = frozenset({"SENT", "INBOX", "DRAFT"})
_RESCUED = frozenset({"SPAM", "TRASH", "DRAFT"})

_ADDRESSES = frozenset({b"from", b"sender", b"to", b"cc", b"bcc"})
_NO_ADDRESS = re.compile(r"""[\s<>"(),:;\[\]\\]+""")

_RAW = re.compile(rb'"raw"\s*:\s*"')
_PADDING = re.compile(rb"(?:=|\\u003[dD])*\Z")  # Google writes = as \u003d
_PADDING_TAIL_BYTES = 32
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_PIECE_CHARS = 1 << 18  # of base64; divisible by 4
# The errors that an answer of another shape than Gmail documents raises. OverflowError: Python's JSON parser accepts Infinity.
_OTHER_SHAPES = (ValueError, TypeError, KeyError, RecursionError, OverflowError)
_LINE_ENDS = re.compile(r"[\r\n]+[ \t]*")

_Found = TypeVar("_Found")


class Garbled(ValueError):
    """An answer that can't be read, or is about another object than requested."""


def _reading(read: Callable[[bytes], _Found]) -> Callable[[bytes], _Found]:
    @wraps(read)
    def parse(content: bytes) -> _Found:
        try:
            return read(content)
        except _OTHER_SHAPES as error:
            raise Garbled(str(error)) from error

    return parse


def _of_json(read: Callable[[dict[str, Any]], _Found]) -> Callable[[bytes], _Found]:
    return _reading(wraps(read)(lambda content: read(_object(json.loads(content)))))


@dataclass(frozen=True, slots=True)
class Profile:
    """The mailbox's address (empty if the server doesn't say), and its current history id."""

    address: str
    history_id: str


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Messages that may have become relevant since the request's start: each once, in order. history_id: the current one.

    next_page: None on the last page; until it is read, the start has to stay unchanged. sent: those of the messages that are
    sent. drafts: other messages, which became drafts.
    """

    message_ids: tuple[str, ...]
    history_id: str
    next_page: str | None
    sent: frozenset[str] = frozenset()
    drafts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListPage:
    """Messages that match a query, the newest first."""

    message_ids: tuple[str, ...]
    next_page: str | None


@dataclass(frozen=True, slots=True)
class Metadata:
    """A message without its body. received_at: when Gmail received it, UTC.

    headers: as Gmail gives them, with encoded words decoded: `=?utf-8?q?Jane_=28Client?= <jane@client.example>` comes as `Jane
    (Client <jane@client.example>`, an unclosed comment. So the headers only show whom a message may concern
    (`possible_addresses`); the content is read only from the raw message.
    """

    id: str
    labels: frozenset[str]
    size_bytes: int
    received_at: datetime
    headers: tuple[Header, ...]


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message as received or sent, byte for byte. received_at: when Gmail received it, UTC."""

    id: str
    labels: frozenset[str]
    received_at: datetime
    raw: bytes


@_of_json
def profile(answer: dict[str, Any]) -> Profile:
    """users.getProfile."""
    return Profile(_text(answer["emailAddress"]), _history_id(answer))


@_of_json
def history_id(answer: dict[str, Any]) -> str:
    """A message's history id: a number that can exceed 64 bits, as text."""
    return _history_id(answer)


def _history_id(answer: dict[str, Any]) -> str:
    found = str(answer["historyId"])
    if not _HISTORY_ID.fullmatch(found):
        raise ValueError("no historyId")
    return found


@_of_json
def main_address(answer: dict[str, Any]) -> str:
    """users.settings.sendAs.list: the mailbox's own address, or an empty string."""
    own = [one for one in _list(answer.get("sendAs")) if _object(one).get("isPrimary")]
    return _text(own[0]["sendAsEmail"]) if own else ""


@_of_json
def history_page(answer: dict[str, Any]) -> HistoryPage:
    """users.history.list. If there is nothing new, the key `history` is missing, even on a page that has a next one."""
    ids: dict[str, None] = {}
    sent: set[str] = set()
    drafts: dict[str, None] = {}
    for record in _list(answer.get("history")):
        for message, changed in _concerned(_object(record)):
            labels = _labels(message) | changed
            if not never_ours(_labels(message)):
                ids[_id(message)] = None
                sent.update([_id(message)] if "SENT" in labels else [])
            elif "DRAFT" in changed:
                drafts[_id(message)] = None
    return HistoryPage(tuple(ids), _history_id(answer), _next_page(answer), frozenset(sent), tuple(drafts))


def _concerned(record: dict[str, Any]) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """The messages of one history record that may be new to us, or drafts again, with the added labels."""
    for kind, wanted in (("messagesAdded", None), ("labelsAdded", _ARRIVING), ("labelsRemoved", _RESCUED)):
        for change in _list(record.get(kind)):
            if wanted is None or _labels(change) & wanted:
                yield _object(change["message"]), _labels(change) if kind == "labelsAdded" else frozenset()


def never_ours(labels: frozenset[str]) -> bool:
    """Does a message with these labels stay off the record, as long as it has them? Only Gmail's system labels count."""
    return bool(labels & _NEVER) or ("DRAFT" in labels and "SENT" not in labels)


@_of_json
def list_page(answer: dict[str, Any]) -> ListPage:
    """users.messages.list. Without a hit the key `messages` is missing."""
    return ListPage(tuple(_id(_object(one)) for one in _list(answer.get("messages"))), _next_page(answer))


@_of_json
def metadata(answer: dict[str, Any]) -> Metadata:
    """users.messages.get with format=metadata."""
    labels = _labels(answer)
    payload = answer.get("payload")
    if payload is None and never_ours(labels):  # a chat has no headers
        payload = {}
    headers = tuple(_header(_object(one)) for one in _list(_object(payload).get("headers")))
    if not headers and not never_ours(labels):
        raise ValueError("no headers")  # otherwise a mail would be skipped silently
    return Metadata(_id(answer), labels, int(answer.get("sizeEstimate", 0)), _received_at(answer), headers)


def _header(one: dict[str, Any]) -> Header:
    value = _LINE_ENDS.sub("\r\n ", _text(one["value"]).strip("\r\n"))
    return _text(one["name"]).encode("ascii", "replace"), b" " + value.encode("utf-8", "replace")


def possible_addresses(headers: Iterable[Header]) -> frozenset[str]:
    """All addresses, in normal form, that From, Sender, To, Cc and Bcc could contain in any reading."""
    found: set[str] = set()
    for name, value in headers:
        if name.strip().lower() in _ADDRESSES:
            text = value.decode("utf-8", "replace")
            found.update(candidates.read(text).all)
            # Decoded text may no longer be a valid list of addresses.
            words = (word.strip("'.") for word in _NO_ADDRESS.split(text) if word.count("@") == 1)
            found.update(one for one in map(address.normalise, words) if one)
    return frozenset(found)


@_reading
def raw_message(content: bytes) -> RawMessage:
    """users.messages.get with format=raw, from the answer's bytes.

    Doesn't use the modules json and base64 on the whole answer: for a message of 35 MB, they would hold several copies at a time.
    """
    found = _RAW.search(content)
    if found is None:
        raise ValueError("no raw message")
    end = content.index(b'"', found.end())
    rest = _object(json.loads(content[: found.end()] + content[end:]))
    return RawMessage(_id(rest), _labels(rest), _received_at(rest), _decode(content, found.end(), end))


def _decode(content: bytes, start: int, end: int) -> bytes:
    """base64url (RFC 4648 5) between two positions, with or without padding. ValueError for anything else."""
    tail_at = max(start, end - _PADDING_TAIL_BYTES)
    padding = _PADDING.search(content[tail_at:end])
    assert padding is not None
    end = tail_at + padding.start()
    if content.find(b"\\", start, end) >= 0:
        text = json.loads(content[start - 1 : end] + b'"').encode("ascii")
        content, start, end = text, 0, len(text)
    decoded = io.BytesIO()
    view = memoryview(content)
    for at in range(start, end, _PIECE_CHARS):
        piece = bytes(view[at : min(at + _PIECE_CHARS, end)]).translate(_URL_SAFE)
        decoded.write(binascii.a2b_base64(piece + b"=" * (-len(piece) % 4), strict_mode=True))
    return decoded.getvalue()


def _received_at(answer: Any) -> datetime:
    return _EPOCH + timedelta(milliseconds=int(answer["internalDate"]))


def _next_page(answer: Any) -> str | None:
    token = answer.get("nextPageToken")
    return _text(token) if token else None


def _id(message: Any) -> str:
    found = _text(message["id"])
    if not _ID.fullmatch(found):
        raise ValueError("no id of a message")
    return found


def _labels(answer: Any) -> frozenset[str]:
    return frozenset(_text(label) for label in _list(_object(answer).get("labelIds")))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _list(value: Any) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise TypeError("no list")
    return value or []


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value
