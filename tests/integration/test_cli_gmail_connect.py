"""`mailweir gmail connect` and `disconnect` against a server that answers as Google does; some tests run on both databases."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mailweir import secrets_file
from mailweir.store.gmail import gmail_revocations, gmail_workers
from tests import scripted_http
from tests.scripted_http import Answer, Asked, Server, as_json, refusal

if TYPE_CHECKING:
    from mailweir.database_url import DatabaseUrl
    from mailweir.store.database.connection import Database
    from tests.conftest import Mailweir, Ran

SCOPE = "https://www.googleapis.com/auth/gmail.readonly"
RICHARD = "richard@firm.example"


BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> "DatabaseUrl":
    """SQLite, unless a test is for both databases."""
    chosen: DatabaseUrl = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return chosen


class Google:
    """The account that the user chooses, and the requests to Google."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.account = RICHARD
        self.scope = SCOPE
        self.replies: dict[str, Answer] = {}
        server.answer = self._answer

    def _answer(self, asked: Asked) -> Answer:
        if asked.path in self.replies:
            return self.replies[asked.path]
        if asked.path == "/auth":
            fields = {"state": asked.one("state"), "code": "code-1", "scope": self.scope}
            return Answer(302, b"", {"Location": f"{asked.one('redirect_uri')}?{urlencode(fields)}"})
        if asked.path == "/token":
            return as_json(
                {"access_token": "access-1", "refresh_token": "refresh-1", "expires_in": 3600, "scope": self.scope}
            )
        if asked.path == "/gmail/v1/users/me/profile":
            return as_json({"emailAddress": self.account, "historyId": "7"})
        return as_json({})

    def told(self, path: str) -> list[Asked]:
        """The requests for a path."""
        return [asked for asked in self.server.asked if asked.path == path]


@pytest.fixture
def google() -> Iterator[Google]:
    with scripted_http.running() as server:
        yield Google(server)


Setting = Callable[..., None]


@pytest.fixture
def setting(tmp_path: Path, google: Google, mailweir: "Mailweir") -> Setting:
    """Names a file in the settings' section [gmail]: setting("oauth_client_file", content)."""
    plain = (tmp_path / "mailweir.toml").read_text()

    def put(key: str, content: Any) -> None:
        path = tmp_path / f"{key}.json"
        path.write_text(json.dumps(content))
        path.chmod(0o600)
        section = f'[gmail]\napi_endpoint = "{google.server.url}"\ntimeout_seconds = 2\n{key} = "{path}"\n'
        (tmp_path / "mailweir.toml").write_text(plain + section)

    return put


@pytest.fixture
def known(mailweir: "Mailweir", setting: Setting, google: Google) -> "Mailweir":
    """The command line, with richard and mary of demo, and an OAuth client."""
    for line in (
        "deployment add demo --domain demo.example.net",
        f"user add richard --email {RICHARD}",
        "user alias richard r.smith@firm.example",
        "user add mary --email mary@firm.example",
    ):
        assert mailweir(*line.split()).code == 0
    url = google.server.url
    client = {"client_id": "id-1", "client_secret": "s", "auth_uri": url + "/auth", "token_uri": url + "/token"}
    setting("oauth_client_file", {"installed": client})
    return mailweir


def use_service_account(setting: Setting, google: Google) -> None:
    key = rsa.generate_private_key(65_537, 2_048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    content = {
        "type": "service_account",
        "client_email": "sync@project.example",
        "private_key": key.private_bytes(*form).decode(),
        "token_uri": google.server.url + "/token",
    }
    setting("service_account_file", content)


Connect = Callable[..., "Ran"]


@pytest.fixture
def connect(known: "Mailweir", monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Runs `gmail connect … --no-browser`, with the code typed in."""

    def run(*arguments: str) -> "Ran":
        monkeypatch.setattr(sys, "stdin", io.StringIO("code-1\n"))
        return known("gmail", "connect", *arguments, "--no-browser")

    return run


def rows(database: "Database") -> list[Any]:
    sql = "SELECT address, inbound, outbound, token_sealed, state FROM gmail_mailboxes WHERE disconnected_at IS NULL"
    return list(database.execute(sql).fetchall())


@BOTH
def test_connect_by_consent(connect: Connect, database: "Database", tmp_path: Path) -> None:
    ran = connect("richard", "--inbound")
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"The Gmail of {RICHARD} is connected for richard of demo.")
    assert "inbound mail" in ran.out
    assert "outbound" not in ran.out
    assert "/auth?" in ran.err
    ((address, inbound, outbound, sealed, state),) = rows(database)
    assert (address, inbound, outbound, state) == (RICHARD, 1, 0, "connected")
    assert b"refresh-1" not in bytes(sealed)
    key = secrets_file.load(tmp_path / "secrets" / "token.key")
    assert key.open(bytes(sealed), f"gmail_mailboxes refresh token {RICHARD}") == b"refresh-1"
    assert not [word for word in ("refresh-1", "access-1") if word in ran.out + ran.err]


def test_json(connect: Connect, known: "Mailweir") -> None:
    made = connect("richard", "--inbound", "--outbound", "--json").json
    assert (made["address"], made["inbound"], made["outbound"], made["state"]) == (RICHARD, True, True, "connected")
    assert "token" not in " ".join(made)
    gone = known("gmail", "disconnect", "richard", "--json").json
    assert gone == {
        "deployment": "demo",
        "username": "richard",
        "address": RICHARD,
        "revoked": True,
        "left": None,
    }


@BOTH
def test_connecting_again_goes_on_where_it_was(connect: Connect, database: "Database", google: Google) -> None:
    assert connect("richard", "--inbound").code == 0
    with database.transaction():
        database.execute("UPDATE gmail_mailboxes SET cursor = ?, state = ?, error = ?", ("41", "reconnect", "ended"))
    before = rows(database)[0][3]
    assert connect("richard", "--outbound").code == 0
    ((_, inbound, outbound, sealed, state),) = rows(database)
    assert (inbound, outbound, state, sealed != before) == (0, 1, "connected", True)
    assert database.execute("SELECT cursor, error FROM gmail_mailboxes").fetchall()[0][:] == ("41", None)


def test_another_own_address(connect: Connect, database: "Database", google: Google) -> None:
    google.account = "R.Smith@firm.example"
    assert connect("richard", "--inbound").code == 0
    assert rows(database)[0][0] == "r.smith@firm.example"
    # another mailbox: its history doesn't continue at the cursor
    google.account = RICHARD
    google.replies["/gmail/v1/users/me/history"] = refusal(404, "notFound")
    second = connect("richard", "--inbound", "--address", RICHARD)
    assert (second.code, "gmail disconnect richard" in second.err) == (1, True)


def one_line(ran: "Ran", said: str, code: int = 1) -> None:
    assert ran.code == code
    errors = [line for line in ran.err.splitlines() if line.startswith("mailweir: ")]
    assert len(errors) == 1
    assert said in errors[0]


def test_the_account_of_somebody_else(connect: Connect, database: "Database", google: Google) -> None:
    google.account = "mary@firm.example"
    one_line(connect("richard", "--inbound"), "mailweir user alias richard mary@firm.example")
    google.account = "r.smith@firm.example"
    one_line(connect("richard", "--inbound", "--address", RICHARD), f"--address says {RICHARD}")
    assert rows(database) == []


def test_no_address_of_the_user(connect: Connect, google: Google) -> None:
    one_line(connect("richard", "--inbound", "--address", "x@else.example"), "user alias richard x@else.example")
    one_line(connect("nobody", "--inbound"), "unknown user 'nobody'")
    assert google.server.asked == []


def test_neither_direction(known: "Mailweir") -> None:
    ran = known("gmail", "connect", "richard")
    assert (ran.code, "--inbound, --outbound or both" in ran.err) == (2, True)


def test_again_without_a_direction_keeps_both_as_they_were(connect: Connect, database: "Database") -> None:
    assert connect("richard", "--outbound").code == 0
    assert connect("richard").code == 0
    assert [(row[1], row[2]) for row in rows(database)] == [(0, 1)]


def test_an_endpoint_in_the_clear_is_told_before_the_user_is_asked(
    connect: Connect, google: Google, tmp_path: Path
) -> None:
    file = tmp_path / "mailweir.toml"
    file.write_text(file.read_text().replace(google.server.url, "http://gmail.example/"))
    ran = connect("richard", "--inbound")
    one_line(ran, "must be an https:// address")
    assert "/auth?" not in ran.err


def test_that_nothing_sweeps_is_told(connect: Connect, known: "Mailweir", database: "Database") -> None:
    assert "no mailbox is swept" in connect("richard", "--inbound").err
    assert "no mailbox is swept" in known("gmail", "status").err
    now = datetime.now(UTC)
    gmail_workers.beat(database, "host/1", now, gmail_workers.quota_day(now), 0)
    assert "no mailbox is swept" not in connect("richard", "--inbound").err
    assert known("gmail", "status").err == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can read what isn't its own")
def test_a_client_file_that_the_sync_cannot_read_is_told(connect: Connect, known: "Mailweir", tmp_path: Path) -> None:
    file = tmp_path / "mailweir.toml"
    client = tmp_path / "oauth_client_file.json"
    file.write_text(f'run_as = "daemon"\n{file.read_text()}')
    to_do = f"chown daemon {client}"
    assert to_do in connect("richard", "--inbound").err
    found = known("doctor", "--json").json
    assert to_do in [one["to_do"] for one in found if one["area"] == "gmail"]
    shutil.chown(client, "daemon")
    assert to_do not in connect("richard", "--inbound").err
    found = known("doctor", "--json").json
    assert f"{client} can be read" in [one["finding"] for one in found if one["area"] == "gmail"]


def test_a_broken_client_file_is_told_by_doctor(known: "Mailweir", tmp_path: Path) -> None:
    (tmp_path / "oauth_client_file.json").write_text("{")
    found = [one["finding"] for one in known("doctor", "--json").json if one["area"] == "gmail"]
    assert any("holds no JSON" in one for one in found)


@pytest.mark.parametrize("typed", ["code=4%2F0Ab\n", "4/0Ab\n", ' "code=4/0Ab" \n'])
def test_a_code_as_it_stands_in_the_address(
    known: "Mailweir", google: Google, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert known("gmail", "connect", "richard", "--inbound", "--no-browser").code == 0
    assert google.told("/token")[0].one("code") == "4/0Ab"


def test_the_address_to_open_is_no_answer(known: "Mailweir", google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{google.server.url}/auth?response_type=code&state=x&client_id=id-1\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(url))
    one_line(known("gmail", "connect", "richard", "--inbound", "--no-browser"), "where the browser ends")


def test_the_box_was_not_ticked(connect: Connect, google: Google, database: "Database") -> None:
    google.scope = "openid"
    one_line(connect("richard", "--inbound"), "leave the box for reading mail ticked")
    assert rows(database) == []


def test_gmail_refuses(connect: Connect, google: Google) -> None:
    google.replies["/gmail/v1/users/me/profile"] = scripted_http.refusal(403, "accessNotConfigured")
    one_line(connect("richard", "--inbound"), "enable it")


def test_gmail_is_not_set_up(mailweir: "Mailweir") -> None:
    one_line(mailweir("gmail", "connect", "richard", "--inbound"), "docs/admin/gmail.md")


def test_a_lost_key_file(connect: Connect, tmp_path: Path, google: Google) -> None:
    assert connect("richard", "--inbound").code == 0
    (tmp_path / "secrets" / "token.key").unlink()
    before = len(google.server.asked)
    one_line(connect("mary", "--inbound"), "there is no key file")
    assert len(google.server.asked) == before


def test_doctor_says_that_the_key_file_is_lost(connect: Connect, known: "Mailweir", tmp_path: Path) -> None:
    def found() -> list[tuple[str, str]]:
        all_found = known("doctor", "--json").json
        return [(one["level"], one["finding"]) for one in all_found if one["area"] == "key file"]

    assert found() == []
    assert connect("richard", "--inbound").code == 0
    file = tmp_path / "secrets" / "token.key"
    assert found() == [("ok", f"{file} opens the tokens of 1 mailbox")]
    file.unlink()
    assert [level for level, _ in found()] == ["wrong"]
    secrets_file.make(file)
    ((level, said),) = found()
    assert (level, "doesn't open the database's secrets" in said) == ("wrong", True)


@BOTH
def test_a_service_account(known: "Mailweir", setting: Setting, google: Google, database: "Database") -> None:
    use_service_account(setting, google)
    ran = known("gmail", "connect", "richard", "--inbound", "--outbound")
    assert ran.code == 0
    assert [list(row) for row in rows(database)] == [[RICHARD, 1, 1, None, "connected"]]
    assert (google.told("/auth"), len(google.told("/gmail/v1/users/me/profile"))) == ([], 1)
    ran = known("gmail", "disconnect", "richard")
    assert (ran.code, google.told("/revoke"), rows(database)) == (0, [], [])
    assert "Domain-wide delegation" in ran.err


def test_a_service_account_that_may_not(known: "Mailweir", setting: Setting, google: Google) -> None:
    use_service_account(setting, google)
    google.replies["/token"] = as_json({"error": "unauthorized_client", "error_description": "No."}, 401)
    one_line(known("gmail", "connect", "richard", "--inbound"), "Domain-wide delegation")


@BOTH
def test_disconnect_gives_the_consent_back(
    connect: Connect, known: "Mailweir", google: Google, database: "Database"
) -> None:
    assert connect("richard", "--inbound").code == 0
    ran = known("gmail", "disconnect", "richard")
    assert (ran.code, ran.err) == (0, "")
    assert [asked.fields for asked in google.told("/revoke")] == [{"token": ["refresh-1"]}]
    assert rows(database) == []
    assert database.execute("SELECT token_sealed FROM gmail_mailboxes").fetchone()[0] is None
    one_line(known("gmail", "disconnect", "richard"), "gmail connect richard")


Change = Callable[[Google, Setting, Path], object]
CHANGES: dict[str, Change] = {
    "google is down": lambda google, setting, folder: google.replies.update({"/revoke": Answer(503, b"down")}),
    "no client any more": lambda google, setting, folder: (folder / "oauth_client_file.json").unlink(),
    "no key any more": lambda google, setting, folder: (folder / "secrets" / "token.key").unlink(),
    "another way now": lambda google, setting, folder: use_service_account(setting, google),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_disconnect_where_google_cannot_be_told(
    change: Change,
    connect: Connect,
    known: "Mailweir",
    google: Google,
    setting: Setting,
    database: "Database",
    tmp_path: Path,
) -> None:
    assert connect("richard", "--inbound").code == 0
    change(google, setting, tmp_path)
    ran = known("gmail", "disconnect", "richard")
    one_line(ran, "https://myaccount.google.com/connections", code=0)
    assert "is disconnected" in ran.out
    assert database.execute("SELECT token_sealed FROM gmail_mailboxes").fetchone()[0] is None
    waiting = gmail_revocations.take(database, datetime.now(UTC))
    assert waiting, "the sync tries again"
    assert waiting.address == RICHARD
    forgotten = known("gmail", "forget-consent", RICHARD, "--json")
    assert forgotten.json == {"deployment": "demo", "address": RICHARD, "forgotten": 1}
    one_line(known("gmail", "forget-consent", RICHARD), f"no consent of {RICHARD} waits")


@BOTH
def test_one_consent_for_two_users(connect: Connect, known: "Mailweir", google: Google) -> None:
    """At Google, revoking one of the tokens ends both."""
    assert known("deployment", "add", "other", "--domain", "other.example.org").code == 0
    assert known("user", "add", "rick", "--email", RICHARD, "--deployment", "other").code == 0
    assert connect("richard", "--inbound", "--deployment", "demo").code == 0
    assert connect("rick", "--inbound", "--deployment", "other").code == 0
    first = known("gmail", "disconnect", "richard", "--deployment", "demo")
    assert (first.code, "another user" in first.err, google.told("/revoke")) == (0, True, [])
    assert known("gmail", "disconnect", "rick", "--deployment", "other").code == 0
    assert len(google.told("/revoke")) == 1


# --- as a process, with a browser of its own -------------------------------------------------------------------------------

BROWSER = """#!{python}
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=10).read()
"""


def as_process(*arguments: str, typed: str = "", browser: str = "") -> "subprocess.CompletedProcess[str]":
    code = "import sys; from admin_cli.main import run; sys.exit(run())"
    # as from a terminal without a display
    environment = {name: value for name, value in os.environ.items() if "DISPLAY" not in name and name != "BROWSER"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**environment, **({"BROWSER": browser} if browser else {})},
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_by_browser(known: "Mailweir", google: Google, database: "Database", tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(BROWSER.format(python=sys.executable))
    browser.chmod(0o755)
    ran = as_process("gmail", "connect", "richard", "--inbound", browser=f"{browser} %s")
    assert (ran.returncode, ran.stdout.splitlines()[0]) == (
        0,
        f"The Gmail of {RICHARD} is connected for richard of demo.",
    )
    (asked,) = google.told("/auth")
    assert (asked.one("login_hint"), asked.one("scope")) == (RICHARD, SCOPE)
    assert rows(database)[0][0] == RICHARD


def test_by_hand(known: "Mailweir", database: "Database") -> None:
    ran = as_process("gmail", "connect", "richard", "--inbound", "--no-browser")
    assert (ran.returncode, rows(database)) == (1, [])
    assert ran.stderr.splitlines()[-1] == "mailweir: no code was given"
    (url,) = (line.strip() for line in ran.stderr.splitlines() if "/auth?" in line)
    assert parse_qs(urlsplit(url).query)["redirect_uri"][0].startswith("http://127.0.0.1:")
    assert as_process("gmail", "connect", "richard", "--inbound", "--no-browser", typed="code-1").returncode == 0
