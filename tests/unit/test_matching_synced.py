"""Decisions on synced messages: a table of cases, with a directory in memory and one in the database."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import hypothesis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir import headers, matching
from mailweir.decision import Decision, Direction, Outcome, Reason, Route
from mailweir.directory import DeploymentRef, Directory, UserRef
from mailweir.folding import Folding
from mailweir.headers import HeaderView
from mailweir.matching import SyncedMailbox
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.people import contacts, deployments, users
from mailweir.store.people.directory import SqlDirectory

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

NOW = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)
DEMO = DeploymentRef(1, "demo", "demo.example.net")
OTHER = DeploymentRef(2, "other", "other.example.org")
RICHARD, RICK, MARY, PAT = "richard@firm.example", "rick@firm.example", "mary@firm.example", "pat@both.example"
JANE, JANE_AT_HOME, JOE, OFFICE = (
    "jane@client.example",
    "jane@home.example",
    "joe@client.example",
    "office@client.example",
)
ALIAS = "sales@firm.example"  # unknown to us
STRANGER = "x@stranger.example"
TO_RICHARD, TO_LOG = "richard@demo.example.net", "log@demo.example.net"
OF_RICHARD = SyncedMailbox(DEMO, UserRef(1, "richard", RICHARD), inbound=True, outbound=True)


def _view(author: str, to: str = "", cc: str = "") -> HeaderView:
    return headers.look(
        [
            (b"From", f" Somebody <{author}>".encode()),
            (b"To", f" {to}".encode()),
            (b"Cc", f" {cc}".encode()),
            (b"Message-ID", b" <1@x>"),
        ]
    )


@dataclass(frozen=True)
class Case:
    """A message in richard's mailbox and its decision.

    bcc, contacts: separated by blanks. contacts: id:address, with ! in front if only the Bcc has it. users: ids, the author
    first.
    """

    says: str
    is_sent: bool
    author: str
    to: str
    bcc: str
    contacts: str
    users: str
    route: Route = Route.GMAIL_OUT


SENT = [
    Case("to a contact", True, RICHARD, JANE, "", f"1:{JANE}", "1"),
    Case("from the user's other address", True, RICK.title(), JANE, "", f"1:{JANE}", "1"),
    Case("from an alias that nobody told us of", True, ALIAS, JANE, "", f"1:{JANE}", "1"),
    Case("from a colleague's address", True, MARY, JANE, "", f"1:{JANE}", "2 1"),
    Case("to a contact and oneself", True, RICHARD, f"{RICHARD}, {JANE}", "", f"1:{JANE}", "1"),
    Case("to a contact and a stranger", True, RICHARD, f"{STRANGER}, {JOE}", "", f"2:{JOE}", "1"),
    Case("to a contact at two addresses", True, RICHARD, f"{JANE}, {JANE_AT_HOME}", "", f"1:{JANE} 1:{JANE_AT_HOME}", "1"),
    Case("to an office's address", True, RICHARD, OFFICE, "", f"1:{OFFICE} 2:{OFFICE}", "1"),
    Case("to a contact in Bcc", True, RICHARD, MARY, JANE, f"!1:{JANE}", "1"),
    Case("to a contact in Bcc alone", True, RICHARD, "", JANE, f"!1:{JANE}", "1"),
    Case("from an alias to a contact in Bcc", True, ALIAS, STRANGER, JANE, f"!1:{JANE}", "1"),
    Case("to a contact in To and in Bcc", True, RICHARD, JANE, JANE, f"1:{JANE}", "1"),
    Case("to one contact in To, another in Bcc", True, RICHARD, JANE, f"{JOE} {MARY}", f"1:{JANE} !2:{JOE}", "1"),
    Case("with a copy at log", True, RICHARD, f"{JANE}, {TO_LOG}", "", f"1:{JANE}", "1"),
    Case("with a hidden copy at log", True, RICHARD, JANE, TO_LOG, f"1:{JANE}", "1"),
    Case("somebody on both sides writes as staff", True, PAT, JANE, "", f"1:{JANE}", "3 1"),
    Case("a colleague's mail to a client, received", False, MARY, f"{JANE}, {RICHARD}", "", f"1:{JANE}", "2 1", Route.GMAIL_IN),
    Case("own mail that was sent elsewhere", False, RICK, JANE, "", f"1:{JANE}", "1", Route.GMAIL_IN),
    Case("Bcc of what wasn't sent from here counts for nothing", False, MARY, JANE, JOE, f"1:{JANE}", "2 1", Route.GMAIL_IN),
]  # fmt: skip

RECEIVED = [
    Case("a contact's mail", False, JANE, RICHARD, "", f"1:{JANE}", "1"),
    Case("from the contact's other address", False, JANE_AT_HOME.upper(), "", "", f"1:{JANE_AT_HOME}", "1"),
    Case("from an office's address", False, OFFICE, RICHARD, "", f"1:{OFFICE} 2:{OFFICE}", "1"),
    Case("other contacts in To", False, JANE, f"{RICHARD}, {JOE}", "", f"1:{JANE} 2:{JOE}", "1"),
    Case("a colleague in To", False, JANE, f"{MARY}, {RICHARD}", "", f"1:{JANE}", "1"),
    Case("somebody on both sides in To is staff", False, JANE, PAT, "", f"1:{JANE}", "1"),
    Case("as a mailing list sends it", False, JANE, "list@stranger.example", "", f"1:{JANE}", "1"),
    Case("with the capture address in To", False, JANE, TO_RICHARD, "", f"1:{JANE}", "1"),
    Case("to themselves", False, JANE, JANE, "", f"1:{JANE}", "1"),
    Case("with a Bcc, which was the sender's own to tell", False, JANE, RICHARD, JOE, f"1:{JANE}", "1"),
    Case("that lies among what was sent", True, JANE, RICHARD, JOE, f"1:{JANE} !2:{JOE}", "1"),
]


@pytest.mark.parametrize(("wanted", "todo_users"), [(False, ()), (True, (1,))])
def test_an_automatic_answer_is_a_todo_where_the_deployment_wants_that(
    people: "MemoryDirectory", wanted: bool, todo_users: tuple[int, ...]
) -> None:
    view = headers.look([(b"From", JANE.encode()), (b"To", RICHARD.encode()), (b"Auto-Submitted", b"auto-replied")])
    mailbox = OF_RICHARD._replace(deployment=DEMO._replace(automatic_todos=wanted))
    assert matching.decide_synced(mailbox, view, (), people, is_sent=False).todo_users == todo_users


def _says(case: Case) -> str:
    return case.says


def _check(directory: Directory, case: Case) -> Decision:
    view = _view(case.author, case.to)
    decision = matching.decide_synced(OF_RICHARD, view, tuple(case.bcc.split()), directory, is_sent=case.is_sent)
    assert decision.outcome is Outcome.CAPTURED
    assert (decision.deployment, decision.addresses, decision.bounce_tokens) == (DEMO, (), ())
    assert (decision.author, decision.message_id) == (case.author.lower(), "<1@x>")
    shown = [f"{'!' * ref.is_bcc}{ref.id}:{ref.address}" for ref in decision.contacts]
    assert sorted(shown) == sorted(case.contacts.split())
    assert decision.users == tuple(int(one) for one in case.users.split())
    return decision


@pytest.mark.parametrize("case", SENT, ids=_says)
def test_what_staff_wrote_to_a_contact_is_captured_without_a_todo(directory: Directory, case: Case) -> None:
    decision = _check(directory, case)
    assert (decision.direction, decision.reason) == (Direction.OUTGOING, Reason.AUTHOR_IS_USER)
    assert decision.todo_users == ()
    assert decision.sightings == ((case.route, 1),)


@pytest.mark.parametrize("case", RECEIVED, ids=_says)
def test_a_contacts_mail_is_captured_for_the_mailboxs_user(directory: Directory, case: Case) -> None:
    decision = _check(directory, case)
    assert (decision.direction, decision.reason) == (Direction.INCOMING, Reason.AUTHOR_IS_CONTACT)
    assert decision.todo_users == (1,)
    assert decision.sightings == ((Route.GMAIL_IN, 1),)


@pytest.mark.parametrize(
    ("is_sent", "author", "to", "bcc", "reason"),
    [
        (False, STRANGER, f"{RICHARD}, {JANE}", "", Reason.UNKNOWN_AUTHOR),
        (False, ALIAS, JANE, "", Reason.UNKNOWN_AUTHOR),  # only sent mail is certainly the user's
        (False, f"{JANE}.evil.example", RICHARD, "", Reason.UNKNOWN_AUTHOR),
        (False, TO_RICHARD, JANE, "", Reason.UNKNOWN_AUTHOR),
        (False, RICHARD, RICHARD, "", Reason.INTERNAL),
        (True, RICHARD, RICHARD, "", Reason.INTERNAL),  # sent to oneself
        (True, RICHARD, RICK, MARY, Reason.INTERNAL),
        (True, RICHARD, PAT, "", Reason.INTERNAL),
        (True, ALIAS, RICHARD, "", Reason.INTERNAL),
        (True, RICHARD, f"{MARY}, {TO_LOG}", "", Reason.INTERNAL),
        (True, RICHARD, TO_LOG, "", Reason.NO_CONTACT),
        (True, RICHARD, "", "", Reason.NO_CONTACT),
        (True, RICHARD, STRANGER, "", Reason.NO_CONTACT),
        (True, ALIAS, STRANGER, "", Reason.NO_CONTACT),
        (True, RICHARD, f"{MARY}, {STRANGER}", "", Reason.NO_CONTACT),
        (False, MARY, RICHARD, JANE, Reason.INTERNAL),  # a Bcc counts only in sent mail
        (False, MARY, f"{RICHARD}, {STRANGER}", "", Reason.NO_CONTACT),
        (True, "nobody at all", JANE, "", Reason.UNREADABLE_AUTHOR),
        (False, "nobody at all", RICHARD, "", Reason.UNREADABLE_AUTHOR),
    ],
)
def test_all_else_is_ignored_and_says_why(
    directory: Directory, is_sent: bool, author: str, to: str, bcc: str, reason: Reason
) -> None:
    decision = matching.decide_synced(OF_RICHARD, _view(author, to), tuple(bcc.split()), directory, is_sent=is_sent)
    assert (decision.outcome, decision.reason) == (Outcome.IGNORED, reason)
    assert (decision.direction, decision.contacts, decision.users) == (None, (), ())
    assert (decision.todo_users, decision.sightings, decision.message_id) == ((), (), "<1@x>")


@pytest.mark.parametrize(
    ("is_sent", "author", "to", "wants"),
    [
        (True, RICHARD, JANE, "outbound"),
        (True, ALIAS, JANE, "outbound"),
        (True, RICHARD, f"{RICHARD}, {JANE}", "outbound"),
        (False, JANE, RICHARD, "inbound"),
        (False, MARY, f"{JANE}, {RICHARD}", "inbound"),
        (False, RICHARD, JANE, "inbound"),
        (True, JANE, RICHARD, "inbound"),  # its folder doesn't turn a contact's mail into outgoing mail
    ],
)
def test_only_the_directions_that_were_ticked_are_synced(
    directory: Directory, is_sent: bool, author: str, to: str, wants: str
) -> None:
    for ticked in (set[str](), {"inbound"}, {"outbound"}, {"inbound", "outbound"}):
        mailbox = OF_RICHARD._replace(inbound="inbound" in ticked, outbound="outbound" in ticked)
        decision = matching.decide_synced(mailbox, _view(author, to), (), directory, is_sent=is_sent)
        assert (decision.outcome is Outcome.CAPTURED) == (wants in ticked)
        assert (decision.outcome is Outcome.IGNORED) == (wants not in ticked)
        assert (decision.reason is Reason.NOT_SYNCED) == (wants not in ticked)


def test_a_mailbox_of_another_deployment_knows_its_own_people_only(directory: Directory) -> None:
    """jane is a contact of demo and a user of other; mary is the reverse."""
    of_jane = SyncedMailbox(OTHER, UserRef(5, "jane", JANE), inbound=True, outbound=True)
    sent = matching.decide_synced(of_jane, _view(JANE, f"{MARY}, {JANE_AT_HOME}"), (), directory, is_sent=True)
    assert (sent.direction, sent.users, [ref.id for ref in sent.contacts]) == (Direction.OUTGOING, (5,), [4])
    got = matching.decide_synced(of_jane, _view(MARY, JANE), (), directory, is_sent=False)
    assert (got.direction, got.users, [ref.id for ref in got.contacts]) == (Direction.INCOMING, (5,), [4])
    for author, to in ((JANE_AT_HOME, JANE), (RICHARD, JANE), (PAT, JANE)):
        decision = matching.decide_synced(of_jane, _view(author, to), (), directory, is_sent=False)
        assert (decision.outcome, decision.reason) == (Outcome.IGNORED, Reason.UNKNOWN_AUTHOR)


def test_whose_own_address_an_author_has(directory: Directory) -> None:
    assert matching.is_own(OF_RICHARD, RICHARD, directory)
    assert matching.is_own(OF_RICHARD, RICK, directory)
    for author in (None, MARY, ALIAS, JANE, "richard@else.example", ""):
        assert not matching.is_own(OF_RICHARD, author, directory)
    of_the_other = SyncedMailbox(OTHER, UserRef(4, "richard", "richard@else.example"), inbound=True, outbound=True)
    assert matching.is_own(of_the_other, "richard@else.example", directory)
    assert not matching.is_own(of_the_other, RICHARD, directory)


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SyncedMailbox, Database]]:
    """A deployment where plus-addresses are one person's."""
    path = tmp_path_factory.mktemp("folded") / "mailweir.db"
    versions.upgrade(path)
    with closing(Database(path)) as database:
        made = deployments.add(database, "demo", "demo.example.net", NOW)
        made = deployments.change_folding(database, made.name, plus_addresses=True, gmail_dots=None)
        user = users.add(database, made, "richard", RICHARD, "", NOW)
        contacts.add(database, made, "Jane", [JANE], None, NOW)
        ref = DeploymentRef(made.id, made.name, made.domain, Folding(True, False))
        yield SyncedMailbox(ref, UserRef(user.id, "richard", RICHARD), inbound=True, outbound=True), database


@pytest.mark.parametrize(
    ("is_sent", "author", "to", "bcc", "contacts"),
    [
        (False, "jane+news@client.example", RICHARD, "", "jane+news@client.example"),
        (True, "richard+x@firm.example", "jane+a@client.example", "", "jane+a@client.example"),
        (True, RICHARD, STRANGER, "jane+a@client.example", "!jane+a@client.example"),
        # in another spelling, everybody sees the contact
        (True, RICHARD, JANE, "jane+a@client.example", f"{JANE} jane+a@client.example"),
    ],
)
def test_plus_addresses_are_one_persons_where_they_fold(
    folded: tuple[SyncedMailbox, Database], is_sent: bool, author: str, to: str, bcc: str, contacts: str
) -> None:
    mailbox, database = folded
    with database.reading():
        directory = SqlDirectory(database)
        decision = matching.decide_synced(mailbox, _view(author, to), tuple(bcc.split()), directory, is_sent=is_sent)
        assert matching.is_own(mailbox, author, directory) == author.startswith("richard")
    assert [f"{'!' * ref.is_bcc}{ref.address}" for ref in decision.contacts] == contacts.split()
    assert len({ref.id for ref in decision.contacts}) == 1
    assert decision.users == (mailbox.user.id,)


_ADDRESSES = st.sampled_from([RICHARD, RICK, MARY, PAT, JANE, JANE_AT_HOME, JOE, OFFICE, ALIAS, STRANGER, TO_LOG])


@settings(max_examples=300, deadline=None)
@given(_ADDRESSES, st.lists(_ADDRESSES, max_size=4), st.lists(_ADDRESSES, max_size=3), *[st.booleans()] * 3)
def test_a_decision_keeps_the_laws(
    people: "MemoryDirectory", author: str, to: list[str], bcc: list[str], is_sent: bool, inbound: bool, outbound: bool
) -> None:
    mailbox = OF_RICHARD._replace(inbound=inbound, outbound=outbound)
    decision = matching.decide_synced(mailbox, _view(author, ", ".join(to)), bcc, people, is_sent=is_sent)
    assert (decision.outcome is Outcome.CAPTURED) == bool(decision.contacts) == bool(decision.users)
    hypothesis.assume(decision.outcome is Outcome.CAPTURED)
    staff = {RICHARD, RICK, MARY, PAT}
    assert mailbox.user.id in decision.users
    assert set(decision.users) <= {1, 2, 3}  # law 4
    assert {ref.id for ref in decision.contacts} <= {1, 2, 3}
    named = {author, *to, *bcc * is_sent}
    assert {ref.address for ref in decision.contacts} <= named - staff
    assert {ref.address for ref in decision.contacts if ref.is_bcc} == {
        ref.address for ref in decision.contacts if ref.address not in {author, *to}
    }
    assert len({(ref.id, ref.address) for ref in decision.contacts}) == len(decision.contacts)
    assert (decision.direction is Direction.INCOMING) == (author in (JANE, JANE_AT_HOME, JOE, OFFICE))
    is_inbound = decision.direction is Direction.INCOMING or not is_sent
    assert inbound or not is_inbound
    assert outbound or is_inbound
    assert set(decision.todo_users) <= set(decision.users)
