"""Google's files of a client or a service account: their required content, and one line for each fault."""

import os
from pathlib import Path
from typing import Any

import pytest

from mailweir.errors import SettingsError
from mailweir.gmail import oauth_files, tokens
from mailweir.gmail.errors import NeedsReconnect
from mailweir.gmail.oauth_files import OAuthClient, ServiceAccount
from mailweir.settings import Gmail
from tests.google_files import WriteFile, account_file, make_private_key, writer


@pytest.fixture(scope="module")
def private_key() -> str:
    """A service account's."""
    return make_private_key()


@pytest.fixture
def write(tmp_path: Path) -> WriteFile:
    """Writes a private file."""
    return writer(tmp_path)


INSTALLED = {
    "client_id": "id-1",
    "client_secret": "secret-1",
    "auth_uri": "https://accounts.google.com/o/oauth2/auth",
    "token_uri": "https://oauth2.googleapis.com/token",
    "redirect_uris": ["http://localhost"],
}


def test_the_files_that_the_settings_name(write: WriteFile, private_key: str) -> None:
    found = oauth_files.load(Gmail(oauth_client_file=str(write({"installed": INSTALLED}))))
    assert (found, getattr(found, "client_secret", "")) == (
        OAuthClient("id-1", "secret-1", INSTALLED["auth_uri"], INSTALLED["token_uri"], ()),  # type: ignore[arg-type]
        "secret-1",
    )
    web = {**INSTALLED, "redirect_uris": ["https://x.example/back", "http://127.0.0.1:8099/back", 7]}
    found = oauth_files.load(Gmail(oauth_client_file=str(write({"web": web}))))
    assert isinstance(found, OAuthClient)
    assert found.redirects == ("http://127.0.0.1:8099/back",)
    path = write(account_file("https://oauth2.googleapis.com", private_key))
    robot = oauth_files.load(Gmail(service_account_file=str(path)))
    assert isinstance(robot, ServiceAccount)
    assert (robot.email, robot.client_id) == ("sync@project.example", "1234")
    with pytest.raises(SettingsError, match=r"docs/admin/gmail\.md"):
        oauth_files.load(Gmail())


WEB = {**INSTALLED, "client_id": "id-2", "redirect_uris": ["https://x.example/back", 7]}


def test_each_token_has_the_client_that_it_belongs_to(write: WriteFile) -> None:
    written = write({"installed": INSTALLED})
    main = str(written.rename(written.with_name("main.json")))
    web = str(write({"web": WEB}))
    both = oauth_files.load_all(Gmail(oauth_client_file=main, web_client_file=web))
    assert [getattr(both.of(one), "client_id", None) for one in (None, "id-1", "id-2", "gone")] == [
        "id-1",
        "id-1",
        "id-2",
        "id-1",
    ]
    assert both.web
    assert both.web.redirects == ("https://x.example/back",)
    alone = oauth_files.load_all(Gmail(web_client_file=web))
    assert [getattr(alone.of(one), "client_id", None) for one in (None, "gone", "id-2")] == [None, None, "id-2"]
    assert Gmail(web_client_file=web).is_set_up
    with pytest.raises(NeedsReconnect, match="another OAuth client"):
        tokens.credentials_of(alone, "richard@firm.example", "token", None)
    assert oauth_files.load_all(Gmail(oauth_client_file=main)).of("id-2") is not None


@pytest.mark.parametrize("content", [{"installed": INSTALLED}, {"web": 7}, {"web": {**WEB, "client_secret": ""}}, "{"])
def test_what_is_no_client_of_type_web_is_refused(write: WriteFile, content: Any) -> None:
    with pytest.raises(SettingsError, match=r"docs/admin/gmail\.md"):
        oauth_files.load_all(Gmail(web_client_file=str(write(content))))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no JSON"),
        ("[]", "no JSON"),
        ("[" * 50_000, "no JSON"),
        ({"type": "service_account"}, "not a file of an OAuth client"),
        ({"installed": {}}, "lacks client_id"),
        ({"installed": {**INSTALLED, "client_secret": ""}}, "lacks client_secret"),
        ({"installed": {**INSTALLED, "token_uri": "http://tokens.example/"}}, "token_uri.*https"),
        ({"installed": {**INSTALLED, "auth_uri": "javascript:alert(1)"}}, "auth_uri.*https"),
        ({"web": {**INSTALLED, "redirect_uris": ["https://x.example/"]}}, "Desktop app"),
        ({"web": {**INSTALLED, "redirect_uris": None}}, "Desktop app"),
    ],
)
def test_a_client_file_that_is_none(write: WriteFile, content: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        oauth_files.load_client(write(content))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "authorized_user"}, "not a key file of a service account"),
        ({"private_key": "nonsense"}, "private_key can't be read"),
        ({"private_key": 7}, "lacks private_key"),
        ({"client_email": None}, "lacks client_email"),
        ({"token_uri": "http://tokens.example/"}, "https"),
    ],
)
def test_a_key_file_that_is_none(write: WriteFile, private_key: str, change: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        oauth_files.load_account(write({**account_file("https://oauth2.googleapis.com", private_key), **change}))
    assert "PRIVATE" not in str(caught.value)


def test_files_that_others_can_read_or_that_are_none(write: WriteFile, tmp_path: Path) -> None:
    path = write({"installed": INSTALLED})
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="others can read it: chmod 600"):
        oauth_files.load_client(path)
    with pytest.raises(SettingsError, match=r"can't read .*missing\.json"):
        oauth_files.load_client(tmp_path / "missing.json")
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(SettingsError, match="no JSON"):
        oauth_files.load_client(tmp_path / "fifo")
