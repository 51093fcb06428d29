"""Faults on command: for a user, a kind of call or one message; N times, with a probability, or until lifted.

armed = gmail.faults.add(too_many_requests(retry_after="3"), user=richard.address, kind=Kind.HISTORY, times=2)
gmail.faults.add(cut(), probability=0.1, seed=7)  # a tenth of all API calls
armed.lift(); armed.hits
"""

import random
import threading
from collections.abc import Collection
from dataclasses import dataclass, field

from tests.gmail.calls import API, Asked, Kind
from tests.gmail.google_errors import Answer, api_error, not_found, token_error, unauthorized


@dataclass(frozen=True)
class Fault:
    """The change to a request.

    delay_seconds: delay of its answer. answer: replaces the server's, which isn't asked then. keep: the part of the body that is
    sent before the connection is closed, from 0 to 1; None: all of it. silent: the connection is closed without a byte of an
    answer. bare_page: the first page of a list is empty and names a next page.
    """

    name: str
    answer: Answer | None = None
    delay_seconds: float = 0.0
    keep: float | None = None
    silent: bool = False
    bare_page: bool = False


def history_expired() -> Fault:
    """404: startHistoryId is too old."""
    return Fault("history 404", not_found())


def vanished() -> Fault:
    """404: the message is gone between list and get. Arm it with message_id."""
    return Fault("message 404", not_found())


def too_many_requests(retry_after: str | None = None, message: str = "Too many concurrent requests for user") -> Fault:
    """429, as for too many requests at a time."""
    return Fault("429", api_error(429, message, "rateLimitExceeded", domain="usageLimits", retry_after=retry_after))


def resource_exhausted(retry_after: str | None = None) -> Fault:
    """429 in the words of Google's newer front end."""
    message = (
        "Quota exceeded for quota metric 'Total quota' and limit 'Units per minute per user' of service"
        " 'gmail.googleapis.com' for consumer 'project_number:1'."
    )
    error = api_error(429, message, "rateLimitExceeded", status="RESOURCE_EXHAUSTED", retry_after=retry_after)
    return Fault("429 exhausted", error)


def user_rate_limit(retry_after: str | None = None, retry_at: str | None = None) -> Fault:
    """403 userRateLimitExceeded. retry_at: a time in the text, "2026-11-24T03:12:55.123Z", as Google writes it there."""
    message = "User Rate Limit Exceeded" if retry_at is None else f"User-rate limit exceeded.  Retry after {retry_at}"
    error = api_error(403, message, "userRateLimitExceeded", domain="usageLimits", retry_after=retry_after)
    return Fault("403 user", error)


def project_rate_limit(retry_after: str | None = None) -> Fault:
    """403 rateLimitExceeded: the project's limit."""
    error = api_error(403, "Rate Limit Exceeded", "rateLimitExceeded", domain="usageLimits", retry_after=retry_after)
    return Fault("403 project", error)


def daily_limit() -> Fault:
    """403 dailyLimitExceeded: no more calls today."""
    return Fault("403 daily", api_error(403, "Daily Limit Exceeded", "dailyLimitExceeded", domain="usageLimits"))


def domain_policy() -> Fault:
    """403 domainPolicy: the domain's admins disabled it."""
    message = "The domain administrators have disabled Gmail apps."
    return Fault("403 domainPolicy", api_error(403, message, "domainPolicy", domain="usageLimits"))


def mail_not_enabled() -> Fault:
    """400 failedPrecondition: the account has no Gmail."""
    message = "Mail service not enabled"
    return Fault("no mail service", api_error(400, message, "failedPrecondition", status="FAILED_PRECONDITION"))


def precondition() -> Fault:
    """400 failedPrecondition, as it occurs now and then for no reason."""
    message = "Precondition check failed."
    return Fault("400", api_error(400, message, "failedPrecondition", status="FAILED_PRECONDITION"))


def api_off() -> Fault:
    """403 accessNotConfigured: a fault of the project, not of the mailbox."""
    return Fault("API off", api_error(403, "The Gmail API is off.", "accessNotConfigured", domain="usageLimits"))


def insufficient_scope() -> Fault:
    """403 insufficientPermissions: the user left the scope's box unticked."""
    message = "Request had insufficient authentication scopes."
    return Fault("403 scope", api_error(403, message, "insufficientPermissions", status="PERMISSION_DENIED"))


def token_not_known() -> Fault:
    """401, as when an access token expired before its time."""
    return Fault("401", unauthorized())


def server_error(status: int = 503, retry_after: str | None = None) -> Fault:
    """5xx: 500 and 503 with the API's body, 502 and 504 with a page of HTML."""
    if status in (502, 504):
        page = b"<!DOCTYPE html><html lang=en><title>Error</title><p>That's an error. Please try again in 30 seconds.</html>"
        return Fault(str(status), Answer(status, page, {"Content-Type": "text/html; charset=UTF-8"}))
    return Fault(str(status), api_error(status, "Backend Error", "backendError", retry_after=retry_after))


def invalid_grant(description: str = "Token has been expired or revoked.") -> Fault:
    """The refresh token isn't valid any more. Arm it with kind=Kind.TOKEN."""
    return Fault("invalid_grant", token_error("invalid_grant", description))


def token_endpoint_down(status: int = 503) -> Fault:
    """The token endpoint has an outage, which says nothing about the token. Arm it with kind=Kind.TOKEN."""
    return Fault(f"token {status}", token_error("internal_failure", "Try again.", status))


def delay(seconds: float) -> Fault:
    """The answer comes later."""
    return Fault("delay", delay_seconds=seconds)


def cut(keep: float = 0.5) -> Fault:
    """The connection is closed in the middle of the body."""
    return Fault("cut", keep=keep)


def hang_up() -> Fault:
    """The connection is closed without an answer."""
    return Fault("hang up", silent=True)


def garbage(body: bytes = b'{"history": [{"id": 12, \xff\xfe') -> Fault:
    """200, and a body that isn't JSON."""
    return Fault("garbage", Answer(200, body))


def wrong_json(body: bytes = b'["neither", "here"]') -> Fault:
    """200, and JSON with other keys."""
    return Fault("wrong JSON", Answer(200, body))


def broken_gzip() -> Fault:
    """200, labelled as gzip, but it isn't."""
    headers = {"Content-Type": "application/json; charset=UTF-8", "Content-Encoding": "gzip"}
    return Fault("broken gzip", Answer(200, b"\x1f\x8b\x08\x00not gzip at all", headers))


def bare_page() -> Fault:
    """history.list and messages.list: the first page has nothing but a nextPageToken."""
    return Fault("bare page", bare_page=True)


@dataclass
class Armed:
    """A fault that waits for its request. hits: the number of requests that it changed."""

    fault: Fault
    user: str | None
    kinds: frozenset[Kind]
    message_id: str | None
    times: int | None
    probability: float
    dice: random.Random
    hits: int = 0
    lifted: bool = field(default=False)

    def lift(self) -> None:
        """Ends the fault."""
        self.lifted = True

    def strikes(self, user: str | None, asked: Asked) -> bool:
        """Does the fault apply to this request? Counts it if it does."""
        if self.lifted or (self.times is not None and self.hits >= self.times):
            return False
        if asked.kind not in self.kinds or self.user not in (None, user):
            return False
        if self.message_id not in (None, asked.message_id) or self.dice.random() >= self.probability:
            return False
        self.hits += 1
        return True


class Faults:
    """The armed faults. The first match applies, in the order of arming."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Armed] = []

    def add(
        self,
        fault: Fault,
        *,
        user: str | None = None,
        kind: Kind | Collection[Kind] = API,
        message_id: str | None = None,
        times: int | None = None,
        probability: float = 1.0,
        seed: int = 0,
    ) -> Armed:
        """Arms a fault: for a user (default all), kinds (default all calls of the API), a message (default any).

        times: for this many requests; without it, until lifted. probability: for each matching request.
        """
        kinds = frozenset({kind}) if isinstance(kind, Kind) else frozenset(kind)
        armed = Armed(fault, user, kinds, message_id, times, probability, random.Random(seed))
        with self._lock:
            self._armed.append(armed)
        return armed

    def lift_all(self) -> None:
        """Ends all faults."""
        with self._lock:
            self._armed.clear()

    def striking(self, user: str | None, asked: Asked) -> Fault | None:
        """The fault for this request, if any."""
        with self._lock:
            return next((one.fault for one in self._armed if one.strikes(user, asked)), None)
