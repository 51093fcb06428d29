"""Mail that users forward to log@ by hand is recorded as the client's, once, in any form. On both databases."""

from typing import TYPE_CHECKING, Any

import pytest

from mailweir.digest.server import Digest
from mailweir.store.database.connection import Database
from mailweir.store.record import forwarded_versions
from tests.forwarded_mail import INLINE, SUBJECT, attached, inline, original, written
from tests.held_mail import Clock, decision, send

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

pytestmark = pytest.mark.usefixtures("known")
JANE, JOE, RICHARD = "jane@client.example", "joe@client.example", "richard@firm.example"
TO_RICHARD = "richard@demo.example.net"
MINUTE = "2026-11-23T09:15"


@pytest.fixture
def known(database: Database, people: "MemoryDirectory") -> None:
    """The database knows the people."""
    people.write(database)


def activities(database: Database) -> list[tuple[Any, ...]]:
    """(direction, author, subject, minute sent) of all activities."""
    sql = "SELECT direction, author, subject, SUBSTR(sent_at, 1, 16) FROM activities ORDER BY id"
    return [tuple(row) for row in database.execute(sql).fetchall()]


def counts(database: Database) -> tuple[int, ...]:
    """The number of activities, versions, to-dos, and held mails that aren't blank."""
    tables = ("activities", "raw_messages", "todos", "held_messages WHERE state IN ('waits', 'against')")
    return tuple(int(database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]) for table in tables)


FROM_JANE = ("incoming", JANE, SUBJECT, MINUTE)


@pytest.mark.parametrize("name", INLINE)
def test_each_programs_forward_is_the_clients_mail(
    database: Database, clock: Clock, held_digest: Digest, name: str
) -> None:
    send(database, inline(name), at=clock.at)
    held_digest.work_off()
    assert decision(database)[:2] == ("captured", "forwarded by a user")
    assert activities(database) == [FROM_JANE]
    assert counts(database) == (1, 1, 1, 0)
    doubt = database.execute("SELECT author_doubt, verdict, verdict_reason FROM raw_messages").fetchone()
    assert tuple(doubt) == ("forwarded", "none", "forwarded_by_hand")


@pytest.mark.parametrize("name", INLINE)
def test_a_forward_of_what_is_on_the_record_is_a_version_of_it(
    database: Database, clock: Clock, held_digest: Digest, name: str
) -> None:
    send(database, original(), "4Xy0", recipients=TO_RICHARD, at=clock.at)
    send(database, inline(name), at=clock.at)
    held_digest.work_off()
    assert activities(database) == [FROM_JANE]
    assert counts(database) == (1, 2, 1, 0)
    (leading,) = database.execute("SELECT leading_raw_id FROM activities").fetchone()
    assert leading == database.execute("SELECT MIN(id) FROM raw_messages").fetchone()[0]


def test_what_several_users_forward_is_one_activity(database: Database, clock: Clock, held_digest: Digest) -> None:
    """The same holds if one user forwards it in several forms."""
    of_mary = inline("apple de", message_id="<f2@firm.example>").replace(b"Richard <richard", b"Mary <mary", 1)
    for number, raw in enumerate((inline("gmail en"), of_mary, inline("outlook en", message_id="<f3@firm.example>"))):
        send(database, raw, f"4Xy{number}", at=clock.at)
        held_digest.work_off()
    assert activities(database) == [FROM_JANE]
    assert counts(database) == (1, 3, 2, 0)


def test_hosts_that_record_forwards_at_the_same_moment_make_one_activity(
    database: Database, clock: Clock, held_digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of the hosts sees another one's rows yet."""
    monkeypatch.setattr(forwarded_versions, "identity_of_original", lambda *_, **__: None)
    for number, name in enumerate(("gmail en", "outlook de")):
        send(database, inline(name, message_id=f"<f{number}@firm.example>"), f"4Xy{number}", at=clock.at)
    held_digest.work_off()
    assert counts(database)[:3] == (1, 2, 1)


def test_without_a_date_the_original_is_found_by_its_id(database: Database, clock: Clock, held_digest: Digest) -> None:
    send(database, original(), "4Xy0", recipients=TO_RICHARD, at=clock.at)
    held_digest.work_off()
    text = f"---------- Forwarded message ---------\nFrom: Jane <{JANE}>\nDate: some day\nSubject: {SUBJECT}\n\nWe offer.\n"
    named = "In-Reply-To: <o1@client.example>\r\nReferences: <o1@client.example>\r\n"
    send(database, written(f"Fwd: {SUBJECT}", text, more=named), at=clock.at)
    held_digest.work_off()
    assert counts(database)[:2] == (1, 2)


def test_an_id_doesnt_count_for_another_author_or_matter(database: Database, clock: Clock, held_digest: Digest) -> None:
    send(database, original(), "4Xy0", recipients=TO_RICHARD, at=clock.at)
    held_digest.work_off()
    named = "In-Reply-To: <o1@client.example>\r\n"
    of_joe = inline("gmail en", more=named).replace(b"jane@client", b"joe@client")
    other = inline("gmail en", more=named, message_id="<f2@firm.example>").replace(b"Angebot 2231", b"Rechnung")
    send(database, of_joe, at=clock.at)
    send(database, other, "4Xy2", at=clock.at)
    held_digest.work_off()
    assert [(author, subject) for _, author, subject, _ in activities(database)] == [
        *((JANE, SUBJECT), (JOE, SUBJECT)),
        (JANE, "Rechnung"),
    ]


def test_an_attached_message_is_the_original_itself(database: Database, clock: Clock, held_digest: Digest) -> None:
    send(database, attached(original()), at=clock.at)
    send(database, original(), "4Xy0", recipients=TO_RICHARD, at=clock.at)
    held_digest.work_off()
    assert activities(database) == [FROM_JANE]
    assert counts(database) == (1, 1, 1, 0)
    (message_id,) = database.execute("SELECT message_id FROM activities").fetchone()
    assert message_id == "<o1@client.example>"


@pytest.mark.parametrize(("line", "verdict"), [("X-Test: proven", "pass"), ("X-Test: none", "none")])
def test_an_attached_message_proves_itself_or_isnt_proven(
    database: Database, clock: Clock, held_digest: Digest, line: str, verdict: str
) -> None:
    send(database, attached(original().replace(b"Subject:", line.encode() + b"\r\nSubject:")), at=clock.at)
    held_digest.work_off()
    assert database.execute("SELECT sender_verdict FROM activities").fetchone()[0] == verdict


def test_several_attached_messages_are_an_activity_each(database: Database, clock: Clock, held_digest: Digest) -> None:
    second = original(message_id="<o2@client.example>", author=JOE, subject="Rechnung")
    stranger = original(message_id="<o3@else.example>", author="eve@else.example")
    send(database, attached(original(), second, stranger), at=clock.at)
    held_digest.work_off()
    found = {(author, subject) for _, author, subject, _ in activities(database)}
    assert found == {(JANE, SUBJECT), (JOE, "Rechnung")}
    assert counts(database) == (2, 2, 2, 0)


def test_a_message_attached_to_the_clients_mail_is_no_original(
    database: Database, clock: Clock, held_digest: Digest
) -> None:
    """Jane's mail was forwarded in the text, and Joe's mail was attached to it."""
    text = INLINE["gmail en"][1]
    send(database, attached(original(author=JOE, message_id="<o2@client.example>"), text=text), at=clock.at)
    held_digest.work_off()
    assert [author for _, author, _, _ in activities(database)] == [JANE]


CHAIN = (
    "---------- Forwarded message ---------\nFrom: {first}\nDate: Tue, Nov 24, 2026 at 7:00 AM\nSubject: {subject}\n"
    f"To: Richard <richard@firm.example>\n\n\nFrom: {{second}}\nSent: Monday, November 23, 2026 10:15 AM\nTo: Mary\n"
    f"Subject: {SUBJECT}\n\nWe offer.\n"
)


@pytest.mark.parametrize(
    ("first", "subject", "author"),
    [
        ("Mary <mary@firm.example>", f"FW: {SUBJECT}", JANE),
        ("Eve <eve@else.example>", f"WG: {SUBJECT}", JANE),
        ("Joe <joe@client.example>", f"FW: {SUBJECT}", JOE),
        # the mail that they answered isn't the forwarded mail
        ("Mary <mary@firm.example>", f"RE: {SUBJECT}", None),
        ("Eve <eve@else.example>", SUBJECT, None),
    ],
)
def test_of_forwards_of_forwards_it_is_the_outermost_contacts(
    database: Database, clock: Clock, held_digest: Digest, first: str, subject: str, author: str | None
) -> None:
    text = CHAIN.format(first=first, subject=subject, second=f"Jane <{JANE}>")
    send(database, written(f"Fwd: {subject}", text), at=clock.at)
    held_digest.work_off()
    assert [found for _, found, _, _ in activities(database)] == [one for one in (author,) if one]


def test_an_attached_forward_of_a_colleagues_is_looked_into(
    database: Database, clock: Clock, held_digest: Digest
) -> None:
    of_mary = inline("outlook en", message_id="<m1@firm.example>").replace(b"Richard <richard", b"Mary <mary", 1)
    send(database, attached(of_mary), at=clock.at)
    held_digest.work_off()
    assert activities(database) == [FROM_JANE]
    nested = attached(original(message_id="<o9@client.example>"), message_id="<m2@firm.example>")
    nested = nested.replace(b"Richard <richard", b"Mary <mary", 1).replace(b"b1", b"b2")
    send(database, attached(nested, message_id="<f2@firm.example>"), "4Xy2", at=clock.at)
    held_digest.work_off()
    assert [one for _, one, _, _ in activities(database)] == [JANE, JANE]


def test_the_repair_works_with_the_same_message_too(database: Database, clock: Clock, held_digest: Digest) -> None:
    """An admin adds the contact, and the user forwards the mail again: as a new message, or resent unchanged."""
    raw = inline("gmail en").replace(b"jane@client", b"new@client")
    send(database, raw, at=clock.at)
    held_digest.work_off()
    assert decision(database)[:2] == ("ignored", "forward of nobody who is known")
    stamp = "2026-11-24T03:12:55.123456Z"
    database.execute("INSERT INTO contacts (id, deployment_id, name, created_at) VALUES (90, 1, 'New', ?)", (stamp,))
    database.execute(
        "INSERT INTO contact_addresses (deployment_id, contact_id, address, match_key)"
        " VALUES (1, 90, 'new@client.example', 'new@client.example')"
    )
    send(database, raw, "4Xy2", at=clock.at)
    send(database, raw.replace(b"<f1@", b"<f2@"), "4Xy3", at=clock.at)
    held_digest.work_off()
    assert [decision(database, one)[0] for one in ("4Xy2", "4Xy3")] == ["captured", "captured"]
    assert len(activities(database)) == 1
    assert decision(database, "4Xy2")[2] == decision(database, "4Xy3")[2]


def test_a_never_log_rule_holds_for_the_originals_author(database: Database, clock: Clock, held_digest: Digest) -> None:
    database.execute(
        "INSERT INTO never_log_rules (deployment_id, user_id, pattern, match_key, created_at)"
        " VALUES (1, NULL, '@client.example', '@client.example', '')"
    )
    for number, raw in enumerate((inline("gmail en"), attached(original()))):
        send(database, raw, f"4Xy{number}", at=clock.at)
    held_digest.work_off()
    assert [decision(database, f"4Xy{number}")[1] for number in (0, 1)] == ["never-log rule", "never-log rule"]
    (rule,) = database.execute("SELECT DISTINCT rule FROM decisions").fetchone()
    assert rule == '["@client.example", null]'
    assert counts(database)[:3] == (0, 0, 0)


def test_visibility_is_settled_as_for_any_mail(database: Database, clock: Clock, held_digest: Digest) -> None:
    database.execute("UPDATE deployments SET private_words = 'angebot'")
    send(database, inline("gmail en"), at=clock.at)
    held_digest.work_off()
    assert database.execute("SELECT visibility FROM activities").fetchone()[0] == "participants"


def test_what_is_switched_off_meanwhile_isnt_recorded(database: Database, clock: Clock, held_digest: Digest) -> None:
    send(database, inline("gmail en"), at=clock.at)
    database.execute("UPDATE deployments SET held_forwards = 0")
    held_digest.work_off()
    assert decision(database)[:2] == ("ignored", "no contact")


def test_a_date_to_come_is_none(database: Database, clock: Clock, held_digest: Digest) -> None:
    send(database, inline("thunderbird en").replace(b"23 Nov 2026", b"23 Nov 2096"), at=clock.at)
    held_digest.work_off()
    assert activities(database) == [("incoming", JANE, SUBJECT, None)]


def test_an_automatic_answer_that_is_attached_is_no_to_do(
    database: Database, clock: Clock, held_digest: Digest
) -> None:
    automatic = original().replace(b"Subject:", b"Auto-Submitted: auto-replied\r\nSubject:")
    send(database, attached(automatic), at=clock.at)
    held_digest.work_off()
    assert counts(database)[:3] == (1, 1, 0)


def test_staff_come_before_contacts(database: Database, clock: Clock, held_digest: Digest) -> None:
    """Pat is both, and so is a colleague."""
    pat = "pat@both.example"
    send(database, inline("gmail en").replace(JANE.encode(), pat.encode()), at=clock.at)
    send(database, attached(original(author=pat), message_id="<f2@firm.example>"), "4Xy2", at=clock.at)
    held_digest.work_off()
    assert [decision(database, one)[1] for one in ("4Xy1", "4Xy2")] == ["forward of a colleague's mail"] * 2


def test_law_4_another_deployment_neither_sees_nor_causes_it(
    database: Database, clock: Clock, held_digest: Digest
) -> None:
    """Mary is a contact of the other deployment, in which richard@else is a user; its jane is a user."""
    here = inline("gmail en").replace(b"jane@client", b"mary@firm")
    there = here.replace(b"richard@firm.example", b"richard@else.example").replace(
        b"demo.example.net", b"other.example.org"
    )
    send(database, here, at=clock.at)
    send(database, there, "4Xy2", recipients="log@other.example.org", at=clock.at)
    held_digest.work_off()
    assert [decision(database, one)[0] for one in ("4Xy1", "4Xy2")] == ["ignored", "captured"]
    assert [row[0] for row in database.execute("SELECT deployment_id FROM activities").fetchall()] == [2]
