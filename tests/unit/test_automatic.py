"""Automatic answers, recognised by programs' marks; and people's mail that looks similar."""

from typing import TYPE_CHECKING

import pytest

from mailweir import headers, matching
from mailweir.arrivals import sort_recipients
from mailweir.decision import Outcome
from mailweir.directory import UserRef
from mailweir.envelope import read_recipient
from mailweir.matching import SyncedMailbox

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

Lines = list[tuple[str, str]]
AUTOMATIC: dict[str, Lines] = {
    "RFC 3834": [("Auto-Submitted", "auto-replied")],
    "with a parameter, in capitals": [("auto-submitted", "Auto-Replied; owner-email=x@y.example")],
    "Exchange's out-of-office": [
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("In-Reply-To", "<1@firm.example>"),
    ],
    "X-Autoreply": [("X-Autoreply", "yes")],
    "X-Autorespond": [("X-Autorespond", "Re: An offer")],
    "Precedence": [("Precedence", "auto_reply")],
}
HUMAN: dict[str, Lines] = {
    "no": [("Auto-Submitted", "no")],
    "X-Autoreply: no": [("X-Autoreply", "no")],
    "a rule of Microsoft's forwarded it": [("Auto-Submitted", "auto-generated")],
    "a rule forwarded an answer": [("Auto-Submitted", "auto-generated"), ("In-Reply-To", "<1@firm.example>")],
    "it asks for no automatic answer": [("X-Auto-Response-Suppress", "All"), ("In-Reply-To", "<1@firm.example>")],
    "bulk": [("Precedence", "bulk")],
    "nothing": [],
}


def _headers(lines: Lines) -> list[headers.Header]:
    return [(name.encode(), f" {value}".encode()) for name, value in lines]


@pytest.mark.parametrize(
    ("lines", "expected", "todo_users"),
    [(lines, True, ()) for lines in AUTOMATIC.values()] + [(lines, False, (1,)) for lines in HUMAN.values()],
    ids=[*AUTOMATIC, *HUMAN],
)
def test_an_automatic_answer_is_on_the_record_and_no_to_do(
    people: "MemoryDirectory", lines: Lines, expected: bool, todo_users: tuple[int, ...]
) -> None:
    view = headers.look(_headers([("From", "jane@client.example"), ("To", "richard@firm.example"), *lines]))
    assert view.is_automatic_answer is expected
    found = sort_recipients([read_recipient("<richard@demo.example.net>")], people)
    demo = people.deployments(["demo.example.net"])["demo.example.net"]
    mailbox = SyncedMailbox(demo, UserRef(1, "richard", "richard@firm.example"), inbound=True, outbound=True)
    for decision in (
        matching.decide(found.arrivals[0], view, people),
        matching.decide_synced(mailbox, view, (), people, is_sent=False),
    ):
        assert (decision.outcome, decision.users) == (Outcome.CAPTURED, (1,))
        assert decision.todo_users == todo_users


def test_what_gmail_gives_whole_is_read_whole() -> None:
    """Postfix cuts headers of over 60,000 bytes without a sign, so the last address of a long header doesn't count there."""
    many = ", ".join(f"p{number}@client.example" for number in range(3_000))
    lines = _headers([("From", "richard@firm.example"), ("To", f"{many}, last@client.example")])
    assert "last@client.example" in headers.look(lines, may_be_cut=False).recipients
    assert "last@client.example" not in headers.look(lines).recipients
    # it has a limit, too
    assert len(headers.look(_headers([("To", many * 6)]), may_be_cut=False).recipients) < 18_000
