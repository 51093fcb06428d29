"""The Gmail server of the tests, asked by the client library that the sync uses: it is like Gmail where the sync relies on it."""

import contextlib
import http.client
import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httplib2
import pytest
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request as AuthRequest
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from google_auth_oauthlib.flow import InstalledAppFlow
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from tests.gmail import faults
from tests.gmail.calls import GETS, Kind
from tests.gmail.server import METADATA, READONLY, GmailServer, Mailbox, received
from tests.gmail.upstream import raw_bytes

JANE = b"From: Jane <jane@client.example>\r\nTo: richard@firm.example\r\nSubject: An offer\r\nMessage-ID: <1@client.example>\r\n"
ODD = JANE + b"X-Folded: a\r\n\tb\r\nFrom: two@client.example\r\n\r\nbare\rCR, bare\nLF, NUL \0, \xff\xfe and no end"


def mail(
    author: str, *, to: str = "richard@firm.example", number: int = 1, more: str = "", body: str = "hello"
) -> bytes:
    """A plain message."""
    head = f"From: {author}\r\nTo: {to}\r\nSubject: Number {number}\r\nMessage-ID: <{number}@client.example>\r\n{more}"
    return f"{head}\r\n{body}\r\n".encode()


Users = Callable[[Mailbox], Any]


@pytest.fixture
def users(gmail: GmailServer) -> Users:
    """users(richard): users() of the client library with richard's credentials, as the sync builds it."""
    return lambda box: _users(gmail, box.credentials())


def _users(gmail: GmailServer, credentials: Credentials) -> Any:
    service = build(
        "gmail",
        "v1",
        http=AuthorizedHttp(credentials, http=httplib2.Http(timeout=30)),
        client_options={"api_endpoint": gmail.endpoint},
        static_discovery=True,
    )
    return service.users()


def _refresh(credentials: Any) -> None:
    credentials.refresh(AuthRequest())


def _ids(page: dict[str, Any]) -> list[str]:
    return [one["id"] for one in page.get("messages", [])]


def _found(api: Any, query: str, **more: Any) -> set[str]:
    return set(_ids(api.messages().list(userId="me", q=query, **more).execute()))


def _error(request: Any) -> tuple[int, str]:
    with pytest.raises(HttpError) as raised:
        request.execute(num_retries=0)
    (inner,) = json.loads(raised.value.content)["error"]["errors"]
    return raised.value.resp.status, inner["reason"]


# ---- from consent to revoke


def test_the_whole_of_oauth_from_consent_to_revoke(
    gmail: GmailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # the server of the tests speaks plain HTTP
    file = gmail.client_file(tmp_path / "client.json")
    assert file.stat().st_mode & 0o777 == 0o600
    flow = InstalledAppFlow.from_client_secrets_file(str(file), [READONLY], redirect_uri="http://127.0.0.1:40123/back")
    page, state = flow.authorization_url(access_type="offline", prompt="consent")
    back = gmail.approve(page, "richard@firm.example")
    assert back.startswith("http://127.0.0.1:40123/back?")
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)
    assert query["state"] == [state]
    flow.fetch_token(code=query["code"][0])
    credentials = flow.credentials
    assert credentials.refresh_token
    api = _users(gmail, credentials)
    assert api.getProfile(userId="me").execute()["emailAddress"] == "richard@firm.example"
    _refresh(credentials)
    http_ = httplib2.Http()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urllib.parse.urlencode({"token": credentials.refresh_token})
    assert http_.request(gmail.revoke_uri, "POST", body, form)[0].status == 200
    with pytest.raises(RefreshError, match="invalid_grant"):
        _refresh(credentials)
    assert http_.request(gmail.revoke_uri, "POST", body, form)[0].status == 400


def test_a_code_is_good_for_one_exchange(gmail: GmailServer) -> None:
    page = _page(gmail, access_type="offline")
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(gmail.approve(page, "mary@firm.example")).query)["code"][0]
    assert "refresh_token" in _exchange(gmail, code)
    assert _exchange(gmail, code)["error"] == "invalid_grant"


def test_without_offline_access_there_is_no_refresh_token(gmail: GmailServer) -> None:
    back = gmail.approve(_page(gmail), "mary@firm.example")
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]
    got = _exchange(gmail, code)
    assert got["access_token"]
    assert "refresh_token" not in got


def test_a_user_says_no(gmail: GmailServer) -> None:
    assert gmail.decline(_page(gmail, state="s1")) == "http://localhost:9/?error=access_denied&state=s1"


def _page(gmail: GmailServer, **more: str) -> str:
    fields = {
        "client_id": "mailweir-tests.apps.example",
        "redirect_uri": "http://localhost:9/",
        "response_type": "code",
        "scope": READONLY,
        "state": "s",
        **more,
    }
    return f"{gmail.endpoint}o/oauth2/v2/auth?{urllib.parse.urlencode(fields)}"


def _exchange(gmail: GmailServer, code: str) -> dict[str, Any]:
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": "http://localhost:9/",
        "client_id": "mailweir-tests.apps.example",
        "client_secret": "a-secret-of-the-tests",
    }
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    _, body = httplib2.Http().request(gmail.token_uri, "POST", urllib.parse.urlencode(fields), form)
    got: dict[str, Any] = json.loads(body)
    return got


def test_a_redirect_to_elsewhere_is_refused(gmail: GmailServer) -> None:
    response, _ = httplib2.Http().request(_page(gmail, redirect_uri="https://evil.example/"))
    assert response.status == 400


@pytest.mark.parametrize("token", ["", "nobody-issued-this"])
def test_an_unknown_token_is_401(gmail: GmailServer, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    response, body = httplib2.Http().request(f"{gmail.endpoint}gmail/v1/users/me/messages", headers=headers)
    assert response.status == 401
    assert json.loads(body)["error"]["errors"][0]["reason"] == "authError"


def test_an_access_token_that_ends_early_is_refreshed_by_the_library(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    api = users(richard)
    api.getProfile(userId="me").execute()
    gmail.tokens.expire_access(richard.address)
    assert api.getProfile(userId="me").execute()["emailAddress"] == richard.address


def test_when_the_user_removes_the_app_the_token_is_dead(gmail: GmailServer, users: Users) -> None:
    richard, mary = gmail.mailbox("richard"), gmail.mailbox("mary")
    api, other = users(richard), users(mary)
    api.getProfile(userId="me").execute()
    gmail.revoke_access(richard)
    with pytest.raises(RefreshError, match="invalid_grant"):
        api.getProfile(userId="me").execute()
    other.getProfile(userId="me").execute()


def test_a_service_account_acts_for_each_user(gmail: GmailServer, tmp_path: Path) -> None:
    file = gmail.service_account_file(tmp_path / "account.json")
    assert file.stat().st_mode & 0o777 == 0o600
    whole: Any = service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
        str(file), scopes=[READONLY]
    )
    for name in ("richard", "mary"):
        api = _users(gmail, whole.with_subject(f"{name}@firm.example"))
        assert api.getProfile(userId="me").execute()["emailAddress"] == f"{name}@firm.example"
    with pytest.raises(RefreshError, match="invalid_grant"):
        whole.with_subject("nobody@firm.example").refresh(AuthRequest())
    wider = whole.with_scopes(["https://mail.google.com/"]).with_subject("mary@firm.example")
    with pytest.raises(RefreshError, match="unauthorized_client"):
        _refresh(wider)


def test_the_metadata_scope_forbids_search_and_raw(gmail: GmailServer) -> None:
    richard = gmail.mailbox("richard")
    id_ = richard.insert(ODD)
    api = _users(gmail, richard.credentials(METADATA))
    assert _ids(api.messages().list(userId="me").execute()) == [id_]
    api.messages().get(userId="me", id=id_, format="metadata").execute()
    assert _error(api.messages().list(userId="me", q="in:inbox")) == (403, "insufficientPermissions")
    assert _error(api.messages().get(userId="me", id=id_, format="raw")) == (403, "insufficientPermissions")


def test_a_consent_without_the_scope_reads_nothing(gmail: GmailServer) -> None:
    api = _users(gmail, gmail.mailbox("richard").credentials("openid"))
    assert _error(api.getProfile(userId="me")) == (403, "insufficientPermissions")


# ---- mail


def test_from_insert_by_history_and_list_to_the_same_bytes(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    api = users(richard)
    start = api.getProfile(userId="me").execute()
    assert start["messagesTotal"] == 0
    ids = {
        richard.insert(ODD, at=received(23)): "insert",
        richard.import_(ODD + b"\r\n"): "import",
        richard.send(mail("richard@firm.example", to="jane@client.example")): "send",
    }
    page = api.history().list(userId="me", startHistoryId=start["historyId"]).execute()
    added = [one["message"]["id"] for record in page["history"] for one in record.get("messagesAdded", [])]
    assert added == list(ids)
    assert page["historyId"] == richard.history_id
    assert set(_ids(api.messages().list(userId="me").execute())) == set(ids)
    first = next(iter(ids))
    got = api.messages().get(userId="me", id=first, format="raw").execute()
    assert raw_bytes(got["raw"]) == ODD
    assert got["internalDate"] == str(int(received(23).timestamp() * 1000))
    assert richard.labels(list(ids)[2]) == {"SENT"}
    profile = api.getProfile(userId="me").execute()
    assert (profile["messagesTotal"], profile["historyId"]) == (3, page["historyId"])


def test_metadata_has_every_header_as_it_stands(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    id_ = richard.insert(ODD)
    api = users(richard)
    got = api.messages().get(userId="me", id=id_, format="metadata", metadataHeaders=["from", "X-Folded"]).execute()
    assert [(one["name"], one["value"]) for one in got["payload"]["headers"]] == [
        ("From", "Jane <jane@client.example>"),
        ("X-Folded", "a b"),
        ("From", "two@client.example"),
    ]
    assert "raw" not in got
    assert gmail.calls.counts(richard.address)[Kind.GET_RAW] == 0


def test_an_idle_mailbox_has_no_history_key(gmail: GmailServer, users: Users) -> None:
    api = users(gmail.mailbox("richard"))
    page = api.history().list(userId="me", startHistoryId="1").execute()
    assert "history" not in page
    assert "messages" not in api.messages().list(userId="me").execute()


def test_what_comes_in_has_come_in_now_and_what_is_imported_when_it_was_sent(gmail: GmailServer) -> None:
    richard = gmail.mailbox("richard")
    old = mail("jane@client.example", more="Date: Tue, 03 Nov 2026 12:00:00 +0000\r\n")
    before = time.time() * 1000 - 1
    ids = [richard.insert(old), richard.send(old)]
    richard.draft(old)
    (draft,) = richard.ids() - set(ids)
    for id_ in (*ids, draft):
        assert before <= int(richard.get(id_)["internalDate"]) <= time.time() * 1000
    assert richard.get(richard.import_(old))["internalDate"] == str(int(received(3).timestamp() * 1000))


def test_labels_drafts_and_deletion_are_in_the_history(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    spam = richard.insert(mail("jane@client.example"), labels=("SPAM",))
    start = richard.history_id
    richard.modify(spam, add=("INBOX",), remove=("SPAM",))
    draft = richard.draft(mail("richard@firm.example", to="jane@client.example", number=2))
    draft = richard.save_draft(draft, mail("richard@firm.example", to="jane@client.example", number=2, body="more"))
    sent = richard.send_draft(draft)
    richard.trash(spam)
    richard.delete(spam)
    assert richard.labels(sent) == {"SENT"}
    seen = [
        (kind, tuple(one.get("labelIds", ())))
        for record in users(richard).history().list(userId="me", startHistoryId=start).execute()["history"]
        for kind in ("messagesAdded", "messagesDeleted", "labelsAdded", "labelsRemoved")
        for one in record.get(kind, [])
    ]
    assert seen == [
        ("labelsAdded", ("INBOX",)),
        ("labelsRemoved", ("SPAM",)),
        ("messagesAdded", ()),
        ("messagesAdded", ()),
        ("messagesDeleted", ()),
        ("labelsAdded", ("SENT",)),
        ("labelsRemoved", ("DRAFT",)),
        ("labelsAdded", ("TRASH",)),
        ("labelsRemoved", ("INBOX",)),
        ("messagesDeleted", ()),
    ]


def test_a_filter_of_the_owner_files_what_comes_in(gmail: GmailServer) -> None:
    richard = gmail.mailbox("richard")
    clients = richard.label("Clients")
    richard.filter("jane@client.example", add=(clients,), remove=("INBOX",))
    assert richard.labels(richard.insert(mail("jane@client.example"))) == {"UNREAD", clients}


def test_pages_of_history_and_list(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    api = users(richard)
    ids = [richard.insert(mail("jane@client.example", number=n), at=received(1 + n)) for n in range(7)]
    gmail.view.page_limit = 3
    listed, request = list[str](), api.messages().list(userId="me")
    while request is not None:
        page = request.execute()
        listed += _ids(page)
        request = api.messages().list_next(request, page)
    assert listed == ids[::-1]
    added, request = list[str](), api.history().list(userId="me", startHistoryId="1")
    while request is not None:
        page = request.execute()
        added += [one["message"]["id"] for record in page["history"] for one in record["messagesAdded"]]
        request = api.history().list_next(request, page)
    assert added == ids
    counts = gmail.calls.counts(richard.address)
    assert (counts[Kind.LIST], counts[Kind.HISTORY]) == (3, 3)


def test_a_page_token_holds_for_its_own_question(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    for number in range(3):
        richard.insert(mail("jane@client.example", number=number))
    api = users(richard)
    page = api.history().list(userId="me", startHistoryId="1", maxResults=1).execute()
    other = api.history().list(userId="me", startHistoryId="2", pageToken=page["nextPageToken"], maxResults=1)
    assert _error(other) == (400, "invalidArgument")


def test_mailboxes_are_apart(gmail: GmailServer, users: Users) -> None:
    richard, mary = gmail.mailbox("richard"), gmail.mailbox("mary")
    id_ = richard.insert(ODD)
    api = users(mary)
    assert api.messages().list(userId="me").execute()["resultSizeEstimate"] == 0
    assert "history" not in api.history().list(userId="me", startHistoryId="1").execute()
    assert _error(api.messages().get(userId="me", id=id_)) == (404, "notFound")
    assert _error(api.messages().get(userId="me", id=id_, format="metadata")) == (404, "notFound")
    assert _error(api.messages().get(userId=richard.address, id=id_)) == (403, "forbidden")


def test_the_addresses_that_an_owner_sends_as(gmail: GmailServer, users: Users) -> None:
    got = users(gmail.mailbox("richard")).settings().sendAs().list(userId="me").execute()
    assert [one["sendAsEmail"] for one in got["sendAs"]] == ["richard@firm.example"]


# ---- search


def test_forms_of_q(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    api = users(richard)
    jane = richard.insert(mail("Jane <jane@client.example>", number=1), at=received(20))
    to_bob = richard.send(
        mail("richard@firm.example", to="x@else.example", number=2, more="Cc: Bob <bob@client.example>\r\n")
    )
    stranger = richard.insert(mail("s@else.example", number=3, body="jane and bob"), at=received(22))
    spam = richard.insert(mail("jane@client.example", number=4), labels=("SPAM",), at=received(21))
    draft_id = richard.draft(mail("richard@firm.example", to="jane@client.example", number=5))
    (draft,) = richard.ids() - {jane, to_bob, stranger, spam}
    both = "{from:jane@client.example to:jane@client.example from:bob@client.example to:bob@client.example}"
    assert _found(api, both) == {jane, to_bob, draft}
    assert _found(api, f"{both} -in:draft") == {jane, to_bob}
    assert _found(api, f"{both} -in:drafts -in:chats in:anywhere") == {jane, to_bob, spam}
    assert _found(api, f"{both} -in:draft", includeSpamTrash=True) == {jane, to_bob, spam}
    assert _found(api, "from:jane@client.example OR to:bob@client.example") == {jane, to_bob}
    assert _found(api, "from:jane@client.example OR from:s@else.example in:inbox") == {jane, stranger}
    assert _found(api, "(from:jane@client.example OR to:bob@client.example) -is:unread") == {to_bob}
    assert _found(api, "cc:bob@client.example") == {to_bob}
    assert _found(api, "rfc822msgid:<3@client.example>") == {stranger}
    assert _found(api, "rfc822msgid:3@client.example") == {stranger}
    assert _found(api, "rfc822msgid:33@client.example") == set()
    noon = int(received(21).timestamp())
    assert _found(api, f"in:inbox after:{noon}") == {stranger}
    assert _found(api, f"in:inbox before:{noon}") == {jane}
    assert _found(api, "in:inbox after:2026/11/21 before:2026/11/23") == {stranger}
    assert _found(api, '"number 3"') == {stranger}
    assert _found(api, "-{from:jane@client.example from:richard@firm.example}") == {stranger}
    richard.send_draft(draft_id)
    assert _found(api, f"{both} -in:draft") == {jane, to_bob, draft}
    richard.delete(jane)
    assert _found(api, f"{both} -in:draft", maxResults=1) | _found(api, "in:sent") == {to_bob, draft}


@pytest.mark.parametrize("query", ["form:jane@client.example", "{from:a", "from:", "after:yesterday", "a)"])
def test_a_slip_in_q_is_told(gmail: GmailServer, users: Users, query: str) -> None:
    assert _error(users(gmail.mailbox("richard")).messages().list(userId="me", q=query)) == (400, "invalidArgument")


def test_a_long_q_comes_as_a_post_and_is_answered(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    jane = richard.insert(mail("jane@client.example"))
    query = " OR ".join(f"from:person{number}@client.example" for number in range(80)) + " OR from:jane@client.example"
    assert _found(users(richard), query) == {jane}
    assert gmail.posted_gets == 1


# ---- faults

ERRORS = [
    (faults.history_expired(), 404, "notFound"),
    (faults.too_many_requests(), 429, "rateLimitExceeded"),
    (faults.resource_exhausted("7"), 429, "rateLimitExceeded"),
    (faults.user_rate_limit(), 403, "userRateLimitExceeded"),
    (faults.project_rate_limit(), 403, "rateLimitExceeded"),
    (faults.daily_limit(), 403, "dailyLimitExceeded"),
    (faults.domain_policy(), 403, "domainPolicy"),
    (faults.mail_not_enabled(), 400, "failedPrecondition"),
    (faults.insufficient_scope(), 403, "insufficientPermissions"),
    (faults.server_error(500), 500, "backendError"),
    (faults.server_error(503), 503, "backendError"),
]


@pytest.mark.parametrize(("fault", "status", "reason"), ERRORS, ids=[fault.name for fault, _, _ in ERRORS])
def test_errors_as_google_writes_them(
    gmail: GmailServer, users: Users, fault: faults.Fault, status: int, reason: str
) -> None:
    richard, mary = gmail.mailbox("richard"), gmail.mailbox("mary")
    api, other = users(richard), users(mary)
    armed = gmail.faults.add(fault, user=richard.address, kind=Kind.HISTORY, times=2)
    request = api.history().list(userId="me", startHistoryId="1")
    assert _error(request) == (status, reason)
    other.history().list(userId="me", startHistoryId="1").execute()
    api.getProfile(userId="me").execute()
    assert _error(request) == (status, reason)
    request.execute()
    assert armed.hits == 2
    assert [call.status for call in gmail.calls.of(richard.address, Kind.HISTORY)] == [status, status, 200]


def test_when_to_come_again_is_in_the_header_or_in_the_text(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    api = users(richard)
    gmail.faults.add(faults.too_many_requests(retry_after="7"), times=1)
    gmail.faults.add(faults.user_rate_limit(retry_at="2026-11-24T03:12:55.123Z"), times=1)
    request = api.getProfile(userId="me")
    with pytest.raises(HttpError) as first:
        request.execute()
    with pytest.raises(HttpError) as second:
        request.execute()
    assert first.value.resp["retry-after"] == "7"
    assert "retry-after" not in second.value.resp
    assert "Retry after 2026-11-24T03:12:55.123Z" in second.value.reason


def test_a_page_of_html_with_502(gmail: GmailServer, users: Users) -> None:
    gmail.faults.add(faults.server_error(502), times=1)
    with pytest.raises(HttpError) as raised:
        users(gmail.mailbox("richard")).getProfile(userId="me").execute()
    assert raised.value.content.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("packed", [True, False])
def test_answers_are_packed_for_those_who_take_it(gmail: GmailServer, packed: bool) -> None:
    gmail.gzip = packed
    credentials: Any = gmail.mailbox("richard").credentials()
    _refresh(credentials)
    headers = {"Authorization": f"Bearer {credentials.token}"}
    for accepted in ("gzip, deflate", "identity"):
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(gmail.endpoint).netloc)
        connection.request("GET", "/gmail/v1/users/me/profile", headers={**headers, "Accept-Encoding": accepted})
        response = connection.getresponse()
        assert (response.getheader("Content-Encoding") == "gzip") is (packed and "gzip" in accepted)
        assert (response.read()[:2] == b"\x1f\x8b") is (packed and "gzip" in accepted)
        connection.close()


@pytest.mark.parametrize("packed", [True, False])
def test_an_answer_that_is_cut(gmail: GmailServer, users: Users, packed: bool) -> None:
    gmail.gzip = packed
    richard = gmail.mailbox("richard")
    id_ = richard.insert(mail("jane@client.example", body="x" * 50_000))
    api = users(richard)
    gmail.faults.add(faults.cut(), kind=Kind.GET_RAW, times=1)
    request = api.messages().get(userId="me", id=id_, format="raw")
    with pytest.raises((http.client.IncompleteRead, httplib2.HttpLib2Error)):
        request.execute()
    assert raw_bytes(request.execute()["raw"]) == richard.raw(id_)
    assert [call.status for call in gmail.calls.of(richard.address, GETS)] == [0, 200]


def test_a_connection_that_ends_without_an_answer(gmail: GmailServer, users: Users) -> None:
    api = users(gmail.mailbox("richard"))
    armed = gmail.faults.add(faults.hang_up(), kind=Kind.PROFILE)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        api.getProfile(userId="me").execute()
    armed.lift()
    api.getProfile(userId="me").execute()


@pytest.mark.parametrize("fault", [faults.garbage(), faults.broken_gzip()], ids=lambda fault: fault.name)
def test_garbage(gmail: GmailServer, users: Users, fault: faults.Fault) -> None:
    gmail.faults.add(fault, times=1)
    api = users(gmail.mailbox("richard"))
    with pytest.raises((ValueError, httplib2.FailedToDecompressContent)):
        api.getProfile(userId="me").execute()
    api.getProfile(userId="me").execute()


def test_json_of_another_shape(gmail: GmailServer, users: Users) -> None:
    gmail.faults.add(faults.wrong_json(), times=1)
    assert users(gmail.mailbox("richard")).getProfile(userId="me").execute() == ["neither", "here"]


def test_delay(gmail: GmailServer, users: Users) -> None:
    api = users(gmail.mailbox("richard"))
    gmail.faults.add(faults.delay(0.2), times=1)
    begun = time.monotonic()
    api.getProfile(userId="me").execute()
    assert time.monotonic() - begun >= 0.2


def test_one_message_fails_another_vanishes(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    bad, gone, good = (richard.insert(mail("jane@client.example", number=n)) for n in range(3))
    api = users(richard)
    gmail.faults.add(faults.server_error(500), message_id=bad)
    gmail.faults.add(faults.vanished(), message_id=gone)
    assert set(_ids(api.messages().list(userId="me").execute())) == {bad, gone, good}
    for message_format in ("metadata", "raw"):
        assert _error(api.messages().get(userId="me", id=bad, format=message_format)) == (500, "backendError")
        assert _error(api.messages().get(userId="me", id=gone, format=message_format)) == (404, "notFound")
        api.messages().get(userId="me", id=good, format=message_format).execute()


def test_a_dead_refresh_token_and_a_token_endpoint_with_a_bad_moment(gmail: GmailServer) -> None:
    richard = gmail.mailbox("richard")
    credentials = richard.credentials()
    armed = gmail.faults.add(faults.invalid_grant(), user=richard.address, kind=Kind.TOKEN, times=1)
    with pytest.raises(RefreshError, match="invalid_grant"):
        _refresh(credentials)
    gmail.faults.add(faults.token_endpoint_down(), user=richard.address, kind=Kind.TOKEN, times=1)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urllib.parse.urlencode({"grant_type": "refresh_token", "refresh_token": credentials.refresh_token})
    assert httplib2.Http().request(gmail.token_uri, "POST", body, form)[0].status == 503
    _refresh(credentials)
    assert armed.hits == 1


def test_a_fault_of_chance_is_the_same_at_each_run(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    api = users(richard)
    armed = gmail.faults.add(faults.server_error(503), probability=0.3, seed=7)
    for _ in range(20):
        with contextlib.suppress(HttpError):
            api.getProfile(userId="me").execute(num_retries=0)
    statuses = [call.status for call in gmail.calls.of(richard.address, Kind.PROFILE)]
    assert armed.hits == statuses.count(503) == 8


def test_history_that_is_too_old_by_itself(gmail: GmailServer, users: Users) -> None:
    richard, mary = gmail.mailbox("richard"), gmail.mailbox("mary")
    api, other = users(richard), users(mary)
    start = api.getProfile(userId="me").execute()["historyId"]
    richard.insert(mail("jane@client.example"))
    mary.insert(mail("jane@client.example"))
    gmail.expire_history(richard)
    assert _error(api.history().list(userId="me", startHistoryId=start)) == (404, "notFound")
    assert "history" not in api.history().list(userId="me", startHistoryId=richard.history_id).execute()
    assert "history" in other.history().list(userId="me", startHistoryId=start).execute()


def test_a_first_page_with_nothing_but_a_token(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    id_ = richard.insert(mail("jane@client.example"))
    api = users(richard)
    gmail.faults.add(faults.bare_page(), times=1)
    request = api.history().list(userId="me", startHistoryId="1")
    page = request.execute()
    assert "history" not in page
    page = api.history().list_next(request, page).execute()
    assert page["history"][0]["messagesAdded"][0]["message"]["id"] == id_
    assert "nextPageToken" not in page


# ---- what was asked, and what it cost


def test_calls_and_units_are_counted_by_user(gmail: GmailServer, users: Users) -> None:
    richard, mary = gmail.mailbox("richard"), gmail.mailbox("mary")
    id_ = richard.insert(ODD)
    api = users(richard)
    api.history().list(userId="me", startHistoryId="1").execute()
    api.messages().list(userId="me", q="in:inbox").execute()
    api.messages().get(userId="me", id=id_, format="metadata").execute()
    api.messages().get(userId="me", id=id_, format="raw").execute()
    users(mary).getProfile(userId="me").execute()
    assert gmail.quota.units(richard.address) == 2 + 5 + 20 + 20
    assert gmail.quota.units(mary.address) == 1
    assert gmail.quota.units() == 48
    assert [call.message_id for call in gmail.calls.of(richard.address, GETS)] == [id_, id_]
    assert gmail.quota.most_in_flight(richard.address) == 1


def test_who_overspends_is_told_at_the_end(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    api = users(richard)
    gmail.quota.user_per_minute = 3
    for _ in range(4):
        api.getProfile(userId="me").execute()
    assert gmail.failures == ["richard@firm.example: 4 units within a minute, of 3"]
    gmail.quota.passed.clear()


def test_too_many_requests_at_a_time_are_told_at_the_end(gmail: GmailServer) -> None:
    richard = gmail.mailbox("richard")
    gmail.faults.add(faults.delay(0.3))
    gmail.quota.in_flight = 2
    token = richard.credentials()
    _refresh(token)

    def ask() -> None:
        headers = {"Authorization": f"Bearer {token.token}"}
        httplib2.Http().request(f"{gmail.endpoint}gmail/v1/users/me/profile", headers=headers)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gmail.failures == ["richard@firm.example: 3 requests at a time, of 2"]
    gmail.quota.passed.clear()


def test_a_limit_that_is_enforced_refuses(gmail: GmailServer, users: Users) -> None:
    api = users(gmail.mailbox("richard"))
    gmail.quota.user_per_minute = 3
    gmail.quota.enforce = True
    for _ in range(3):
        api.getProfile(userId="me").execute()
    assert _error(api.getProfile(userId="me")) == (403, "userRateLimitExceeded")


def test_two_servers_know_nothing_of_each_other(gmail: GmailServer) -> None:
    """The test before this one used the same names: nothing of it is here."""
    assert gmail.mailbox("richard").ids() == set()
    assert gmail.calls.of() == []
