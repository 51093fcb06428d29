"""Refusals in words: what Gmail, or Google's token endpoint, answers where it doesn't do as asked, as one of our errors.

Pure. Goes by the status, the `reason`s of the error (they stand in two places: `errors` and `details`) and, where Google has no
reason of its own for it, the text. An answer that isn't Google's (a proxy's page) never ends anything: it is `Unreachable`.
Called by `api`, `tokens`.
"""

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from gmail_sync.errors import AppRefused, GmailError, NeedsReconnect, Refused, Throttled, Unreachable
from mailweir import dates

_MAX_WAIT_SECONDS = 86_400.0  # an absurd answer doesn't stop a mailbox for ever
_MAX_QUOTED_CHARS = 200
_RETRY_AFTER = re.compile(r"[Rr]etry after (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)Z")

_LIMITS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "concurrentLimitExceeded"})
_DAILY_LIMITS = frozenset({"dailyLimitExceeded", "quotaExceeded"})
_LIMIT_WORDS = "Too many concurrent requests"

_GOES_ON = "; the mailbox goes on by itself then"

# reason of a mailbox's refusal: what to do
_TO_DO = {
    "failedPrecondition": (
        f"Gmail isn't on for this account: in the Admin console switch Gmail on for it, or give it a licence{_GOES_ON}"
    ),
    "domainPolicy": (
        "the Workspace doesn't let this app read its mail: in the Admin console under Security, API controls, trust the app"
        + _GOES_ON
    ),
    "insufficientPermissions": "the consent doesn't cover reading mail: connect again and leave its box ticked",
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": "the consent doesn't cover reading mail: connect again and leave its box ticked",
}
# reasons of the project's
_API_OFF = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})

# RFC 6749 5.2 and 4.1.2.1, and Google's own
_PASSING = frozenset({"temporarily_unavailable", "server_error", "internal_failure", "backend_error"})
_CLIENT_GONE = frozenset({"invalid_client", "deleted_client", "disabled_client"})
_POLICY = frozenset({"access_denied", "admin_policy_enforced", "org_internal"})


def of_answer(
    status: int,
    headers: Mapping[str, str],
    content: bytes,
    now: datetime,
    missing: type[GmailError] | None = None,
    *,
    about_message: bool = False,
) -> GmailError:
    """What Gmail's refusal is. headers: their names in lower case. now: UTC, for what the answer gives no time of its own for.

    missing: the error that stands for 404. about_message: one message was asked for, so "mail isn't on" is said of that alone.
    401 is one after a fresh token.
    """
    error = _error_of(content)
    text, reasons = _text_of(error), _reasons_of(error)
    wait = _wait_seconds(headers, text, now)
    if status == 429 or (status == 403 and (reasons & _LIMITS or _LIMIT_WORDS in text)):
        return _throttled(error, text, reasons, wait)
    if status == 403 and reasons & _DAILY_LIMITS:
        return _throttled(error, text, reasons, wait)
    if error is None or status >= 500 or status < 400 or status in (407, 408):
        return Unreachable(f"Gmail answered {status}{_quoted(text)}", wait)
    if status == 404 and missing is not None:
        return missing(f"Gmail has it no more{_quoted(text)}")
    if status == 401:
        # no verdict on the consent, which the token endpoint has just confirmed: it passes, as an outage of Google's sign-in does
        return Unreachable(
            f"Gmail doesn't take the account's fresh token{_quoted(text)}: is the account suspended?", wait
        )
    return _refusal(status, text, reasons - {"failedPrecondition"} if about_message else reasons)


def _throttled(error: dict[str, Any] | None, text: str, reasons: frozenset[str], wait: float | None) -> Throttled:
    limits = " ".join(str(one.get("metadata", {}).get("quota_limit", "")) for one in _details_of(error))
    daily = bool(reasons & _DAILY_LIMITS) or "PerDay" in limits
    whole_project = daily or "PerProject" in limits or "per minute'" in text or "per day" in text
    whose = "the project's daily limit" if daily else "the project's limit" if whole_project else "the mailbox's limit"
    return Throttled(f"Gmail says that {whose} is reached{_quoted(text)}", wait, whole_project=whole_project)


def _refusal(status: int, text: str, reasons: frozenset[str]) -> GmailError:
    if reasons & _API_OFF:
        where = "in its console under APIs & Services, Library, enable it"
        return AppRefused(f"the Gmail API is off in the Google Cloud project: {where}{_quoted(text)}")
    for reason in sorted(reasons & _TO_DO.keys()):
        if reason == "failedPrecondition" and status != 400:
            continue
        return NeedsReconnect(_TO_DO[reason] + _quoted(text))
    if status == 403 and "Delegation denied" in text:
        return NeedsReconnect(
            f"this account may not read that mailbox{_quoted(text)}: connect the mailbox's own account"
        )
    return Refused(f"Gmail refuses with {status}{_quoted(text)}", status)


def of_token_answer(
    status: int, headers: Mapping[str, str], content: bytes, now: datetime, secrets: Collection[str], *, delegated: bool
) -> GmailError:
    """What a refusal of the token endpoint is (RFC 6749 5.2). delegated: a service account asked, for the mailbox's address.

    secrets: of the question; an answer that quotes them isn't quoted with them.
    """
    answer = _json_of(content)
    code, text = answer.get("error"), str(answer.get("error_description") or "")
    for secret in secrets:
        text = text.replace(secret, "…")
        code = code.replace(secret, "…") if isinstance(code, str) else code
    wait = _wait_seconds(headers, text, now)
    if status == 429:
        return Throttled(f"Google limits how often tokens are asked for{_quoted(text)}", wait, whole_project=True)
    if not isinstance(code, str) or status >= 500 or status < 400 or code in _PASSING:
        return Unreachable(f"Google's token endpoint answered {status}{_quoted(text)}", wait)
    return _denied(code, text, delegated)


def _denied(code: str, text: str, delegated: bool) -> GmailError:
    said = f" ({plain(code)}{': ' if text else ''}{plain(text)})"
    if code == "invalid_grant" and "reasonable timeframe" in text:
        # all mailboxes would need a person for a clock that is set right again by itself
        return Unreachable(f"Google doesn't take this host's time for the right one: set its clock{said}")
    return _denied_robot(code, text, said) if delegated else _denied_user(code, text, said)


def _denied_robot(code: str, text: str, said: str) -> GmailError:
    """Nobody has consented, so nobody has to consent again."""
    if code == "invalid_grant" and "Invalid JWT" not in text and "account not found" not in text:
        return Refused(f"the Workspace has no such mailbox: look up its address{said}")
    if code == "invalid_grant" or code in _CLIENT_GONE:
        return AppRefused(
            f"Google doesn't know the service account's key: put a new one into gmail.service_account_file{said}"
        )
    if code in ("unauthorized_client", "invalid_scope"):
        return AppRefused(
            "the service account may not read the Workspace's mail: in the Admin console under Security, API controls, "
            f"Domain-wide delegation, add its client ID with the scope gmail.readonly{said}",
            is_certain=False,
        )
    if code in _POLICY:
        return AppRefused(
            f"the Workspace doesn't let the service account in: see its Admin console{said}", is_certain=False
        )
    return Unreachable(f"Google gives no token{said}")


def _denied_user(code: str, text: str, said: str) -> GmailError:
    if code == "invalid_grant" and "rapt" in text:
        return NeedsReconnect(
            "the Workspace wants its users to sign in again and again: in the Admin console under Security, Google Cloud session "
            f"control, exempt trusted apps, and trust this one; then connect it again{said}",
            is_certain=True,
        )
    if code == "invalid_grant":
        return NeedsReconnect(
            "the consent is no longer valid (withdrawn, unused for six months, the password changed, or the app is in testing): "
            f"connect again{said}",
            is_certain=True,
        )
    if code in _CLIENT_GONE:
        return AppRefused(
            "Google doesn't take the OAuth client: put its right file where gmail.oauth_client_file says, and all mailboxes go "
            f"on by themselves; another client needs a new consent of each user{said}"
        )
    if code == "unauthorized_client":
        return AppRefused(
            "the consents were given to another OAuth client than the one of gmail.oauth_client_file: put that one's file back, "
            f"and all mailboxes go on by themselves; or connect them again{said}",
            is_certain=False,
        )
    if code in _POLICY:
        return NeedsReconnect(_TO_DO["domainPolicy"] + said)
    if code == "invalid_scope":
        return NeedsReconnect(f"Google gives no token: connect again{said}")
    return Unreachable(f"Google gives no token{said}")  # no verdict on the consent that anybody knows


def _wait_seconds(headers: Mapping[str, str], text: str, now: datetime) -> float | None:
    """How long the answer wants us to wait: Retry-After (RFC 9110 10.2.3), or a moment in the text, as Gmail gives it.

    A moment is taken from the answer's own Date: this host's clock may be wrong.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _MAX_WAIT_SECONDS)
    until = _http_date(value)
    moment = _RETRY_AFTER.search(text)
    if until is None and moment is not None:
        try:
            until = datetime.fromisoformat(moment[1]).replace(tzinfo=UTC)
        except ValueError:
            return None
    if until is None:
        return None
    start = _http_date(headers.get("date", "")) or now
    return min(max(0.0, (until - start).total_seconds()), _MAX_WAIT_SECONDS)


def _http_date(value: str) -> datetime | None:
    raw = value.encode("ascii", "replace")
    return dates.read(raw) or dates.read(raw + b" GMT")  # RFC 9110 5.6.7: asctime's form has no zone, and is UTC


def _json_of(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _error_of(content: bytes) -> dict[str, Any] | None:
    """The `error` of Google's JSON, or None: then the answer isn't Google's."""
    found = _json_of(content).get("error")
    return found if isinstance(found, dict) and isinstance(found.get("code"), int) else None


def _text_of(error: dict[str, Any] | None) -> str:
    return str((error or {}).get("message") or "")


def _details_of(error: dict[str, Any] | None) -> list[dict[str, Any]]:
    lists = [(error or {}).get(key) for key in ("errors", "details")]
    found = [one for some in lists if isinstance(some, list) for one in some if isinstance(one, dict)]
    return [one for one in found if isinstance(one.get("metadata", {}), dict)]


def _reasons_of(error: dict[str, Any] | None) -> frozenset[str]:
    return frozenset(one["reason"] for one in _details_of(error) if isinstance(one.get("reason"), str))


def _quoted(text: str) -> str:
    return f" ({plain(text)})" if text else ""


def plain(text: str) -> str:
    """One line of it, not too long, for logs and terminals."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[:2_000]).split())
    return line[:_MAX_QUOTED_CHARS]
