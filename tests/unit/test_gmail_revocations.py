"""Consents that the sync gives back: requested once, tried with pauses, finally reported, and never while in use."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gmail_sync.database_pool import DatabasePool, PooledDirectory
from gmail_sync.job import Services
from gmail_sync.returned_consents import ReturnedConsents
from mailweir import log, secrets_file
from mailweir.errors import NotFound
from mailweir.settings import Gmail, Settings
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_connections, gmail_revocations
from mailweir.store.gmail.gmail_mailboxes import token_purpose
from mailweir.store.gmail.gmail_revocations import MAX_ATTEMPTS, Revocation, State
from mailweir.store.people import deployments, users
from mailweir.store.people.deployments import Deployment
from tests import scripted_http
from tests.google_files import writer
from tests.held_mail import Clock
from tests.scripted_http import Answer, Server, as_json

RICHARD = "richard@firm.example"
GONE = as_json({"error": "invalid_token", "error_description": "Token expired or revoked"}, 400)


class Site:
    """A database with richard and his connected mailbox, a key file, and a sync whose Google is scripted."""

    def __init__(self, database: Database, google: Server, folder: Path, clock: Clock) -> None:
        self.database, self.google, self.clock = database, google, clock
        self.demo = deployments.add(database, "demo", "demo.example.net", clock())
        self.user = users.add(database, self.demo, "richard", RICHARD, "", clock())
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
        self, deployment: Deployment | None = None, username: str = "richard", client: str | None = None
    ) -> None:
        given: dict[str, Any] = {"inbound": True, "outbound": True, "now": self.clock(), "first_days": 7}
        sealed = self.secrets.seal(b"1//token", token_purpose(RICHARD))
        tenant = deployment or self.demo
        gmail_connections.connect(
            self.database, tenant, username, RICHARD, token_sealed=sealed, client_id=client, **given
        )

    def disconnect(self) -> None:
        gmail_connections.disconnect_and_return(self.database, self.demo, "richard", self.clock())

    def found(self) -> Revocation:
        found = gmail_revocations.of_user(self.database, self.user.id)
        assert found
        return found

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


def test_what_fails_is_tried_again_with_pauses_and_given_up_in_the_end(site: Site) -> None:
    site.google.script += [*[Answer(503, b"busy")] * MAX_ATTEMPTS]
    site.disconnect()
    began, pauses = site.clock(), []
    for _ in range(MAX_ATTEMPTS):
        before = site.clock()
        while not site.returned.step():
            site.clock.pass_by(30)
        pauses.append((site.clock() - before).total_seconds())
    assert pauses[1:5] == [30, 60, 120, 240]
    assert timedelta(hours=3) < site.clock() - began < timedelta(hours=12)
    assert (site.found().state, site.tokens_kept(), len(site.google.asked)) == (State.FAILED, 0, MAX_ATTEMPTS)
    assert "503" in str(site.found().error)
    site.clock.pass_by(10 * 86_400)
    assert not site.returned.step()


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
    assert gmail_revocations.of_user(site.database, site.user.id) is None
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


def test_two_processes_dont_both_take_it_and_one_that_dies_loses_nothing(site: Site) -> None:
    site.google.script += [as_json({})]
    site.disconnect()
    taken = gmail_revocations.take(site.database, site.clock())
    assert taken
    assert gmail_revocations.take(site.database, site.clock()) is None
    site.clock.pass_by(601)
    assert site.returned.step()
    assert site.found().state is State.DONE
    assert gmail_revocations.failed(site.database, replace(taken, attempts=99), "late", site.clock()) is State.FAILED
    assert site.found().state is State.DONE, "finished requests stay"


def test_a_service_accounts_mailbox_has_nothing_to_give_back(site: Site) -> None:
    site.database.execute("UPDATE gmail_mailboxes SET token_sealed = NULL")
    site.disconnect()
    assert gmail_revocations.of_user(site.database, site.user.id) is None
    with pytest.raises(NotFound):
        site.disconnect()


def test_a_lost_key_file_is_told_in_the_end(site: Site) -> None:
    site.disconnect()
    site.database.execute("UPDATE gmail_revocations SET token_sealed = ?", (b"of another key",))
    for _ in range(MAX_ATTEMPTS):
        site.clock.pass_by(7 * 3_600)
        assert site.returned.step()
    assert (site.found().state, site.google.asked) == (State.FAILED, [])
