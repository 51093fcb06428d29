"""A user connects Gmail on the page: from the button to Google and back, against the Gmail server by another author."""

import urllib.parse
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gmail_sync import job_factory
from gmail_sync.budget import Project
from gmail_sync.job_factory import JobFactory
from gmail_sync.returned_consents import ReturnedConsents
from gmail_sync.sweep import Sweep
from mailweir import log, secrets_file
from mailweir.database_url import DatabaseUrl
from mailweir.errors import SettingsError
from mailweir.gmail import oauth_files
from mailweir.gmail.errors import NeedsReconnect
from mailweir.gmail.tokens import UserCredentials
from mailweir.gmail.transport import Connections
from mailweir.secrets_file import Sealer
from mailweir.settings import Gmail, Settings
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_connections, gmail_leases, gmail_mailboxes, sealing_keys
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox, token_purpose
from mailweir.store.people import users
from mailweir.store.web import change_log
from tests.gmail import faults
from tests.gmail.calls import Kind
from tests.gmail.emulator import WEB_CLIENT_ID
from tests.gmail.google_errors import token_error
from tests.gmail.server import METADATA, READONLY, GmailServer
from tests.held_mail import Clock
from tests.page import URL, Browser, Page, make_page

BACK = f"{URL}/integrations/google/return"
CONNECT = "/integrations/google/connect"


class Site:
    """The page with that server: with the client of type Web and, for the command line, the Desktop client."""

    def __init__(self, gmail: GmailServer, page: Page, settings: Settings) -> None:
        self.gmail = gmail
        self.page = page
        self.settings = settings

    def asked(self, browser: Browser, **boxes: str) -> str:
        """Presses Connect; returns where the browser is sent."""
        answer = browser.post(CONNECT, boxes or {"inbound": "on", "outbound": "on"})
        assert answer.status_code == 303, answer.get_data(as_text=True)
        return str(answer.headers["Location"])

    def come_back(self, browser: Browser, location: str) -> Any:
        """The page's answer to the browser's return from Google."""
        assert location.startswith(f"{BACK}?"), location
        return browser.get(location.removeprefix(URL))

    def consent(self, browser: Browser, address: str = "richard@firm.example", **boxes: str) -> Any:
        """Goes the whole way; returns the page's answer."""
        return self.come_back(browser, self.gmail.approve(self.asked(browser, **boxes), address))

    def mailbox(self, name: str = "richard") -> GmailMailbox:
        """The connected mailbox."""
        return gmail_mailboxes.find(self.page.database, self.page.demo, name)

    def sealed(self, name: str = "richard") -> bytes:
        """Its token as stored in the database."""
        found = gmail_mailboxes.token_sealed(self.page.database, self.mailbox(name).id)
        assert found
        return found

    def connect_by_command(self, name: str = "richard", client_id: str | None = None) -> str:
        """Connects as the command line does, with the Desktop client; returns the token."""
        box = self.gmail.mailbox(name)
        token = box.consent()
        secrets = secrets_file.load(self.settings.token_key_path)
        gmail_connections.connect(
            self.page.database,
            self.page.demo,
            name,
            box.address,
            inbound=True,
            outbound=True,
            token_sealed=secrets.seal(token.encode(), token_purpose(box.address)),
            now=self.page.clock(),
            first_days=7,
            client_id=client_id,
        )
        return token

    def read_by_the_sync(self, name: str = "richard") -> str:
        """The mailbox that the sync finds with the stored token."""
        services = job_factory.services(self.settings, log.silent())
        leased = gmail_leases.lease_one(self.page.database, "test", self.page.clock(), self.mailbox(name).id)
        assert leased
        job = JobFactory(services).job(leased, Project(10**9, 10**9, lambda: 0.0))
        found = job.mailbox.profile().address
        services.database_pool.close()
        return found


def words(answer: Any) -> str:
    """A page's error text."""
    text = answer.get_data(as_text=True)
    assert 'role="alert">' in text, text
    return str(text.partition('role="alert">')[2].partition("</p>")[0]).replace("&#39;", "'")


@pytest.fixture
def site(gmail: GmailServer, page_clock: Clock, sqlite_url: DatabaseUrl, tmp_path: Path) -> Iterator[Site]:
    """A site on SQLite: other tests cover the differences between the databases."""
    (tmp_path / "secrets").mkdir()
    config = Gmail(
        oauth_client_file=str(gmail.client_file(tmp_path / "secrets" / "client.json")),
        web_client_file=str(gmail.web_client_file(tmp_path / "secrets" / "web.json", BACK)),
        api_endpoint=gmail.endpoint,
        timeout_seconds=5,
    )
    with closing(Database(sqlite_url)) as database:
        page = make_page(database, page_clock, tmp_path, {"gmail": config})
        settings: Settings = page.app.extensions["mailweir"].settings
        secrets_file.make(settings.token_key_path)
        services = job_factory.services(settings, log.silent())
        job_factory.note_public_half(services)
        services.database_pool.close()
        yield Site(gmail, page, settings)
        page.app.extensions["mailweir"].pool.close()


def test_from_the_button_to_the_sync(site: Site) -> None:
    browser = site.page.browser("richard")
    answer = site.consent(browser, inbound="on")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/integrations?done=google_connected")
    made = site.mailbox()
    assert (made.address, made.inbound, made.outbound) == ("richard@firm.example", True, False)
    assert gmail_mailboxes.client_id(site.page.database, made.id) == WEB_CLIENT_ID
    assert site.read_by_the_sync() == "richard@firm.example"
    shown = browser.text("/integrations")
    assert "Connected to Google" in shown or "Google isn&#39;t being read" in shown  # no sync runs here
    noted = change_log.select(site.page.database, site.page.demo.id, None, 5)
    assert [(one.what, one.changed_by, one.subject) for one in noted] == [
        ("gmail.connected", "richard", "richard@firm.example")
    ]


def test_google_is_asked_for_a_lasting_consent_to_read_alone(site: Site) -> None:
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(site.asked(site.page.browser("richard"))).query)
    wanted = {"access_type": "offline", "prompt": "consent", "scope": READONLY, "code_challenge_method": "S256"}
    assert {name: query[name] for name in wanted} == {name: [value] for name, value in wanted.items()}
    assert (query["redirect_uri"], query["login_hint"]) == ([BACK], ["richard@firm.example"])


def test_the_page_holds_nothing_that_opens_the_token(site: Site) -> None:
    assert site.consent(site.page.browser("richard")).status_code == 303
    sealed = site.sealed()
    public = sealing_keys.find(site.page.database)
    assert public
    assert sealed[:1] == Sealer(public).seal(b"x", "y")[:1]
    purpose = token_purpose("richard@firm.example")
    token = secrets_file.load(site.settings.token_key_path).open(sealed, purpose).decode()
    assert token not in sealed.decode("latin-1")
    with pytest.raises(SettingsError):
        secrets_file.load(site.settings.token_key_path).open(sealed, token_purpose("mary@firm.example"))


def test_the_page_needs_no_key_file(site: Site) -> None:
    site.settings.token_key_path.rename(site.settings.token_key_path.with_name("elsewhere"))
    assert site.consent(site.page.browser("richard")).status_code == 303


def test_each_token_is_refreshed_by_its_own_client(site: Site) -> None:
    users.add(site.page.database, site.page.demo, "olga", "olga@firm.example", "", site.page.clock())
    site.connect_by_command("olga")
    assert site.consent(site.page.browser("richard")).status_code == 303
    assert site.read_by_the_sync("olga") == "olga@firm.example"
    assert site.read_by_the_sync("richard") == "richard@firm.example"


def test_a_refused_client_holds_up_its_own_mailboxes_alone(site: Site) -> None:
    """Google has deleted the page's client. The command line's client still works."""
    users.add(site.page.database, site.page.demo, "olga", "olga@firm.example", "", site.page.clock())
    site.connect_by_command("olga")
    assert site.consent(site.page.browser("richard")).status_code == 303
    gone = faults.Fault("client gone", token_error("deleted_client", "The OAuth client was deleted.", 401))
    site.gmail.faults.add(gone, user="richard@firm.example", kind=Kind.TOKEN)
    services = job_factory.services(site.settings, log.silent())
    jobs = JobFactory(services)
    for name, is_well in (("richard", False), ("olga", True), ("richard", False), ("olga", True)):
        leased = gmail_leases.lease_one(site.page.database, "test", site.page.clock(), site.mailbox(name).id)
        assert leased
        rest = Sweep(jobs.job(leased, Project(10**9, 10**9, lambda: 0.0))).run()
        assert rest
        gmail_leases.end(site.page.database, [rest])
        assert (rest.error is None) is is_well, (name, rest.error)
    services.database_pool.close()
    assert "Google doesn't accept the OAuth client" in (site.mailbox("richard").error or "")


def test_connected_again_on_the_page_it_is_the_pages_client(site: Site) -> None:
    site.connect_by_command()
    browser = site.page.browser("richard")
    answer = browser.post(CONNECT, {})  # no box is ticked: the directions stay as they were
    back = site.gmail.approve(answer.headers["Location"], "richard@firm.example")
    assert site.come_back(browser, back).status_code == 303
    assert (site.mailbox().inbound, site.mailbox().outbound) == (True, True)
    assert site.read_by_the_sync() == "richard@firm.example"
    (count,) = site.page.database.execute("SELECT COUNT(*) FROM gmail_mailboxes").fetchone()
    assert count == 1


# --- whose browser may come back -------------------------------------------------------------------------------------


def test_a_state_counts_once(site: Site) -> None:
    browser = site.page.browser("richard")
    location = site.gmail.approve(site.asked(browser), "richard@firm.example")
    assert site.come_back(browser, location).status_code == 303
    again = site.come_back(browser, location)
    assert (again.status_code, "used already" in words(again)) == (400, True)


@pytest.mark.parametrize("who", ["richard", "anna"], ids=["another session", "another user"])
def test_nobody_else_brings_it_back(site: Site, who: str) -> None:
    """Otherwise an attacker could send a victim to Google's answer, and the attacker's mailbox would be read as the victim's."""
    mine, theirs = site.page.browser("richard"), site.page.browser(who)
    location = site.gmail.approve(site.asked(mine), "richard@firm.example")
    answer = site.come_back(theirs, location)
    assert (answer.status_code, "belongs to somebody else" in words(answer)) == (400, True)
    assert site.come_back(mine, location).status_code == 303, "the state can still be used"


def test_who_is_signed_out_connects_nothing(site: Site) -> None:
    location = site.gmail.approve(site.asked(site.page.browser("richard")), "richard@firm.example")
    answer = site.come_back(site.page.browser(), location)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?to=/integrations/google/return")
    assert gmail_mailboxes.list_all(site.page.database, site.page.demo) == []


def test_a_state_is_too_old_after_ten_minutes(site: Site) -> None:
    browser = site.page.browser("richard")
    location = site.gmail.approve(site.asked(browser), "richard@firm.example")
    site.page.clock.pass_by(600)
    assert site.come_back(browser, location).status_code == 400


@pytest.mark.parametrize(
    "query", ["", "?code=4/abc", "?state=&code=4/abc", f"?state={'x' * 5000}&code=4/abc", "?state=%00"]
)
def test_an_answer_that_nobody_asked_for_is_refused(site: Site, query: str) -> None:
    assert site.page.browser("richard").get(f"/integrations/google/return{query}").status_code == 400


# --- refusals by Google ----------------------------------------------------------------------------------------------


def test_declined(site: Site) -> None:
    browser = site.page.browser("richard")
    answer = site.come_back(browser, site.gmail.decline(site.asked(browser)))
    assert (answer.status_code, words(answer)) == (400, "Google wasn't connected: the consent was declined at Google.")


def test_another_account_than_the_users_own_is_refused_and_given_back(site: Site) -> None:
    answer = site.consent(site.page.browser("richard"), "mary@firm.example")
    assert (answer.status_code, "isn't one of your addresses" in words(answer)) == (400, True)
    assert site.gmail.tokens.grants_of("mary@firm.example") == []
    assert gmail_mailboxes.list_all(site.page.database, site.page.demo) == []


def test_a_consent_that_covers_less_is_refused(site: Site) -> None:
    browser = site.page.browser("richard")
    asked = site.asked(browser).replace(urllib.parse.quote(READONLY, ""), urllib.parse.quote(METADATA, ""))
    answer = site.come_back(browser, site.gmail.approve(asked, "richard@firm.example"))
    assert (answer.status_code, "the consent doesn't cover reading mail" in words(answer)) == (400, True)


def test_a_consent_without_a_lasting_token_wipes_no_earlier_one(site: Site) -> None:
    browser = site.page.browser("richard")
    assert site.consent(browser).status_code == 303
    before = site.sealed()
    asked = site.asked(browser).replace("access_type=offline", "access_type=online")
    answer = site.come_back(browser, site.gmail.approve(asked, "richard@firm.example"))
    assert (answer.status_code, "no lasting token" in words(answer)) == (400, True)
    assert site.sealed() == before
    assert site.read_by_the_sync() == "richard@firm.example"


def test_no_secret_is_in_an_answer_or_a_redirect(site: Site) -> None:
    browser = site.page.browser("richard")
    location = site.gmail.approve(site.asked(browser), "richard@firm.example")
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)
    answer = site.come_back(browser, location)
    seen = str(answer.headers) + answer.get_data(as_text=True) + browser.text("/integrations")
    assert query["code"][0] not in seen
    assert query["state"][0] not in seen


# --- missing parts ---------------------------------------------------------------------------------------------------


def test_without_the_syncs_key_nobody_is_sent_to_google(site: Site) -> None:
    site.page.database.execute("DELETE FROM sealing_keys")
    browser = site.page.browser("richard")
    assert "Connecting Google isn’t set up" in browser.text("/integrations")
    answer = browser.post(CONNECT, {"inbound": "on"})
    assert (answer.status_code, "Tell your admin" in words(answer)) == (400, True)


def test_without_a_box_nothing_is_asked(site: Site) -> None:
    answer = site.page.browser("richard").post(CONNECT, {})
    assert (answer.status_code, words(answer)) == (400, "Tick what Mailweir should record: inbound, outbound or both.")


def test_a_consent_is_given_back_after_it_was_disconnected_on_the_page(site: Site) -> None:
    browser = site.page.browser("richard")
    site.consent(browser)
    token = secrets_file.load(site.settings.token_key_path).open(site.sealed(), token_purpose("richard@firm.example"))
    assert browser.post("/integrations/google/disconnect").status_code == 303
    assert "is being given back to Google" in browser.text("/integrations")
    services = job_factory.services(site.settings, log.silent())
    assert ReturnedConsents(services).step()
    services.database_pool.close()
    assert "was given back to Google" in browser.text("/integrations")
    client = oauth_files.load_web_client(Path(site.settings.gmail.web_client_file))
    with closing(Connections(5.0)) as connections, pytest.raises(NeedsReconnect):
        UserCredentials(client, token.decode()).refresh(connections)
    assert site.consent(browser).headers["Location"] == "/integrations?done=google_connected"
    assert site.read_by_the_sync() == "richard@firm.example"
