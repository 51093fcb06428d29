"""Tokens: requested when needed, kept in memory only, and every refusal names the remedy. Over real HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import google.auth.crypt
import pytest
from cryptography.hazmat.primitives import serialization
from google.auth import jwt

from mailweir.gmail import consent, oauth_files, patience, tokens
from mailweir.gmail.api import Api, MailboxReader
from mailweir.gmail.consent import Consent, Question
from mailweir.gmail.errors import AppRefused, ConsentFailed, GmailError, NeedsReconnect, Refused, Throttled, Unreachable
from mailweir.gmail.oauth_files import OAuthClient, ServiceAccount
from mailweir.gmail.tokens import SCOPE, Credentials
from mailweir.gmail.transport import Connections
from mailweir.settings import Gmail
from tests.google_files import WriteFile, account_file, make_private_key, writer
from tests.scripted_http import Answer, Asked, Server, as_json, refusal

HISTORY = as_json({"historyId": "7"})


@pytest.fixture
def client(server: Server) -> OAuthClient:
    return OAuthClient("id-1", "secret-1", server.url + "/auth", server.url + "/token", ())


@pytest.fixture(scope="module")
def private_key() -> str:
    """A service account's private key."""
    return make_private_key()


@pytest.fixture
def write(tmp_path: Path) -> WriteFile:
    """Writes a private file."""
    return writer(tmp_path)


@pytest.fixture
def account(server: Server, private_key: str, write: WriteFile) -> ServiceAccount:
    return oauth_files.load_account(write(account_file(server.url, private_key)))


def reader(server: Server, credentials: Credentials) -> MailboxReader:
    return Api(Gmail(api_endpoint=server.url, timeout_seconds=2)).mailbox(credentials, lambda units: None)


def answering(*answers: Answer) -> Callable[[Asked], Answer]:
    """Answers to requests for tokens, in turn; the last one repeats."""
    left = list(answers)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


def granted(token: str, **more: Any) -> Answer:
    return as_json({"access_token": token, "expires_in": 3599, "token_type": "Bearer", "scope": SCOPE, **more})


def used(server: Server) -> list[str]:
    """The access tokens that the API received."""
    return [asked.headers["authorization"] for asked in server.asked if asked.path != "/token"]


# --- a user's consent -----------------------------------------------------------------------------------------------------


def test_one_access_token_lasts_for_many_questions(server: Server, client: OAuthClient) -> None:
    server.answer, server.script = answering(granted("a1"), granted("a2")), [HISTORY] * 3
    mailbox = reader(server, tokens.credentials(client, "r@firm.example", "refresh-1"))
    for _ in range(3):
        mailbox.history("1")
    assert used(server) == ["Bearer a1"] * 3
    (asked,) = (asked for asked in server.asked if asked.path == "/token")
    assert asked.fields == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["refresh-1"],
        "client_id": ["id-1"],
        "client_secret": ["secret-1"],
    }


@pytest.mark.parametrize("seconds", [30, 0, -5, None, "3599", 10**12])
def test_a_token_about_to_end_or_of_an_odd_age_is_taken_anew(server: Server, client: OAuthClient, seconds: Any) -> None:
    server.answer, server.script = answering(granted("a1", expires_in=seconds), granted("a2")), [HISTORY] * 2
    mailbox = reader(server, tokens.credentials(client, "r@firm.example", "refresh-1"))
    mailbox.history("1"), mailbox.history("1")
    assert used(server) == ["Bearer a1", "Bearer a2"]


def test_a_refused_token_is_taken_anew_once(server: Server, client: OAuthClient) -> None:
    server.answer = answering(granted("a1"), granted("a2"))
    server.script = [HISTORY, refusal(401, "authError", "Invalid Credentials"), HISTORY]
    mailbox = reader(server, tokens.credentials(client, "r@firm.example", "refresh-1"))
    mailbox.history("1"), mailbox.history("1")
    assert used(server) == ["Bearer a1", "Bearer a1", "Bearer a2"]
    server.script = [refusal(401, "authError", "Invalid Credentials")] * 9
    with pytest.raises(Unreachable, match="fresh token"):
        mailbox.history("1")
    assert len(used(server)) == 5


def oauth_error(code: str, text: str | None = None, status: int = 400, **headers: str) -> Answer:
    return as_json({"error": code, **({} if text is None else {"error_description": text})}, status, **headers)


@pytest.mark.parametrize(
    ("answer", "kind", "said", "certain"),
    [
        (oauth_error("invalid_grant", "Token has been expired or revoked."), NeedsReconnect, "no longer valid", True),
        (oauth_error("invalid_grant", "Bad Request"), NeedsReconnect, "no longer valid", True),
        (oauth_error("invalid_grant", "reauth related error (invalid_rapt)"), NeedsReconnect, "exempt trusted", True),
        (oauth_error("invalid_client", "The OAuth client was not found.", 401), AppRefused, "oauth_client", True),
        (oauth_error("deleted_client", "The OAuth client was deleted.", 401), AppRefused, "oauth_client", True),
        (oauth_error("disabled_client", None, 401), AppRefused, "oauth_client", True),
        (oauth_error("unauthorized_client", "Unauthorized", 401), AppRefused, "another OAuth client", False),
        (oauth_error("access_denied", "Account restricted"), NeedsReconnect, "trust the app", False),
        (oauth_error("admin_policy_enforced", "x"), NeedsReconnect, "trust the app", False),
        (granted("a", scope="openid email"), NeedsReconnect, "box for reading mail", False),
        (oauth_error("internal_failure", "Backend Error"), Unreachable, "Backend Error", None),
        (oauth_error("invalid_grant", "x", 500), Unreachable, "500", None),
        (Answer(400, b"<html>a proxy's</html>"), Unreachable, "400", None),
        (Answer(403, b'{"error":{"code":403}}'), Unreachable, "403", None),
        (Answer(302, b"", {"Location": "https://login.example/"}), Unreachable, "302", None),
        (Answer(200, b"<html>welcome</html>"), Unreachable, "without a token", None),
        (Answer(200, b'{"access_token":"a\\r\\nX: y"}'), Unreachable, "without a token", None),
        (Answer(200, b'{"access_token":7}'), Unreachable, "without a token", None),
        (Answer(200, b'["a"]'), Unreachable, "without a token", None),
        (Answer(200, b'{"access_token":"a', cut_at=5), Unreachable, "cut or garbled", None),
        (oauth_error("rate_limit_exceeded", "Slow down", 429, Retry_After="4"), Throttled, "Slow down", None),
        (oauth_error("rate_limit_exceeded", "Slow down", 403), Unreachable, "Slow down", None),
        (oauth_error("invalid_request", "Try later"), Unreachable, "Try later", None),
        (oauth_error("invalid_grant", "token refresh-secret of client secret-1"), NeedsReconnect, "token … of", True),
        (oauth_error("refresh-secret", "x"), Unreachable, "…", None),
    ],
)
def test_no_token(
    server: Server, client: OAuthClient, answer: Answer, kind: type[GmailError], said: str, certain: bool | None
) -> None:
    server.answer = answering(answer)
    mailbox = reader(server, tokens.credentials(client, "r@firm.example", "refresh-secret"))
    with pytest.raises(kind, match=said) as caught:
        mailbox.history("1")
    assert caught.value.is_certain is bool(certain)
    assert len(str(caught.value).splitlines()) == 1
    assert "secret" not in str(caught.value)
    assert (used(server), len(server.asked)) == ([], 1)  # no automatic retry, and no sleeping


def test_a_scope_that_is_null_is_the_one_that_was_asked_for(server: Server, client: OAuthClient) -> None:
    server.answer, server.script = answering(granted("a1", scope=None)), [HISTORY]
    reader(server, tokens.credentials(client, "r@firm.example", "refresh-1")).history("1")
    assert used(server) == ["Bearer a1"]


def test_no_token_after_a_redirect(server: Server, client: OAuthClient) -> None:
    server.answer = answering(Answer(307, b"", {"Location": server.url + "/elsewhere"}))
    with pytest.raises(Unreachable):
        reader(server, tokens.credentials(client, "r@firm.example", "r")).history("1")
    assert server.paths == ["/token"]


def test_credentials_say_nothing(client: OAuthClient, account: ServiceAccount) -> None:
    made = [
        tokens.credentials(client, "r@firm.example", "refresh-secret"),
        tokens.credentials(account, "a@x.example", None),
    ]
    said = f"{made} {client} {account}"
    assert "secret" not in said.replace("client_secret", "")
    assert "PRIVATE" not in said


def test_a_mailbox_that_was_connected_another_way(client: OAuthClient) -> None:
    with pytest.raises(NeedsReconnect, match="service account"):
        tokens.credentials(client, "r@firm.example", None)


# --- a service account ----------------------------------------------------------------------------------------------------


def test_a_service_account_asks_for_the_mailbox(server: Server, account: ServiceAccount, private_key: str) -> None:
    server.answer, server.script = answering(granted("a1")), [HISTORY]
    reader(server, tokens.credentials(account, "r@firm.example", None)).history("1")
    asked = server.asked[0]
    assert asked.one("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    key = serialization.load_pem_private_key(private_key.encode(), None).public_key()
    public = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    verifier = google.auth.crypt.RSAVerifier.from_string(public)  # type: ignore[no-untyped-call]
    claims = jwt.decode(asked.one("assertion"), certs={"key-7": verifier}, verify=False)  # type: ignore[no-untyped-call]
    signed, _, signature = asked.one("assertion").rpartition(".")
    assert verifier.verify(signed.encode(), _unpadded(signature))
    assert (claims["sub"], claims["scope"], claims["iss"]) == ("r@firm.example", SCOPE, "sync@project.example")
    assert (claims["aud"], claims["exp"] - claims["iat"]) == (server.url + "/token", 3600)


def _unpadded(text: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


SHORT_LIVED = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat"
)


@pytest.mark.parametrize(
    ("answer", "kind", "said", "certain"),
    [
        (oauth_error("unauthorized_client", "Client is unauthorized", 401), AppRefused, "Domain-wide", False),
        (oauth_error("invalid_scope", "Invalid OAuth scope"), AppRefused, "Domain-wide", False),
        (oauth_error("invalid_grant", "Invalid email or User ID"), Refused, "no such mailbox", None),
        (oauth_error("access_denied", "Requested client not authorized."), AppRefused, "Admin console", False),
        (oauth_error("invalid_grant", "Invalid JWT Signature."), AppRefused, "service account's key", True),
        (
            oauth_error("invalid_grant", "Invalid grant: account not found"),
            AppRefused,
            "service account's key",
            True,
        ),
        (oauth_error("invalid_grant", SHORT_LIVED), Unreachable, "clock is wrong: set it", None),
    ],
)
def test_no_token_for_a_service_account(
    server: Server, account: ServiceAccount, answer: Answer, kind: type[GmailError], said: str, certain: bool | None
) -> None:
    server.answer = answering(answer)
    with pytest.raises(kind, match=said) as caught:
        reader(server, tokens.credentials(account, "r@firm.example", None)).history("1")
    assert caught.value.is_certain is bool(certain)


# --- codes, and giving consents back --------------------------------------------------------------------------------------


def exchange(client: OAuthClient) -> Consent:
    """The result of exchanging a code."""
    asked = Question("https://accounts.example/", "http://127.0.0.1:5/", "state", "verifier")
    return consent.exchange(client, asked, "4/code", 2)


def test_exchange(server: Server, client: OAuthClient) -> None:
    server.answer = answering(granted("a1", refresh_token="refresh-1"))
    assert exchange(client) == Consent("refresh-1")
    fields = server.asked[0].fields
    assert (fields["code"], fields["code_verifier"], fields["client_secret"]) == (
        ["4/code"],
        ["verifier"],
        ["secret-1"],
    )


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (oauth_error("invalid_grant", "Malformed auth code."), ConsentFailed, "doesn't accept the code"),
        (oauth_error("invalid_client", None, 401), AppRefused, "OAuth client"),
        (granted("a1"), ConsentFailed, "no lasting token"),
        (granted("a1", refresh_token="r", scope="email"), ConsentFailed, "leave the box"),
        pytest.param(oauth_error("server_error", None, 503), Unreachable, "503", marks=pytest.mark.slow),
        (Answer(200, b"{", cut_at=0), Unreachable, "garbled"),
    ],
)
def test_no_exchange(server: Server, client: OAuthClient, answer: Answer, kind: type[GmailError], said: str) -> None:
    server.answer = answering(answer)
    with pytest.raises(kind, match=said):
        exchange(client)


def test_revoke(server: Server, client: OAuthClient) -> None:
    for answer in (as_json({}), oauth_error("invalid_token", "Token expired or revoked")):
        server.answer = answering(answer)
        tokens.revoke(client, "refresh-1", 2)
        assert (server.asked[-1].path, server.asked[-1].fields) == ("/revoke", {"token": ["refresh-1"]})
    for answer in (as_json({}, 503), oauth_error("invalid_request")):
        server.answer = answering(answer)
        with pytest.raises(GmailError):
            tokens.revoke(client, "refresh-1", 2)


@pytest.mark.parametrize(
    ("token_uri", "revoke_uri"),
    [
        ("https://oauth2.googleapis.com/token", "https://oauth2.googleapis.com/revoke"),
        ("https://accounts.google.com/o/oauth2/token", "https://oauth2.googleapis.com/revoke"),
        ("http://127.0.0.1:1/oauth2/token", "http://127.0.0.1:1/oauth2/revoke"),
        ("https://evilgoogle.com/o/token", "https://evilgoogle.com/o/revoke"),
    ],
)
def test_where_consents_are_given_back(token_uri: str, revoke_uri: str) -> None:
    assert OAuthClient("id", "s", "https://x.example/", token_uri, ()).revoke_uri == revoke_uri


def test_nobody_there() -> None:
    client = OAuthClient("id", "s", "http://127.0.0.1:1/", "http://127.0.0.1:1/token", ())
    with pytest.raises(Unreachable, match="refused"):
        tokens.revoke(client, "r", 1)
    with pytest.raises(Unreachable, match="refused"):
        tokens.credentials(client, "r@firm.example", "r").refresh(Connections(1))


# --- a bad moment right after the consent -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        oauth_error("internal_failure", "Backend Error", 503),
        oauth_error("rate_limit_exceeded", "Slow down", 429),
        Answer(502, b"<html>down</html>"),
    ],
)
def test_a_bad_moment_costs_nobody_another_consent(
    server: Server, client: OAuthClient, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PAUSES", (0.0, 0.0, 0.0))
    answers = iter([answer, answer, granted("a1", refresh_token="refresh-1")])
    server.answer = lambda asked: next(answers)
    assert exchange(client) == Consent("refresh-1")
    assert len(server.asked) == 3
    server.answer = answering(answer)
    with pytest.raises((Unreachable, Throttled)):
        exchange(client)
    assert len(server.asked) == 3 + 4


def test_a_code_is_not_given_again_where_the_answer_got_lost(server: Server, client: OAuthClient) -> None:
    """Google may have accepted it: a second use revokes the tokens of the first (RFC 6749 4.1.2)."""
    server.answer = answering(Answer(200, b'{"access_token":"a', cut_at=5))
    with pytest.raises(Unreachable):
        exchange(client)
    assert len(server.asked) == 1


def test_a_consent_that_ends_by_itself_is_known_to(server: Server, client: OAuthClient) -> None:
    server.answer = answering(granted("a1", refresh_token="refresh-1", refresh_token_expires_in=604_799))
    made = exchange(client)
    assert made.ends_at is not None
    assert round((made.ends_at - datetime.now(UTC)) / timedelta(days=1)) == 7
    assert "refresh-1" not in repr(made)


@pytest.mark.parametrize("seconds", ["604799", 0, -5, 10**12])
def test_an_end_that_is_none_is_not_known(server: Server, client: OAuthClient, seconds: object) -> None:
    server.answer = answering(granted("a1", refresh_token="refresh-1", refresh_token_expires_in=seconds))
    assert exchange(client).ends_at is None
