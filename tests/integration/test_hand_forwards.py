"""A client's mail that a user forwards to log@ by hand, on the real stack: Postfix, filter, digest, DNS. On both databases."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from mailweir.store.database.connection import Database
from tests.forwarded_mail import INLINE, JANE, RICHARD, SUBJECT, attached, inline, original
from tests.integration.firm import LOG, Firm, on_stack
from tests.integration.relay import connect, submit
from tests.moody_zone import Mood

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def firm(
    request: pytest.FixtureRequest, make_module_stack: "MakeStack", wait_until: Callable[..., Any]
) -> Iterator[Firm]:
    with on_stack(request, make_module_stack, wait_until) as made:
        yield made


@pytest.mark.parametrize("name", INLINE)
def test_each_programs_forward_is_the_clients_mail(firm: Firm, name: str) -> None:
    subject = f"{SUBJECT} of {name}"
    message_id = f"<{name.replace(' ', '-')}@firm.example>"
    firm.log(firm.signed(inline(name, message_id=message_id).replace(SUBJECT.encode(), subject.encode())))
    assert firm.decided(message_id) == ("captured", "forwarded by a user")
    shown = firm.shown(message_id)
    assert (shown["direction"], shown["author"], shown["subject"]) == ("incoming", JANE, subject)
    assert (shown["sender_verdict"], shown["sent_at"][:16], shown["users"]) == ("none", "2026-11-23T09:15", ["richard"])
    assert shown["original"]["author"] == JANE
    assert shown["original"]["subject"] == subject


def test_it_is_told_who_says_so(firm: Firm) -> None:
    firm.log(firm.signed(inline("gmail en", message_id="<told@firm.example>").replace(SUBJECT.encode(), b"Told")))
    assert firm.decided("<told@firm.example>")[0] == "captured"
    told = firm.stack.cli("why", "told@firm.example", check=True).stdout
    assert f"forwarded by richard, who says that it is from {JANE}" in told
    shown = str(firm.shown("<told@firm.example>")["id"])
    assert (
        f"by richard, who says that it is from {JANE}" in firm.stack.cli("activity", "show", shown, check=True).stdout
    )


def test_an_attached_message_proves_itself(firm: Firm) -> None:
    raw = firm.signed(original(message_id="<proven@client.example>"), "client.example")
    firm.log(firm.signed(attached(raw, message_id="<attached@firm.example>")))
    assert firm.decided("<attached@firm.example>")[0] == "captured"
    verdict = firm.wait_until(
        lambda: firm.rows(
            "SELECT sender_verdict FROM activities WHERE message_id = '<proven@client.example>'"
            " AND sender_verdict <> 'pending'"
        ),
        "a verdict",
    )
    assert verdict == [("pass",)]
    firm.stack.deliver(JANE, ["richard@demo.example.net"], raw)
    sql = "SELECT COUNT(*) FROM activities WHERE message_id = '<proven@client.example>'"
    routes = (
        "SELECT DISTINCT route FROM sightings s JOIN activities a ON a.id = s.activity_id"
        " WHERE a.message_id = '<proven@client.example>' ORDER BY route"
    )
    firm.wait_until(lambda: firm.rows(routes) == [("forward",), ("log",)], "the client's own copy")
    assert firm.rows(sql) == [(1,)]


@pytest.mark.parametrize(("signer", "count"), [("client.example", 1), ("evil.example", 2)])
def test_the_mail_itself_that_comes_later_is_one_activity_with_its_forward(firm: Firm, signer: str, count: int) -> None:
    """If it is proven. A forged mail is an activity of its own."""
    subject = f"{SUBJECT} by {signer}"
    forwarded = inline("gmail en", message_id=f"<early@{signer}>").replace(SUBJECT.encode(), subject.encode())
    firm.log(firm.signed(forwarded))
    assert firm.decided(f"<early@{signer}>")[0] == "captured"
    message_id = f"<late@{signer}>"
    raw = firm.signed(original(message_id=message_id).replace(SUBJECT.encode(), subject.encode()), signer)
    firm.stack.deliver(JANE, ["richard@demo.example.net"], raw)
    sql = f"SELECT sender_verdict FROM activities WHERE message_id = '{message_id}' AND sender_verdict <> 'pending'"
    firm.wait_until(lambda: firm.rows(sql), "a verdict", seconds=60)
    firm.wait_until(lambda: firm.rows("SELECT * FROM digest_queue") == [], "all mail is read", seconds=60)
    sql = f"SELECT id FROM activities WHERE subject = '{subject}'"
    firm.wait_until(lambda: len(firm.rows(sql)) == count, f"{count} activities", seconds=60)
    assert firm.shown(message_id)["sender_verdict"] == {1: "pass", 2: "none"}[count]


@pytest.mark.parametrize("how", ["unsigned", "changed", "signed by another"])
def test_law_3_a_forged_forward_is_erased(firm: Firm, how: str) -> None:
    message_id = f"<forged-{how.replace(' ', '-')}@firm.example>"
    raw = inline("gmail en", message_id=message_id).replace(SUBJECT.encode(), b"Forged " + how.encode())
    forged = {
        "unsigned": raw,
        "changed": firm.signed(raw).replace(b"We offer", b"We order"),
        "signed by another": firm.signed(raw, "client.example"),
    }[how]
    firm.log(forged)
    assert firm.decided(message_id) == ("ignored", "forwarded by nobody who is proven")
    firm.wait_until(lambda: firm.rows("SELECT * FROM held_messages") == [], "the mail is erased")
    assert firm.rows("SELECT COUNT(*) FROM activities WHERE subject LIKE 'Forged%'") == [(0,)]
    assert "isn't proven" in firm.stack.cli("why", message_id.strip("<>"), check=True).stdout


def test_the_repair_that_is_told_works(firm: Firm) -> None:
    raw = firm.signed(inline("outlook de", message_id="<repair@firm.example>").replace(b"jane@client", b"nina@client"))
    firm.log(raw)
    assert firm.decided("<repair@firm.example>") == ("ignored", "forward of nobody who is known")
    told = firm.stack.cli("why", "repair@firm.example", check=True).stdout
    assert "add the contact, and forward it to the log address again" in told
    firm.stack.cli("contact", "add", "Nina", "nina@client.example", "--deployment", "demo", check=True)
    firm.log(raw)
    sql = "SELECT author FROM activities WHERE author = 'nina@client.example'"
    firm.wait_until(lambda: firm.rows(sql) == [("nina@client.example",)], "her mail")


def test_a_login_of_the_relay_proves_the_forwarder(firm: Firm) -> None:
    login = connect(firm.stack, "richard")
    raw = inline("apple en", message_id="<relayed@firm.example>").replace(SUBJECT.encode(), b"Relayed")
    assert submit(firm.stack, login, RICHARD, [LOG], raw)[0] == 250
    assert firm.decided("<relayed@firm.example>") == ("captured", "forwarded by a user")


def test_laws_1_and_2_through_kill_9_of_the_digest(firm: Firm) -> None:
    """While DNS is silent, all mail waits. Then the digest dies again and again."""
    firm.zone.mood = Mood.SILENT
    before = firm.rows("SELECT COUNT(*) FROM activities")[0][0]
    subjects = [f"Killed {number}" for number in range(12)]
    for number, subject in enumerate(subjects):
        raw = inline("gmail de", message_id=f"<killed-{number}@firm.example>").replace(
            SUBJECT.encode(), subject.encode()
        )
        firm.log(firm.signed(raw))
    firm.zone.mood = Mood.WELL
    for _ in range(4):
        firm.wait_until(lambda: firm.stack.pids("mailweir-digest"), "a digest")
        for pid in firm.stack.pids("mailweir-digest"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    database = contextlib.closing(Database(firm.stack.settings.database_url))
    with database as opened, opened.transaction():  # mail without an answer from DNS waits half a minute
        opened.execute("UPDATE held_messages SET next_try_at = '' WHERE state = 'waits'")
    for number in range(len(subjects)):
        assert firm.decided(f"<killed-{number}@firm.example>")[0] == "captured"
    assert firm.rows("SELECT COUNT(*) FROM activities")[0][0] == before + len(subjects)
    names = "SELECT COUNT(*) FROM sightings s JOIN activities a ON a.id = s.activity_id WHERE a.subject LIKE 'Killed%'"
    assert firm.rows(names) == [(len(subjects),)]
    firm.wait_until(lambda: firm.rows("SELECT * FROM held_messages") == [], "an empty table")


def test_nothing_is_held_where_that_is_off(firm: Firm) -> None:
    firm.stack.cli("deployment", "set", "demo", "--held-forwards", "off", check=True)
    firm.log(firm.signed(inline("gmail en", message_id="<off@firm.example>")))
    assert firm.rows("SELECT outcome, reason FROM decisions WHERE message_id = '<off@firm.example>'") == [
        ("ignored", "no contact")
    ]
    firm.stack.cli("deployment", "set", "demo", "--held-forwards", "on", check=True)
