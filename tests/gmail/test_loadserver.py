"""The load server: it reports the added mail, the client library can read it, and it is fast enough not to affect
measurements."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httplib2
import pytest
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from tests.gmail import load_client, load_mail
from tests.gmail.load_client import LoadServer
from tests.gmail.load_mail import Mix
from tests.gmail.upstream import raw_bytes

REQUESTS = 3_200
CONNECTIONS = 16
WANTED_A_SECOND = 3_000
WAIT_SECONDS = 20.0


@pytest.fixture(scope="module")
def shared() -> Iterator[LoadServer]:
    with load_client.running(Mix(contacts=50, size=10_240), mailboxes=200, initial=10, relabel=True) as server:
        yield server


@pytest.fixture
def server(shared: LoadServer) -> LoadServer:
    """One server for all tests here, with its counts reset; each test uses mailboxes of its own."""
    shared.set(rate=0, fail=0, delay_ms=0)
    shared.forget()
    return shared


def _users(server: LoadServer, mailbox: int) -> Any:
    credentials = Credentials(  # type: ignore[no-untyped-call]
        None,
        refresh_token=load_mail.refresh_token(mailbox),
        token_uri=server.token_uri,
        client_id=server.client_id,
        client_secret=server.client_secret,
    )
    http = AuthorizedHttp(credentials, http=httplib2.Http(timeout=30))
    options = {"api_endpoint": server.endpoint}
    return build("gmail", "v1", http=http, client_options=options, static_discovery=True).users()


def _added(api: Any, start: str, size: int = 100) -> list[str]:
    found, request = list[str](), api.history().list(userId="me", startHistoryId=start, maxResults=size)
    while request is not None:
        page = request.execute()
        records = page.get("history", [])
        found += [one["message"]["id"] for record in records for one in record.get("messagesAdded", [])]
        request = api.history().list_next(request, page)
    return found


def test_new_mail_is_in_the_history_and_has_the_bytes_that_were_foretold(server: LoadServer) -> None:
    api = _users(server, 1)
    profile = api.getProfile(userId="me").execute()
    assert (profile["emailAddress"], profile["messagesTotal"]) == ("box000001@firm.example", 10)
    assert "history" not in api.history().list(userId="me", startHistoryId=profile["historyId"]).execute()
    server.add(1, 25)
    expected = [load_mail.message(1, number, server.mix) for number in range(11, 36)]
    assert _added(api, profile["historyId"], size=7) == [one.id for one in expected]
    first = expected[0]
    raw = raw_bytes(api.messages().get(userId="me", id=first.id, format="raw").execute()["raw"])
    assert raw == first.raw(server.mix.size)
    assert 10_240 <= len(raw) < 11_000
    shown = api.messages().get(userId="me", id=first.id, format="metadata").execute()
    assert [(one["name"], one["value"]) for one in shown["payload"]["headers"]] == first.headers
    assert shown["labelIds"] == list(first.labels)
    assert api.getProfile(userId="me").execute()["messagesTotal"] == 35


def test_each_new_message_is_in_the_history_twice_where_that_was_asked(server: LoadServer) -> None:
    api = _users(server, 2)
    start = api.getProfile(userId="me").execute()["historyId"]
    server.add(2)
    added, labelled = api.history().list(userId="me", startHistoryId=start).execute()["history"]
    assert added["messagesAdded"][0]["message"]["id"] == labelled["labelsAdded"][0]["message"]["id"]


def test_what_was_put_in_is_told(server: LoadServer) -> None:
    before = server.put()
    server.add(3, 40)
    server.add(4, 2)
    assert {mailbox: last for mailbox, last in server.put().items() if mailbox in (3, 4)} == {3: 50, 4: 12}
    assert before.keys() & {3, 4} == set()
    expected = [one for one in server.of_contacts() if one.mailbox in (3, 4)]
    told = [load_mail.message(3, n, server.mix) for n in range(11, 51)] + [
        load_mail.message(4, n, server.mix) for n in (11, 12)
    ]
    assert expected == [one for one in told if one.is_contact]
    assert 0 < len(expected) < 42
    assert {one.outgoing for one in told} == {True, False}


def test_mail_comes_in_at_a_rate() -> None:
    with load_client.running(mailboxes=50, initial=3, rate=500.0) as server:
        deadline = time.monotonic() + WAIT_SECONDS
        while sum(last - 3 for last in server.put().values()) < 100:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.set(rate=0)
        put = server.put()
        assert len(put) > 20
        assert put == server.put()


def test_search_by_person_and_time(server: LoadServer) -> None:
    api = _users(server, 5)
    people = {load_mail.message(5, number, server.mix).person for number in range(1, 11)}
    one = sorted(people)[0]
    expected = {
        load_mail.message(5, n, server.mix).id
        for n in range(1, 11)
        if load_mail.message(5, n, server.mix).person == one
    }
    page = api.messages().list(userId="me", q=f"{{from:{one} to:{one} from:x@else.example}} -in:draft").execute()
    assert {message["id"] for message in page["messages"]} == expected
    hours = api.messages().list(userId="me", q=f"after:{int(time.time()) - 3 * 3600 - 1800}").execute()
    assert [message["id"] for message in hours["messages"]] == [
        load_mail.message(5, n, server.mix).id for n in (10, 9, 8)
    ]
    sought = load_mail.message(5, 4, server.mix)
    found = api.messages().list(userId="me", q=f"rfc822msgid:{sought.message_id}").execute()
    assert [message["id"] for message in found["messages"]] == [sought.id]
    first = api.messages().list(userId="me", maxResults=6).execute()
    second = api.messages().list(userId="me", maxResults=6, pageToken=first["nextPageToken"]).execute()
    assert len(first["messages"]) + len(second["messages"]) == 10


def test_history_expires_tokens_are_revoked_and_mailboxes_are_apart(server: LoadServer) -> None:
    api = _users(server, 6)
    start = api.getProfile(userId="me").execute()["historyId"]
    server.add(6)
    server.expire(6)
    with pytest.raises(HttpError) as expired:
        api.history().list(userId="me", startHistoryId=start).execute()
    assert expired.value.resp.status == 404
    newest = api.getProfile(userId="me").execute()["historyId"]
    api.history().list(userId="me", startHistoryId=newest).execute()
    with pytest.raises(HttpError) as another:
        api.messages().get(userId="me", id=load_mail.message(7, 1, server.mix).id).execute()
    assert another.value.resp.status in (404, 501)
    with pytest.raises(HttpError) as stranger:
        api.messages().get(userId="me", id=load_mail.message(7, 1, server.mix).id, format="raw").execute()
    assert stranger.value.resp.status == 404
    server.revoke(6)
    with pytest.raises(RefreshError, match="invalid_grant"):
        api.getProfile(userId="me").execute()
    server.revoke(6, on=False)


def test_calls_units_and_requests_at_a_time_are_counted(server: LoadServer) -> None:
    api = _users(server, 8)
    api.getProfile(userId="me").execute()
    for _ in range(3):
        api.history().list(userId="me", startHistoryId=str(2**63)).execute()
    api.messages().get(userId="me", id=load_mail.message(8, 1, server.mix).id, format="raw").execute()
    counts = server.counts()
    assert counts["calls"] == {"token": 1, "profile": 1, "history": 3, "get.raw": 1}
    assert (counts["units"], counts["most_user_units_a_minute"]) == (27, 27)
    assert counts["most_in_flight"] == 1
    assert counts["bytes_out"] > 13_000


def test_answers_come_later_and_some_go_wrong(server: LoadServer) -> None:
    api = _users(server, 9)
    api.getProfile(userId="me").execute()
    server.set(delay_ms=100)
    begun = time.monotonic()
    api.getProfile(userId="me").execute()
    assert time.monotonic() - begun >= 0.1
    server.set(delay_ms=0, fail=0.5)
    for _ in range(40):
        with contextlib.suppress(Exception):
            api.getProfile(userId="me").execute()
    server.set(fail=0)
    assert 5 < server.counts()["failed"] < 38
    api.getProfile(userId="me").execute()


def test_packed_answers() -> None:
    with load_client.running(mailboxes=2, gzip=True) as packing:
        api = _users(packing, 1)
        got = api.messages().get(userId="me", id=load_mail.message(1, 1, packing.mix).id, format="raw").execute()
        assert raw_bytes(got["raw"]) == load_mail.message(1, 1, packing.mix).raw(packing.mix.size)
        assert packing.counts()["bytes_out"] < 5_000


def test_it_ends_by_itself() -> None:
    with load_client.running(mailboxes=1, lifetime_seconds=0.2) as brief:
        deadline = time.monotonic() + WAIT_SECONDS
        while Path(f"/proc/{brief.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_an_unknown_token_is_401(server: LoadServer) -> None:
    for token in ("access-9999", "access-x", "", "refresh-1"):
        response, _ = httplib2.Http().request(
            f"{server.endpoint}gmail/v1/users/me/profile", headers={"Authorization": f"Bearer {token}"}
        )
        assert response.status == 401


def test_it_serves_thousands_of_requests_a_second_on_one_core(server: LoadServer) -> None:
    """Measured by its own CPU time, which other programs on the machine don't change."""
    port = int(server.endpoint.rstrip("/").rpartition(":")[2])
    before = _cpu_seconds(server.pid)
    asyncio.run(_ask_often(port, lambda mailbox: f"history?startHistoryId={2**63}"))
    idle = _cpu_seconds(server.pid) - before
    asyncio.run(_ask_often(port, lambda mailbox: f"messages/{load_mail.message(mailbox, 1, server.mix).id}?format=raw"))
    raw = _cpu_seconds(server.pid) - before - idle
    print(f"idle sweeps: {REQUESTS / idle:.0f}/s of a core, raw 10 KB messages: {REQUESTS / raw:.0f}/s")
    assert idle < REQUESTS / WANTED_A_SECOND
    assert raw < REQUESTS / WANTED_A_SECOND
    assert server.counts()["calls"] == {"history": REQUESTS, "get.raw": REQUESTS}


async def _ask_often(port: int, path: Callable[[int], str]) -> None:
    async def one(mailbox: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(REQUESTS // CONNECTIONS):
            writer.write(
                f"GET /gmail/v1/users/me/{path(mailbox)}&alt=json HTTP/1.1\r\nHost: 127.0.0.1\r\naccept: application/json\r\n"
                f"accept-encoding: gzip, deflate\r\nuser-agent: (gzip)\r\nauthorization: Bearer access-{mailbox}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
        writer.close()

    await asyncio.gather(*(one(mailbox) for mailbox in range(100, 100 + CONNECTIONS)))


def _cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
