"""Where is that mail? The answer to each asker, what it withholds, and the remedy. On both databases."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailweir import recording, secrets_file
from mailweir.decision import Decision, Outcome, Reason
from mailweir.directory import DeploymentRef, RuleRef
from mailweir.errors import NotFound
from mailweir.explain import missing_mail
from mailweir.explain.missing_mail import Answer, Question
from mailweir.explain.remedies import Action, Remedy
from mailweir.explain.tracking import Decided
from mailweir.reading import search_entry
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_queue
from mailweir.store.gmail.gmail_queue import Origin
from mailweir.store.people import contacts, deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import decision_search, search_index, visibility
from mailweir.traces import Traces
from mailweir.visibility import Visibility
from postfix.maillog import Refusal
from tests.conftest import Ignore, Record
from tests.gmail_rows import connect, make_firm, take

JANE = "jane@client.example"
STRANGER = "jane@x.example"


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A firm with richard and olga, who know Jane; and another firm with a richard of its own."""
    made = make_firm(database, now)
    other = deployments.add(database, "other", "other.example.org", now)
    users.add(database, other, "richard", "richard@else.example", "", now)
    for one in (made, other):
        contacts.add(database, one, "Jane", [JANE], None, now)
    return made


@pytest.fixture
def traces(tmp_path: Path) -> Traces:
    """Traces with a key of their own."""
    secrets_file.make(tmp_path / "token.key")
    return Traces(tmp_path / "token.key")


Ask = Callable[..., Answer]


@pytest.fixture
def ask(database: Database, demo: Deployment, traces: Traces) -> Ask:
    """ask("jane@x.example", "olga"): her answer; ask(text, None, is_admin=True); ask(text): the command line's."""

    def asked(text: str, *who: str | None, is_admin: bool = False, **changed: object) -> Answer:
        question = replace(Question(text=text), **changed)  # type: ignore[arg-type]  # of a dataclass's fields
        asker = missing_mail.asker(database, demo, *who, is_admin=is_admin) if who else None
        return missing_mail.ask(database, question, traces, deployment=demo, asker=asker)

    return asked


def queue_ids(answer: Answer) -> list[str | None]:
    """The queue ids of the decisions in the answer."""
    return [one.tracked.decision.queue_id for one in answer.found if isinstance(one.tracked, Decided)]


def keys(answer: Answer) -> list[str]:
    """The keys of the remarks."""
    return [one.key for one in answer.remarks]


def _index(database: Database, demo: Deployment, activity_id: int, subject: str) -> None:
    sql = "SELECT leading_raw_id FROM activities WHERE id = ?"
    (raw_id,) = database.execute(sql, (activity_id,)).fetchone()
    entry = search_entry.make(
        raw_id=raw_id, deployment_id=demo.id, subject=subject, text="", names=("Jane",), file_names=()
    )
    with database.transaction():
        search_index.put(database, [entry])


# --- the answer to each asker ----------------------------------------------------------------------------------------


def test_a_user_is_told_of_ignored_mail_that_came_for_that_user_alone(ignore: Ignore, ask: Ask) -> None:
    ignore("demo", queue_id="4XyRichard", to="richard")
    ignore("demo", queue_id="4XyOlga", to="olga")
    ignore("demo", queue_id="4XyLog", to="log")
    assert queue_ids(ask(STRANGER, "richard")) == ["4XyRichard"]
    assert queue_ids(ask(STRANGER, "olga")) == ["4XyOlga"]
    assert sorted(map(str, queue_ids(ask(STRANGER, "olga", is_admin=True)))) == ["4XyLog", "4XyOlga", "4XyRichard"]
    assert len(ask(STRANGER, None, is_admin=True).found) == 3
    assert len(ask(STRANGER).found) == 3


@pytest.mark.parametrize("text", [STRANGER, "<1@x.example>", "1@x.example", "4XyOlga"])
def test_others_decisions_are_not_told_however_it_is_asked(ignore: Ignore, ask: Ask, text: str) -> None:
    ignore("demo", queue_id="4XyOlga", to="olga")
    answer = ask(text, "richard")
    assert (answer.found, keys(answer)) == ((), ["tracking.nothing", "tracking.own_alone"])
    assert len(ask(text, "olga").found) == 1


def test_what_a_user_sent_from_an_own_address_is_told(ignore: Ignore, ask: Ask) -> None:
    ignore("demo", Reason.NO_CONTACT, author="olga@firm.example", queue_id="4XyLog", to="log")
    assert queue_ids(ask("olga@firm.example", "olga")) == ["4XyLog"]
    assert queue_ids(ask("olga@firm.example", "richard")) == []


def test_a_username_that_begins_alike_is_somebody_else(
    database: Database, demo: Deployment, ignore: Ignore, ask: Ask, now: datetime
) -> None:
    users.add(database, demo, "ol_a", "o@firm.example", "", now)
    ignore("demo", queue_id="4XyOlga", to="olga")
    assert ask(STRANGER, "ol_a").found == ()


def test_another_deployment_is_told_nothing(
    database: Database, demo: Deployment, ignore: Ignore, record: Record, traces: Traces
) -> None:
    """Law 4: neither a user of the same name nor an admin learns anything, even with the ids."""
    other = deployments.find(database, "other")
    ignore("demo", queue_id="4XyMine")
    record("demo", "richard", JANE, queue_id="4XyRecorded")
    for text in (STRANGER, JANE, "4XyMine", "4XyRecorded"):
        for asker in (
            missing_mail.asker(database, other, "richard"),
            missing_mail.asker(database, other, None, is_admin=True),
        ):
            question = Question(text=text, max_activities=5)
            answer = missing_mail.ask(database, question, traces, deployment=other, asker=asker)
            assert (answer.found, answer.activities) == ((), ())
    mixed = missing_mail.asker(database, other, "richard")
    with pytest.raises(ValueError, match="another deployment"):
        missing_mail.ask(database, Question(text=JANE), traces, deployment=demo, asker=mixed)
    with pytest.raises(NotFound):
        missing_mail.asker(database, other, "olga")
    with pytest.raises(ValueError, match="only an admin"):
        missing_mail.asker(database, other, None)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Visibility.EVERYONE, [True] * 3),
        (Visibility.METADATA, [True] * 3),
        (Visibility.PARTICIPANTS, [True, False, False]),
    ],
)
def test_what_is_recorded_is_told_by_its_visibility(
    database: Database, record: Record, ask: Ask, now: datetime, wanted: Visibility, told: list[bool]
) -> None:
    """Law 13: an admin sees the record as a user does."""
    activity_id = record("demo", "richard", JANE, queue_id="4XyZ")
    visibility.set_by_hand(database, activity_id, wanted, "test", now)
    askers = (ask(JANE, "richard"), ask(JANE, "olga"), ask(JANE, "olga", is_admin=True))
    assert [queue_ids(one) == ["4XyZ"] for one in askers] == told
    assert [bool(ask(JANE, None, is_admin=True).found)] == told[1:2]


def test_who_else_got_it_is_not_told(database: Database, demo: Deployment, ask: Ask, now: datetime) -> None:
    """Somebody may be in Bcc."""
    both = tuple(map(demo.capture_address, ("richard", "olga", "log")))
    _decide(database, demo, Reason.UNKNOWN_AUTHOR, now, addresses=both)
    (found,) = ask(STRANGER, "richard").found
    assert isinstance(found.tracked, Decided)
    assert found.tracked.decision.recipients == (demo.capture_address("richard"), demo.log_address)
    (whole,) = ask(STRANGER, "richard", is_admin=True).found
    assert isinstance(whole.tracked, Decided)
    assert whole.tracked.decision.recipients == both


def _decide(
    database: Database, demo: Deployment, reason: Reason, now: datetime, traces: bytes | None = None, **changed: object
) -> None:
    tenant = DeploymentRef(demo.id, demo.name, demo.domain)
    decision = Decision(
        deployment=tenant, outcome=Outcome.IGNORED, reason=reason, author=STRANGER, message_id="<1@x.example>"
    )
    decision = replace(decision, **changed)  # type: ignore[arg-type]  # of a dataclass's fields
    with database.transaction():
        recording.record(database, recording.Entry(decision, "4XyZ", now, traces=traces))


def test_tags_are_the_users_where_they_count_for_nothing(
    database: Database, demo: Deployment, traces: Traces, now: datetime
) -> None:
    tagged = (f"olga+news@{demo.domain}",)
    _decide(database, demo, Reason.UNKNOWN_AUTHOR, now, addresses=tagged)
    told = []
    for plus in (False, True):
        chosen = deployments.change_folding(database, "demo", plus_addresses=plus, gmail_dots=None)
        for name in ("olga", "richard"):
            asker = missing_mail.asker(database, chosen, name)
            question = Question(text=STRANGER)
            answer = missing_mail.ask(database, question, traces, deployment=chosen, asker=asker)
            told.append([one.tracked.decision.recipients for one in answer.found if isinstance(one.tracked, Decided)])
    assert told == [[], [], [tagged], []]


def test_anothers_rule_is_not_told(database: Database, demo: Deployment, ask: Ask, now: datetime) -> None:
    rule = RuleRef("@x.example", "@x.example", 2, "olga")
    both = tuple(map(demo.capture_address, ("richard", "olga")))
    _decide(database, demo, Reason.NEVER_LOG_OF_USER, now, addresses=both, rule=rule)
    (hers,), (his,) = ask(STRANGER, "olga").found, ask(STRANGER, "richard").found
    assert hers.remedy.action is Action.CHANGE_RULE
    assert hers.tracked.reason.parameters["user"] == "olga"
    assert (his.remedy.action, his.tracked.reason.key) == (Action.NONE, "decision.never_log_of_others")
    assert isinstance(his.tracked, Decided)
    assert (his.tracked.decision.rule, his.tracked.decision.rule_user) == (None, None)


def test_a_contact_in_bcc_finds_mail_for_its_sender_alone(
    database: Database, record: Record, ask: Ask, now: datetime
) -> None:
    activity_id = record("demo", "richard", JANE, queue_id="4XyZ")
    database.execute("UPDATE activity_contacts SET is_bcc = 1, address = 'joe@client.example'")
    assert ask("joe@client.example", "olga").found == ()
    assert len(ask("joe@client.example").found) == 1
    database.execute("UPDATE activities SET author = 'olga@firm.example' WHERE id = ?", (activity_id,))
    assert queue_ids(ask("joe@client.example", "olga")) == ["4XyZ"]


def test_what_waits_in_the_sync_is_told_to_its_user_and_admins(
    database: Database, demo: Deployment, ask: Ask, now: datetime
) -> None:
    leased = take(database, connect(database, demo, "richard", now).id, now)
    with database.transaction():
        gmail_queue.put(database, leased, ["19ab04c7d2e1f356"], Origin.HISTORY, now)
    text = "19ab04c7d2e1f356"
    assert [one.remedy for one in ask(text, "richard").found] == [Remedy(Action.WAIT)]
    assert ask(text, "olga").found == ()
    assert len(ask(text, "olga", is_admin=True).found) == 1


def test_what_the_sync_decided_is_told_to_the_mailboxs_user(
    database: Database, demo: Deployment, ignore: Ignore, ask: Ask, now: datetime
) -> None:
    mailbox = connect(database, demo, "richard", now)
    ignore("demo", Reason.NOT_SYNCED, queue_id=f"19ab04c7d2e1f356@{mailbox.id}", to="nobody")
    (found,) = ask("19ab04c7d2e1f356", "richard").found
    assert found.remedy == Remedy(Action.SYNC_BOTH_WAYS, "richard@firm.example")
    assert ask("19ab04c7d2e1f356", "olga").found == ()


def test_postfixs_log_is_not_for_users(database: Database, demo: Deployment, traces: Traces) -> None:
    time = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)
    refusal = Refusal(time, None, "RCPT", "mx.x.example[192.0.2.1]", "450 later", JANE, "richard@demo.example.net")
    told = []
    for is_admin in (True, False):
        asker = missing_mail.asker(database, demo, "richard", is_admin=is_admin)
        question = Question(text=JANE)
        answer = missing_mail.ask(database, question, traces, deployment=demo, asker=asker, in_log=[refusal])
        told.append([one.remedy.action for one in answer.found])
    assert told == [[Action.WAIT], []]


# --- narrowed, and by words -------------------------------------------------------------------------------------------


def test_nothing_older_than_since_is_told(ignore: Ignore, record: Record, ask: Ask, now: datetime) -> None:
    ignore("demo", queue_id="4XyOld", at=now - timedelta(days=2))
    ignore("demo", queue_id="4XyNew", at=now)
    assert queue_ids(ask(STRANGER, "richard", since=now - timedelta(days=1))) == ["4XyNew"]
    assert queue_ids(ask(STRANGER, "richard", limit=1)) == ["4XyNew"]


def test_words_find_what_the_asker_may_read_and_no_decision(
    database: Database, demo: Deployment, ignore: Ignore, record: Record, ask: Ask, now: datetime
) -> None:
    activity_id = record("demo", "richard", JANE, subject="Boiler plan")
    _index(database, demo, activity_id, "Boiler plan")
    told = []
    for wanted in Visibility:
        visibility.set_by_hand(database, activity_id, wanted, "test", now)
        answers = [ask("boiler", name, max_activities=5) for name in ("richard", "olga")]
        told.append([[one.subject for one in answer.activities] for answer in answers])
        assert [answer.found for answer in answers] == [(), ()]
        assert all("tracking.no_subjects" in keys(answer) for answer in answers)
    assert told == [[["Boiler plan"], ["Boiler plan"]], [["Boiler plan"], []], [["Boiler plan"], []]]


def test_a_subject_of_others_is_no_key_to_a_decision(
    database: Database, record: Record, ask: Ask, now: datetime
) -> None:
    """Otherwise a reader of metadata could guess the subject word by word."""
    activity_id = record("demo", "richard", JANE, subject="Boiler plan")
    visibility.set_by_hand(database, activity_id, Visibility.METADATA, "test", now)
    assert ask("boiler", "olga").found == ()
    assert len(ask("boiler").found) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (STRANGER, ["tracking.nothing", "tracking.own_alone"]),
        ("An offer", ["tracking.nothing", "tracking.no_subjects", "tracking.own_alone"]),
        ("", ["tracking.nothing", "tracking.no_subjects", "tracking.own_alone"]),
        ("\x00%'\"", ["tracking.nothing", "tracking.no_subjects", "tracking.own_alone"]),
        ("a" * 100_000, ["tracking.nothing", "tracking.no_subjects", "tracking.own_alone"]),
    ],
)
def test_what_cant_be_known_is_said(ask: Ask, text: str, told: list[str]) -> None:
    assert keys(ask(text, "richard", max_activities=5)) == told


# --- remedies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        (Reason.UNKNOWN_AUTHOR, Remedy(Action.MAKE_CONTACT, STRANGER)),
        (Reason.UNKNOWN_GROUP, Remedy(Action.ADD_GROUP, STRANGER)),
        (Reason.NO_SUCH_RECIPIENT, Remedy(Action.ADD_USER, "richard@demo.example.net")),
        (Reason.CONFIRMATION_LIMIT, Remedy(Action.ASK_GMAIL_AGAIN, "richard@demo.example.net")),
        (Reason.FORWARD_OF_NOBODY, Remedy(Action.FORWARD_AGAIN)),
        (Reason.HELD_FORWARD, Remedy(Action.WAIT)),
        (Reason.INTERNAL, Remedy(Action.NONE)),
    ],
)
def test_a_decision_has_a_remedy(ignore: Ignore, ask: Ask, reason: Reason, remedy: Remedy) -> None:
    ignore("demo", reason)
    (found,) = ask(STRANGER, None, is_admin=True).found
    assert found.remedy == remedy


def test_mail_to_nobody_known_is_mended_by_its_recipient(
    database: Database, demo: Deployment, ask: Ask, traces: Traces, now: datetime
) -> None:
    joe = "joe@stranger.example"
    digests = traces.of(DeploymentRef(demo.id, demo.name, demo.domain), [joe])
    _decide(database, demo, Reason.NO_CONTACT, now, digests, author="olga@firm.example")
    (found,) = ask(joe, "olga").found
    assert found.remedy == Remedy(Action.MAKE_CONTACT, joe)
    assert ask(joe, "richard").found == ()
    (found,) = ask("olga@firm.example", "olga").found
    assert found.remedy == Remedy(Action.MAKE_CONTACT, "")


def test_an_alias_of_a_user_is_an_admins_to_add(ignore: Ignore, ask: Ask) -> None:
    ignore("demo", author="r.smith@firm.example", to="log")
    (found,) = ask("r.smith@firm.example", None, is_admin=True).found
    assert found.remedy == Remedy(Action.ADD_ADDRESS, "r.smith@firm.example")


# --- how far it looked ----------------------------------------------------------------------------------------------


def test_an_answer_says_how_far_it_looked_or_goes_on_by_itself(
    database: Database, ignore: Ignore, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_search, "MOST_BUCKETS", 1)
    ignore("demo", queue_id="4XyOld")
    ignore("demo", queue_id="4XyNew", author="eve@x.example")
    database.execute("UPDATE decisions SET id = id + 5000 WHERE source_id = '4XyNew'")
    part = ask(STRANGER, "richard")
    assert (part.found, keys(part)) == ((), ["tracking.nothing_since", "tracking.own_alone"])
    assert part.further is not None
    assert keys(ask("eve@x.example", "richard")) == ["tracking.looked_back", "tracking.own_alone"]
    whole = ask(STRANGER, "richard", goes_on=True)
    assert (queue_ids(whole), keys(whole), whole.further) == (["4XyOld"], ["tracking.own_alone"], None)
    none = ask("nobody@x.example", "richard", goes_on=True)
    assert keys(none) == ["tracking.nothing", "tracking.own_alone"]


# --- as people type -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["Jane Doe <jane@client.example>", "mailto:JANE@client.example", "Message-ID: <1@client.example>", "4XyMine:"],
)
def test_a_copied_question_finds_the_mail(record: Record, ask: Ask, text: str) -> None:
    record("demo", "richard", JANE, queue_id="4XyMine")
    assert queue_ids(ask(text)) == queue_ids(ask(text, "richard")) == ["4XyMine"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("NOQUEUE", "no_queue_id"),
        ("mx.x.example[192.0.2.7]", "host"),
        ("x.example", "domain"),
        ("@x.example", "domain"),
    ],
)
def test_what_no_decision_is_found_by_is_said(ignore: Ignore, ask: Ask, text: str, key: str) -> None:
    ignore("demo")
    for answer in (ask(text), ask(text, None, is_admin=True, max_activities=5)):
        assert (answer.found, keys(answer)) == ((), [f"tracking.{key}"])


def test_an_address_with_a_tag_leads_to_the_plain_one(ask: Ask) -> None:
    answer = ask("jane+news@client.example")
    assert keys(answer) == ["tracking.nothing", "tracking.tagged"]
    assert answer.remarks[1].parameters == {"plain": JANE}


def test_a_capture_address_finds_what_was_forwarded_to_it(
    database: Database, demo: Deployment, record: Record, ask: Ask
) -> None:
    record("demo", "richard", JANE, queue_id="4XyOld", number=1)
    record("demo", "richard", JANE, queue_id="4XyNew", number=2)
    record("demo", "olga", JANE, queue_id="4XyOlga", number=3)
    assert queue_ids(ask("richard@demo.example.net")) == ["4XyNew", "4XyOld"]
    assert queue_ids(ask("Richard <Richard@demo.example.net>", "olga", limit=1)) == ["4XyNew"]
    assert queue_ids(ask("richard@other.example.org")) == []
    assert queue_ids(ask("richard+x@demo.example.net")) == []
    deployments.change_folding(database, "demo", plus_addresses=True, gmail_dots=None)
    assert queue_ids(ask("richard+x@demo.example.net")) == ["4XyNew", "4XyOld"]


def test_a_private_mail_isnt_told_by_its_users_capture_address(
    database: Database, record: Record, ask: Ask, now: datetime
) -> None:
    number = record("demo", "richard", JANE, queue_id="4XyMine")
    visibility.set_by_hand(database, number, Visibility.PARTICIPANTS, "richard", now)
    assert queue_ids(ask("richard@demo.example.net", "richard")) == ["4XyMine"]
    assert queue_ids(ask("richard@demo.example.net", "olga")) == []
    assert queue_ids(ask("richard@demo.example.net", None, is_admin=True)) == []
