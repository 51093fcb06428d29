"""`company set --auto-contacts` and `deployment set --known-threads`: their arguments, output and refusals."""

from typing import Any

import pytest

Mailweir = Any


@pytest.fixture
def demo(mailweir: Mailweir) -> Mailweir:
    """A command line with one deployment, a user, and two companies."""
    for line in (
        "deployment add demo --domain demo.example.net",
        "user add richard --email richard@firm.example",
        "company add Client --domain client.example",
        "company add Provider --domain gmail.com",
        "company add Firm --domain firm.example",
        "company add Nameless",
    ):
        assert mailweir(*line.split()).code == 0, line
    return mailweir


def test_a_companys_domain_is_switched_on_and_off(demo: Mailweir) -> None:
    said = demo("company", "set", "Client", "--auto-contacts", "on")
    assert (said.code, said.out) == (0, "Proven authors at client.example become contacts of Client.\n")
    (client,) = [one for one in demo("company", "list", "--json").json if one["name"] == "Client"]
    assert (client["auto_contacts"], client["visibility"]) == (True, "everyone")
    assert "auto-contacts" in demo("company", "list").out
    off = demo("company", "set", "Client", "--auto-contacts", "off", "--visibility", "metadata", "--json").json
    assert (off["auto_contacts"], off["visibility"]) == (False, "metadata")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Provider", "anybody may have an address at gmail.com"),
        ("Firm", "firm.example is the firm's own domain"),
        ("Nameless", "the company Nameless has no domain"),
    ],
)
def test_a_domain_that_isnt_a_companys_own_is_refused_in_one_line(demo: Mailweir, name: str, words: str) -> None:
    said = demo("company", "set", name, "--auto-contacts", "on")
    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert words in said.err


def test_company_set_wants_something_to_set(demo: Mailweir) -> None:
    said = demo("company", "set", "Client")
    assert (said.code, said.out) == (1, "")
    assert "--auto-contacts" in said.err


def test_known_threads_are_switched_on_and_off(demo: Mailweir) -> None:
    assert demo("deployment", "list", "--json").json[0]["known_threads"] is False
    assert "in known threads are recorded" in demo("deployment", "set", "demo", "--known-threads", "on").out
    assert demo("deployment", "set", "demo", "--gmail-dots", "--json").json["known_threads"] is True
    assert demo("deployment", "set", "demo", "--known-threads", "off", "--json").json["known_threads"] is False


def test_a_contact_says_who_made_it(demo: Mailweir) -> None:
    assert demo("contact", "add", "Jane", "jane@client.example").code == 0
    assert demo("contact", "list", "--json").json[0]["origin"] == "admin"
    assert demo("contact", "list").out.splitlines()[0].split()[-2:] == ["made", "by"]
