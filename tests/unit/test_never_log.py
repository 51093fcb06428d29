"""Never-log rules: their effect on a decision, on each route, with a directory in memory and one in the database."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir import headers, matching, never_log
from mailweir.arrivals import sort_recipients
from mailweir.decision import Decision, Outcome, Reason
from mailweir.directory import DeploymentRef, Directory, RuleRef, UserRef
from mailweir.envelope import Envelope, read_recipient
from mailweir.folding import EXACT, Folding
from mailweir.headers import HeaderView
from mailweir.matching import SyncedMailbox
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.people.directory import SqlDirectory
from tests.people import DEMO, OTHER, MemoryDirectory

RICHARD, MARY = "richard@firm.example", "mary@firm.example"
JANE, JANE_AT_HOME, JOE = "jane@client.example", "jane@home.example", "joe@client.example"
USERS = {"richard": 1, "mary": 2, "pat": 3, None: None}
Make = Callable[[list[tuple[int, RuleRef]]], Directory]
AT = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)


def _rules(words: str, tenant: DeploymentRef = DEMO, folding: Folding = EXACT) -> list[tuple[int, RuleRef]]:
    """`@bank.example jane@client.example/richard`: the user is after the slash."""
    found = []
    for word in words.split():
        pattern, _, user = word.partition("/")
        key = never_log.match_key(pattern, folding)
        found.append((tenant.id, RuleRef(pattern, key, USERS[user or None], user or None)))
    return found


def _with_rules(people: MemoryDirectory, rules: list[tuple[int, RuleRef]]) -> MemoryDirectory:
    known = deepcopy(people)
    known.rules = rules
    return known


@pytest.fixture(params=["memory", "sql"])
def make(request: pytest.FixtureRequest, people: MemoryDirectory, tmp_path: Path) -> Iterator[Make]:
    """Makes the directory of the people with these rules."""
    if request.param == "memory":
        yield lambda rules: _with_rules(people, rules)
        return
    versions.upgrade(tmp_path / "rules.db")
    with closing(Database(tmp_path / "rules.db")) as database:
        people.write(database)

        def written(rules: list[tuple[int, RuleRef]]) -> Directory:
            with database.transaction():
                for tenant_id, rule in rules:
                    database.execute(
                        "INSERT INTO never_log_rules (deployment_id, user_id, pattern, match_key, created_at)"
                        " VALUES (?, ?, ?, ?, 'now')",
                        (tenant_id, rule.user_id, rule.pattern, rule.match_key),
                    )
            return SqlDirectory(database)

        with database.reading():
            yield written


def _view(author: str, to: str) -> HeaderView:
    return headers.look([(b"From", f" <{author}>".encode()), (b"To", f" {to}".encode()), (b"Message-ID", b" <1@x>")])


def _by_filter(directory: Directory, recipients: str, author: str, to: str) -> Decision:
    typed = [read_recipient(f"<{one}@demo.example.net>") for one in recipients.split()]
    (arrival,) = sort_recipients(typed, directory).arrivals
    return matching.decide(arrival, _view(author, to), directory)


def _by_relay(directory: Directory, _: str, to: str) -> Decision:
    author = RICHARD  # the login's user
    envelope = Envelope(
        sender=author,
        recipients=tuple(read_recipient(f"<{one}>") for one in to.split(", ")),
        login="richard",
        client="x",
        received_at=AT,
    )
    user = UserRef(1, "richard", RICHARD)
    return matching.decide_relayed(envelope, _view(author, to), directory, deployment=DEMO, user=user, arrival=None)


def _by_sync(directory: Directory, author: str, to: str) -> Decision:
    mailbox = SyncedMailbox(DEMO, UserRef(1, "richard", RICHARD), inbound=True, outbound=True)
    return matching.decide_synced(mailbox, _view(author, to), (), directory, is_sent=author == RICHARD)


@dataclass(frozen=True)
class Case:
    """A mail to demo. recipients: local parts of capture addresses, `relay` or `sync`. left: users / contacts / to-dos on whose
    record it is, by id; "" if it is ignored."""

    says: str
    rules: str
    recipients: str
    author: str
    to: str
    left: str


CASES = [
    Case("no rule", "", "richard", JANE, RICHARD, "1/1/1"),
    Case("another's address", "jan@client.example", "richard", JANE, RICHARD, "1/1/1"),
    Case("the author", JANE, "richard", JANE, RICHARD, ""),
    Case("the author's domain", "@client.example", "richard", JANE, RICHARD, ""),
    Case("a domain above", "@example", "richard", JANE, RICHARD, ""),
    Case("a domain that ends alike", "@lient.example", "richard", JANE, RICHARD, "1/1/1"),
    Case("a domain below", "@mail.client.example", "richard", JANE, RICHARD, "1/1/1"),
    Case("the author, beside another contact", JANE, "richard", JANE, f"{RICHARD}, {JOE}", ""),
    Case("another contact in To", JOE, "richard", JANE, f"{RICHARD}, {JOE}", "1/1/1"),
    Case("another address of the author", JANE_AT_HOME, "richard", JANE, RICHARD, "1/1/1"),
    Case("the only recipient", JANE, "log", RICHARD, JANE, ""),
    Case("one of two recipients", JANE, "log", RICHARD, f"{JANE}, {JOE}", "1/2/"),
    Case("both recipients, by two rules", f"{JANE} {JOE}", "log", RICHARD, f"{JANE}, {JOE}", ""),
    Case("both recipients, by a domain", "@client.example", "log", RICHARD, f"{JANE}, {JOE}", ""),
    Case("a user as the author", RICHARD, "log", RICHARD, JANE, ""),
    Case("a user as a recipient", RICHARD, "richard", JANE, RICHARD, "1/1/1"),
    Case("a user's own, alone", f"{JANE}/richard", "richard", JANE, RICHARD, ""),
    Case("a user's own, with a colleague", f"{JANE}/richard", "richard mary", JANE, RICHARD, "2/1/2"),
    Case("a colleague's", f"{JANE}/mary", "richard", JANE, RICHARD, "1/1/1"),
    Case("each one's own", f"{JANE}/mary {JANE}/richard", "richard mary", JANE, RICHARD, ""),
    Case("a user's own, at log", f"{JANE}/richard", "log", JANE, RICHARD, ""),
    Case("a user's own, at log with a colleague", f"{JANE}/richard", "log", JANE, f"{RICHARD}, {MARY}", "2/1/2"),
    Case("a user's own, sent", f"{JANE}/richard", "log", RICHARD, JANE, ""),
    Case("a user's own, sent to another too", f"{JANE}/richard", "log", RICHARD, f"{JANE}, {JOE}", "1/1,2/"),
    Case("a user's and the deployment's", f"{JANE}/richard {JOE}", "log", RICHARD, f"{JANE}, {JOE}", ""),
    Case("relayed", JANE, "relay", RICHARD, JANE, ""),
    Case("relayed, a user's own", "@client.example/richard", "relay", RICHARD, JANE, ""),
    Case("relayed, a colleague's", f"{JANE}/mary", "relay", RICHARD, JANE, "1/1/"),
    Case("relayed to another too", JANE, "relay", RICHARD, f"{JANE}, {JOE}", "1/2/"),
    Case("synced in", JANE, "sync", JANE, RICHARD, ""),
    Case("synced in, a user's own", f"{JANE}/richard", "sync", JANE, RICHARD, ""),
    Case("synced in, a colleague's", f"{JANE}/mary", "sync", JANE, RICHARD, "1/1/1"),
    Case("synced out", "@client.example", "sync", RICHARD, JANE, ""),
    Case("synced out to another too", JANE, "sync", RICHARD, f"{JANE}, {JOE}", "1/2/"),
    Case("in the mailbox of who has the rule, of a colleague", f"{JANE}/richard", "sync", MARY, JANE, ""),
]
ROUTES = {"relay": _by_relay, "sync": _by_sync}


def _decided(directory: Directory, recipients: str, author: str, to: str) -> Decision:
    by = ROUTES.get(recipients)
    return by(directory, author, to) if by else _by_filter(directory, recipients, author, to)


def _left(decision: Decision) -> str:
    captured = f"{_ids(decision.users)}/{_ids(one.id for one in decision.contacts)}/{_ids(decision.todo_users)}"
    return captured if decision.outcome is Outcome.CAPTURED else ""


def _ids(found: Iterable[int]) -> str:
    return ",".join(map(str, sorted(found)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_what_rules_leave_of_a_mail(make: Make, case: Case) -> None:
    directory = make(_rules(case.rules))
    decision = _decided(directory, case.recipients, case.author, case.to)
    assert _left(decision) == case.left
    assert all(user_id in (*decision.users, None) for _, user_id in decision.sightings)


def test_a_decision_names_the_rule_and_whose_it_is(make: Make) -> None:
    directory = make(_rules(f"@client.example {JANE}/richard"))
    decision = _by_filter(directory, "richard", JANE, RICHARD)
    assert (decision.reason, decision.author) == (Reason.NEVER_LOG, JANE)
    assert decision.rule
    assert (decision.rule.pattern, decision.rule.username) == ("@client.example", None)


def test_a_users_rule_is_named_as_the_users(make: Make) -> None:
    decision = _by_filter(make(_rules("@client.example/richard")), "richard", JANE, RICHARD)
    assert decision.reason is Reason.NEVER_LOG_OF_USER
    assert decision.rule
    assert (decision.rule.pattern, decision.rule.username) == ("@client.example", "richard")


def test_a_rule_of_another_deployment_does_nothing(make: Make) -> None:
    directory = make(_rules(f"{JANE} @client.example", OTHER))
    assert _left(_by_filter(directory, "richard", JANE, RICHARD)) == "1/1/1"


@pytest.mark.parametrize(
    ("pattern", "folding", "named"),
    [
        ("jane@client.example", EXACT, "jane+news@client.example"),
        ("jane+x@client.example", Folding(plus_addresses=True), "jane+news@client.example"),
        ("j.ane@gmail.com", Folding(gmail_dots=True), "jane@googlemail.com"),
        ("@googlemail.com", Folding(gmail_dots=True), "jane@gmail.com"),
        ("@googlemail.com", EXACT, "jane@gmail.com"),
    ],
)
def test_rules_go_by_the_deployments_folding(pattern: str, folding: Folding, named: str) -> None:
    found = never_log.Rules([rule for _, rule in _rules(pattern, folding=folding)], folding).naming(named, (None,))
    assert (found is not None) == (folding != EXACT)


_PATTERNS = st.sampled_from([JANE, JANE_AT_HOME, JOE, "@client.example", "@home.example", "@example", RICHARD, MARY])
_ADDED = st.tuples(_PATTERNS, st.sampled_from(["", "/richard", "/mary"])).map("".join)
_PEOPLE = st.sampled_from([JANE, JANE_AT_HOME, JOE, RICHARD, MARY, "x@stranger.example", "office@client.example"])


@settings(max_examples=300, deadline=None)
@given(
    rules=st.lists(_ADDED, max_size=4),
    added=_ADDED,
    recipients=st.sampled_from(["richard", "mary", "richard mary", "log", "log mary", "relay", "sync"]),
    author=_PEOPLE,
    to=st.lists(_PEOPLE, min_size=1, max_size=4, unique=True),
)
def test_a_rule_more_never_records_more_and_one_less_restores_what_was(
    people: MemoryDirectory, rules: list[str], added: str, recipients: str, author: str, to: list[str]
) -> None:
    before, after, removed = (
        _decided(_with_rules(people, _rules(" ".join(some))), recipients, author, ", ".join(to))
        for some in (rules, [*rules, added], rules)
    )
    assert removed == before
    assert set(after.users) <= set(before.users)
    assert set(after.contacts) <= set(before.contacts)
    assert set(after.sightings) <= set(before.sightings)
    assert set(after.todo_users) <= set(before.todo_users)
    assert (after.outcome, before.outcome) != (Outcome.CAPTURED, Outcome.IGNORED)
