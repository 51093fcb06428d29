"""Gmail's API: every fault becomes the right one of our errors."""

import gzip

import pytest

from mailweir.gmail.api import Api, MailboxReader
from mailweir.gmail.errors import (
    AppRefused,
    GmailError,
    HistoryExpired,
    MessageGone,
    NeedsReconnect,
    Refused,
    Throttled,
    Unreachable,
)
from mailweir.settings import Gmail
from tests.gmail_api import NEXT, calls, reader
from tests.scripted_http import Answer, Server, as_json, refusal

NO_GMAIL = {"code": 400, "message": "Mail service not enabled", "status": "FAILED_PRECONDITION"}
SCOPES = {
    "code": 403,
    "message": "Request had insufficient authentication scopes.",
    "errors": [{"message": "Insufficient Permission", "domain": "global", "reason": "insufficientPermissions"}],
    "status": "PERMISSION_DENIED",
    "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}],
}
DISABLED = {
    "code": 403,
    "message": "Gmail API has not been used in project 123 before or it is disabled.",
    "errors": [{"domain": "usageLimits", "reason": "accessNotConfigured"}],
    "status": "PERMISSION_DENIED",
    "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}],
}


def quota(limit: str, status: int = 403) -> Answer:
    text = f"Quota exceeded for quota metric 'Queries' and limit '{limit}' of service 'gmail.googleapis.com' for consumer 'p'."
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED"}
    details = [{**info, "metadata": {"quota_limit": limit.replace(" ", "")}}]
    errors = [{"message": text, "domain": "global", "reason": "rateLimitExceeded"}]
    return as_json({"error": {"code": status, "message": text, "errors": errors, "details": details}}, status)


@pytest.mark.parametrize(
    ("answer", "wait", "whole"),
    [
        (refusal(429, "rateLimitExceeded", "Too many concurrent requests for user"), None, False),
        (refusal(403, "rateLimitExceeded", "Rate Limit Exceeded"), None, False),
        (refusal(403, "userRateLimitExceeded", "User Rate Limit Exceeded"), None, False),
        (refusal(403, "forbidden", "Too many concurrent requests for user"), None, False),
        (refusal(429, "rateLimitExceeded", Retry_After="17"), 17.0, False),
        (Answer(429, b"<html>busy</html>", {"Retry-After": "5"}), 5.0, False),
        (
            refusal(
                403,
                "rateLimitExceeded",
                Retry_After="Tue, 24 Nov 2026 03:13:00 GMT",
                Date="Tue, 24 Nov 2026 03:12:30 GMT",
            ),
            30.0,
            False,
        ),
        (  # RFC 9110 5.6.7: the two older forms of a date
            refusal(
                403,
                "rateLimitExceeded",
                Retry_After="Tue Nov 24 03:13:00 2026",
                Date="Tuesday, 24-Nov-26 03:12:30 GMT",
            ),
            30.0,
            False,
        ),
        (
            refusal(
                403,
                "userRateLimitExceeded",
                "User-rate limit exceeded.  Retry after 2026-11-24T03:27:30.500Z",
                Date="Tue, 24 Nov 2026 03:12:30 GMT",
            ),
            900.5,
            False,
        ),
        (
            refusal(429, "rateLimitExceeded", "Retry after 2026-11-24T03:12:00Z", Date="Tue, 24 Nov 2026 04:00:00 GMT"),
            0,
            False,
        ),
        (refusal(429, "rateLimitExceeded", Retry_After="99999999999999999999"), 86_400.0, False),
        (refusal(429, "rateLimitExceeded", "Retry after 2026-13-44T99:12:00Z"), None, False),
        (refusal(403, "dailyLimitExceeded", "Daily Limit Exceeded"), None, True),
        (refusal(403, "quotaExceeded"), None, True),
        (quota("Queries per minute per user"), None, False),
        (quota("Queries per minute"), None, True),
        (quota("Queries per day", 429), None, True),
    ],
)
def test_limits(mailbox: MailboxReader, server: Server, answer: Answer, wait: float | None, whole: bool) -> None:
    server.script = [answer]
    with pytest.raises(Throttled) as caught:
        mailbox.history("5")
    assert (caught.value.retry_after_seconds, caught.value.whole_project) == (wait, whole)
    assert len(calls(server)) == 1  # no automatic retry


def _times_asked(answer: Answer) -> int:
    """A request is sent again once if a kept connection, or an old token, may be the cause."""
    return 2 if answer.hang_up or answer.delay_seconds or answer.status == 401 else 1


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (
            as_json({"error": {**NO_GMAIL, "errors": [{"reason": "failedPrecondition"}]}}, 400),
            NeedsReconnect,
            "licence; then the mailbox continues by itself",
        ),
        (refusal(403, "domainPolicy", "The domain policy has disabled it"), NeedsReconnect, "trust the app"),
        (as_json({"error": SCOPES}, 403), NeedsReconnect, r"leave its box ticked \("),
        (as_json({"error": DISABLED}, 403), AppRefused, "APIs & Services"),
        (refusal(403, "forbidden", "Delegation denied for x@firm.example"), NeedsReconnect, "mailbox's own account"),
        (refusal(401, "authError", "Invalid Credentials"), Unreachable, "fresh token"),
        (refusal(400, "invalidArgument", "Invalid id value"), HistoryExpired, "Invalid id value"),
        (refusal(403, "forbidden", "No."), Refused, "403"),
        (refusal(403, "badRequest", "line\nend\x1b[31m"), Refused, r"line end \[31m"),
        (refusal(500, "backendError", "Backend Error"), Unreachable, "500"),
        (refusal(503, "backendError", Retry_After="9"), Unreachable, "503"),
        (refusal(408, "timeout"), Unreachable, "408"),
        (Answer(503, b"<html>down</html>"), Unreachable, "503"),
        (Answer(502, b""), Unreachable, "502"),
        (Answer(403, b"<html>blocked by proxy</html>"), Unreachable, "403"),
        (Answer(401, b"log in to the hotel"), Unreachable, "401"),
        (Answer(302, b"", {"Location": "http://127.0.0.1:9/login"}), Unreachable, "302"),
        (Answer(200, b"<html>welcome</html>"), Unreachable, "garbled"),
        (Answer(200, b'{"historyId":"7"'), Unreachable, "garbled"),
        (Answer(200, b"\xff\xfe"), Unreachable, "garbled"),
        (Answer(200, b"[]"), Unreachable, "garbled"),
        (Answer(200, b"{}"), Unreachable, "historyId"),
        (Answer(200, b'{"historyId":"-1"}'), Unreachable, "historyId"),
        (Answer(200, b'{"historyId":"7","history":{}}'), Unreachable, "garbled"),
        (Answer(200, b'{"historyId":"7","history":[{"messagesAdded":[{}]}]}'), Unreachable, "garbled"),
        (Answer(200, b"[" * 100_000), Unreachable, "garbled"),
        (Answer(204, b""), Unreachable, "garbled"),
        (Answer(400, b'{"error":{"code":400,"message":7,"errors":7,"details":[7]}}'), GmailError, "400|garbled"),
        (Answer(400, b'{"error":"invalid"}'), Unreachable, "400"),
        (Answer(200, b'{"historyId":"7"}', cut_at=9), Unreachable, "garbled"),
        (Answer(200, gzip.compress(b'{"historyId":"7"}')[:-14], {"Content-Encoding": "gzip"}), Unreachable, "garbled"),
        (Answer(200, b"no gzip", {"Content-Encoding": "gzip"}), Unreachable, "garbled"),
        (Answer(hang_up=True), Unreachable, "reached|garbled"),
        (Answer(delay_seconds=1.3), Unreachable, "in time"),
    ],
)
def test_refusals_and_broken_answers(
    mailbox: MailboxReader, server: Server, answer: Answer, kind: type[GmailError], said: str
) -> None:
    server.script = [answer] * _times_asked(answer)
    with pytest.raises(kind, match=said) as caught:
        mailbox.history("5")
    assert type(caught.value) is kind or kind is GmailError
    assert len(str(caught.value).splitlines()) == 1
    server.script = [NEXT]
    assert mailbox.history("5").history_id == "7"  # and the next request gets its own answer


def test_mail_that_is_not_on_for_one_message_is_that_messages(mailbox: MailboxReader, server: Server) -> None:
    answer = as_json({"error": {**NO_GMAIL, "errors": [{"reason": "failedPrecondition"}]}}, 400)
    for ask in (mailbox.metadata, mailbox.raw):
        server.script = [answer]
        with pytest.raises(Refused, match="400"):
            ask("a1")


def test_a_history_that_stands_before_the_cursor_is_another_one(mailbox: MailboxReader, server: Server) -> None:
    server.script = [as_json({"historyId": "4"})]
    with pytest.raises(HistoryExpired):
        mailbox.history("5")
    server.script = [as_json({"historyId": "18446744073709551617"})]
    assert mailbox.history("18446744073709551616").history_id == "18446744073709551617"
    # in the middle of the pages, the page token is wrong
    server.script = [refusal(400, "invalidArgument", "Invalid pageToken")]
    with pytest.raises(Refused):
        mailbox.history("5", "p2")


def test_an_outage_says_how_long(mailbox: MailboxReader, server: Server) -> None:
    server.script = [refusal(503, "backendError", Retry_After="9")]
    with pytest.raises(Unreachable) as caught:
        mailbox.raw("m1")
    assert caught.value.retry_after_seconds == 9.0


def test_404_is_what_was_asked_for(mailbox: MailboxReader, server: Server) -> None:
    gone = refusal(404, "notFound", "Requested entity was not found.")
    server.script = [gone] * 4
    with pytest.raises(HistoryExpired):
        mailbox.history("5")
    for ask in (mailbox.metadata, mailbox.raw):
        with pytest.raises(MessageGone):
            ask("m1")
    with pytest.raises(Refused):
        mailbox.list_ids("x")


def test_a_404_that_is_not_gmails_makes_no_message_vanish(mailbox: MailboxReader, server: Server) -> None:
    server.script = [Answer(404, b"<html>Not Found</html>"), Answer(404, b""), as_json({"error": "not found"}, 404)]
    for ask in (mailbox.metadata, mailbox.raw, mailbox.history):
        with pytest.raises(Unreachable, match="404"):
            ask("1")


def test_nobody_there(server: Server, spent: list[int]) -> None:
    api = Api(Gmail(api_endpoint="http://127.0.0.1:1/", timeout_seconds=1))
    with pytest.raises(Unreachable, match=r"127.0.0.1:1 can't be reached: Connection refused"):
        reader(api, server, spent).profile()
