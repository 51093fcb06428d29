"""Contacts that mail makes, and replies in known threads, on the real stack: Postfix, filter, digest, signatures, keys in DNS.

On both databases.
"""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.forwarded_mail import JANE, RICHARD
from tests.integration.firm import LOG, Firm, on_stack

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack

TO_RICHARD = "richard@demo.example.net"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def firm(
    request: pytest.FixtureRequest, make_module_stack: "MakeStack", wait_until: Callable[..., Any]
) -> Iterator[Firm]:
    """The client's domain makes contacts, and known threads count."""
    with on_stack(request, make_module_stack, wait_until) as made:
        for line in (
            "company add Client --domain client.example",
            "company set Client --auto-contacts on",
            "deployment set demo --known-threads on",
        ):
            made.stack.cli(*line.split(), check=True)
        yield made


def _mail(name: str, author: str, *, to: str = RICHARD, answers: str = "", more: str = "") -> bytes:
    named = f"In-Reply-To: <{answers}@mail.example>\r\n" if answers else ""
    return (
        f"From: Somebody <{author}>\r\nTo: {to}\r\nSubject: {'Re: ' if answers else ''}An offer\r\n{named}{more}"
        f"Message-ID: <{name}@mail.example>\r\nDate: Tue, 24 Nov 2026 03:12:55 +0000\r\n\r\nhello\r\n"
    ).encode()


def _contacts(firm: Firm) -> dict[str, str | None]:
    """The company of each address."""
    listed = json.loads(firm.stack.cli("contact", "list", "--json", check=True).stdout)
    return {address: one["company"] for one in listed for address in one["addresses"]}


def _nothing_is_held(firm: Firm) -> bool:
    return firm.rows("SELECT 1 FROM held_messages WHERE state IN ('waits', 'against')") == []


def test_who_is_proven_to_write_from_a_companys_domain_becomes_its_contact(firm: Firm) -> None:
    assert "anna@client.example" not in _contacts(firm)
    firm.stack.deliver(
        "anna@client.example",
        [TO_RICHARD],
        firm.signed(_mail("anna", "anna@client.example"), "client.example"),
    )
    assert firm.decided("<anna@mail.example>") == ("captured", "author is a contact")
    anna = "<anna@mail.example>"
    firm.wait_until(lambda: firm.shown(anna)["sender_verdict"] != "pending", "its verdict", seconds=60)
    shown = firm.shown(anna)
    assert (shown["author"], shown["users"], shown["sender_verdict"]) == ("anna@client.example", ["richard"], "pass")
    assert _contacts(firm)["anna@client.example"] == "Client"
    told = firm.stack.cli("why", "anna@mail.example", check=True).stdout
    assert "anna@client.example: contact added by mail from the domain of Client" in told


@pytest.mark.parametrize("how", ["unsigned", "changed", "another", "replayed"])
def test_law_8_who_is_not_proven_becomes_none_and_the_mail_is_erased(firm: Firm, how: str) -> None:
    author, name = f"ceo-{how}@client.example", f"ceo-{how}"
    raw = _mail(name, author)
    signed = firm.signed(_mail(name, "anna@client.example"), "client.example")
    forged = {
        "unsigned": raw,
        "changed": firm.signed(raw, "client.example").replace(b"hello", b"pay now"),
        "another": firm.signed(raw, "firm.example"),
        "replayed": signed.replace(b"anna@client.example", author.encode()),
    }[how]
    firm.stack.deliver(author, [TO_RICHARD], forged)
    assert firm.decided(f"<{name}@mail.example>") == ("ignored", "author of a company's domain who isn't proven")
    assert author not in _contacts(firm)
    firm.wait_until(lambda: _nothing_is_held(firm), "the mail is erased", seconds=60)


def test_a_program_and_a_subdomain_make_none(firm: Firm) -> None:
    for number, author in enumerate(("no-reply@client.example", "news@mail.client.example")):
        raw = firm.signed(_mail(f"program-{number}", author), "client.example")
        firm.stack.deliver(author, [TO_RICHARD], raw)
        assert firm.decided(f"<program-{number}@mail.example>")[0] == "ignored"
        assert author not in _contacts(firm)


@pytest.mark.parametrize(("signer", "is_one"), [("firm.example", True), ("client.example", False)])
def test_whom_a_proven_user_writes_to_becomes_a_contact(firm: Firm, signer: str, is_one: bool) -> None:
    to, name = f"new-of-{signer.partition('.')[0]}@client.example", f"out-{signer}"
    firm.log(firm.signed(_mail(name, RICHARD, to=to), signer))
    outcome, _ = firm.decided(f"<{name}@mail.example>")
    assert (outcome == "captured", to in _contacts(firm)) == (is_one, is_one)


def test_an_answer_of_an_unknown_address_in_a_known_thread_is_marked(firm: Firm) -> None:
    """It needs no proof. It makes neither a contact nor a to-do."""
    firm.stack.deliver(JANE, [TO_RICHARD], firm.signed(_mail("t1", JANE), "client.example"))
    assert firm.decided("<t1@mail.example>")[0] == "captured"
    thread = firm.wait_until(lambda: firm.shown("<t1@mail.example>")["thread"], "its thread", seconds=60)
    firm.stack.deliver("pat@home.example", [TO_RICHARD], _mail("pat", "pat@home.example", answers="t1"))
    assert firm.decided("<pat@mail.example>") == ("captured", "unknown author in a known thread")
    firm.wait_until(lambda: firm.shown("<pat@mail.example>")["thread"] == thread, "the same thread", seconds=60)
    shown = firm.shown("<pat@mail.example>")
    assert shown["author"] == "pat@home.example"
    told = firm.stack.cli("activity", "show", str(shown["id"]), check=True).stdout
    assert f"unknown address, in a thread of {JANE}" in told
    assert "pat@home.example" not in _contacts(firm)
    assert firm.rows(f"SELECT 1 FROM todos WHERE activity_id = {shown['id']}") == []


@pytest.mark.parametrize(
    ("name", "author", "answers", "reason"),
    [
        ("boss", "boss@firm.example", "of-boss", "author of a known domain in a thread who isn't proven"),
        ("alone", "pat@home.example", "unheard-of", "unknown author"),
    ],
)
def test_what_is_no_answer_or_pretends_to_be_the_firm_is_not_recorded(
    firm: Firm, name: str, author: str, answers: str, reason: str
) -> None:
    firm.stack.deliver(JANE, [TO_RICHARD], firm.signed(_mail(f"of-{name}", JANE), "client.example"))
    assert firm.decided(f"<of-{name}@mail.example>")[0] == "captured"
    firm.wait_until(lambda: firm.shown(f"<of-{name}@mail.example>")["thread"], "its thread", seconds=60)
    firm.stack.deliver(author, [TO_RICHARD], _mail(name, author, answers=answers))
    assert firm.decided(f"<{name}@mail.example>") == ("ignored", reason)
    assert LOG not in _contacts(firm)


def test_law_8_a_signed_mail_sent_again_with_other_ids_brings_no_two_threads_together(firm: Firm) -> None:
    """Its signature covers its original headers, and not the header that somebody added."""
    for name in ("m1", "m2"):
        firm.stack.deliver(JANE, [TO_RICHARD], firm.signed(_mail(name, JANE), "client.example"))
        assert firm.decided(f"<{name}@mail.example>")[0] == "captured"
    first, second = (
        firm.wait_until(lambda name=name: firm.shown(f"<{name}@mail.example>")["thread"], "its thread", seconds=60)
        for name in ("m1", "m2")
    )
    plain = firm.signed(_mail("m3", JANE), "client.example", headers=("from", "to", "subject", "date", "message-id"))
    ids = b"In-Reply-To: <m1@mail.example> <m2@mail.example>\r\n"
    firm.stack.deliver(JANE, [TO_RICHARD], plain.replace(b"Message-ID:", ids + b"Message-ID:", 1))
    assert firm.decided("<m3@mail.example>")[0] == "captured"
    third = "<m3@mail.example>"
    firm.wait_until(
        lambda: firm.shown(third)["thread"] and firm.shown(third)["sender_verdict"] == "pass", "both", seconds=60
    )
    assert firm.shown(third)["thread"] == first != second == firm.shown("<m2@mail.example>")["thread"]
