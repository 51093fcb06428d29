"""Mail of unknown authors: it is held. Then it makes a contact of the company, or joins its thread, or is erased."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mailweir.digest.server import Digest
from mailweir.explain import english, record, tracking
from mailweir.explain.tracking import Decided
from mailweir.store.database.connection import Database
from mailweir.store.people import auto_contacts, companies, contacts, deployments, never_log_rules
from mailweir.store.people.contacts import Contact
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.directory import SqlDirectory
from mailweir.store.record import activities, hidden_by_rule, threads, todos
from mailweir.store.record.activities import Activity
from mailweir.traces import Traces
from tests import held_mail
from tests.held_mail import Clock, send

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

AT = datetime(2026, 11, 29, tzinfo=UTC)
RICHARD, LOG = "richard@demo.example.net", "log@demo.example.net"
NEW = "new@client.example"


@pytest.fixture
def demo(database: Database, people: "MemoryDirectory") -> Deployment:
    """The people, in a deployment where the mail of client.example makes contacts, and known threads count."""
    people.write(database)
    made = deployments.find(database, "demo")
    companies.add(database, made, "Client Ltd", "client.example", AT)
    companies.set_auto_contacts(database, made, "Client Ltd", AT, is_on=True)
    return deployments.set_known_threads(database, "demo", is_on=True)


def mail(
    author: str = f"New Person <{NEW}>",
    proof: str = "proven",
    *,
    to: str = "richard@firm.example",
    name: str = "m1",
    answers: str = "",
    more: str = "",
) -> bytes:
    """A message."""
    head = (
        f"From: {author}\r\nTo: {to}\r\nSubject: An offer\r\nDate: Tue, 24 Nov 2026 03:00:00 +0000\r\n"
        f"Message-ID: <{name}@mail.example>\r\nX-Test: {proof}\r\n"
    )
    head += f"In-Reply-To: <{answers}@mail.example>\r\n" if answers else ""
    return f"{head}{more}\r\nHello\r\n".encode()


def _new(database: Database, demo: Deployment) -> list[Contact]:
    return [one for one in contacts.list_all(database, demo) if one.origin == "company_domain"]


def _activities(database: Database, demo: Deployment) -> list[Activity]:
    return activities.select(database, demo, activities.Filter())


def _held(database: Database) -> list[str]:
    return [kind for (kind,) in database.execute("SELECT kind FROM held_messages WHERE state = 'waits'").fetchall()]


# --- contacts by a company's domain -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipients", "users"),
    [(RICHARD, ["richard"]), (LOG, ["richard"]), (f"{RICHARD} mary@demo.example.net", ["mary", "richard"])],
)
def test_a_proven_author_of_the_domain_becomes_a_contact(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest, recipients: str, users: list[str]
) -> None:
    send(database, mail(), recipients=recipients, at=clock.at)
    assert held_mail.decision(database) == ("ignored", "held mail of a company", None)
    assert (_held(database), _new(database, demo), _activities(database, demo)) == (["company"], [], [])
    held_digest.work_off()
    (made,) = _new(database, demo)
    assert (made.name, made.company, made.addresses) == ("New Person", "Client Ltd", (NEW,))
    (found,) = _activities(database, demo)
    assert (found.author, found.direction, list(found.users)) == (NEW, "incoming", users)
    assert [one.address for one in found.contacts] == [NEW]
    assert held_mail.decision(database) == ("captured", "author is a contact", found.id)
    assert len(todos.select(database, demo, None, with_done=True)) == len(users)
    assert _held(database) == []
    # from then on, it is an ordinary contact
    send(database, mail(proof="nothing", name="m2"), "4Xy2", recipients=RICHARD, at=clock.at)
    assert held_mail.decision(database, "4Xy2")[:2] == ("captured", "author is a contact")


@pytest.mark.parametrize("proof", ["forged", "nothing"])
def test_who_isnt_proven_becomes_none(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest, proof: str
) -> None:
    send(database, mail(proof=proof), recipients=RICHARD, at=clock.at)
    held_digest.work_off()
    assert held_mail.decision(database)[:2] == ("ignored", "author of a company's domain who isn't proven")
    assert (_new(database, demo), _activities(database, demo)) == ([], [])
    clock.pass_by(61)
    held_digest.work_off()
    assert database.execute("SELECT COUNT(*) FROM held_messages").fetchone()[0] == 0


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (mail("new@mail.client.example"), "unknown author"),
        (mail("new@client.example.org"), "unknown author"),
        (mail("no-reply@client.example"), "automatic mail of a company's domain"),
        (mail(more="List-Id: <news.client.example>\r\n"), "automatic mail of a company's domain"),
        (mail(more="Auto-Submitted: auto-replied\r\n"), "automatic mail of a company's domain"),
        (mail(f"{NEW}, other@client.example"), "unreadable author"),
    ],
)
def test_other_mail_is_ignored_at_once(
    database: Database, demo: Deployment, clock: Clock, raw: bytes, reason: str
) -> None:
    send(database, raw, recipients=RICHARD, at=clock.at)
    assert held_mail.decision(database) == ("ignored", reason, None)
    assert _held(database) == []


def test_a_removed_contact_isnt_made_again(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest
) -> None:
    send(database, mail(), recipients=RICHARD, at=clock.at)
    held_digest.work_off()
    contacts.remove_address(database, demo, NEW, AT)
    send(database, mail(name="m2"), "4Xy2", recipients=RICHARD, at=clock.at)
    assert held_mail.decision(database, "4Xy2") == ("ignored", "address that was taken off a contact", None)
    assert (_held(database), _new(database, demo)) == ([], [])


@pytest.mark.parametrize("pattern", [NEW, "@client.example"])
def test_never_log_rules_win(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest, pattern: str
) -> None:
    never_log_rules.add(database, demo, pattern, None, AT)
    send(database, mail(), recipients=RICHARD, at=clock.at)
    assert held_mail.decision(database) == ("ignored", "never-log rule", None)
    assert _held(database) == []
    # a rule that is made while the mail waits counts, too
    never_log_rules.remove(database, demo, pattern, None, AT)
    send(database, mail(), "4Xy2", recipients=RICHARD, at=clock.at)
    never_log_rules.add(database, demo, pattern, None, AT)
    held_digest.work_off()
    assert held_mail.decision(database, "4Xy2") == ("ignored", "never-log rule", None)
    assert (_new(database, demo), _activities(database, demo)) == ([], [])


def test_what_is_switched_off_meanwhile_makes_none(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest
) -> None:
    send(database, mail(), recipients=RICHARD, at=clock.at)
    companies.set_auto_contacts(database, demo, "Client Ltd", AT, is_on=False)
    held_digest.work_off()
    assert held_mail.decision(database)[:2] == ("ignored", "unknown author")
    send(database, mail(name="m2"), "4Xy2", recipients=RICHARD, at=clock.at)
    assert held_mail.decision(database, "4Xy2")[1] == "unknown author"


def test_who_is_added_by_hand_meanwhile_is_recorded_as_ever(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest
) -> None:
    send(database, mail(proof="nothing"), recipients=RICHARD, at=clock.at)
    contacts.add(database, demo, "By hand", [NEW], None, AT)
    held_digest.work_off()
    (found,) = _activities(database, demo)
    assert [one.name for one in found.contacts] == ["By hand"]
    assert found.sender_verdict == "none"


def test_more_than_a_day_may_make_is_said(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_contacts, "MAX_PER_DAY", 1)
    for number in (1, 2):
        raw = mail(f"p{number}@client.example", name=f"m{number}")
        send(database, raw, f"4Xy{number}", recipients=RICHARD, at=clock.at)
        held_digest.work_off()
    assert len(_new(database, demo)) == 1
    assert held_mail.decision(database, "4Xy2")[:2] == ("ignored", "too many new contacts of a domain")


def test_a_users_proven_mail_makes_contacts_of_its_recipients(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest
) -> None:
    to = f'"Person, New" <{NEW}>, noreply@client.example, x@else.example'
    send(database, mail("Richard <richard@firm.example>", to=to), recipients=LOG, at=clock.at)
    assert held_mail.decision(database)[1] == "held mail of a company"
    held_digest.work_off()
    assert [(one.name, one.addresses) for one in _new(database, demo)] == [("Person, New", (NEW,))]
    (found,) = _activities(database, demo)
    assert (found.direction, found.author, [one.address for one in found.contacts]) == (
        "outgoing",
        "richard@firm.example",
        [NEW],
    )
    assert todos.select(database, demo, None, with_done=True) == []


def test_a_forged_users_mail_makes_none(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest
) -> None:
    send(database, mail("Richard <richard@firm.example>", "forged", to=NEW), recipients=LOG, at=clock.at)
    held_digest.work_off()
    assert (_new(database, demo), _activities(database, demo)) == ([], [])
    assert held_mail.decision(database)[1] == "author of a company's domain who isn't proven"


def test_a_companys_domain_of_another_deployment_holds_nothing(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest
) -> None:
    both = f"{RICHARD} richard@other.example.org"
    send(database, mail(), recipients=both, at=clock.at)
    held_digest.work_off()
    sql = "SELECT d.name, c.outcome, c.reason FROM decisions c JOIN deployments d ON d.id = c.deployment_id ORDER BY d.name"
    assert [tuple(row) for row in database.execute(sql).fetchall()] == [
        ("demo", "captured", "author is a contact"),
        ("other", "ignored", "unknown author"),
    ]
    other = deployments.find(database, "other")
    assert (_new(database, other), _activities(database, other)) == ([], [])


def test_why_and_show_say_how_the_contact_came_about(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest, tmp_path: Path
) -> None:
    send(database, mail(), recipients=RICHARD, at=clock.at)
    held_digest.work_off()
    (found,) = _activities(database, demo)
    (made,) = auto_contacts.in_activity(database, found.id)
    assert (made.address, made.company, made.made_at) == (NEW, "Client Ltd", clock.at)
    assert record.origin(made).key == "contact.company_domain"
    (told,) = tracking.track(database, "m1@mail.example", Traces(tmp_path / "key"), [], demo).found
    assert isinstance(told, Decided)
    assert [english.text(one) for one in told.origins] == [
        f"{NEW}: contact added by mail from the domain of Client Ltd on {clock.at:%Y-%m-%d}"
    ]


# --- replies in known threads -----------------------------------------------------------------------------------------


def _begin(database: Database, clock: Clock, held_digest: Digest) -> None:
    """A thread of richard and the contact jane: `t1`."""
    send(database, mail("jane@client.example", name="t1"), "4XyT", recipients=RICHARD, at=clock.at)
    held_digest.work_off()


@pytest.mark.parametrize("proof", ["proven", "nothing", "forged"])
def test_an_answer_of_somebody_unknown_is_recorded_and_marked(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest, proof: str
) -> None:
    _begin(database, clock, held_digest)
    send(database, mail("Pat <pat@home.example>", proof, answers="t1"), recipients=RICHARD, at=clock.at)
    assert held_mail.decision(database) == ("ignored", "held mail of a thread", None)
    assert len(_activities(database, demo)) == 1
    held_digest.work_off()
    found, first = _activities(database, demo)
    assert held_mail.decision(database) == ("captured", "unknown author in a known thread", found.id)
    assert (found.author, found.contacts, found.users) == ("pat@home.example", (), ("richard",))
    assert (found.known_thread, found.known_thread_of) == (True, ("jane@client.example",))
    assert [one.key for one in record.author(found)] == ["author.known_thread.naming"]
    assert threads.of(database, found.id) == threads.of(database, first.id)
    assert (first.known_thread, first.known_thread_of) == (False, ())
    assert [one.activity.id for one in todos.select(database, demo, None, with_done=True)] == [first.id]
    assert _new(database, demo) == []


@pytest.mark.parametrize(
    ("raw", "recipients", "reason"),
    [
        (mail("pat@home.example", answers="else"), RICHARD, "unknown author"),
        (mail("pat@home.example"), RICHARD, "unknown author"),
        (mail("pat@home.example", answers="t1"), "mary@demo.example.net", "unknown author in no thread of the users"),
        (
            mail("boss@firm.example", "nothing", answers="t1"),
            RICHARD,
            "author of a known domain in a thread who isn't proven",
        ),
        (mail("jane@home.example", answers="t1"), "richard@other.example.org", "unknown author"),
    ],
)
def test_an_answer_that_isnt_in_a_thread_of_its_users_is_ignored(
    database: Database,
    demo: Deployment,
    clock: Clock,
    held_digest: Digest,
    raw: bytes,
    recipients: str,
    reason: str,
) -> None:
    _begin(database, clock, held_digest)
    deployments.set_known_threads(database, "other", is_on=True)
    send(database, raw, recipients=recipients, at=clock.at)
    held_digest.work_off()
    assert held_mail.decision(database) == ("ignored", reason, None)
    assert len(_activities(database, demo)) == 1


def test_without_the_choice_no_thread_counts(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest
) -> None:
    deployments.set_known_threads(database, "demo", is_on=False)
    _begin(database, clock, held_digest)
    send(database, mail("pat@home.example", answers="t1"), recipients=RICHARD, at=clock.at)
    assert held_mail.decision(database)[1] == "unknown author"


def test_somebody_unknown_merges_no_threads(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest
) -> None:
    _begin(database, clock, held_digest)
    send(database, mail("joe@client.example", name="u1"), "4XyU", recipients=RICHARD, at=clock.at)
    held_digest.work_off()
    # also if the author has a proven message in each thread
    for number, named in enumerate(("<t1@mail.example>", "<u1@mail.example>", "<t1@mail.example> <u1@mail.example>")):
        raw = mail("pat@home.example", name=f"m{number}", more=f"In-Reply-To: {named}\r\n")
        send(database, raw, f"4Xy{number}", recipients=RICHARD, at=clock.at)
        held_digest.work_off()
    found = [(one.author, threads.of(database, one.id)) for one in reversed(_activities(database, demo))]
    (_, first), (_, second), *of_pat = found
    assert first != second
    assert [thread for _, thread in of_pat] == [first, second, first]


def test_a_thread_takes_so_much_of_unknown_addresses(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailweir.strangers.MAX_IN_THREAD", 1)
    _begin(database, clock, held_digest)
    for number in (1, 2):
        raw = mail(f"p{number}@home.example", name=f"m{number}", answers="t1")
        send(database, raw, f"4Xy{number}", recipients=RICHARD, at=clock.at)
        held_digest.work_off()
    assert held_mail.decision(database, "4Xy1")[0] == "captured"
    assert held_mail.decision(database, "4Xy2")[:2] == ("ignored", "too much mail of unknown authors in a thread")


def test_who_becomes_a_contact_is_unknown_no_more(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest
) -> None:
    _begin(database, clock, held_digest)
    raw = mail("pat@home.example", answers="t1")
    send(database, raw, recipients=RICHARD, at=clock.at)
    held_digest.work_off()
    contacts.add(database, demo, "Pat", ["pat@home.example"], None, AT)
    send(database, raw, "4Xy2", recipients=RICHARD, at=clock.at)
    found = _activities(database, demo)[0]
    assert (found.known_thread, [one.name for one in found.contacts]) == (False, ["Pat"])


# --- costs -----------------------------------------------------------------------------------------------------------


def _asked(database: Database, raw: bytes, recipients: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The filter's queries for companies, removed addresses and threads."""
    asked: list[str] = []

    def noting(name: str) -> Callable[..., object]:
        real = getattr(SqlDirectory, name)

        def noted(*values: object) -> object:
            asked.append(name)
            return real(*values)

        return noted

    for name in ("auto_domains_among", "removed_among", "knows_message", "known_thread", "knows_domain"):
        monkeypatch.setattr(SqlDirectory, name, noting(name))
    held_mail.plan_of(database, raw, recipients)
    return asked


@pytest.mark.parametrize(
    ("raw", "recipients", "asked"),
    [
        (mail(), RICHARD, ["auto_domains_among", "removed_among"]),
        (mail("x@else.example"), RICHARD, ["auto_domains_among"]),
        (mail("x@else.example", answers="t1"), RICHARD, ["auto_domains_among", "knows_message"]),
        (mail("jane@client.example"), RICHARD, []),
        (mail("richard@firm.example", to="jane@client.example"), LOG, []),
        (mail("richard@firm.example", to="mary@firm.example"), LOG, []),
        (mail(), "richard@other.example.org", []),
    ],
)
def test_the_filter_asks_where_it_would_ignore_mail_else(
    database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch, raw: bytes, recipients: str, asked: list[str]
) -> None:
    assert _asked(database, raw, recipients, monkeypatch) == asked


def test_a_question_for_a_domain_goes_by_an_index(sqlite_database: Database) -> None:
    sql = "SELECT domain FROM companies WHERE deployment_id = 1 AND auto_contacts = 1 AND domain IN ('client.example')"
    (row,) = sqlite_database.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    assert "companies_auto_contacts" in row[-1]


def test_a_rule_that_is_made_later_erases_what_is_there_for_its_thread(
    database: Database, demo: Deployment, clock: Clock, held_digest: Digest
) -> None:
    _begin(database, clock, held_digest)
    send(database, mail("pat@home.example", answers="t1"), recipients=RICHARD, at=clock.at)
    held_digest.work_off()
    never_log_rules.add(database, demo, "pat@home.example", None, AT)
    (rule,) = never_log_rules.list_all(database, demo)
    assert hidden_by_rule.find(database, demo, rule).whole == [_activities(database, demo)[0].id]
