"""The tests' Gmail server from consent to revocation: tokens, scopes and service accounts are as at Google."""

import json
import urllib.parse
from pathlib import Path
from typing import Any

import httplib2
import pytest
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request as AuthRequest
from google.oauth2 import service_account
from google_auth_oauthlib.flow import InstalledAppFlow

from tests.gmail.client import ODD, Users, error_of, ids_of, refresh, users_of
from tests.gmail.server import METADATA, READONLY, GmailServer


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
    api = users_of(gmail, credentials)
    assert api.getProfile(userId="me").execute()["emailAddress"] == "richard@firm.example"
    refresh(credentials)
    http_ = httplib2.Http()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urllib.parse.urlencode({"token": credentials.refresh_token})
    assert http_.request(gmail.revoke_uri, "POST", body, form)[0].status == 200
    with pytest.raises(RefreshError, match="invalid_grant"):
        refresh(credentials)
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


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody-issued-this"}], ids=["none", "unknown"])
def test_an_unknown_token_is_401(gmail: GmailServer, headers: dict[str, str]) -> None:
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
        api = users_of(gmail, whole.with_subject(f"{name}@firm.example"))
        assert api.getProfile(userId="me").execute()["emailAddress"] == f"{name}@firm.example"
    with pytest.raises(RefreshError, match="invalid_grant"):
        whole.with_subject("nobody@firm.example").refresh(AuthRequest())
    wider = whole.with_scopes(["https://mail.google.com/"]).with_subject("mary@firm.example")
    with pytest.raises(RefreshError, match="unauthorized_client"):
        refresh(wider)


def test_the_metadata_scope_forbids_search_and_raw(gmail: GmailServer) -> None:
    richard = gmail.mailbox("richard")
    id_ = richard.insert(ODD)
    api = users_of(gmail, richard.credentials(METADATA))
    assert ids_of(api.messages().list(userId="me").execute()) == [id_]
    api.messages().get(userId="me", id=id_, format="metadata").execute()
    assert error_of(api.messages().list(userId="me", q="in:inbox")) == (403, "insufficientPermissions")
    assert error_of(api.messages().get(userId="me", id=id_, format="raw")) == (403, "insufficientPermissions")


def test_a_consent_without_the_scope_reads_nothing(gmail: GmailServer) -> None:
    api = users_of(gmail, gmail.mailbox("richard").credentials("openid"))
    assert error_of(api.getProfile(userId="me")) == (403, "insufficientPermissions")
