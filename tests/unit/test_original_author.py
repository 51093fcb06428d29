"""Mail that a group or list passed on under its own address: its author. A stranger's claims gain nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mailweir import headers, identity, matching, original_author
from mailweir.arrivals import sort_recipients
from mailweir.decision import Decision, Direction, Outcome, Reason
from mailweir.directory import Directory, UserRef
from mailweir.envelope import read_recipient
from mailweir.matching import SyncedMailbox

if TYPE_CHECKING:
    from mailweir.headers import Header
    from tests.people import MemoryDirectory

SALES, LIST = "sales@firm.example", "list@lists.example"
JANE, JOE, RICHARD, STRANGER = "jane@client.example", "joe@client.example", "richard@firm.example", "x@stranger.example"
FROM_SALES = ("From", f'"Jane via Sales" <{SALES}>')
MARKED = ("List-Id", "Sales <sales.firm.example>")

Lines = list[tuple[str, str]]


def _headers(lines: Lines) -> "list[Header]":
    return [(name.encode(), f" {value}".encode()) for name, value in lines]


@pytest.fixture
def firm(people: "MemoryDirectory") -> "MemoryDirectory":
    """demo, which also has the group sales@."""
    return replace(people, groups=[(1, SALES)])


def _decide(directory: Directory, lines: Lines, recipient: str = "richard@demo.example.net") -> Decision:
    found = sort_recipients([read_recipient(f"<{recipient}>")], directory)
    return matching.decide(found.arrivals[0], headers.look(_headers(lines)), directory)


def _sync(directory: Directory, lines: Lines, *, is_sent: bool = False) -> Decision:
    demo = directory.deployments(["demo.example.net"])["demo.example.net"]
    mailbox = SyncedMailbox(demo, UserRef(1, "richard", RICHARD), inbound=True, outbound=True)
    return matching.decide_synced(mailbox, headers.look(_headers(lines)), (), directory, is_sent=is_sent)


# --- the headers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ([("X-Original-From", f"Jane <{JANE}>")], JANE),
        ([("x-original-FROM", f"Jane :) <{JANE.upper()}>")], JANE),
        ([("X-Original-Sender", JANE)], JANE),
        ([("X-Original-From", f"Jane <{JANE}>"), ("X-Original-Sender", JOE)], JANE),
        ([("X-Original-Sender", JOE), ("X-Original-From", JANE), ("Reply-To", STRANGER), MARKED], JANE),
        ([("X-Original-From", JANE), ("X-Original-From", f"Jane <{JANE}>")], JANE),
        ([("X-Original-From", JANE), ("X-Original-From", JOE)], None),
        ([("X-Original-From", f"{JANE}, {JOE}")], None),
        ([("X-Original-From", f'"{JANE}" <{JOE}>')], JOE),
        ([("X-Original-From", f"{JANE} <{JOE}>")], None),
        # the first header that is there counts, and no other in its place
        ([("X-Original-From", "nobody"), ("X-Original-Sender", JANE)], None),
        ([("X-Original-From", ""), ("Reply-To", JANE), MARKED], None),
        ([("X-Original-From", f"<{JANE}>" + " " * 60_000)], None),
        ([("X-Original-From", JANE)] * 5, None),
        ([("Reply-To", JANE)], None),
        ([("Reply-To", JANE), MARKED], JANE),
        ([("Reply-To", JANE), ("List-Post", "<mailto:sales@firm.example>")], JANE),
        ([("Reply-To", JANE), ("Mailing-List", "list sales@firm.example")], JANE),
        ([("Reply-To", JANE), ("Precedence", "List")], JANE),
        ([("Reply-To", JANE), ("Precedence", "bulk")], None),
        ([("Reply-To", f"{JANE}, {JOE}"), MARKED], None),
        ([("Reply-To", JANE), ("Reply-To", JOE), MARKED], None),
    ],
)
def test_the_first_header_that_there_is_names_one_author(lines: Lines, named: str | None) -> None:
    found = headers.look(_headers([FROM_SALES, *lines])).original
    assert getattr(found, "address", None) == named
    assert found is None or found.is_reply_to == (lines[0][0] == "Reply-To")


# --- the author ------------------------------------------------------------------------------------------------------


def _as_a_group(people: "MemoryDirectory") -> "MemoryDirectory":
    return replace(people, groups=[(1, SALES)])


def _as_an_alias(people: "MemoryDirectory") -> "MemoryDirectory":
    return replace(people, users=[*people.users, (1, UserRef(2, "mary", "mary@firm.example"), (SALES,))])


@pytest.mark.parametrize(
    "lines",
    [
        [("X-Original-From", f"Jane <{JANE}>"), ("X-Original-Sender", JANE)],
        [("X-Original-Sender", JANE)],
        [("Reply-To", f"Jane <{JANE}>"), MARKED],
    ],
)
@pytest.mark.parametrize("known", [_as_a_group, _as_an_alias])
def test_a_contact_behind_the_firms_address_is_the_author(
    people: "MemoryDirectory", lines: Lines, known: "Callable[[MemoryDirectory], MemoryDirectory]"
) -> None:
    directory = known(people)
    for decision in (
        _decide(directory, [FROM_SALES, ("To", SALES), *lines]),
        _sync(directory, [FROM_SALES, ("To", SALES), *lines]),
    ):
        assert (decision.outcome, decision.reason) == (Outcome.CAPTURED, Reason.AUTHOR_IS_CONTACT)
        assert (decision.author, decision.via, decision.direction) == (JANE, SALES, Direction.INCOMING)
        assert [ref.address for ref in decision.contacts] == [JANE]
        assert decision.todo_users == (1,)
        assert decision.named == (SALES, JANE), "`why` finds it by either"


def test_a_colleague_behind_a_group_is_the_author(firm: "MemoryDirectory") -> None:
    lines = [FROM_SALES, ("To", f"{SALES}, {JANE}"), ("X-Original-From", RICHARD)]
    for decision in (_decide(firm, lines, "mary@demo.example.net"), _sync(firm, lines)):
        assert (decision.outcome, decision.author, decision.via) == (Outcome.CAPTURED, RICHARD, SALES)
        assert decision.direction is Direction.OUTGOING
        assert decision.users[0] == 1


@pytest.mark.parametrize(
    ("lines", "reason", "author"),
    [
        # a stranger behind the group is a stranger, whoever gets a copy, and no user for writing to an alias
        ([FROM_SALES, ("To", JANE), ("X-Original-From", STRANGER)], Reason.UNKNOWN_AUTHOR, STRANGER),
        ([FROM_SALES, ("To", JANE)], Reason.UNKNOWN_AUTHOR, SALES),
        ([FROM_SALES, ("Reply-To", STRANGER), MARKED], Reason.UNKNOWN_AUTHOR, SALES),
        # an unknown group
        ([("From", LIST), ("X-Original-From", JANE)], Reason.UNKNOWN_GROUP, LIST),
        ([("From", LIST), ("X-Original-From", RICHARD)], Reason.UNKNOWN_GROUP, LIST),
        ([("From", LIST), ("Reply-To", JANE), MARKED], Reason.UNKNOWN_GROUP, LIST),
        ([("From", LIST), ("Reply-To", RICHARD), MARKED], Reason.UNKNOWN_AUTHOR, LIST),
        ([("From", LIST), ("X-Original-From", STRANGER)], Reason.UNKNOWN_AUTHOR, LIST),
        ([("From", f"{LIST}, {SALES}"), ("X-Original-From", JANE)], Reason.UNREADABLE_AUTHOR, None),
    ],
)
def test_who_is_behind_a_group_and_unknown_is_ignored(
    firm: "MemoryDirectory", lines: Lines, reason: Reason, author: str | None
) -> None:
    for decision in (_decide(firm, lines), _sync(firm, lines)):
        assert (decision.outcome, decision.reason, decision.author) == (Outcome.IGNORED, reason, author)
        assert reason is not Reason.UNKNOWN_GROUP or decision.named == (LIST, lines[1][1]), "`why` can name both"


def test_a_contacts_own_mail_is_its_authors_whatever_it_names(firm: "MemoryDirectory") -> None:
    lines = [("From", JOE), ("To", RICHARD), ("X-Original-From", JANE), ("Reply-To", JANE), MARKED]
    for decision in (_decide(firm, lines), _sync(firm, lines)):
        assert (decision.author, decision.via) == (JOE, None)
        assert [ref.address for ref in decision.contacts] == [JOE], (
            "an address that is only named as original takes no part"
        )


def test_a_users_own_post_to_a_list_stays_the_users(firm: "MemoryDirectory") -> None:
    """The list set Reply-To to itself, or to him."""
    for reply_to in (LIST, RICHARD, STRANGER):
        lines = [("From", RICHARD), ("To", f"{LIST}, {JANE}"), ("Reply-To", reply_to), MARKED]
        decision = _decide(firm, lines, "log@demo.example.net")
        assert (decision.author, decision.direction, decision.via) == (RICHARD, Direction.OUTGOING, None)


def test_sent_mail_passed_through_no_group(firm: "MemoryDirectory") -> None:
    for name in ("X-Original-From", "Reply-To"):
        decision = _sync(firm, [("From", RICHARD), ("To", JOE), (name, JANE), MARKED], is_sent=True)
        assert (decision.author, decision.direction, decision.via) == (RICHARD, Direction.OUTGOING, None)
        assert [ref.address for ref in decision.contacts] == [JOE]


def test_another_deployment_has_its_own_groups(firm: "MemoryDirectory") -> None:
    lines = [FROM_SALES, ("X-Original-From", "jane@home.example")]
    assert _decide(firm, lines, "richard@demo.example.net").outcome is Outcome.CAPTURED
    assert _decide(firm, lines, "richard@other.example.org").reason is not Reason.AUTHOR_IS_CONTACT


def test_mail_among_staff_and_their_groups_is_internal(firm: "MemoryDirectory") -> None:
    assert _decide(firm, [("From", RICHARD), ("To", f"mary@firm.example, {SALES}")]).reason is Reason.INTERNAL
    assert _decide(firm, [("From", RICHARD), ("To", f"{SALES}, {STRANGER}")]).reason is Reason.NO_CONTACT


# --- one message ------------------------------------------------------------------------------------------------------


def test_the_groups_copy_and_a_direct_one_have_one_key() -> None:
    same = [("Message-ID", "<1@x>"), ("Date", "Tue, 24 Nov 2026 03:12:55 +0000")]
    direct = identity.key(headers.look(_headers([("From", f"Jane <{JANE}>"), *same])), b"one body")
    copy = headers.look(_headers([FROM_SALES, ("X-Original-From", JANE), *same]))
    assert identity.key(copy, b"another", author=JANE) == direct
    assert identity.key(copy, b"another") != direct


def test_versions_of_a_group_are_told_apart_by_what_proves_them() -> None:
    lines = _headers([FROM_SALES, ("X-Original-From", JANE), ("ARC-Seal", "i=1; b=x")])
    other = [*lines[:-1], (b"ARC-Seal", b" i=1; b=forged")]
    assert identity.version(lines, b"") == identity.version(other, b"")
    assert identity.version(lines, b"", through_group=True) != identity.version(other, b"", through_group=True)


# --- its earlier From ------------------------------------------------------------------------------------------------

BODY = b"\r\n\r\nFrom: nobody@x\r\nX-Original-From: nobody@x\r\n"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (
            b"A: b\r\nfrom : s@x\r\nX-Original-From: Jane\r\n <j@y>\r\nTo: x",
            b"A: b\r\nFrom: Jane\r\n <j@y>\r\nX-Original-From: Jane\r\n <j@y>\r\nTo: x" + BODY,
        ),
        (b"From: s@x\r\nX-Original-Sender: j@y", None),
        (b"From: s@x\r\nX-Original-From: a@y\r\nX-Original-From: b@y", None),
        (b"From: s@x\r\nFrom: t@x\r\nX-Original-From: a@y", None),
        (b"X-Original-From: a@y", None),
        (b"", None),
    ],
)
def test_the_from_that_a_group_noted_is_put_back(head: bytes, expected: bytes | None) -> None:
    found = original_author.restored(head + BODY)
    assert found == expected
