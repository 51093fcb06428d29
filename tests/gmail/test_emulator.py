"""The features and gaps of `emulate`, without the proxy. README.md lists the same. These tests notice if a new version
differs."""

import gzip
import json
import urllib.parse
from typing import Any

import pytest

from tests.gmail.conftest import Realms
from tests.gmail.emulator import CLIENT_ID, CLIENT_SECRET, mark
from tests.gmail.upstream import FULL_SCOPE, Upstream, raw_bytes, raw_text

RICHARD = "richard@firm.example"
MARY = "mary@firm.example"
ODD = b"From: jane@client.example\r\nTo: x@firm.example\r\nFrom: two@client.example\r\nSubject: a\r\n b\r\n\r\n\0\xff bare\rCR\n"


@pytest.fixture
def emulate(realms: Realms) -> Upstream:
    """A realm of the emulator, without the proxy."""
    emulator, realm = realms.take()
    return Upstream(emulator.port, mark(realm))


def _insert(emulate: Upstream, raw: bytes, address: str = RICHARD, **more: object) -> str:
    body = {"raw": raw_text(raw), "labelIds": ["INBOX"], **more}
    return str(emulate.json(address, "messages", body=body)["id"])


def _search(emulate: Upstream, query: str) -> set[str]:
    return {one["id"] for one in emulate.json(RICHARD, "messages", {"q": query})["messages"]}


def _as(token: str, emulate: Upstream, target: str) -> tuple[int, Any]:
    answer = emulate.ask("GET", f"/gmail/v1/users/me/{target}", {"Authorization": f"Bearer {token}"})
    return answer.status, json.loads(answer.body)


def test_right_raw_is_what_was_put_in(emulate: Upstream) -> None:
    id_ = _insert(emulate, ODD, internalDate="1795600000000")
    got = emulate.json(RICHARD, f"messages/{id_}", {"format": "raw"})
    assert raw_bytes(got["raw"]) == ODD
    assert got["internalDate"] == "1795600000000"


def test_right_mailboxes_are_apart_and_history_ids_are_beyond_64_bits(emulate: Upstream) -> None:
    id_ = _insert(emulate, ODD)
    found = emulate.json(RICHARD, "history", {"startHistoryId": "0"})
    assert found["history"][0]["messagesAdded"][0]["message"]["id"] == id_
    assert int(found["historyId"]) > 2**64
    assert emulate.json(MARY, "history", {"startHistoryId": "0"})["history"] == []
    with pytest.raises(LookupError):
        emulate.json(MARY, f"messages/{id_}")


def test_right_a_revoked_refresh_token_is_invalid_grant(emulate: Upstream) -> None:
    granted = emulate.grant(CLIENT_ID, RICHARD, FULL_SCOPE)
    form = {"grant_type": "refresh_token", "refresh_token": granted.refresh_token}
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    assert emulate.form("/oauth2/token", form | client).status == 200
    emulate.form("/oauth2/revoke", {"token": granted.refresh_token})
    assert json.loads(emulate.form("/oauth2/token", form | client).body)["error"] == "invalid_grant"
    assert _as(granted.access_token, emulate, "labels")[0] == 200  # Google ends the access tokens too


def test_missing_profile(emulate: Upstream) -> None:
    with pytest.raises(LookupError):
        emulate.json(RICHARD, "profile")


def test_missing_or_braces_minus_and_rfc822msgid_in_search(emulate: Upstream) -> None:
    jane = _insert(emulate, b"From: jane@client.example\r\nTo: a@x.example\r\nMessage-ID: <1@x>\r\n\r\nhello")
    _insert(emulate, b"From: bob@client.example\r\nTo: b@x.example\r\nMessage-ID: <2@x>\r\n\r\nhello")
    assert _search(emulate, "from:jane@client.example") == {jane}
    assert _search(emulate, "from:jane@client.example OR from:bob@client.example") == set()
    assert _search(emulate, "{from:jane@client.example from:bob@client.example}") == set()
    assert _search(emulate, "from:jane@client.example -in:draft") == set()
    assert _search(emulate, "rfc822msgid:1@x") == set()  # it looks for ":1@x"


def test_missing_history_that_is_too_old_and_empty_keys_that_gmail_omits(emulate: Upstream) -> None:
    assert emulate.json(RICHARD, "history", {"startHistoryId": "1"}) == {"history": [], "historyId": "0"}


def test_missing_headers_of_which_there_are_two_and_names_in_another_case(emulate: Upstream) -> None:
    id_ = _insert(emulate, ODD)
    got = emulate.json(RICHARD, f"messages/{id_}", {"format": "metadata", "metadataHeaders": ["From", "subject"]})
    assert got["payload"]["headers"] == [{"name": "From", "value": "two@client.example"}]


def test_missing_unknown_tokens_scopes_and_gzip(emulate: Upstream) -> None:
    assert _as("nobody-issued-this", emulate, "labels")[0] == 200  # as its first user
    narrow = emulate.grant(CLIENT_ID, RICHARD, "openid").access_token
    assert _as(narrow, emulate, "messages")[0] == 200
    headers = {"Authorization": f"Bearer {narrow}", "Accept-Encoding": "gzip"}
    body = emulate.ask("GET", "/gmail/v1/users/me/labels", headers).body
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(body)


def test_missing_loopback_redirects_of_any_port(emulate: Upstream) -> None:
    query = {
        "client_id": CLIENT_ID,
        "redirect_uri": "http://localhost:40123/",
        "response_type": "code",
        "scope": "openid",
    }
    assert emulate.ask("GET", f"/o/oauth2/v2/auth?{urllib.parse.urlencode(query)}", {}).status == 400


def test_missing_media_upload(emulate: Upstream) -> None:
    """It reads the bytes as UTF-8. So the tests send mail in JSON, as `raw`."""
    headers = {"Authorization": f"Bearer {emulate.own_token(RICHARD)}", "Content-Type": "message/rfc822"}
    answer = emulate.ask("POST", "/upload/gmail/v1/users/me/messages?uploadType=media", headers, ODD)
    got = emulate.json(RICHARD, f"messages/{json.loads(answer.body)['id']}", {"format": "raw"})
    assert raw_bytes(got["raw"]) == ODD.decode("utf-8", "replace").encode()
