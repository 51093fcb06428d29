"""Consents that the sync gives back: requested once, tried with pauses, reported if that takes long, and never while in use."""

import importlib
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gmail_sync.database_pool import DatabasePool, PooledDirectory
from gmail_sync.job import Services
from gmail_sync.returned_consents import ReturnedConsents
from mailweir import log, secrets_file
from mailweir.errors import NotFound
from mailweir.health import gmail
from mailweir.settings import Gmail, Settings
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_connections, gmail_revocations
from mailweir.store.gmail.gmail_mailboxes import token_purpose
from mailweir.store.gmail.gmail_revocations import LATE, TOKEN_LASTS, Revocation, State
from mailweir.store.people import deployments, users
from mailweir.store.people.deployments import Deployment
from tests import scripted_http
from tests.google_files import writer
from tests.held_mail import Clock
from tests.scripted_http import Answer, Server, as_json

RICHARD = "richard@firm.example"
SMITH = "r.smith@firm.example"  # a further address of richard's
GONE = as_json({"error": "invalid_token", "error_description": "Token expired or revoked"}, 400)


class Site:
    """A database with richard and his connected mailbox, a key file, and a sync whose Google is scripted."""

    def __init__(self, database: Database, google: Server, folder: Path, clock: Clock) -> None:
        self.database, self.google, self.clock = database, google, clock
        self.demo = deployments.add(database, "demo", "demo.example.net", clock())
        users.add(database, self.demo, "richard", RICHARD, "", clock())
        self.user = users.add_address(database, self.demo, "richard", SMITH)
        (folder / "secrets").mkdir()
        secrets_file.make(folder / "secrets" / "token.key")
        self.secrets = secrets_file.load(folder / "secrets" / "token.key")
        client = {
            "client_id": "1.apps.example",
            "client_secret": "s",
            "auth_uri": google.url + "/auth",
            "token_uri": google.url + "/token",
            "redirect_uris": ["http://localhost"],
        }
        file = writer(folder)({"installed": client})
        url = str(database.url) if not database.is_sqlite else f"sqlite:{database.path}"
        settings = Settings(data_dir=folder, database=url, gmail=Gmail(oauth_client_file=str(file), timeout_seconds=2))
        pool = DatabasePool(lambda: Database(settings.database_url))
        self.services = Services(pool, PooledDirectory(pool), settings, log.silent(), clock)
        self.returned = ReturnedConsents(self.services)

    def connect(
        self,
        deployment: Deployment | None = None,
        username: str = "richard",
        client: str | None = None,
        address: str = RICHARD,
    ) -> None:
        """Its token is `1//token`, and another address's has that address after it."""
        token = b"1//token" if address == RICHARD else b"1//token " + address.encode()
        sealed = self.secrets.seal(token, token_purpose(address))
        self.connect_with(sealed, client, deployment or self.demo, username, address)

    def connect_by_service_account(self) -> None:
        self.connect_with(None, None, self.demo, "richard", RICHARD)

    def connect_with(
        self, sealed: bytes | None, client: str | None, tenant: Deployment, username: str, address: str
    ) -> None:
        given: dict[str, Any] = {"inbound": True, "outbound": True, "now": self.clock(), "first_days": 7}
        gmail_connections.connect(
            self.database, tenant, username, address, token_sealed=sealed, client_id=client, **given
        )

    def disconnect(self) -> None:
        gmail_connections.disconnect_and_return(self.database, self.demo, "richard", self.clock())

    def all_found(self) -> list[Revocation]:
        return gmail_revocations.of_user(self.database, self.user.id)

    def found(self) -> Revocation:
        (found,) = self.all_found()
        return found

    def returned_tokens(self) -> list[str]:
        """The tokens that Google was given back, after the sync has tried all that is due."""
        while self.returned.step():
            pass
        return [str(one.one("token")) for one in self.google.asked]

    def findings(self) -> list[tuple[str, str]]:
        found = gmail.check_consents(self.database, self.demo, self.clock())
        return [(one.key, f"{one.sentence}; {one.to_do}") for one in found]

    def tokens_kept(self) -> int:
        sql = "SELECT COUNT(*) FROM gmail_revocations WHERE token_sealed IS NOT NULL"
        return int(self.database.execute(sql).fetchone()[0])


@pytest.fixture
def site(database: Database, tmp_path: Path, now: datetime) -> Iterator[Site]:
    """On each database in turn."""
    with scripted_http.running() as google:
        made = Site(database, google, tmp_path, Clock(now))
        with closing(made.services.database_pool):
            made.connect()
            yield made


def test_a_consent_is_given_back_once(site: Site) -> None:
    site.google.script += [as_json({})]
    assert not site.returned.step()
    site.disconnect()
    assert (site.found().state, site.tokens_kept()) == (State.WAITS, 1)
    assert (site.returned.step(), site.returned.step()) == (True, False)
    (asked,) = site.google.asked
    assert (asked.method, asked.path, asked.one("token")) == ("POST", "/revoke", "1//token")
    assert (site.found().state, site.found().ended_at, site.tokens_kept()) == (State.DONE, site.clock(), 0)


def test_that_of_a_removed_user_is_given_back_too(site: Site) -> None:
    site.google.script += [as_json({})]
    users.remove(site.database, site.demo, "richard", site.clock())
    assert (site.found().address, site.found().state, site.tokens_kept()) == (RICHARD, State.WAITS, 1)
    assert (site.returned.step(), site.returned.step()) == (True, False)
    assert [one.one("token") for one in site.google.asked] == ["1//token"]
    assert (site.found().state, site.tokens_kept()) == (State.DONE, 0)
    assert site.database.execute("SELECT token_sealed FROM gmail_mailboxes").fetchall() == [(None,)]


def test_a_removed_user_leaves_a_consent_that_another_user_is_read_by(site: Site) -> None:
    other = deployments.add(site.database, "other", "other.example.org", site.clock())
    users.add(site.database, other, "rick", RICHARD, "", site.clock())
    site.connect(other, "rick")
    users.remove(site.database, site.demo, "richard", site.clock())
    assert site.returned.step()
    assert (site.found().state, site.google.asked) == (State.KEPT, [])


def test_a_removed_user_who_has_nothing_connected_asks_for_nothing(site: Site) -> None:
    site.disconnect()
    asked_at = site.found().asked_at
    site.clock.pass_by(60)
    users.remove(site.database, site.demo, "richard", site.clock())
    assert (site.found().asked_at, site.found().state) == (asked_at, State.WAITS), "the earlier request continues"


def test_one_that_ended_by_itself_is_no_error(site: Site) -> None:
    site.google.script += [GONE]
    site.disconnect()
    assert site.returned.step()
    assert site.found().state is State.DONE


def test_what_fails_is_tried_again_with_pauses_that_grow_up_to_a_day(site: Site) -> None:
    site.google.script += [*[Answer(503, b"busy")] * 16, as_json({})]
    site.disconnect()
    pauses = []
    for _ in range(17):
        before = site.clock()
        while not site.returned.step():
            site.clock.pass_by(30)
        pauses.append((site.clock() - before).total_seconds())
    assert pauses[1:5] == [30, 60, 120, 240]
    assert pauses[-3:] == [86_400] * 3
    assert (site.found().state, site.tokens_kept()) == (State.DONE, 0)


def test_a_token_that_has_expired_is_given_up(site: Site) -> None:
    site.google.script += [*[Answer(503, b"busy")] * 2]
    site.disconnect()
    assert site.returned.step()
    site.clock.pass_by(TOKEN_LASTS.total_seconds() + 1)
    assert site.returned.step()
    assert (site.found().state, site.tokens_kept()) == (State.FAILED, 0)
    assert "503" in str(site.found().error)
    site.clock.pass_by(10 * 86_400)
    assert not site.returned.step()
    assert site.findings() == [], "the token opens nothing any more"


def test_what_isnt_returned_within_hours_is_reported_until_it_is(site: Site) -> None:
    site.google.script += [Answer(503, b"busy"), as_json({})]
    users.remove(site.database, site.demo, "richard", site.clock())
    assert site.returned.step()
    assert site.findings() == [], "Google's bad moment is no fault"
    site.clock.pass_by(LATE.total_seconds() + 1)
    ((key, words),) = site.findings()
    assert key == "gmail.consent_not_returned"
    assert f"{RICHARD} of richard" in words
    assert "503" in words
    assert f"mailweir gmail forget-consent {RICHARD}" in words
    assert site.returned.step()
    assert (site.found().state, site.findings()) == (State.DONE, [])


def test_one_that_no_sync_has_tried_is_reported_too(site: Site) -> None:
    site.disconnect()
    site.clock.pass_by(LATE.total_seconds() + 1)
    ((_, words),) = site.findings()
    assert "no mailweir-gmail-sync has tried" in words
    other = deployments.add(site.database, "other", "other.example.org", site.clock())
    assert [*gmail.check_consents(site.database, other, site.clock())] == [], "it is demo's"


def test_its_owner_removes_it_at_google_and_the_next_try_ends_the_report(site: Site) -> None:
    site.google.script += [GONE]
    site.disconnect()
    site.clock.pass_by(LATE.total_seconds() + 1)
    assert site.findings()
    assert site.returned.step()
    assert site.findings() == []


def test_an_admin_ends_one_that_was_removed_by_hand(site: Site) -> None:
    site.disconnect()
    other = deployments.add(site.database, "other", "other.example.org", site.clock())
    with pytest.raises(NotFound, match=f"no consent of {re.escape(RICHARD)} waits"):
        gmail_revocations.forget_open(site.database, other, RICHARD)
    assert gmail_revocations.forget_open(site.database, site.demo, RICHARD) == 1
    assert (site.all_found(), site.returned_tokens()) == ([], [])
    with pytest.raises(NotFound):
        gmail_revocations.forget_open(site.database, site.demo, RICHARD)


def test_an_earlier_mailboxs_consent_is_given_back_though_another_one_is_connected(site: Site) -> None:
    site.google.script += [as_json({})]
    site.disconnect()
    site.connect(address=SMITH)
    assert [one.state for one in site.all_found()] == [State.WAITS]
    assert site.returned_tokens() == ["1//token"]
    assert [one.state for one in site.all_found()] == [State.DONE]


def test_several_mailboxes_consents_are_given_back_each(site: Site) -> None:
    site.google.script += [as_json({}), as_json({})]
    site.disconnect()
    site.clock.pass_by(1)
    site.connect(address=SMITH)
    users.remove(site.database, site.demo, "richard", site.clock())
    assert [one.address for one in site.all_found()] == [SMITH, RICHARD]
    assert site.returned_tokens() == ["1//token", f"1//token {SMITH}"]
    assert [one.state for one in site.all_found()] == [State.DONE, State.DONE]


def test_the_same_mailbox_twice_is_one_consent(site: Site) -> None:
    site.google.script += [as_json({})]
    for _ in range(2):
        site.disconnect()
        site.connect()
    site.disconnect()
    assert site.returned_tokens() == ["1//token"]


def test_the_result_of_an_earlier_one_goes_with_the_next(site: Site) -> None:
    site.google.script += [as_json({})]
    site.disconnect()
    assert site.returned_tokens() == ["1//token"]
    site.connect(address=SMITH)
    site.disconnect()
    assert [(one.address, one.state) for one in site.all_found()] == [(SMITH, State.WAITS)]


def test_a_consent_is_given_back_where_a_service_account_reads_on(site: Site) -> None:
    site.google.script += [as_json({})]
    site.connect_by_service_account()
    assert site.returned_tokens() == ["1//token"]
    site.connect_by_service_account()
    assert site.returned_tokens() == ["1//token"]


def test_a_service_account_takes_no_waiting_consent_into_use(site: Site) -> None:
    site.google.script += [as_json({})]
    site.disconnect()
    site.connect_by_service_account()
    assert site.returned_tokens() == ["1//token"]


def test_a_consent_of_another_client_of_the_same_account_isnt_given_back_under_its_user(site: Site) -> None:
    """Nobody is sure that Google keeps the clients of one project apart."""
    site.disconnect()
    site.connect(client="2.apps.example")
    assert (site.returned_tokens(), site.all_found()) == ([], [])


def test_it_goes_on_where_google_is_there_again(site: Site) -> None:
    site.google.script += [Answer(503, b"busy"), as_json({})]
    site.disconnect()
    assert site.returned.step()
    assert (site.found().state, bool(site.found().error)) == (State.WAITS, True)
    site.clock.pass_by(31)
    assert site.returned.step()
    assert (site.found().state, site.found().error) == (State.DONE, None)


def test_a_consent_that_is_in_use_again_isnt_given_back(site: Site) -> None:
    """It would end the new connection: Google keeps one consent for an account and a client."""
    site.disconnect()
    site.connect()
    assert not site.returned.step()
    assert site.all_found() == []
    assert site.google.asked == []


def test_one_that_another_user_is_read_by_is_kept(site: Site) -> None:
    other = deployments.add(site.database, "other", "other.example.org", site.clock())
    users.add(site.database, other, "rick", RICHARD, "", site.clock())
    site.connect(other, "rick")
    site.disconnect()
    assert site.returned.step()
    assert (site.found().state, site.tokens_kept(), site.google.asked) == (State.KEPT, 0, [])


def test_one_of_another_client_doesnt_keep_it(site: Site) -> None:
    site.google.script += [as_json({})]
    site.disconnect()
    other = deployments.add(site.database, "other", "other.example.org", site.clock())
    users.add(site.database, other, "rick", RICHARD, "", site.clock())
    site.connect(other, "rick", client="2.apps.example")
    assert site.returned.step()
    assert site.found().state is State.DONE


def test_a_token_without_a_client_belongs_to_that_of_the_settings(site: Site) -> None:
    """As rows of earlier versions have it."""
    other = deployments.add(site.database, "other", "other.example.org", site.clock())
    users.add(site.database, other, "rick", RICHARD, "", site.clock())
    site.connect(other, "rick", client="1.apps.example")
    site.disconnect()
    assert site.returned.step()
    assert (site.found().state, site.google.asked) == (State.KEPT, [])


def test_two_processes_dont_both_take_it_and_one_that_dies_loses_nothing(site: Site) -> None:
    site.google.script += [as_json({})]
    site.disconnect()
    taken = gmail_revocations.take(site.database, site.clock())
    assert taken
    assert gmail_revocations.take(site.database, site.clock()) is None
    site.clock.pass_by(601)
    assert site.returned.step()
    assert site.found().state is State.DONE
    assert gmail_revocations.failed(site.database, taken, "late", site.clock()) is State.WAITS
    assert site.found().state is State.DONE, "finished requests stay"


def test_a_service_accounts_mailbox_has_nothing_to_give_back(site: Site) -> None:
    site.database.execute("UPDATE gmail_mailboxes SET token_sealed = NULL")
    site.disconnect()
    assert site.all_found() == []
    with pytest.raises(NotFound):
        site.disconnect()


def test_a_lost_key_file_is_reported(site: Site) -> None:
    site.disconnect()
    site.database.execute("UPDATE gmail_revocations SET token_sealed = ?", (b"of another key",))
    assert site.returned.step()
    site.clock.pass_by(LATE.total_seconds() + 1)
    ((_, words),) = site.findings()
    assert "token.key" in words
    assert site.google.asked == []


def test_the_upgrade_keeps_what_waits_and_what_is_done(site: Site) -> None:
    before, step = (
        importlib.import_module(f"mailweir.store.database.migrations.{name}")
        for name in ("0032_gmail_revocations", "0044_consents_of_a_user")
    )
    rick = users.add(site.database, site.demo, "rick", "rick@firm.example", "", site.clock())
    at = rfc3339(site.clock())
    with site.database.bound(), site.database.transaction():
        site.database.execute("DROP TABLE gmail_revocations")
        before.up(None, site.database.peewee)
        columns = "user_id, address, client_id, token_sealed, state, attempts, asked_at, next_try_at"
        sql = f"INSERT INTO gmail_revocations ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        site.database.execute(sql, (site.user.id, RICHARD, "1.apps.example", b"sealed", "waits", 3, at, at))
        site.database.execute(sql, (rick.id, rick.mailbox, None, None, "done", 1, at, at))
        step.up(None, site.database.peewee)
    taken = gmail_revocations.take(site.database, site.clock())
    assert taken
    assert (taken.address, taken.client_id, taken.token_sealed, taken.attempts) == (
        RICHARD,
        "1.apps.example",
        b"sealed",
        3,
    )
    assert [one.state for one in gmail_revocations.of_user(site.database, rick.id)] == [State.DONE]
    gmail_revocations.ask(site.database, rick.id, SMITH, None, b"sealed", site.clock())
    gmail_revocations.ask(site.database, rick.id, RICHARD, None, b"sealed", site.clock())
    assert [one.address for one in gmail_revocations.of_user(site.database, rick.id)] == [RICHARD, SMITH]
