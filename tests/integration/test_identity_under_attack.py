"""Identity under attack (laws 2, 4 and 8): nobody gains anything by forging a copy, reusing a Message-ID or logging in elsewhere.

A DNS server on loopback publishes the client's key; the digest of the running stack proves authors with it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from admin_cli.demo import signing
from admin_cli.demo.signing import SigningKey
from tests.integration.relay import connect, submit
from tests.moody_zone import Mood, MoodyZoneServer

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack

Wait = Callable[..., Any]

SELECTOR = "sel"
JANE, RICHARD, LOG, LOG_OF_B = (
    "jane@client.example",
    "richard@demo.example.net",
    "log@demo.example.net",
    "log@b.example.org",
)
STAFF_OF_B = "olga@second.example"
DATE = "Tue, 24 Nov 2026 03:12:55 +0000"


@dataclass
class Weir:
    """A stack with two deployments, the client's key, and the DNS that publishes it."""

    stack: "Stack"
    zone: MoodyZoneServer
    key: SigningKey
    wait_until: Wait

    def send(self, raw: bytes, recipient: str = RICHARD, sender: str = JANE) -> None:
        """Delivers a mail, which has to be accepted."""
        code, text = self.stack.transact(sender, [recipient], raw)
        assert code == 250, text

    def sign(self, raw: bytes) -> bytes:
        """Signs as the client's own server does."""
        return signing.sign(raw, self.key, selector=SELECTOR, domain="client.example")

    def examined(self) -> None:
        """Waits until no mail waits for a verdict."""
        sql = "SELECT COUNT(*) FROM raw_messages WHERE verdict = 'pending'"
        self.wait_until(lambda: self.stack.rows(sql) == [(0,)], "all bodies are examined", 60)

    def shown(self, message_id: str) -> list[Any]:
        """`activity show` of each activity with this Message-ID, the oldest first."""
        ids = self.stack.rows("SELECT id FROM activities WHERE message_id = ? ORDER BY id", message_id)
        return [json.loads(self.cli("activity", "show", str(one), "--json")) for (one,) in ids]

    def raw(self, activity: Any, *options: str) -> str:
        """The output of `activity raw`."""
        return self.cli("activity", "raw", str(activity["id"]), *options)

    def reasons(self, message_id: str) -> list[tuple[str, str, str]]:
        """Deployment, outcome and reason of each decision."""
        return self.stack.rows(
            "SELECT d.name, x.outcome, x.reason FROM decisions x JOIN deployments d ON d.id = x.deployment_id"
            " WHERE x.message_id = ? ORDER BY x.id",
            message_id,
        )

    def cli(self, *arguments: str) -> str:
        """`mailweir …`, which has to succeed."""
        return self.stack.cli(*arguments, check=True).stdout


@pytest.fixture(scope="module")
def weir(make_module_stack: "MakeStack", wait_until: Wait) -> Iterator[Weir]:
    """The stack of all tests here; each test has Message-IDs of its own."""
    key = SigningKey.generate()
    with MoodyZoneServer({(signing.key_name(SELECTOR, "client.example"), "TXT"): [key.record]}) as zone:
        dns = {"nameserver": "127.0.0.1", "port": zone.port, "timeout_seconds": 2.0}
        stack = make_module_stack(dns=dns, digest={"poll_seconds": 0.1})
        made = Weir(stack, zone, key, wait_until)
        for arguments in (
            ("deployment", "add", "demo", "--domain", "demo.example.net"),
            ("deployment", "add", "b", "--domain", "b.example.org"),
            ("user", "add", "richard", "--email", "richard@firm.example", "--deployment", "demo"),
            ("user", "add", "olga", "--email", STAFF_OF_B, "--deployment", "b"),
            ("contact", "add", "Jane", JANE, "--deployment", "demo"),
            ("contact", "add", "Jane", JANE, "--deployment", "b"),
        ):
            made.cli(*arguments)
        yield made


def mail(
    message_id: str, body: str, *, author: str = JANE, to: str = "richard@firm.example", date: str = DATE
) -> bytes:
    """A mail with CRLF; without a Message-ID if it is empty."""
    named = f"Message-ID: {message_id}\r\n" if message_id else ""
    return f"From: {author}\r\nTo: {to}\r\nSubject: An offer\r\n{named}Date: {date}\r\n\r\n{body}\r\n".encode()


@pytest.mark.parametrize("genuine", [2, 1], ids=["forged first", "genuine first"])
@pytest.mark.parametrize("between", [Weir.examined, lambda weir: None], ids=["examined between", "at once"])
def test_of_a_forged_and_a_genuine_copy_both_are_kept_and_the_genuine_one_leads(
    weir: Weir, request: pytest.FixtureRequest, genuine: int, between: Callable[[Weir], object]
) -> None:
    message_id = f"<{hashlib.sha256(request.node.name.encode()).hexdigest()[:8]}@client.example>"
    copies = {
        3 - genuine: mail(message_id, "pay to account 666"),
        genuine: weir.sign(mail(message_id, "pay to account 1")),
    }
    for number in (1, 2):
        weir.send(copies[number])
        between(weir)
    weir.examined()

    (activity,) = weir.shown(message_id)
    assert activity["sender_verdict"] == "pass"
    versions = [(one["number"], one["leading"], one["verdict"]) for one in activity["versions"]]
    assert sorted(versions) == sorted([(genuine, True, "pass"), (3 - genuine, False, "none")])
    assert "account 1\n" in weir.raw(activity)
    assert "account 1\n" in weir.raw(activity, "--version", str(genuine))
    assert "account 666" in weir.raw(activity, "--version", str(3 - genuine))
    assert len(weir.stack.rows("SELECT id FROM todos WHERE activity_id = ?", activity["id"])) == 1


@pytest.mark.parametrize("forged", ["without the signature", "another recipient", "a broken signature"])
def test_a_forged_copy_with_the_whole_body_does_not_keep_the_genuine_one_from_leading(weir: Weir, forged: str) -> None:
    message_id = f"<{forged.replace(' ', '-')}@client.example>"
    plain = mail(message_id, "pay to account 1")
    genuine = weir.sign(plain)
    copy = {
        "without the signature": plain,
        "another recipient": genuine.replace(b"To: richard@firm.example", b"To: richard@other.example"),
        "a broken signature": genuine.replace(b"b=", b"b=A", 1),
    }[forged]
    assert copy != genuine
    weir.send(copy)
    weir.examined()
    assert weir.shown(message_id)[0]["sender_verdict"] in {"none", "fail"}
    weir.send(genuine)
    weir.send(genuine)  # a second user's forwarded copy
    weir.examined()
    (activity,) = weir.shown(message_id)
    assert (activity["sender_verdict"], activity["subject"]) == ("pass", "An offer")
    assert [one["leading"] for one in activity["versions"]] == [False, True]
    assert "account 1\n" in weir.raw(activity)


def test_a_forged_copy_with_another_subject_is_an_activity_of_its_own_and_takes_nothing_from_the_genuine_one(
    weir: Weir,
) -> None:
    message_id = "<another-subject@client.example>"
    genuine = weir.sign(mail(message_id, "pay to account 1"))
    weir.send(genuine.replace(b"Subject: An offer", b"Subject: A fraud"))
    weir.send(genuine)
    weir.send(genuine.replace(b"Subject: An offer", b"Subject: A fraud"))
    weir.examined()
    found = {one["subject"]: one["sender_verdict"] for one in weir.shown(message_id)}
    assert found == {"An offer": "pass", "A fraud": "fail"}
    assert len(weir.shown(message_id)) == 2


def test_law_8_a_forged_copy_puts_no_contact_on_a_proven_activity(weir: Weir) -> None:
    """A colleague's mail to one client, and a copy under the same name to another client, both at the log address."""
    weir.cli("contact", "add", "Other", "other@elsewhere.example", "--deployment", "demo")
    weir.cli("user", "alias", "richard", "richard@client.example", "--deployment", "demo")
    message_id, staff = "<to-one@client.example>", "richard@client.example"
    genuine = weir.sign(mail(message_id, "hello", author=staff, to=JANE))
    forged = mail(message_id, "hello", author=staff, to="other@elsewhere.example")
    for copy in (forged, genuine):
        weir.send(copy, LOG, staff)
    listed = json.loads(
        weir.cli("activity", "list", "--contact", "other@elsewhere.example", "--json", "--deployment", "demo")
    )
    assert [one["message_id"] for one in listed] in ([message_id], [])  # the digest may have been quicker
    weir.examined()
    (activity,) = weir.shown(message_id)
    assert activity["sender_verdict"] == "pass"
    assert [one["address"] for one in activity["contacts"]] == [JANE]
    for address, expected in ((JANE, True), ("other@elsewhere.example", False)):
        found = json.loads(weir.cli("activity", "list", "--contact", address, "--json", "--deployment", "demo"))
        assert (message_id in [one["message_id"] for one in found]) is expected


def test_law_8_listings_show_the_verdict(weir: Weir) -> None:
    verdicts = {"proven": "pass", "altered": "fail", "unsigned": "none"}
    signed = weir.sign(mail("<proven@client.example>", "hello"))
    weir.send(signed)
    weir.send(weir.sign(mail("<altered@client.example>", "hello")).replace(b"hello", b"other"))
    weir.send(mail("<unsigned@client.example>", "hello"))
    weir.examined()
    for noun, column in (("activity", 0), ("todo", 2)):
        command = (noun, "list")
        found = json.loads(weir.cli(*command, "--deployment", "demo", "--json"))
        listed = [one.get({"todo": "activity"}.get(noun), one) for one in found]
        told = {one["message_id"]: one["sender_verdict"] for one in listed}
        assert {name: told[f"<{name}@client.example>"] for name in verdicts} == verdicts
        rows = weir.cli(*command, "--deployment", "demo").splitlines()
        assert "verdict" in rows[0].split()
        for name, verdict in verdicts.items():
            (activity,) = weir.shown(f"<{name}@client.example>")
            (row,) = [row for row in rows[1:] if row.split()[column] == str(activity["id"])]
            assert verdict in row.split()
    (activity,) = weir.shown("<altered@client.example>")
    words = weir.cli("activity", "show", str(activity["id"]))
    assert "sender verdict: fail" in words
    assert ", verdict fail" in words


def test_law_8_without_dns_the_author_stays_pending(weir: Weir) -> None:
    weir.examined()
    weir.zone.mood = Mood.SERVFAIL
    try:
        # a key that the digest hasn't seen yet
        weir.send(
            signing.sign(mail("<no-dns@client.example>", "hello"), weir.key, selector="new", domain="client.example")
        )
        attempts = (
            "SELECT q.attempts FROM digest_queue q JOIN raw_messages r ON r.id = q.raw_id"
            " JOIN activities a ON a.id = r.activity_id WHERE q.stage = 'verdict' AND a.message_id = ?"
        )
        weir.wait_until(lambda: weir.stack.rows(attempts, "<no-dns@client.example>") == [(1,)], "a try", 60)
        assert weir.shown("<no-dns@client.example>")[0]["sender_verdict"] == "pending"
        weir.zone.records[signing.key_name("new", "client.example"), "TXT"] = [weir.key.record]
    finally:
        weir.zone.mood = Mood.WELL
    weir.examined()
    assert weir.shown("<no-dns@client.example>")[0]["sender_verdict"] == "pass"


def test_mail_without_message_id_that_is_sent_twice_is_one_activity(weir: Weir) -> None:
    before = weir.stack.rows("SELECT COUNT(*) FROM activities WHERE message_id IS NULL")
    assert before == [(0,)]
    for _ in range(2):
        weir.send(mail("", "no Message-ID"))
    found = weir.stack.rows("SELECT id, (SELECT COUNT(*) FROM sightings s WHERE s.activity_id = a.id) FROM activities a"
                            " WHERE message_id IS NULL")  # fmt: skip
    assert [count for _, count in found] == [2]
    weir.send(mail("", "another one"))
    assert weir.stack.rows("SELECT COUNT(*) FROM activities WHERE message_id IS NULL") == [(2,)]


def test_a_message_id_that_is_used_again_for_another_mail_is_another_activity(weir: Weir) -> None:
    weir.send(mail("<again@client.example>", "the first"))
    weir.send(mail("<again@client.example>", "the second", date="Wed, 25 Nov 2026 03:12:55 +0000"))
    first, second = weir.shown("<again@client.example>")
    assert "the first" in weir.raw(first)
    assert "the second" in weir.raw(second)
    assert [len(one["versions"]) for one in (first, second)] == [1, 1]


def test_laws_4_and_8_a_login_of_one_deployment_is_an_outsider_at_another_ones_log(weir: Weir) -> None:
    login = connect(weir.stack, "richard")

    def send(raw: bytes) -> int:
        return submit(weir.stack, login, "richard@firm.example", [LOG_OF_B], raw)[0]

    # in the sender's own name: B doesn't know it
    assert (
        send(mail("<own-name@firm.example>", "x", author="richard@firm.example", to="nobody@elsewhere.example")) == 250
    )
    decided = {("b", "ignored", "unknown author"), ("demo", "ignored", "no contact")}
    assert set(weir.reasons("<own-name@firm.example>")) == decided
    # in the name of B's staff: another deployment's login may not use it
    assert send(mail("<in-bs-name@second.example>", "x", author=STAFF_OF_B, to=JANE)) == 550
    assert "captured" not in [outcome for _, outcome, _ in weir.reasons("<in-bs-name@second.example>")]
    # from outside, it is on B's record, marked, and makes no to-do
    weir.send(mail("<from-outside@second.example>", "x", author=STAFF_OF_B, to=JANE), LOG_OF_B, STAFF_OF_B)
    assert weir.reasons("<from-outside@second.example>") == [("b", "captured", "author is a user")]
    weir.examined()
    (activity,) = weir.shown("<from-outside@second.example>")
    assert (activity["deployment"], activity["sender_verdict"]) == ("b", "none")
    assert weir.stack.rows("SELECT COUNT(*) FROM todos WHERE activity_id = ?", activity["id"]) == [(0,)]
    assert "<own-name@firm.example>" not in weir.cli("activity", "list", "--deployment", "demo", "--json")
