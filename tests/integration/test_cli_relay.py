"""`mailweir relay` on both databases: its output and refusals."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mailweir.store.people import relay_logins

if TYPE_CHECKING:
    from mailweir.store.database.connection import Database
    from tests.conftest import Mailweir


@pytest.fixture
def known(mailweir: "Mailweir") -> "Mailweir":
    """The command line, with richard of demo."""
    assert mailweir("deployment", "add", "demo", "--domain", "demo.example.net").code == 0
    assert mailweir("user", "add", "richard", "--email", "richard@firm.example").code == 0
    return mailweir


def test_connect_prints_what_gmails_form_asks(known: "Mailweir") -> None:
    said = known("relay", "connect", "richard")
    assert said.code == 0
    lines = [line.strip() for line in said.out.splitlines() if line.startswith("  ")]
    form = {name: value.strip() for name, _, value in (line.partition("  ") for line in lines)}
    assert form.pop("Password").isalnum()
    assert form == {
        "SMTP server": "mail.example.net",
        "Port": "2587",
        "Username": "richard@demo.example.net",
        "Secured connection": "using TLS",
    }
    assert "2465" in said.out


@pytest.mark.parametrize(
    ("smtp", "named"),
    [
        ("", ["smtp.bind_address", "smtp.submission_port", "smtp.tls_certificate_file"]),
        ('bind_address = "0.0.0.0"\nsubmission_port = 587\nsubmissions_port = 465', ["smtp.tls_certificate_file"]),
        (
            'bind_address = "::"\nsubmission_port = 587\nsubmissions_port = 465\n'
            'tls_certificate_file = "/etc/c.pem"\ntls_key_file = "/etc/k.pem"',
            [],
        ),
    ],
)
def test_what_keeps_gmail_from_it_is_told_beside_the_form(known: "Mailweir", smtp: str, named: list[str]) -> None:
    file = Path(os.environ["MAILWEIR_CONFIG"])
    file.write_text(f"{file.read_text()}\n[smtp]\n{smtp}\n")
    said = known("relay", "connect", "richard")
    assert said.code == 0
    assert re.findall(r"\((smtp\.\w+)", said.err) == named
    assert len(said.err.splitlines()) == bool(named)


def test_list_counts_messages_recipients_and_refusals_apart(known: "Mailweir", database: "Database") -> None:
    known("relay", "connect", "richard")
    (login,) = database.execute("SELECT id FROM relay_logins").fetchone()
    now = datetime.now(UTC)
    with database.bound(), database.transaction():
        relay_logins.put_uses(database, [relay_logins.UseRow(login, now, 7, 9, 3)], now)
    head, row = known("relay", "list").out.splitlines()
    assert re.split(r"  +", head) == [
        "username", "login", "password since", "messages this hour", "recipients", "refused", "state"
    ]  # fmt: skip
    cells = re.split(r"  +", row)
    assert (cells[:2], cells[3:]) == (["richard", "richard@demo.example.net"], ["7", "9", "3", "in use"])


def test_rotate_says_where_the_new_password_goes(known: "Mailweir") -> None:
    first = known("relay", "connect", "richard", "--json").json["password"]
    said = known("relay", "rotate", "richard").out
    assert "edit info" in said
    assert "Add another" not in said
    assert "  Password  " in said
    assert first not in said


def test_json(known: "Mailweir") -> None:
    made = known("relay", "connect", "richard", "--json").json
    assert len(made.pop("password")) >= 20
    assert made == {
        "host": "mail.example.net",
        "submission_port": 2587,
        "submissions_port": 2465,
        "username": "richard@demo.example.net",
    }
    (listed,) = known("relay", "list", "--json").json
    assert (listed["username"], listed["login"], listed["messages"]) == ("richard", "richard@demo.example.net", 0)
    assert "password" not in " ".join(listed)
    assert known("relay", "rotate", "richard", "--json").json["username"] == "richard@demo.example.net"
    assert known("relay", "disconnect", "richard", "--json").json["username"] == "richard@demo.example.net"
    assert known("relay", "list", "--json").json == []


def test_the_password_is_shown_once_and_stored_nowhere(known: "Mailweir", database: "Database") -> None:
    password = known("relay", "connect", "richard", "--json").json["password"]
    stored = database.execute("SELECT password_hash FROM relay_logins").fetchone()[0]
    assert password not in stored
    assert password not in known("relay", "list").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("connect", "nobody"), "unknown user 'nobody'"),
        (("rotate", "richard"), "relay connect richard"),
        (("disconnect", "richard"), "isn't connected"),
    ],
)
def test_what_cannot_be_done(known: "Mailweir", arguments: tuple[str, ...], said: str) -> None:
    ran = known("relay", *arguments)
    assert ran.code == 1
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_twice(known: "Mailweir") -> None:
    assert known("relay", "connect", "richard").code == 0
    again = known("relay", "connect", "richard")
    assert (again.code, "relay rotate richard" in again.err) == (1, True)
