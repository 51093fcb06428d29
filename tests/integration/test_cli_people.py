"""The command line for deployments, users, companies and contacts, on a real database."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_connections
from mailweir.store.people import deployments

Mailweir = Any
TABLES = (
    "deployments",
    "users",
    "user_addresses",
    "group_addresses",
    "companies",
    "contacts",
    "contact_addresses",
    "todos",
    "decisions",
)


def _content(database: Database) -> list[Any]:
    return [database.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in TABLES]


@pytest.fixture
def demo(mailweir: Mailweir) -> Mailweir:
    """A command line with one deployment, one user, one company and one contact."""
    for line in (
        "deployment add demo --domain demo.example.net",
        "user add richard --email richard@example.com --name Richard",
        "company add Client --domain client.example",
        "contact add Jane jane@client.example j@x.example --company Client",
    ):
        assert mailweir(*line.split()).code == 0, line
    return mailweir


def test_deployment_add_prints_the_mx_record(mailweir: Mailweir) -> None:
    ran = mailweir("deployment", "add", "demo", "--domain", "Demo.Example.net.")
    assert (ran.code, ran.err) == (0, "")
    assert "  demo.example.net.  IN  MX  10  mail.example.net." in ran.out.splitlines()
    made = mailweir("deployment", "add", "b", "--domain", "b.example.net", "--json").json
    assert (made["name"], made["domain"], made["log_address"]) == ("b", "b.example.net", "log@b.example.net")
    assert made["mx_record"] == "b.example.net.  IN  MX  10  mail.example.net."
    assert [row["name"] for row in mailweir("deployment", "list", "--json").json] == ["b", "demo"]
    assert "demo  demo.example.net  log@demo.example.net" in mailweir("deployment", "list").out


def test_a_host_without_a_public_name_is_told(mailweir: Mailweir, tmp_path: Path) -> None:
    config = tmp_path / "mailweir.toml"
    config.write_text(config.read_text().replace('hostname = "mail.example.net"\n', ""))
    assert "set hostname" in mailweir("deployment", "add", "demo", "--domain", "demo.example.net").err


def test_the_admins_mailbox_may_not_be_within_a_capture_domain(mailweir: Mailweir) -> None:
    ran = mailweir("deployment", "add", "demo", "--domain", "Mail.example.net.")
    assert (ran.code, ran.out) == (1, "")
    assert "postmaster goes to admin@mail.example.net" in ran.err


def test_user_add_prints_the_addresses_to_use(demo: Mailweir) -> None:
    ran = demo("user", "add", "Anna", "--email", "Anna@Example.com")
    assert "anna@demo.example.net" in ran.out
    assert "log@demo.example.net" in ran.out
    listed = {row["username"]: row for row in demo("user", "list", "--json").json}
    assert listed["anna"]["capture_address"] == "anna@demo.example.net"
    assert (listed["richard"]["name"], listed["richard"]["mailbox"]) == ("Richard", "richard@example.com")
    assert demo("user", "alias", "richard", "R@example.com", "--json").json["addresses"] == [
        "richard@example.com",
        "r@example.com",
    ]
    assert demo("user", "alias", "richard", "r@example.com", "--remove").code == 0
    assert demo("user", "remove", "anna").code == 0
    assert [row["username"] for row in demo("user", "list", "--json").json] == ["richard"]


@pytest.mark.parametrize("sealed", [b"sealed", None])
def test_removing_a_user_says_what_becomes_of_the_gmail(
    demo: Mailweir, database: Database, now: datetime, sealed: bytes | None
) -> None:
    tenant = deployments.find(database, "demo")
    options: dict[str, Any] = {"inbound": True, "outbound": True, "now": now, "first_days": 7}
    gmail_connections.connect(database, tenant, "richard", "richard@example.com", token_sealed=sealed, **options)
    ran = demo("user", "remove", "richard")
    assert (ran.code, "The Gmail of richard@example.com is no longer read." in ran.err) == (0, True)
    assert ("gives the consent back to Google" in ran.err) == (sealed is not None)
    asked = database.execute("SELECT address, state, token_sealed FROM gmail_revocations").fetchall()
    assert [(address, state, bytes(token)) for address, state, token in asked] == [
        ("richard@example.com", "waits", sealed)
    ] * (sealed is not None)


def test_contacts_and_companies_are_listed(demo: Mailweir) -> None:
    (contact,) = demo("contact", "list", "--json").json
    assert (contact["name"], contact["company"]) == ("Jane", "Client")
    assert contact["addresses"] == ["jane@client.example", "j@x.example"]
    (company,) = demo("company", "list", "--json").json
    assert (company["name"], company["domain"]) == ("Client", "client.example")
    assert demo("contact", "remove", "J@X.example").out == "The contact Jane of demo keeps jane@client.example.\n"
    assert "is removed" in demo("contact", "remove", "jane@client.example").out
    ran = demo("contact", "list")
    assert (ran.code, ran.out) == (0, "")
    assert "no contact in demo" in ran.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("contact add Joe joe@x.example JOE@x.example.", "joe@x.example is given twice"),
        ("contact add Joe joe", "'joe' is not a mail address"),
        ("contact add Joe jane@client.example", "jane@client.example is already an address of the contact Jane"),
        ("contact add Joe richard@example.com", "richard@example.com is already an address of the user richard"),
        ("contact add Joe joe@demo.example.net", "within the capture domain of demo"),
        ("contact add Joe joe@x.example --company Nobody", "unknown company 'Nobody'"),
        ("contact add Joe joe@x.example --deployment nope", "unknown deployment 'nope'; there is: demo"),
        ("contact add J\x1be joe@x.example", "holds a control character"),
        ("contact remove joe@x.example", "joe@x.example is not an address of a contact"),
        ("user add log --email l@example.com", "'log' is reserved"),
        ("user add Postmaster --email l@example.com", "'postmaster' is reserved"),
        ("user add abuse --email l@example.com", "'abuse' is reserved"),
        ("user add mailer-daemon --email l@example.com", "'mailer-daemon' is reserved"),
        ("user add bounce --email l@example.com", "'bounce' is reserved"),
        ("user add richard --email l@example.com", "there is a user richard in demo already"),
        ("user add anna --email anna", "'anna' is not a mail address"),
        ("user add anna --email richard@example.com", "already an address of the user richard"),
        ("user add anna --email jane@client.example", "already an address of the contact Jane"),
        ("user add anna --email anna@demo.example.net", "would loop"),
        ("user add anna --email anna@x.example --deployment nope", "unknown deployment 'nope'"),
        ("user alias richard richard@example.com", "already an address of the user richard"),
        ("user alias anna a@example.com", "unknown user 'anna' in demo"),
        ("user remove anna", "unknown user 'anna' in demo"),
        ("group add richard@example.com", "already an address of the user richard"),
        ("group add j@x.example", "already an address of the contact Jane"),
        ("group add log@demo.example.net", "within the capture domain"),
        ("group add nobody", "'nobody' is not a mail address"),
        ("group remove sales@example.com", "sales@example.com is not a group of demo"),
        ("company add Client", "there is a company 'Client' in demo already"),
        ("company add New --domain a..b", "'a..b' is not a domain name"),
        ("deployment add demo --domain new.example.net", "there is a deployment demo already"),
        ("deployment add new --domain demo.example.net", "taken by the deployment demo"),
        ("deployment add New! --domain new.example.net", "can't be a deployment's name"),
        ("deployment add new --domain example.com", "user richard of demo has the address richard@example.com"),
        ("activity list --user anna", "unknown user 'anna'"),
        ("activity list --contact bob@x.example", "unknown contact bob@x.example"),
        ("activity show 1", "there is no activity 1"),
        ("activity raw 1", "there is no activity 1"),
        ("todo list --user anna", "unknown user 'anna'"),
        ("todo done 1", "there is no to-do 1"),
    ],
)
@pytest.mark.parametrize("extra", [[], ["--json"]], ids=["", "json"])
def test_bad_input_is_one_line_and_changes_nothing(
    demo: Mailweir, database: Database, line: str, words: str, extra: list[str]
) -> None:
    before = _content(database)
    ran = demo(*line.split(" "), *extra * (" raw " not in line))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("mailweir: ")
    assert words in ran.err
    assert ran.err.count("\n") == 1
    assert "\x1b" not in ran.err
    assert _content(database) == before


def test_the_deployment_must_be_named_where_there_are_several(demo: Mailweir) -> None:
    demo("deployment", "add", "other", "--domain", "other.example.net")
    for line in (
        "user list",
        "user add a --email a@x.example",
        "contact list",
        "contact remove jane@client.example",
        "company list",
        "activity list",
        "todo list",
    ):
        ran = demo(*line.split())
        assert (ran.code, ran.out) == (1, ""), line
        assert ran.err == "mailweir: there are several deployments (demo, other): name one with --deployment\n"
    assert demo("contact", "list", "--deployment", "other", "--json").json == []
    assert len(demo("contact", "list", "--deployment", "demo", "--json").json) == 1


def test_without_a_deployment_the_way_is_shown(mailweir: Mailweir) -> None:
    ran = mailweir("user", "list")
    assert (ran.code, ran.err) == (1, "mailweir: there is no deployment yet: make one with 'mailweir deployment add'\n")


def test_a_group_is_added_listed_and_taken_off(demo: Mailweir) -> None:
    assert "There is no group in demo yet." in demo("group", "list").err
    ran = demo("group", "add", "Sales@Example.com")
    assert (ran.code, ran.out) == (
        0,
        "sales@example.com is a group of demo: mail from it counts as its original author's.\n",
    )
    assert [row["address"] for row in demo("group", "list", "--json").json] == ["sales@example.com"]
    assert "sales@example.com" in demo("group", "list").out
    assert demo("user", "alias", "richard", "sales@example.com").code == 1
    assert demo("contact", "add", "S", "sales@example.com").code == 1
    assert demo("group", "remove", "SALES@example.com", "--json").json["address"] == "sales@example.com"
    assert demo("group", "list", "--json").json == []


# --- changing a user -------------------------------------------------------------------------------------------------


def test_a_user_gets_another_name_and_mailbox(demo: Mailweir) -> None:
    ran = demo("user", "set", "richard", "--name", "Richard Smith", "--email", "R.Smith@example.com")
    assert (ran.code, ran.out) == (
        0,
        "The user richard (Richard Smith) of demo reads mail at r.smith@example.com.\n",
    )
    (found,) = demo("user", "list", "--json").json
    assert (found["name"], found["mailbox"]) == ("Richard Smith", "r.smith@example.com")
    assert found["addresses"] == ["r.smith@example.com", "richard@example.com"]
    changed = demo("user", "set", "richard", "--name", "", "--visibility", "metadata", "--json").json
    assert (changed["name"], changed["mailbox"], changed["visibility"]) == ("", "r.smith@example.com", "metadata")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "say what to set: --visibility, --email or --name"),
        (("--name", "R", "--email", "jane@client.example"), "already an address of the contact Jane"),
        (("--email", "richard@demo.example.net", "--visibility", "metadata"), "mail to it would loop"),
        (("--name", "a\x1bb"), "holds a control character"),
    ],
)
def test_a_change_of_a_user_that_cant_be_changes_nothing(
    demo: Mailweir, database: Database, options: tuple[str, ...], reason: str
) -> None:
    before = _content(database)
    ran = demo("user", "set", "richard", *options)
    assert (ran.code, reason in ran.err) == (1, True), ran.err
    assert _content(database) == before
