"""Gmail's search, as far as a sync needs it: parses `q` of messages.list, and tries it on a message.

Operators: from: to: (To, Cc and Bcc) cc: bcc: subject: rfc822msgid: after: before: newer_than: older_than: in: label: is:
has:attachment, words, "phrases", - (not), OR, {any of these}, (all of these). An unknown operator is an error here: Gmail would
search for the word, which hides a typing mistake. Source: support.google.com/mail/answer/7190.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

MAX_TERMS = 1_000
MAX_GROUPS = 50
_PACIFIC = timezone(timedelta(hours=-8))  # a date means midnight there (the API's guide on searching)
_TOKEN = re.compile(r'\s*(?P<mark>[{}()])|\s*(?P<term>-?(?:[A-Za-z0-9_]+:)?(?:"[^"]*"|[^\s{}()"]+)|-(?=[{(]))')
_DATE = re.compile(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})")
_SPAN = re.compile(r"(\d+)([dmyh])")
_DAY_SECONDS = 86_400.0
_SPANS = {"h": 3_600.0, "d": _DAY_SECONDS, "m": 30 * _DAY_SECONDS, "y": 365 * _DAY_SECONDS}


class BadQuery(ValueError):
    """The query can't be parsed."""


@dataclass(frozen=True)
class Found:
    """A message as search sees it. headers: lower-case name to all its values, unfolded. internal_ms: internalDate."""

    message_id: str
    thread_id: str
    labels: frozenset[str]
    internal_ms: int
    headers: dict[str, list[str]] = field(default_factory=dict)
    label_names: dict[str, str] = field(default_factory=dict)
    text: str = ""

    def any_header(self, *names: str) -> str:
        """The values of these headers in one line of lower case."""
        return "\n".join(value for name in names for value in self.headers.get(name, ())).lower()


Test = Callable[[Found], bool]


@dataclass(frozen=True)
class Query:
    """A parsed query. wide: it names spam, trash or anywhere, and so it searches there, too."""

    test: Test
    wide: bool


def parse(text: str, now: float | None = None) -> Query:
    """Parses `q`. Raises BadQuery."""
    tokens = list(_tokens(text))
    if len(tokens) > MAX_TERMS or sum(token in ("(", "{", "-") for token in tokens) > MAX_GROUPS:
        raise BadQuery(f"more than {MAX_TERMS} terms or {MAX_GROUPS} groups")
    reader = _Reader(tokens, time.time() if now is None else now)
    test = reader.all_of(end=None)
    wide = any(re.fullmatch(r"(in|label|is):(spam|trash|anywhere)", token.lower()) for token in tokens)
    return Query(test, wide)


def _tokens(text: str) -> Iterator[str]:
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        found = _TOKEN.match(stripped, position)
        if found is None:
            raise BadQuery(f"cannot be read from here: {stripped[position : position + 20]!r}")
        yield found["mark"] or found["term"]
        position = found.end()


class _Reader:
    def __init__(self, tokens: list[str], now: float) -> None:
        self._tokens = tokens
        self._next = 0
        self._now = now

    def _peek(self) -> str | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def all_of(self, end: str | None) -> Test:
        """Groups side by side. A group may be several terms joined by OR: Gmail binds OR more tightly than juxtaposition."""
        groups: list[list[Test]] = []
        joined = False
        while (token := self._peek()) != end:
            if token is None:
                raise BadQuery(f"{end} is missing")
            if token == "OR":
                self._next += 1
                joined = bool(groups)
                continue
            if token == "AND":
                self._next += 1
                continue
            test = self._one()
            if joined:
                groups[-1].append(test)
            else:
                groups.append([test])
            joined = False
        self._next += 1
        return lambda found: all(any(test(found) for test in group) for group in groups)

    def _any_of(self) -> Test:
        tests = []
        while (token := self._peek()) != "}":
            if token is None:
                raise BadQuery("} is missing")
            if token == "OR":
                self._next += 1
                continue
            tests.append(self._one())
        self._next += 1
        return lambda found: any(test(found) for test in tests)

    def _one(self) -> Test:
        token = self._tokens[self._next]
        self._next += 1
        if token == "{":
            return self._any_of()
        if token == "(":
            return self.all_of(end=")")
        if token in (")", "}"):
            raise BadQuery(f"{token} closes nothing")
        if token == "-":
            if self._peek() not in ("{", "("):
                raise BadQuery("- stands before nothing")
            inner = self._one()
            return lambda found: not inner(found)
        if token.startswith("-") and len(token) > 1:
            refused = _term(token[1:], self._now)
            return lambda found: not refused(found)
        return _term(token, self._now)


def _term(token: str, now: float) -> Test:
    operator, colon, value = token.partition(":")
    if not colon or token.startswith('"'):
        word = token.strip('"').lower()
        return lambda found: word in found.text or word in found.any_header("subject", "from", "to", "cc")
    value = value.strip('"')
    if not value:
        raise BadQuery(f"{operator}: has no value")
    made = _OPERATORS.get(operator.lower())
    if made is None:
        raise BadQuery(f"unknown operator {operator}:")
    return made(value, now)


def _in_headers(*names: str) -> Callable[[str, float], Test]:
    def make(value: str, now: float) -> Test:
        wanted = value.lower()
        return lambda found: wanted in found.any_header(*names)

    return make


def _message_id(value: str, now: float) -> Test:
    wanted = value.strip("<>")

    def test(found: Found) -> bool:
        return any(one.strip().strip("<>") == wanted for one in found.headers.get("message-id", ()))

    return test


def _moment(value: str) -> float:
    """Seconds since 1970, given as a number or as a date."""
    if value.isascii() and value.isdigit():
        return float(value)
    found = _DATE.fullmatch(value)
    if found is None:
        raise BadQuery(f"{value!r} is neither a date (2026/11/24) nor seconds since 1970")
    try:
        return datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=_PACIFIC).timestamp()
    except ValueError as error:
        raise BadQuery(f"{value!r} is no date") from error


def _after(value: str, now: float) -> Test:
    moment = _moment(value)
    return lambda found: found.internal_ms / 1000 > moment


def _before(value: str, now: float) -> Test:
    moment = _moment(value)
    return lambda found: found.internal_ms / 1000 < moment


def _span(value: str) -> float:
    found = _SPAN.fullmatch(value)
    if found is None:
        raise BadQuery(f"{value!r} is no span such as 2d")
    return int(found[1]) * _SPANS[found[2]]


def _newer(value: str, now: float) -> Test:
    moment = now - _span(value)
    return lambda found: found.internal_ms / 1000 > moment


def _older(value: str, now: float) -> Test:
    moment = now - _span(value)
    return lambda found: found.internal_ms / 1000 < moment


_LABELS = {"drafts": "DRAFT", "draft": "DRAFT", "chats": "CHAT", "chat": "CHAT"}


def _label(value: str, now: float) -> Test:
    lower = value.lower()
    if lower == "anywhere":
        return lambda found: True
    wanted = _LABELS.get(lower, value.upper())

    def test(found: Found) -> bool:
        names = {found.label_names.get(label, label).lower().replace(" ", "-") for label in found.labels}
        return wanted in found.labels or lower in names

    return test


def _is(value: str, now: float) -> Test:
    if value.lower() == "read":
        return lambda found: "UNREAD" not in found.labels
    return _label(value, now)


def _has(value: str, now: float) -> Test:
    if value.lower() != "attachment":
        raise BadQuery(f"has:{value} is not known here")
    return lambda found: "multipart/mixed" in found.any_header("content-type")


_OPERATORS: dict[str, Callable[[str, float], Test]] = {
    "from": _in_headers("from"),
    "to": _in_headers("to", "cc", "bcc"),
    "cc": _in_headers("cc"),
    "bcc": _in_headers("bcc"),
    "subject": _in_headers("subject"),
    "rfc822msgid": _message_id,
    "after": _after,
    "before": _before,
    "newer": _after,
    "older": _before,
    "newer_than": _newer,
    "older_than": _older,
    "in": _label,
    "label": _label,
    "is": _is,
    "has": _has,
}
