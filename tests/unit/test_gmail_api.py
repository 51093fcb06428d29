"""Gmail's API: what is asked, how answers are read, and that every fault is the right one of our errors. Over real HTTP."""

import base64
import gzip
import itertools
import json
import logging
import traceback
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from mailweir.errors import BadInput, SettingsError
from mailweir.gmail import parse
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
from mailweir.gmail.oauth_files import OAuthClient
from mailweir.gmail.tokens import UserCredentials
from mailweir.settings import Gmail
from tests import scripted_http
from tests.scripted_http import Answer, Server, as_json, raw_answer, refusal

ME = "/gmail/v1/users/me"
NEXT = as_json({"historyId": "7"})


@pytest.fixture
def server() -> Iterator[Server]:
    with scripted_http.running() as running:
        yield running


@pytest.fixture
def spent() -> list[int]:
    """The units of each request."""
    return []


@pytest.fixture
def api(server: Server) -> Api:
    return Api(Gmail(api_endpoint=server.url, timeout_seconds=1))


def reader(api: Api, server: Server, spent: list[int], refresh_token: str = "refresh-1") -> MailboxReader:
    client = OAuthClient("id", "secret", server.url + "/auth", server.url + "/token", ())
    return api.mailbox(UserCredentials(client, refresh_token), spent.append)


@pytest.fixture
def mailbox(api: Api, server: Server, spent: list[int]) -> MailboxReader:
    return reader(api, server, spent)


def calls(server: Server) -> list[str]:
    """The paths that were asked for, without those for tokens."""
    return [path.removeprefix(ME) for path in server.paths if path != "/token"]


# --- what is asked, and how it is read ------------------------------------------------------------------------------------


def test_profile(mailbox: MailboxReader, server: Server, spent: list[int]) -> None:
    server.script = [as_json({"emailAddress": "richard@firm.example", "historyId": "18446744073709551616"})]
    assert mailbox.profile() == parse.Profile("richard@firm.example", "18446744073709551616")
    assert (calls(server), spent) == (["/profile"], [1])
    assert server.asked[-1].headers["authorization"] == "Bearer first"


def test_profile_missing_the_newest_messages_history_counts(
    mailbox: MailboxReader, server: Server, spent: list[int]
) -> None:
    server.script = [
        Answer(404, b"404 Not Found"),
        as_json({"sendAs": [{"sendAsEmail": "x@y.example"}, {"sendAsEmail": "r@firm.example", "isPrimary": True}]}),
        as_json({"messages": [{"id": "m9"}], "nextPageToken": "2"}),
        as_json({"historyId": 41}),
    ]
    assert mailbox.profile() == parse.Profile("r@firm.example", "41")
    assert calls(server) == ["/profile", "/settings/sendAs", "/messages", "/messages/m9"]
    assert (server.asked[-2].one("maxResults"), server.asked[-1].one("format"), spent) == (
        "1",
        "minimal",
        [1, 1, 5, 20],
    )


def test_profile_missing_in_an_empty_mailbox(mailbox: MailboxReader, server: Server) -> None:
    server.script = [Answer(404, b"no"), refusal(404, "notFound"), as_json({})]
    assert mailbox.profile() == parse.Profile("", "1")


def test_history_asks_for_all_labels_and_keeps_its_start(
    mailbox: MailboxReader, server: Server, spent: list[int]
) -> None:
    server.script = [as_json({"nextPageToken": "p2", "historyId": "12"}), as_json({"historyId": "12"})]
    assert mailbox.history("5") == parse.HistoryPage((), "12", "p2")
    assert mailbox.history("5", "p2") == parse.HistoryPage((), "12", None)
    first, second = (asked.fields for asked in server.asked if asked.path != "/token")
    assert first["historyTypes"] == ["messageAdded", "labelAdded", "labelRemoved"]
    assert (first["startHistoryId"], second["startHistoryId"], second["pageToken"]) == (["5"], ["5"], ["p2"])
    assert (first["maxResults"], "labelId" in first, "pageToken" in first, spent) == (["500"], False, False, [2, 2])


def change(message_id: str, now: list[str] | None, labels: list[str] | None = None) -> dict[str, Any]:
    """One change of a history's record. now: the message's labels; labels: those that came or went."""
    message: dict[str, Any] = {"id": message_id, "threadId": "t"}
    if now is not None:
        message["labelIds"] = now
    return {"message": message, **({} if labels is None else {"labelIds": labels})}


@pytest.mark.parametrize(
    ("kind", "now", "labels", "heard"),
    [
        ("messagesAdded", ["INBOX", "UNREAD"], None, True),
        ("messagesAdded", ["Label_7"], None, True),  # a filter keeps it out of the inbox
        ("messagesAdded", [], None, True),
        ("messagesAdded", None, None, True),  # gone by now, perhaps: the message will say
        ("messagesAdded", ["SENT"], None, True),
        ("messagesAdded", ["DRAFT"], None, False),
        ("messagesAdded", ["DRAFT", "SENT"], None, True),
        ("messagesAdded", ["SPAM"], None, False),
        ("messagesAdded", ["TRASH", "INBOX"], None, False),
        ("messagesAdded", ["CHAT"], None, False),
        ("labelsAdded", ["SENT"], ["SENT"], True),
        ("labelsAdded", ["INBOX", "UNREAD"], ["UNREAD", "INBOX"], True),
        ("labelsAdded", ["INBOX", "STARRED"], ["STARRED"], False),
        ("labelsAdded", ["TRASH"], ["TRASH"], False),
        ("labelsRemoved", ["INBOX"], ["SPAM"], True),
        ("labelsRemoved", [], ["TRASH"], True),
        ("labelsRemoved", ["SENT"], ["DRAFT"], True),
        ("labelsRemoved", ["INBOX"], ["UNREAD"], False),
        ("labelsRemoved", ["TRASH"], ["SPAM"], False),  # comes up again when it leaves the trash
        ("messagesDeleted", None, None, False),
    ],
)
def test_what_is_heard_of_history(
    mailbox: MailboxReader, server: Server, kind: str, now: list[str] | None, labels: list[str] | None, heard: bool
) -> None:
    server.script = [as_json({"historyId": "9", "history": [{"id": "8", kind: [change("m1", now, labels)]}]})]
    assert mailbox.history("5").message_ids == (("m1",) if heard else ())


def test_history_names_each_message_once_and_in_order(mailbox: MailboxReader, server: Server) -> None:
    records = [
        {"id": "6", "messagesAdded": [change("b", ["INBOX"]), change("draft", ["DRAFT"])]},
        {"id": "7", "messagesAdded": [change("a", ["SPAM"])], "labelsAdded": [change("b", ["INBOX"], ["INBOX"])]},
        {"id": "8", "labelsRemoved": [change("a", ["INBOX"], ["SPAM"])]},
        {"id": "9", "labelsRemoved": [change("draft", ["SENT"], ["DRAFT"])]},
    ]
    server.script = [as_json({"historyId": "9", "history": records})]
    assert mailbox.history("5").message_ids == ("b", "a", "draft")


def test_list(mailbox: MailboxReader, server: Server, spent: list[int]) -> None:
    server.script = [as_json({"messages": [{"id": "m2"}, {"id": "m1"}], "nextPageToken": "n"}), as_json({})]
    assert mailbox.list_ids("after:1700000000") == parse.ListPage(("m2", "m1"), "n")
    assert mailbox.list_ids("after:1700000000", "n", 10) == parse.ListPage((), None)
    assert (server.asked[-1].one("q"), server.asked[-1].one("pageToken")) == ("after:1700000000", "n")
    assert (server.asked[-1].one("maxResults"), spent, "includeSpamTrash" in server.asked[-1].fields) == (
        "10",
        [5, 5],
        False,
    )


def test_a_query_never_becomes_a_post(mailbox: MailboxReader, server: Server, spent: list[int]) -> None:
    fits = "{" + " ".join(f"from:{n:04}@client.example to:{n:04}@client.example" for n in range(20)) + "}"
    server.script = [as_json({})]
    mailbox.list_ids(fits)
    assert server.asked[-1].method == "GET"
    with pytest.raises(BadInput, match="fewer addresses"):
        mailbox.list_ids("from:jane@client.example " * 100)
    assert (len(spent), calls(server)) == (1, ["/messages"])


def test_metadata(mailbox: MailboxReader, server: Server, spent: list[int]) -> None:
    headers = [
        {"name": "FROM", "value": "Jürgen <j@client.example>"},
        {"name": "To", "value": "a@firm.example,\r\n b@firm.example"},
        {"name": "X", "value": "lone \ud800 surrogate\nand a line"},
    ]
    answer = {"id": "m1", "labelIds": ["SENT"], "sizeEstimate": 12, "internalDate": "1700000000123"}
    server.script = [as_json({**answer, "payload": {"headers": headers}})]
    assert mailbox.metadata("m1") == parse.Metadata(
        "m1",
        frozenset({"SENT"}),
        12,
        datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC),
        (
            (b"FROM", " Jürgen <j@client.example>".encode()),
            (b"To", b" a@firm.example,\r\n b@firm.example"),
            (b"X", b" lone ? surrogate\r\n and a line"),
        ),
    )
    # Gmail compares these names letter by letter: FROM would be missing
    assert "metadataHeaders" not in server.asked[-1].fields
    assert (server.asked[-1].one("format"), spent) == ("metadata", [20])


def test_a_message_without_headers_is_no_stranger(mailbox: MailboxReader, server: Server) -> None:
    bare = {"id": "m1", "labelIds": ["INBOX"], "internalDate": "0"}
    server.script = [as_json(bare), as_json({**bare, "payload": {}}), as_json({**bare, "labelIds": ["CHAT"]})]
    for _ in range(2):
        with pytest.raises(Unreachable, match="no"):
            mailbox.metadata("m1")
    assert mailbox.metadata("m1").headers == ()


def test_a_number_that_is_none(mailbox: MailboxReader, server: Server) -> None:
    payload = b'"payload": {"headers": [{"name": "A", "value": "b"}]}'
    body = b'{"id": "m1", "labelIds": ["INBOX"], "internalDate": "0", "sizeEstimate": Infinity, %s}' % payload
    server.script = [Answer(200, body)]
    with pytest.raises(Unreachable, match="garbled"):
        mailbox.metadata("m1")


def test_whom_decoded_headers_may_concern() -> None:
    headers = (
        (b"From", b" Doe, Jane (Client; Ltd) <Jane@Client.example>, 'x@y.example'"),
        (b"CC", b' "a, b" <c@d.example>; <"odd name"@e.example>, evil@f.example@g.example'),
        (b"Subject", b" not@this.example"),
    )
    found = parse.possible_addresses(headers)
    assert found >= {"jane@client.example", "x@y.example", "c@d.example"}
    assert "not@this.example" not in found


def test_whom_headers_may_concern_takes_linear_time(grows_linearly: Any) -> None:
    for piece in ("a", "a@", "<a@b.example>,", "(", '"', "\\"):
        grows_linearly(lambda size, piece=piece: parse.possible_addresses([(b"To", piece.encode() * size)]))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 199_999, 200_000, 200_001])
def test_raw_is_the_message_byte_for_byte(mailbox: MailboxReader, server: Server, size: int) -> None:
    raw = (bytes(range(256)) * (size // 256 + 1))[:size]
    server.script = [raw_answer("m1", raw, ("SENT", "Label_1"))]
    assert mailbox.raw("m1") == parse.RawMessage(
        "m1", frozenset({"SENT", "Label_1"}), datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), raw
    )
    # base64 shrinks little, and what shrinks much might be an attack
    assert server.asked[-1].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "text",
    ["_-8=", "_-8", "_-8\\u003d", "_-8\\u003D", "/+8=", "\\u005f-8="],
    ids=["padded", "not", "as Google escapes it", "or so", "standard alphabet", "escaped within"],
)
def test_raw_in_each_way_it_may_be_written(text: str) -> None:
    content = b'{"id":"m1",\n  "raw" : "%s", "internalDate": "0"}' % text.encode()
    assert parse.raw_message(content).raw == b"\xff\xef"


@pytest.mark.parametrize("text", ["AAA*", "A", "AAAA=AAA", "AA\\nAA", "AA==A"])
def test_raw_that_is_garbled_is_no_shorter_message(mailbox: MailboxReader, server: Server, text: str) -> None:
    server.script = [Answer(200, b'{"id":"m1","internalDate":"0","raw":"%s"}' % text.encode())]
    with pytest.raises(Unreachable, match="garbled"):
        mailbox.raw("m1")


def test_a_large_message_takes_little_more_memory_than_itself() -> None:
    raw = bytes(range(256)) * (35 * 4096)
    content = b'{"id":"m1","internalDate":"0","raw":"' + base64.urlsafe_b64encode(raw) + b'"}'
    tracemalloc.start()
    try:
        assert parse.raw_message(content).raw == raw
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.3 * len(raw)


def test_an_answer_about_another_message(mailbox: MailboxReader, server: Server) -> None:
    server.script = [raw_answer("m2", b"x")]
    with pytest.raises(Unreachable, match="another message"):
        mailbox.raw("m1")


# --- refusals -------------------------------------------------------------------------------------------------------------

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
    assert len(calls(server)) == 1  # nobody asks again by himself


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (
            as_json({"error": {**NO_GMAIL, "errors": [{"reason": "failedPrecondition"}]}}, 400),
            NeedsReconnect,
            "licence; the mailbox goes on by itself",
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
    server.script = [answer] * 2 if answer.hang_up or answer.delay_seconds or answer.status == 401 else [answer]
    with pytest.raises(kind, match=said) as caught:
        mailbox.history("5")
    assert type(caught.value) is kind or kind is GmailError
    assert len(str(caught.value).splitlines()) == 1
    server.script = [NEXT]
    assert mailbox.history("5").history_id == "7"  # and the next question gets its own answer


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
    # in the middle of its pages it is the page that is wrong
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


# --- connections, quota, secrets ----------------------------------------------------------------------------------------


def test_a_late_answer_never_goes_to_the_next_mailbox(api: Api, server: Server, spent: list[int]) -> None:
    slow, other = reader(api, server, spent), reader(api, server, spent, "refresh-2")
    server.script = [NEXT, as_json({"historyId": "666"}), as_json({"historyId": "8"})]
    slow.history("1")
    late = Answer(200, b'{"historyId":"666"}', delay_seconds=1.2)
    server.script = [late, as_json({"historyId": "7"}), as_json({"historyId": "8"})]
    assert slow.history("1").history_id == "7"  # asked once more, on a new connection
    assert other.history("1").history_id == "8"
    server.script = [late, late, as_json({"historyId": "9"})]
    with pytest.raises(Unreachable):
        slow.history("1")
    assert other.history("1").history_id == "9"


def test_a_connection_is_kept_also_after_a_refusal(mailbox: MailboxReader, server: Server) -> None:
    server.script = [NEXT, refusal(404, "notFound"), NEXT]
    mailbox.history("1")
    with pytest.raises(MessageGone):
        mailbox.metadata("m1")
    mailbox.history("1")
    assert len({asked.connection for asked in server.asked}) == 1


def test_no_request_without_room_in_the_quota(api: Api, server: Server) -> None:
    def spend(units: int) -> None:
        raise Throttled(f"{units} units are too many", 3.0)

    client = OAuthClient("id", "secret", server.url, server.url + "/token", ())
    mailbox = api.mailbox(UserCredentials(client, "r"), spend)
    for ask in (mailbox.profile, lambda: mailbox.history("1"), lambda: mailbox.raw("m")):
        with pytest.raises(Throttled):
            ask()
    assert server.asked == []


def test_costs_are_the_settings(server: Server, spent: list[int]) -> None:
    config = Gmail(api_endpoint=server.url, profile_units=11, history_units=12, list_units=13, get_units=14)
    mailbox = reader(Api(config), server, spent)
    message = {"id": "m", "internalDate": "0", "payload": {"headers": [{"name": "From", "value": "x"}]}}
    server.script = [as_json({"emailAddress": "a@b.example", "historyId": "1"}), NEXT, as_json({}), as_json(message)]
    server.script.append(raw_answer("m", b"x"))
    mailbox.profile(), mailbox.history("1"), mailbox.list_ids("x"), mailbox.metadata("m"), mailbox.raw("m")
    assert spent == [11, 12, 13, 14, 14]


def test_no_token_is_written_anywhere(mailbox: MailboxReader, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer = lambda asked: as_json({"access_token": "access-secret", "expires_in": 3600})
    server.script = [NEXT, refusal(403, "forbidden", "No."), Answer(200, b"{")]
    mailbox.history("1")
    said = [repr(mailbox._credentials), str(vars(mailbox)), caplog.text]
    for _ in range(2):
        with pytest.raises(GmailError) as caught:
            mailbox.history("1")
        said.append(repr(caught.value) + "".join(traceback.format_exception(caught.value)))
    assert not [text for text in said if "access-secret" in text or "refresh-1" in text]


@pytest.mark.parametrize(
    "url",
    [
        *("http://gmail.example/", "ftp://127.0.0.1/", "gmail", "http://127.0.0.1.evil.example/", ""),
        *("https://", "https://gmail.example:x/", "http://127.0.0.1:99999/", "https://a..b/", "https://[::1"),
    ],
)
def test_tokens_never_cross_a_network_in_the_clear(url: str) -> None:
    with pytest.raises(SettingsError, match="https"):
        Api(Gmail(api_endpoint=url))


def test_an_ids_odd_characters_stay_in_the_path(mailbox: MailboxReader, server: Server) -> None:
    server.script = [raw_answer("../x?a=b", b"x")]
    assert mailbox.raw("../x?a=b").raw == b"x"
    assert json.dumps(calls(server)) == '["/messages/..%2Fx%3Fa%3Db"]'


def test_a_proxy_of_the_environment_is_not_asked(
    mailbox: MailboxReader, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.script = [NEXT]
    assert mailbox.history("1").history_id == "7"


def test_changes_of_labels_that_count_for_nothing_concern_no_message() -> None:
    """50,000 times read and unread, starred, categorised: no message is asked for."""
    changed = [
        {kind: [{"message": {"id": f"m{number}", "labelIds": ["INBOX", label]}, "labelIds": [label]}]}
        for number, label in zip(range(50_000), itertools.cycle(["UNREAD", "STARRED", "CATEGORY_UPDATES", "Label_7"]))
        for kind in ("labelsAdded", "labelsRemoved")
    ]
    found = parse.history_page(json.dumps({"history": changed, "historyId": "9"}).encode())
    assert (found.message_ids, found.sent, found.drafts) == ((), frozenset(), ())
    sent = {"labelsAdded": [{"message": {"id": "a1"}, "labelIds": ["SENT"]}]}
    draft = {"labelsAdded": [{"message": {"id": "a2", "labelIds": ["DRAFT"]}, "labelIds": ["DRAFT"]}]}
    found = parse.history_page(json.dumps({"history": [sent, draft], "historyId": "9"}).encode())
    assert (found.message_ids, found.sent, found.drafts) == (("a1",), frozenset({"a1"}), ("a2",))
