"""The faults of the tests' Gmail server, and its counts of requests."""

import contextlib
import http.client
import threading
import time
import urllib.parse
from typing import Any

import httplib2
import pytest
from google.auth.exceptions import RefreshError
from googleapiclient.errors import HttpError

from tests.gmail import faults
from tests.gmail.calls import GETS, Kind
from tests.gmail.client import ODD, Users, error_of, ids_of, mail, refresh
from tests.gmail.server import GmailServer
from tests.gmail.upstream import raw_bytes

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
    assert error_of(request) == (status, reason)
    other.history().list(userId="me", startHistoryId="1").execute()
    api.getProfile(userId="me").execute()
    assert error_of(request) == (status, reason)
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
    refresh(credentials)
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
    assert set(ids_of(api.messages().list(userId="me").execute())) == {bad, gone, good}
    for message_format in ("metadata", "raw"):
        assert error_of(api.messages().get(userId="me", id=bad, format=message_format)) == (500, "backendError")
        assert error_of(api.messages().get(userId="me", id=gone, format=message_format)) == (404, "notFound")
        api.messages().get(userId="me", id=good, format=message_format).execute()


def test_a_dead_refresh_token_and_a_token_endpoint_with_a_bad_moment(gmail: GmailServer) -> None:
    richard = gmail.mailbox("richard")
    credentials = richard.credentials()
    armed = gmail.faults.add(faults.invalid_grant(), user=richard.address, kind=Kind.TOKEN, times=1)
    with pytest.raises(RefreshError, match="invalid_grant"):
        refresh(credentials)
    gmail.faults.add(faults.token_endpoint_down(), user=richard.address, kind=Kind.TOKEN, times=1)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urllib.parse.urlencode({"grant_type": "refresh_token", "refresh_token": credentials.refresh_token})
    assert httplib2.Http().request(gmail.token_uri, "POST", body, form)[0].status == 503
    refresh(credentials)
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
    assert error_of(api.history().list(userId="me", startHistoryId=start)) == (404, "notFound")
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


# ---- requests, and their cost


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
    gmail.faults.add(faults.delay(1.0))
    gmail.quota.in_flight = 2
    token = richard.credentials()
    refresh(token)

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
    assert error_of(api.getProfile(userId="me")) == (403, "userRateLimitExceeded")


def test_two_servers_know_nothing_of_each_other(gmail: GmailServer) -> None:
    """The previous test used the same names, but none of its mail is here."""
    assert gmail.mailbox("richard").ids() == set()
    assert gmail.calls.of() == []
