"""A user's consent: the request to Google, and only Google's own answer counts. The browser is urllib here; HTTP is real."""

import base64
import contextlib
import hashlib
import http.client
import http.server
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from admin_cli import consent
from mailweir.errors import SettingsError
from mailweir.gmail.consent import Consent, question
from mailweir.gmail.errors import ConsentFailed
from mailweir.gmail.oauth_files import OAuthClient
from tests.scripted_http import Answer, Asked, Server, as_json

SCOPE = "https://www.googleapis.com/auth/gmail.readonly"


@pytest.fixture
def server(server: Server) -> Server:
    """Google's token endpoint: each code gets a token of its own."""
    server.answer = lambda asked: as_json(
        {"access_token": "a", "refresh_token": f"for {asked.one('code')}", "expires_in": 3600, "scope": SCOPE}
    )
    return server


@pytest.fixture
def client(server: Server) -> OAuthClient:
    return OAuthClient("id-1", "secret-1", server.url + "/auth?hd=firm.example", server.url + "/token", ())


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def visit(url: str) -> tuple[int, str, dict[str, str]]:
    """Status, page and headers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, response.read().decode(), dict(response.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


def back(url: str, **fields: str) -> str:
    """The address to which Google redirects, with its state unless another one is given."""
    asked = query(url)
    return f"{asked['redirect_uri']}?{urlencode({'state': asked['state'], **fields})}"


FOR_GOOD = Consent("for good")


def in_background(work: Callable[[str], object]) -> Callable[[str], None]:
    """Starts a browser and doesn't wait for it."""
    return lambda url: threading.Thread(target=work, args=(url,), daemon=True).start()


def test_what_google_is_asked(client: OAuthClient, server: Server) -> None:
    shown: list[str] = []

    def browse(url: str) -> None:
        shown.append(url)
        visit(back(url, code="good", scope=SCOPE))

    assert consent.by_browser(client, "r@firm.example", browse, timeout_seconds=2, wait_seconds=5) == FOR_GOOD
    asked, traded = query(shown[0]), server.asked[0]
    assert shown[0].startswith(client.auth_uri + "&")
    assert urlsplit(asked["redirect_uri"]).hostname == "127.0.0.1"
    assert len(asked["state"]) >= 32
    verifier = traded.one("code_verifier")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert asked == {
        "hd": "firm.example",
        "response_type": "code",
        "client_id": "id-1",
        "redirect_uri": traded.one("redirect_uri"),
        "scope": SCOPE,
        "state": asked["state"],
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "access_type": "offline",
        "prompt": "consent",
        "login_hint": "r@firm.example",
    }
    assert 43 <= len(verifier) <= 128  # RFC 7636 4.1
    assert "secret-1" not in shown[0]


def test_each_consent_has_its_own_secrets(client: OAuthClient) -> None:
    first, second = (question(client, "http://127.0.0.1:1/", "x") for _ in range(2))
    assert first.state != second.state
    assert first.verifier != second.verifier
    assert first.verifier not in first.url
    assert first.state not in repr(first)
    assert first.verifier not in repr(first)


def test_only_the_right_answer_counts(client: OAuthClient, server: Server) -> None:
    seen = []

    def browse(url: str) -> None:
        base = query(url)["redirect_uri"]
        seen.append(visit(base)[0])
        seen.append(visit(f"{base}favicon.ico")[0])
        seen.append(visit(f"{base}?code=evil&state=guessed")[0])
        seen.append(visit(f"{base}?code=evil")[0])
        seen.append(visit(f"{base}?code=evil&state=%F0%9F%90%8D")[0])
        seen.append(visit(f"{base}?error=access_denied&state=")[0])
        seen.append(visit(f"{base}?{'&'.join(['x=y'] * 99)}")[0])
        seen.append(visit(back(url, code="good"))[0])

    assert consent.by_browser(client, "x", browse, timeout_seconds=2, wait_seconds=5) == FOR_GOOD
    assert seen == [404] * 7 + [200]


def test_a_silent_or_rude_neighbour_holds_nothing_up(client: OAuthClient) -> None:
    def browse(url: str) -> None:
        place = "127.0.0.1", urlsplit(query(url)["redirect_uri"]).port or 0
        silent = socket.create_connection(place)
        rude = socket.create_connection(place)
        rude.sendall(b"\x16\x03\x01 what\r\n\r\n")
        visit(back(url, code="good"))
        silent.close()
        rude.close()

    began = time.monotonic()
    assert consent.by_browser(client, "x", browse, timeout_seconds=2, wait_seconds=5) == FOR_GOOD
    assert time.monotonic() - began < 2


def test_a_browser_that_does_not_wait_for_its_page_has_brought_the_answer(
    client: OAuthClient, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hung_up(*_: object) -> None:
        raise BrokenPipeError("the browser is gone")

    def browse(url: str) -> None:
        with monkeypatch.context() as patched, contextlib.suppress(OSError, http.client.HTTPException):
            patched.setattr(http.server.BaseHTTPRequestHandler, "end_headers", hung_up)
            visit(back(url, code="good"))

    assert consent.by_browser(client, "x", browse, timeout_seconds=2, wait_seconds=5) == FOR_GOOD
    assert capfd.readouterr() == ("", "")


def test_nonsense_from_a_neighbour_is_not_shown(client: OAuthClient, capfd: pytest.CaptureFixture[str]) -> None:
    def browse(url: str) -> None:
        place = "127.0.0.1", urlsplit(query(url)["redirect_uri"]).port or 0
        with socket.create_connection(place) as rude:
            rude.sendall(b"GET http://[ HTTP/1.1\r\n\r\n")
            rude.recv(100)
        visit(back(url, code="good"))

    assert consent.by_browser(client, "x", browse, timeout_seconds=2, wait_seconds=5) == FOR_GOOD
    assert capfd.readouterr() == ("", "")


def test_the_page_tells_no_secrets(client: OAuthClient) -> None:
    pages = []

    def browse(url: str) -> None:
        base = query(url)["redirect_uri"]
        pages.append(visit(f"{base}?x=<script>alert(1)</script>"))
        pages.append(visit(back(url, code="<b>code</b>")))

    consent.by_browser(client, "x", browse, timeout_seconds=2, wait_seconds=5)
    for _, text, headers in pages:
        assert "script" not in text
        assert "code" not in text
        assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
        assert headers["Content-Security-Policy"] == "default-src 'none'"
    assert "close this page" in pages[1][1]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"error": "access_denied"}, "declined"),
        ({"error": "admin_policy_enforced\x1b[31m\n"}, r"no consent: admin_policy_enforced \[31m$"),
        ({}, "no code"),
    ],
)
def test_declined(client: OAuthClient, server: Server, fields: dict[str, str], said: str) -> None:
    browse = in_background(lambda url: visit(back(url, **fields)))
    with pytest.raises(ConsentFailed, match=said):
        consent.by_browser(client, "x", browse, timeout_seconds=2, wait_seconds=5)
    assert server.asked == []


def test_nobody_consents(client: OAuthClient) -> None:
    with pytest.raises(ConsentFailed, match="--no-browser"):
        consent.by_browser(client, "x", lambda url: None, timeout_seconds=2, wait_seconds=0.1)


def test_afterwards_nobody_listens(client: OAuthClient) -> None:
    shown: list[str] = []

    def browse(url: str) -> None:
        shown.append(url)
        visit(back(url, code="good"))

    consent.by_browser(client, "x", browse, timeout_seconds=2, wait_seconds=5)
    with pytest.raises(urllib.error.URLError):
        visit(back(shown[0], code="good"))


def test_a_client_that_is_bound_to_an_address(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        client = OAuthClient("id", "s", server.url, server.url + "/token", (f"http://127.0.0.1:{port}/back",))
        with pytest.raises(SettingsError, match="Desktop app"):
            consent.by_browser(client, "x", lambda url: None, timeout_seconds=2, wait_seconds=0.1)
    browse = in_background(lambda url: visit(back(url, code="good")))
    assert consent.by_browser(client, "x", browse, timeout_seconds=2, wait_seconds=5) == FOR_GOOD
    assert server.asked[0].one("redirect_uri") == f"http://127.0.0.1:{port}/back"


# --- by hand ---------------------------------------------------------------------------------------------------------------


def type_in(client: OAuthClient, make: Callable[[str], str]) -> Consent:
    """make: builds the typed text from the shown address."""
    shown: list[str] = []
    return consent.by_hand(client, "x", shown.append, lambda most: make(shown[0])[:most], timeout_seconds=2)


def test_the_code_or_the_whole_address_is_typed_in(client: OAuthClient) -> None:
    assert type_in(client, lambda url: "4/0Ab_good\n") == Consent("for 4/0Ab_good")
    assert type_in(client, lambda url: f"  {back(url, code='4/0Ab', scope=SCOPE)}\n") == Consent("for 4/0Ab")
    assert type_in(client, lambda url: urlsplit(back(url, code="4/0Ab")).query) == Consent("for 4/0Ab")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda url: "", "no code"),
        (lambda url: "\n", "no code"),
        (lambda url: back(url, code="x", state="other"), "another consent"),
        (lambda url: "http://127.0.0.1:1/?code=x", "another consent"),
        (lambda url: back(url, error="access_denied"), "declined"),
        (lambda url: back(url), "no code"),
        (lambda url: "http://127.0.0.1/?" + "a=b&" * 1_000_000, "another consent"),
    ],
)
def test_what_is_typed_in_wrongly(client: OAuthClient, server: Server, make: Callable[[str], str], said: str) -> None:
    with pytest.raises(ConsentFailed, match=said):
        type_in(client, make)
    assert server.asked == []


def test_a_code_that_google_refuses(client: OAuthClient, server: Server) -> None:
    def refuse(asked: Asked) -> Answer:
        return as_json({"error": "invalid_grant", "error_description": "Malformed auth code."}, 400)

    server.answer = refuse
    with pytest.raises(ConsentFailed, match="try again"):
        type_in(client, lambda url: "nonsense\r\nX: y")
