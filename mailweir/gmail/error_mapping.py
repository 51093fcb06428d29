"""Maps an error answer to one of our errors: the answer's content is parsed here, and `refusals` has its meaning.

Makes no requests. Google's API gives the `reason`s of its error in two places, `errors` and `details`; its token endpoint gives a
code. An answer that isn't Google's (a proxy's page) never ends anything: it is `Unreachable`. Called by `api` and `tokens`.
"""

import json
import re
from collections.abc import Collection
from datetime import UTC, datetime
from http.client import HTTPMessage
from typing import Any

from mailweir import dates
from mailweir.gmail import refusals
from mailweir.gmail.errors import GmailError
from mailweir.gmail.one_line import plain
from mailweir.gmail.refusals import Asked, Meaning
from mailweir.gmail.transport import Answer
from mailweir.sentence import Sentence

_MAX_WAIT_SECONDS = 86_400.0  # so that an absurd answer doesn't stop a mailbox forever
_RETRY_AFTER = re.compile(r"[Rr]etry after (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)Z")


def of_api(asked: Asked, answer: Answer, now: datetime) -> GmailError:
    """The error for Gmail's refusal. now: UTC, for an answer without a time of its own. A 401 came in spite of a fresh token."""
    error = _json_of(answer.data).get("error")
    # Without an object and its code, the error isn't in Google's form.
    found = error if isinstance(error, dict) and isinstance(error.get("code"), int) else None
    text, details = str((found or {}).get("message") or ""), _details_of(found or {})
    reasons = {one["reason"] for one in details if isinstance(one.get("reason"), str)}
    limits = " ".join(str(one.get("metadata", {}).get("quota_limit", "")) for one in details)
    row = refusals.find(asked, answer.status, reasons, f"{text} {limits}", has_form=found is not None)
    return _made(row, answer, f" ({plain(text)})" if text else "", _wait_seconds(answer.headers, text, now))


def of_token(asked: Asked, answer: Answer, now: datetime, secrets: Collection[str] = ()) -> GmailError:
    """The error for a refusal of the token endpoint (RFC 6749 5.2).

    secrets: of the request; in a quoted text of the answer, `…` replaces them.
    """
    found = _json_of(answer.data)
    code, text = found.get("error"), str(found.get("error_description") or "")
    for secret in secrets:
        text = text.replace(secret, "…")
        code = code.replace(secret, "…") if isinstance(code, str) else code
    has_form = isinstance(code, str)
    row = refusals.find(asked, answer.status, {str(code)}, text, has_form=has_form)
    said = ": ".join(plain(one) for one in (code if has_form else None, text) if one)
    return _made(row, answer, f" ({said})" if said else "", _wait_seconds(answer.headers, text, now))


def _made(row: Meaning, answer: Answer, said: str, wait: float | None) -> GmailError:
    text = Sentence(row.says, {"status": answer.status, "said": said})
    return row.error(text, wait, whose=row.whose, is_certain=row.is_certain, status=answer.status)


def _json_of(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _details_of(error: dict[str, Any]) -> list[dict[str, Any]]:
    lists = [error.get(key) for key in ("errors", "details")]
    found = [one for some in lists if isinstance(some, list) for one in some if isinstance(one, dict)]
    return [one for one in found if isinstance(one.get("metadata", {}), dict)]


def _wait_seconds(headers: HTTPMessage, text: str, now: datetime) -> float | None:
    """The wait that the answer demands: Retry-After (RFC 9110 10.2.3), or a moment in the text, as Gmail gives it.

    A moment is compared with the answer's own Date: this host's clock may be wrong.
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
