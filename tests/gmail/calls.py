"""Requests to the server: kinds of calls, the cost of each, and the log that tests count in."""

import re
import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kind of a request."""

    HISTORY = "history"
    LIST = "list"
    GET_METADATA = "get.metadata"
    GET_MINIMAL = "get.minimal"
    GET_FULL = "get.full"
    GET_RAW = "get.raw"
    PROFILE = "profile"
    SEND_AS = "sendAs"
    CONSENT = "consent"
    TOKEN = "token"
    REVOKE = "revoke"
    OTHER = "other"


GETS = frozenset({Kind.GET_METADATA, Kind.GET_MINIMAL, Kind.GET_FULL, Kind.GET_RAW})
API = frozenset(Kind) - {Kind.CONSENT, Kind.TOKEN, Kind.REVOKE}

_ANY_COST = 10  # calls that the sync doesn't use
_PATH = re.compile(r"(?:/upload)?/gmail/v1/users/(?P<user>[^/]+)/(?P<rest>.+)")


@dataclass(frozen=True)
class Asked:
    """The content of a request's method, path and query: its kind, the mailbox in its path (usually "me"), the message's id."""

    kind: Kind
    mailbox: str | None = None
    message_id: str | None = None


def classify(method: str, path: str, message_format: str) -> Asked:
    """The request's kind. message_format: the query's `format`, "full" if it has none."""
    fixed = {"/o/oauth2/v2/auth": Kind.CONSENT, "/oauth2/token": Kind.TOKEN, "/oauth2/revoke": Kind.REVOKE}
    if (kind := fixed.get(path)) is not None:
        return Asked(kind)
    found = _PATH.fullmatch(path)
    if found is None:
        return Asked(Kind.OTHER)
    kinds = {
        "history": Kind.HISTORY,
        "messages": Kind.LIST,
        "profile": Kind.PROFILE,
        "settings/sendAs": Kind.SEND_AS,
    }
    rest = found["rest"]
    if method != "GET":
        return Asked(Kind.OTHER, found["user"])
    if (kind := kinds.get(rest)) is not None:
        return Asked(kind, found["user"])
    one = re.fullmatch(r"messages/([^/]+)", rest)
    if one is None:
        return Asked(Kind.OTHER, found["user"])
    formats = {"metadata": Kind.GET_METADATA, "minimal": Kind.GET_MINIMAL, "raw": Kind.GET_RAW}
    return Asked(formats.get(message_format.lower(), Kind.GET_FULL), found["user"], one[1])


def default_costs() -> dict[Kind, int]:
    """Units per call, for projects created since May 2026 (as the settings' defaults assume). Consent and tokens cost nothing."""
    costs = {Kind.HISTORY: 2, Kind.LIST: 5, Kind.PROFILE: 1, Kind.SEND_AS: 1, Kind.OTHER: _ANY_COST}
    return costs | dict.fromkeys(GETS, 20)


@dataclass(frozen=True)
class Call:
    """An answered request. user: the address of its token, None if the token was unknown.

    query: as received, undecoded. status: 0 if the answer was cut. at: seconds of time.monotonic.
    """

    at: float
    user: str | None
    kind: Kind
    message_id: str | None
    query: str
    status: int


class CallLog:
    """All calls, in the order of their answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []

    def add(self, call: Call) -> None:
        """Adds a call."""
        with self._lock:
            self._calls.append(call)

    def clear(self) -> None:
        """Forgets earlier requests."""
        with self._lock:
            self._calls.clear()

    def of(self, user: str | None = None, kind: Kind | Collection[Kind] | None = None) -> list[Call]:
        """The calls of a user (or of all), of a kind or several (or of all)."""
        kinds = {kind} if isinstance(kind, Kind) else set(kind) if kind is not None else set(Kind)
        with self._lock:
            return [one for one in self._calls if one.kind in kinds and user in (None, one.user)]

    def counts(self, user: str | None = None) -> Counter[Kind]:
        """The number of calls of each kind."""
        return Counter(call.kind for call in self.of(user))
