"""The command line for the page's accounts, and for links that sign in."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailweir import passwords
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments, users
from mailweir.store.web import accounts, credentials, links, sessions
from mailweir.store.web.accounts import Role

Mailweir = Any
Type = Callable[[str], None]
GOOD = "correct horse battery"
PAGE = "http://localhost:8025/sign-in/link/"


@pytest.fixture
def demo(mailweir: Mailweir) -> Mailweir:
    """A command line with two deployments. Both have a richard; the first has anna, too."""
    for line in (
        "deployment add demo --domain demo.example.net",
        "deployment add other --domain other.example.org",
        "user add richard --email richard@firm.example --deployment demo",
        "user add anna --email anna@firm.example --deployment demo",
        "user add richard --email richard@else.example --deployment other",
    ):
        assert mailweir(*line.split()).code == 0, line
    return mailweir


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Gives a command its standard input."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def _spent(database: Database, url: str) -> accounts.Account:
    """Uses a link; returns the account that it signs in."""
    now = datetime.now(UTC)
    token = links.spend(database, url.strip().removeprefix(PAGE), "", now)
    assert token is not None
    found = sessions.find(database, token, now)
    assert found is not None
    return accounts.find(database, found.account_id)


def test_a_link_signs_a_user_in_and_makes_the_account_once(demo: Mailweir, database: Database) -> None:
    ran = demo("web", "link", "richard", "--deployment", "demo")
    assert ran.out.startswith(PAGE)
    assert "once, within ten minutes" in ran.err
    account = _spent(database, ran.out)
    (own,) = account.memberships
    assert (account.name, account.email, own.role, own.username) == (
        "richard",
        "richard@firm.example",
        Role.USER,
        "richard",
    )
    again = demo("web", "link", "Richard", "--deployment", "demo", "--json").json
    assert (again["account"], again["lasts_seconds"]) == ("richard", 600)
    assert _spent(database, again["url"]).id == account.id


def test_a_user_of_the_same_name_elsewhere_is_somebody_else(demo: Mailweir, database: Database) -> None:
    first = _spent(database, demo("web", "link", "richard", "--deployment", "demo").out)
    second = _spent(database, demo("web", "link", "richard", "--deployment", "other").out)
    assert (second.name, [one.deployment for one in second.memberships]) == ("richard.other", ["other"])
    assert first.id != second.id


def test_a_user_is_made_an_admin_and_stays_one(demo: Mailweir, database: Database) -> None:
    demo("web", "link", "richard", "--deployment", "demo", "--admin")
    (own,) = _spent(database, demo("web", "link", "richard", "--deployment", "demo").out).memberships
    assert (own.role, own.username) == (Role.ADMIN, "richard")


def test_an_operator_gets_a_link(demo: Mailweir, database: Database) -> None:
    account = _spent(database, demo("web", "link", "--operator").out)
    assert (account.name, account.is_operator, account.memberships) == ("operator", True, ())


def test_an_admin_who_is_no_user_gets_a_link(demo: Mailweir, database: Database) -> None:
    assert demo("web", "account", "add", "boss", "--admin", "--deployment", "demo").code == 0
    assert _spent(database, demo("web", "link", "boss", "--deployment", "demo").out).name == "boss"
    assert demo("web", "link", "boss", "--deployment", "other").code == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("link nobody --deployment demo", "unknown user 'nobody' in demo"),
        ("link", "name a user, or say --operator alone"),
        ("link richard", "there are several deployments"),
        ("link richard --operator", "name a user, or say --operator alone"),
        ("link --operator --admin", "name a user, or say --operator alone"),
        ("account add anna --operator --deployment demo", "--operator excludes"),
        ("account add nobody --deployment demo", "unknown user 'nobody' in demo"),
        ("account add a@b --admin --deployment demo", "can't be a username"),
        ("account add boss --admin --email boss --deployment demo", "is not a mail address"),
        ("account remove nobody", "there is no account 'nobody'; 'mailweir web account list' shows them"),
        ("account password nobody --off", "there is no account 'nobody'"),
    ],
)
def test_what_can_not_be_is_refused_and_makes_nothing(demo: Mailweir, line: str, says: str) -> None:
    ran = demo("web", *line.split())
    assert (ran.code, ran.out) == (1, "")
    assert says in ran.err
    assert demo("web", "account", "list", "--json").json == []


def test_an_admin_who_is_called_as_a_user_has_the_users_record(demo: Mailweir, database: Database) -> None:
    demo("web", "account", "add", "richard", "--admin", "--deployment", "demo")
    account = _spent(database, demo("web", "link", "richard", "--deployment", "demo").out)
    assert [(one.role, one.username) for one in account.memberships] == [(Role.ADMIN, "richard")]


def test_accounts_are_added_listed_and_removed(demo: Mailweir, database: Database) -> None:
    added = demo("web", "account", "add", "boss", "--admin", "--email", "Boss@Firm.Example", "--deployment", "demo")
    assert added.out == "The account boss is made: admin of demo.\n"
    assert demo("web", "account", "add", "boss", "--user", "richard", "--deployment", "other").code == 0
    assert demo("web", "account", "add", "root", "--operator").code == 0
    listed = demo("web", "account", "list", "--json").json
    assert [(one["name"], one["is_operator"], one["email"]) for one in listed] == [
        ("boss", False, "boss@firm.example"),
        ("root", True, None),
    ]
    assert [(one["deployment"], one["role"], one["username"]) for one in listed[0]["memberships"]] == [
        ("demo", "admin", None),
        ("other", "user", "richard"),
    ]
    assert "admin of demo; user of other (record of richard)" in demo("web", "account", "list").out
    assert [one["name"] for one in demo("web", "account", "list", "--deployment", "other", "--json").json] == ["boss"]
    assert demo("web", "account", "remove", "boss", "--deployment", "demo").code == 0
    assert [one["name"] for one in demo("web", "account", "list", "--json").json] == ["root"]


def test_a_record_is_one_accounts_own(demo: Mailweir) -> None:
    demo("web", "account", "add", "anna", "--deployment", "demo")
    ran = demo("web", "account", "add", "eve", "--user", "anna", "--deployment", "demo")
    assert "the account anna already shows the record of anna" in ran.err
    assert (
        "there is an account anna already"
        in demo("web", "account", "add", "anna", "--user", "richard", "--deployment", "demo").err
    )


def test_a_password_is_read_from_standard_input_and_ends_sessions(
    demo: Mailweir, database: Database, typed: Type
) -> None:
    account = _spent(database, demo("web", "link", "richard", "--deployment", "demo").out)
    typed(f"{GOOD}\n")
    assert demo("web", "account", "password", "richard").code == 0
    found = credentials.password_of(database, "richard")
    assert found is not None
    assert passwords.is_right(found.digest, GOOD.encode())
    assert "m=65536,t=3" in found.digest
    assert sessions.of_account(database, account.id, datetime.now(UTC)) == []
    assert "password" in demo("web", "account", "list").out
    assert demo("web", "account", "password", "richard", "--off").code == 0
    assert credentials.password_of(database, "richard") is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "too short"),
        ("eleven char", "too short"),
        ("x" * 201, "too long"),
        ("aaaaaaaaaaaaaaab", "too plain"),
        ("I am Richard of demo", "has the account's name in it"),
    ],
)
def test_a_bad_password_is_refused(demo: Mailweir, typed: Type, database: Database, given: str, says: str) -> None:
    demo("web", "link", "richard", "--deployment", "demo")
    typed(f"{given}\n")
    ran = demo("web", "account", "password", "richard")
    assert (ran.code, says in ran.err) == (1, True)
    assert credentials.password_of(database, "richard") is None


def test_a_removed_user_can_not_sign_in_any_more(demo: Mailweir, database: Database) -> None:
    url = demo("web", "link", "richard", "--deployment", "demo", "--admin").out
    account = _spent(database, demo("web", "link", "richard", "--deployment", "demo").out)
    assert demo("user", "remove", "richard", "--deployment", "demo").code == 0
    now = datetime.now(UTC)
    assert sessions.of_account(database, account.id, now) == []
    assert links.spend(database, url.strip().removeprefix(PAGE), "", now) is None
    assert demo("web", "account", "list", "--json").json == []


def test_who_may_do_something_else_keeps_the_account(demo: Mailweir, database: Database, now: datetime) -> None:
    tenant = deployments.find(database, "demo")
    demo("web", "account", "add", "richard", "--deployment", "demo")
    demo("web", "account", "add", "richard", "--user", "richard", "--deployment", "other")
    users.remove(database, tenant, "richard", now + timedelta(days=1))
    (left,) = demo("web", "account", "list", "--json").json
    assert [one["deployment"] for one in left["memberships"]] == ["other"]
