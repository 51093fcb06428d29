"""Decisions on messages: the rules as a table of cases, with a directory in memory and one in the database."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir import headers, matching
from mailweir.arrivals import Sorted, sort_recipients
from mailweir.decision import Decision, Direction, Doubt, HeldKind, Outcome, Reason, Route
from mailweir.directory import Directory
from mailweir.envelope import read_recipient

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

AT = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)
TO_RICHARD, TO_MARY, TO_LOG = "richard@demo.example.net", "mary@demo.example.net", "log@demo.example.net"


def _decide(directory: Directory, recipients: str | list[str], lines: list[tuple[str, str]]) -> list[Decision]:
    typed = recipients.split() if isinstance(recipients, str) else recipients
    view = headers.look([(name.encode(), f" {value}".encode()) for name, value in lines])
    found = sort_recipients([read_recipient(f"<{one}>") for one in typed], directory)
    return [matching.decide(arrival, view, directory) for arrival in found.arrivals]


@dataclass(frozen=True)
class Case:
    """A message to demo and its decision.

    recipients: local parts of capture addresses. users, contacts: on whose record it is. sightings: route:user, or the route.
    """

    says: str
    recipients: str
    author: str
    to: str
    users: str
    contacts: str
    sightings: str


USERS = {"richard": 1, "mary": 2, "pat": 3}
CONTACTS = {"jane": 1, "joe": 2, "pat outside": 3}
JANE, JANE_AT_HOME, JOE, OFFICE = (
    "jane@client.example",
    "jane@home.example",
    "joe@client.example",
    "office@client.example",
)
RICHARD, RICK, MARY, PAT = "richard@firm.example", "rick@firm.example", "mary@firm.example", "pat@both.example"

INCOMING = [
    Case("a client's mail, forwarded", "richard", JANE, RICHARD, "richard", "jane", "forward:richard"),
    Case(
        "from the contact's other address", "richard", JANE_AT_HOME.title(), RICK, "richard", "jane", "forward:richard"
    ),
    Case("sent by a host for many", "richard", JANE, "", "richard", "jane", "forward:richard"),
    Case("with the capture address in To", "richard", JANE, TO_RICHARD, "richard", "jane", "forward:richard"),
    Case("with another capture address in To", "richard", JANE, TO_MARY, "richard", "jane", "forward:richard"),
    Case("for two users at once", "richard mary", JANE, "", "richard mary", "jane", "forward:richard forward:mary"),
    Case("a capture address twice", 'richard "Richard"', JANE, "", "richard", "jane", "forward:richard"),
    Case("an address that two contacts share", "richard", OFFICE, "", "richard", "jane joe", "forward:richard"),
    Case("other contacts in To", "richard", JANE, f"{RICHARD}, {JOE}", "richard", "jane joe", "forward:richard"),
    Case(
        "a user who isn't an owner in To", "richard", JANE, f"{RICHARD}, {MARY}", "richard", "jane", "forward:richard"
    ),
    Case("somebody on both sides in To is staff", "richard", JANE, PAT, "richard", "jane", "forward:richard"),
    Case("a client's reply to all, at log", "log", JANE, f"{RICK}, {MARY}", "richard mary", "jane", "log"),
    Case("a client's mail at log, to no user", "log", JANE, TO_LOG, "", "jane", "log"),
    Case("at log and a capture address", "log mary", JANE, RICK, "richard mary", "jane", "forward:mary log"),
    Case("at an unknown address besides", "richard gone", JANE, "", "richard", "jane", "forward:richard"),
    Case("at a bounce address besides", "richard bounce+abc", JANE, "", "richard", "jane", "forward:richard"),
]

OUTGOING = [
    Case("a user's copy at log", "log", RICHARD, JANE, "richard", "jane", "log:richard"),
    Case("from the user's other address", "log", RICK.title(), JANE, "richard", "jane", "log:richard"),
    Case(
        "to several contacts",
        "log",
        RICHARD,
        f"{JANE_AT_HOME}, {JOE}, x@y.example",
        "richard",
        "jane joe",
        "log:richard",
    ),
    Case(
        "to a contact at two addresses",
        "log",
        RICHARD,
        f"{JANE_AT_HOME}, {JANE}",
        "richard",
        "jane jane",
        "log:richard",
    ),
    Case("to an office's address", "log", RICHARD, OFFICE, "richard", "jane joe", "log:richard"),
    Case("to a colleague and a contact", "log", RICHARD, f"{MARY}, {JANE}", "richard", "jane", "log:richard"),
    Case("a colleague's mail to a client", "mary", RICHARD, f"{JANE}, {MARY}", "richard mary", "jane", "forward:mary"),
    Case("at log and a capture address", "mary log", RICHARD, JANE, "richard mary", "jane", "forward:mary log:richard"),
    Case("somebody on both sides writes as staff", "log", PAT, JANE, "pat", "jane", "log:pat"),
    Case("at an unknown address besides", "log gone", RICHARD, JOE, "richard", "joe", "log:richard"),
]


def _ids(names: str, known: dict[str, int]) -> list[int]:
    return sorted(known[name] for name in names.split())


def _says(case: Case) -> str:
    return case.says


@pytest.mark.parametrize("case", INCOMING, ids=_says)
def test_a_contacts_mail_is_captured_for_the_owners(directory: Directory, case: Case) -> None:
    decision = _check_captured(directory, case)
    assert (decision.direction, decision.reason) == (Direction.INCOMING, Reason.AUTHOR_IS_CONTACT)
    assert sorted(decision.todo_users) == _ids(case.users, USERS)


@pytest.mark.parametrize("case", OUTGOING, ids=_says)
def test_a_users_mail_to_a_contact_is_captured_without_a_todo(directory: Directory, case: Case) -> None:
    decision = _check_captured(directory, case)
    assert (decision.direction, decision.reason) == (Direction.OUTGOING, Reason.AUTHOR_IS_USER)
    assert decision.todo_users == ()
    assert decision.users[0] == USERS[case.users.split()[0]]  # the author


def _check_captured(directory: Directory, case: Case) -> Decision:
    lines = [("From", f"Somebody <{case.author}>"), ("To", case.to), ("Message-ID", "<1@x>")]
    recipients = [f"{local}@Demo.example.net" for local in case.recipients.split()]
    (decision,) = _decide(directory, recipients, lines)
    assert decision.outcome is Outcome.CAPTURED
    assert decision.deployment.name == "demo"
    assert (decision.author, decision.message_id) == (case.author.lower(), "<1@x>")
    assert sorted(decision.users) == _ids(case.users, USERS)
    assert sorted(ref.id for ref in decision.contacts) == _ids(case.contacts, CONTACTS)
    assert len(set(decision.contacts)) == len(decision.contacts)
    routes = [one.partition(":") for one in case.sightings.split()]
    assert len(decision.sightings) == len(routes)
    assert set(decision.sightings) == {(Route(route), USERS.get(user)) for route, _, user in routes}
    return decision


@pytest.mark.parametrize(
    ("recipients", "lines", "reason"),
    [
        (TO_RICHARD, [("From", "x@stranger.example"), ("To", "jane@client.example")], Reason.UNKNOWN_AUTHOR),
        (
            TO_LOG,
            [("From", "x@stranger.example"), ("To", "jane@client.example, richard@firm.example")],
            Reason.UNKNOWN_AUTHOR,
        ),
        (TO_RICHARD, [("From", TO_RICHARD), ("To", "jane@client.example")], Reason.UNKNOWN_AUTHOR),
        (TO_RICHARD, [("From", TO_LOG)], Reason.UNKNOWN_AUTHOR),
        (TO_RICHARD, [("From", "jane@xclient.example")], Reason.UNKNOWN_AUTHOR),
        (TO_RICHARD, [("From", "jane@client.example.evil.example")], Reason.UNKNOWN_AUTHOR),
        (TO_RICHARD, [("From", "jane%client.example@evil.example")], Reason.UNKNOWN_AUTHOR),
        (TO_RICHARD, [("From", '"jane@client.example" <eve@evil.example>')], Reason.UNKNOWN_AUTHOR),
        (TO_RICHARD, [("From", "x@y.example"), ("Sender", "jane@client.example")], Reason.UNKNOWN_AUTHOR),
        (TO_RICHARD, [("From", "x@y.example"), ("Reply-To", "jane@client.example")], Reason.UNKNOWN_AUTHOR),
        (TO_LOG, [("From", "richard@firm.example"), ("To", "mary@firm.example, rick@firm.example")], Reason.INTERNAL),
        (TO_LOG, [("From", "richard@firm.example"), ("To", "pat@both.example")], Reason.INTERNAL),
        (TO_MARY, [("From", "richard@firm.example"), ("To", f"mary@firm.example, {TO_MARY}")], Reason.INTERNAL),
        (TO_MARY, [("From", "richard@firm.example"), ("To", f"mary@firm.example, {TO_LOG}")], Reason.INTERNAL),
        (TO_LOG, [("From", "richard@firm.example"), ("To", "x@stranger.example")], Reason.NO_CONTACT),
        (
            TO_LOG,
            [("From", "richard@firm.example"), ("To", "mary@firm.example, x@stranger.example")],
            Reason.NO_CONTACT,
        ),
        (TO_LOG, [("To", "jane@client.example")], Reason.UNREADABLE_AUTHOR),
        (TO_RICHARD, [("From", "")], Reason.UNREADABLE_AUTHOR),
        (TO_RICHARD, [("From", "jane@client.example"), ("From", "jane@client.example")], Reason.UNREADABLE_AUTHOR),
        (TO_RICHARD, [("From", "jane@client.example, eve@evil.example")], Reason.UNREADABLE_AUTHOR),
        (TO_RICHARD, [("From", "jane@client.example <eve@evil.example>")], Reason.UNREADABLE_AUTHOR),
        # two people, or one and an unknown address: readers differ in whom they show
        (TO_RICHARD, [("From", f"{JANE}, {JOE}")], Reason.UNREADABLE_AUTHOR),
        (TO_RICHARD, [("From", f"{JANE}, {OFFICE}")], Reason.UNREADABLE_AUTHOR),
        (TO_LOG, [("From", f"{RICHARD}, {RICK}"), ("To", JANE)], Reason.UNREADABLE_AUTHOR),
        (TO_LOG, [("From", f"{PAT}, pat@outside.example"), ("To", JANE)], Reason.UNREADABLE_AUTHOR),
        (TO_RICHARD, [("From", "x@stranger.example, y@stranger.example")], Reason.UNREADABLE_AUTHOR),
        (TO_LOG, [("From", RICHARD), ("To", "Jane Doe")], Reason.UNREADABLE_RECIPIENTS),
        # a user who was removed between RCPT and the end of the message
        ("gone@demo.example.net", [("From", "jane@client.example")], Reason.UNKNOWN_RECIPIENT),
        ("gone@demo.example.net", [], Reason.UNKNOWN_RECIPIENT),
        ("rick@demo.example.net", [("From", "jane@client.example")], Reason.UNKNOWN_RECIPIENT),
        ("log+x@demo.example.net", [("From", "jane@client.example")], Reason.UNKNOWN_RECIPIENT),
        ("bounce@demo.example.net", [("From", "jane@client.example")], Reason.UNKNOWN_RECIPIENT),
        ("bounce+abc@demo.example.net", [("From", "mailer-daemon@x.example")], Reason.BOUNCE),
        ("bounce+abc@demo.example.net", [("From", "jane@client.example"), ("To", TO_RICHARD)], Reason.BOUNCE),
        ("bounce+abc@demo.example.net gone@demo.example.net", [], Reason.BOUNCE),
    ],
)
def test_all_else_is_ignored_and_says_why(
    directory: Directory, recipients: str, lines: list[tuple[str, str]], reason: Reason
) -> None:
    (decision,) = _decide(directory, recipients, lines)
    assert (decision.outcome, decision.reason) == (Outcome.IGNORED, reason)
    assert decision.addresses == tuple(recipients.split())
    assert (decision.direction, decision.contacts, decision.users, decision.sightings) == (None, (), (), ())


STRANGER = "x@stranger.example"


@pytest.mark.parametrize(
    "lines",
    [
        [("From", RICHARD), ("To", TO_LOG)],
        [("From", RICHARD), ("To", TO_LOG), ("Cc", "rick@firm.example")],
        [("From", "rick@firm.example"), ("Bcc", "jane@client.example")],
        [("From", RICHARD)],
        [("From", RICHARD), ("To", TO_LOG), ("Cc", "Jane Doe <>")],
        [("From", RICHARD), ("To", "undisclosed-recipients:;")],
        [("From", RICHARD), ("To", STRANGER), ("Subject", "WG: Angebot")],
        [("From", RICHARD), ("To", STRANGER), ("X-Forwarded-Message-Id", "<1@client.example>")],
    ],
)
def test_what_a_user_sends_to_the_log_address_alone_is_held(directory: Directory, lines: list[tuple[str, str]]) -> None:
    (decision,) = _decide(directory, TO_LOG, lines)
    assert (decision.outcome, decision.reason, decision.held) == (
        *(Outcome.IGNORED, Reason.HELD_FORWARD),
        HeldKind.FORWARD,
    )
    assert (decision.users, decision.sightings, decision.todo_users) == ((1,), ((Route.LOG, 1),), ())


@pytest.mark.parametrize(
    ("recipients", "lines"),
    [
        (TO_RICHARD, [("From", RICHARD), ("Subject", "Fwd: x")]),
        (TO_LOG, [("From", RICHARD), ("To", "mary@firm.example"), ("Subject", "Fwd: x")]),
        (TO_LOG, [("From", RICHARD), ("To", STRANGER), ("Subject", "Re: Fwd: x")]),
        (TO_LOG, [("From", STRANGER), ("To", TO_LOG), ("Subject", "Fwd: x")]),
        (TO_LOG, [("From", f'"\x01x\\" <{RICHARD}>, "'), ("To", TO_LOG), ("Subject", "Fwd: x")]),
        (TO_LOG, [("From", RICHARD), ("To", TO_LOG), ("Auto-Submitted", "auto-replied")]),
        (TO_LOG, [("From", RICHARD), ("To", "jane@client.example")]),
    ],
)
def test_nothing_else_is_held(directory: Directory, recipients: str, lines: list[tuple[str, str]]) -> None:
    assert [one.held for one in _decide(directory, recipients, lines)] == [None]


@pytest.mark.parametrize("recipients", [TO_LOG])
def test_nothing_is_held_where_that_is_off(people: "MemoryDirectory", recipients: str) -> None:
    tenants = [tenant._replace(holds_forwards=False) for tenant in people.tenants]
    (decision,) = _decide(replace(people, tenants=tenants), recipients, [("From", RICHARD), ("To", TO_LOG)])
    assert (decision.reason, decision.held) == (Reason.NO_CONTACT, None)


@pytest.mark.parametrize(
    ("text", "doubt", "named", "todo_users"),
    [
        (f"Jane <{JANE}>", None, (), (USERS["richard"],)),
        (f"Clients: {JANE};", None, (), (USERS["richard"],)),
        (f'"\x01x\\" <{JANE}>, "', Doubt.REPAIRED, (), (USERS["richard"],)),
        (f"{JANE} <{JANE_AT_HOME}>", Doubt.SEVERAL, (JANE, JANE_AT_HOME), ()),
    ],
)
def test_an_author_who_is_less_sure_is_marked_and_one_of_several_is_on_no_list(
    directory: Directory, text: str, doubt: Doubt | None, named: tuple[str, ...], todo_users: tuple[int, ...]
) -> None:
    (decision,) = _decide(directory, TO_RICHARD, [("From", text)])
    assert (decision.outcome, decision.author, decision.doubt) == (Outcome.CAPTURED, JANE, doubt)
    assert {ref.id for ref in decision.contacts} == {CONTACTS["jane"]}
    assert decision.users == (USERS["richard"],)
    assert decision.todo_users == todo_users
    assert decision.named == named


@pytest.mark.parametrize("recipients", [TO_RICHARD, TO_LOG])
@pytest.mark.parametrize(("wanted", "todo_users"), [(False, ()), (True, (1,))])
def test_an_automatic_answer_is_a_todo_where_the_deployment_wants_that(
    people: "MemoryDirectory", recipients: str, wanted: bool, todo_users: tuple[int, ...]
) -> None:
    tenants = [one._replace(automatic_todos=wanted) for one in people.tenants]
    lines = [("From", JANE), ("To", RICHARD), ("Auto-Submitted", "auto-replied")]
    (decision,) = _decide(replace(people, tenants=tenants), recipients, lines)
    assert (decision.outcome, decision.users, decision.todo_users) == (Outcome.CAPTURED, (1,), todo_users)


def test_an_ignored_message_names_all_that_its_from_could_show(directory: Directory) -> None:
    (decision,) = _decide(directory, TO_RICHARD, [("From", f"{JANE} <x@stranger.example>")])
    assert (decision.author, decision.named) == (None, (JANE, "x@stranger.example"))
    (decision,) = _decide(directory, TO_RICHARD, [("From", f'"{JANE}"')])
    assert (decision.author, decision.named) == (None, (JANE,))


def test_an_ignored_message_still_names_author_and_message_id(directory: Directory) -> None:
    (decision,) = _decide(directory, TO_RICHARD, [("From", "X <X@Stranger.example>"), ("Message-ID", "<1@x>")])
    assert (decision.author, decision.message_id) == ("x@stranger.example", "<1@x>")


TOKEN = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("marks", "outcome"),
    [
        ([], Outcome.CAPTURED),
        (["1"], Outcome.CAPTURED),
        (["redirected-confirmation"], Outcome.CAPTURED),
        (["f" * 32], Outcome.CAPTURED),
        ([TOKEN[:-1]], Outcome.CAPTURED),
        ([TOKEN + "0"], Outcome.CAPTURED),
        ([TOKEN], Outcome.IGNORED),
        ([f"{'f' * 32} {TOKEN}"], Outcome.IGNORED),
        (["f" * 32, TOKEN], Outcome.IGNORED),  # another Mailweir's mark above ours
    ],
)
def test_only_our_own_token_marks_a_return(people: "MemoryDirectory", marks: list[str], outcome: Outcome) -> None:
    """Anybody can write our header. A client's mail isn't lost because of it, whoever forwards it."""
    directory = replace(people, tokens=[(1, TOKEN)])
    lines = [(headers.LOOP_HEADER.decode().lower(), mark) for mark in marks]
    recipients = f"{TO_RICHARD} richard@other.example.org"
    demo, other = _decide(
        directory,
        recipients,
        [*lines, ("From", "jane@client.example")],
    )
    assert demo.outcome is outcome
    assert (demo.reason is Reason.RETURNED_CONFIRMATION) == (outcome is Outcome.IGNORED)
    assert other.reason is not Reason.RETURNED_CONFIRMATION  # law 4: another deployment's token has no meaning here


def test_bounce_tokens_go_with_the_decision(directory: Directory) -> None:
    (decision,) = _decide(directory, "bounce+a1@demo.example.net bounce+b2@demo.example.net", [])
    assert decision.bounce_tokens == ("a1", "b2")


def test_two_deployments_in_one_envelope_know_nothing_of_each_other(directory: Directory) -> None:
    """jane is a contact of demo and a user of other, mary is the reverse, and both have a richard."""
    recipients = f"{TO_RICHARD} richard@other.example.org"
    lines = [("From", "jane@client.example"), ("To", "mary@firm.example, x@stranger.example")]
    demo, other = _decide(directory, recipients, lines)
    assert (demo.deployment.name, demo.direction, demo.users) == ("demo", Direction.INCOMING, (1,))
    assert [ref.id for ref in demo.contacts] == [CONTACTS["jane"]]
    assert demo.addresses == (TO_RICHARD,)
    assert (other.deployment.name, other.direction, other.users) == ("other", Direction.OUTGOING, (5, 4))
    assert [ref.id for ref in other.contacts] == [4]
    assert other.addresses == ("richard@other.example.org",)

    lines = [("From", "jane@home.example"), ("To", "mary@firm.example")]
    demo, other = _decide(directory, recipients, lines)
    assert (demo.outcome, other.outcome, other.reason) == (Outcome.CAPTURED, Outcome.IGNORED, Reason.UNKNOWN_AUTHOR)


def test_a_login_or_user_of_another_deployment_is_an_outsider(directory: Directory) -> None:
    (demo,) = _decide(directory, TO_LOG, [("From", "richard@else.example"), ("To", "jane@client.example")])
    assert (demo.outcome, demo.reason) == (Outcome.IGNORED, Reason.UNKNOWN_AUTHOR)


def test_recipients_are_sorted_into_ours_and_others(directory: Directory) -> None:
    typed = [
        "<Richard@DEMO.example.net>",
        "<postmaster@demo.example.net>",
        "<Abuse@demo.example.net>",
        "<gone@demo.example.net>",
        "<x@stranger.example>",
        "<postmaster>",
        "<log@other.example.org>",
        "<richard@sub.demo.example.net>",
        "<@relay.example:mary@demo.example.net>",
    ]
    found = sort_recipients([read_recipient(one) for one in typed], directory)
    assert [one.typed for one in found.ours] == [typed[0], typed[3], typed[6], typed[8]]
    assert [one.typed for one in found.others] == [typed[1], typed[2], typed[4], typed[5], typed[7]]
    demo, other = found.arrivals
    assert demo.addresses == ("richard@demo.example.net", "gone@demo.example.net", "mary@demo.example.net")
    assert {a: user.id for a, user in demo.owners.items()} == {
        "richard@demo.example.net": 1,
        "mary@demo.example.net": 2,
    }
    assert (demo.at_log, other.at_log, dict(other.owners)) == (False, True, {})


def test_mail_that_is_only_for_others_makes_no_decision(directory: Directory) -> None:
    assert _decide(directory, "postmaster@demo.example.net x@stranger.example", [("From", "jane@client.example")]) == []
    assert sort_recipients([], directory) == Sorted()


def test_a_mail_to_more_addresses_than_one_statement_takes(directory: Directory) -> None:
    crowd = ", ".join(f"x{number}@stranger.example" for number in range(1_200))
    (decision,) = _decide(directory, TO_LOG, [("From", "richard@firm.example"), ("To", f"{crowd}, joe@client.example")])
    assert [ref.id for ref in decision.contacts] == [CONTACTS["joe"]]


_ADDRESSES = st.sampled_from(
    [
        "richard@firm.example",
        "rick@firm.example",
        "mary@firm.example",
        "pat@both.example",
        "jane@client.example",
        "jane@home.example",
        "joe@client.example",
        "office@client.example",
        "richard@else.example",
        "x@stranger.example",
        TO_RICHARD,
        TO_LOG,
    ]
)
_RECIPIENTS = st.sampled_from(
    [
        TO_RICHARD,
        TO_MARY,
        TO_LOG,
        "gone@demo.example.net",
        "bounce+a@demo.example.net",
        "postmaster@demo.example.net",
        "richard@other.example.org",
        "jane@other.example.org",
        "log@other.example.org",
        "x@stranger.example",
    ]
)


@settings(max_examples=200, deadline=None)
@given(_ADDRESSES, st.lists(_ADDRESSES, max_size=4), st.lists(_RECIPIENTS, min_size=1, max_size=4, unique=True))
def test_a_decision_keeps_the_laws(
    people: "MemoryDirectory", author: str, to: list[str], recipients: list[str]
) -> None:
    lines = [("From", author), ("To", ", ".join(to))]
    decisions = _decide(people, recipients, lines)
    assert len({decision.deployment for decision in decisions}) == len(decisions)
    for decision in decisions:
        own = {user.id for at, user, _ in people.users if at == decision.deployment.id}
        contacts = {contact_id for at, contact_id, _ in people.contacts if at == decision.deployment.id}
        # law 4: nobody of another deployment; and without that deployment the decision is the same
        assert set(decision.users) | set(decision.todo_users) <= own
        assert {ref.id for ref in decision.contacts} <= contacts
        mine = [one for one in recipients if one.endswith(decision.deployment.domain)]
        assert _decide(people, mine, lines) == [decision]
        # captured exactly if a contact takes part and the author is a user or a contact
        assert (decision.outcome is Outcome.CAPTURED) == bool(decision.contacts)
        assert set(decision.todo_users) <= set(decision.users)
        is_staff = author in ("richard@firm.example", "pat@both.example") and decision.deployment.name == "demo"
        assert not is_staff or decision.direction in (None, Direction.OUTGOING)
