"""Each state and reason is explained with the parameters of its key, and the key has English words."""

import enum
import string
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from mailweir.decision import Direction, Doubt, Outcome, Reason, Route
from mailweir.explain import consents, english, forwarding, reasons, record, refusals, relay, synced, tracking
from mailweir.explain.asked import NoKey
from mailweir.explain.explanation import Explanation, explain, word
from mailweir.explain.forwarding import Seen
from mailweir.explain.keys import PARAMETERS
from mailweir.gmail_access import Left
from mailweir.sender_verdict import Verdict, VerdictReason
from mailweir.settings import Settings
from mailweir.store.gmail.gmail_app import AppRefusal
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox, State
from mailweir.store.gmail.gmail_waiting import Waiting
from mailweir.store.people.auto_contacts import MadeByMail
from mailweir.store.people.relay_logins import RelayLogin
from mailweir.store.people.users import User
from mailweir.store.record.activities import Activity
from mailweir.store.record.decisions import Decision
from mailweir.store.record.forwarded_versions import Said
from mailweir.store.record.overview import Pending
from mailweir.store.record.todos import Todo
from mailweir.visibility import Visibility
from postfix import broken_off
from postfix.maillog import Refusal
from tests import frozen

MOMENT = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)
FROZEN = Path(__file__).parent / "frozen" / "explanations.txt"

DECISION = Decision(
    time=MOMENT,
    deployment="demo",
    queue_id="4XyZ",
    recipients=("richard@demo.example.net",),
    author="j@x.example",
    named=(),
    message_id=None,
    outcome="ignored",
    reason="internal",
    activity=None,
    direction=None,
    mailbox=None,
)
WAITING = Waiting("19ab", "demo", "richard", "r@firm.example", 3, None, MOMENT, MOMENT, None)
MAILBOX = GmailMailbox(
    *(1, "demo", "richard", "r@firm.example", True, True, State.CONNECTED, None, MOMENT, MOMENT, MOMENT, None, None),
    *(0, 0, 0, None, None, None),
)
REFUSAL = Refusal(MOMENT, None, "RCPT", "mx.x.example[192.0.2.1]", "550 5.1.1 no", "j@x.example", "r@demo.example.net")
ACTIVITY = Activity(
    *(1, "demo", "incoming", (), "j@x.example", (), (), "", None, MOMENT, None, "pass", None, None),
)
USER = User(
    *(1, "demo", "richard", "", "r@firm.example", ("r@firm.example",)),
    *("richard@demo.example.net", "log@demo.example.net", MOMENT),
)
TODO = Todo(7, "demo", "richard", ACTIVITY, MOMENT, None)
LOGIN = RelayLogin("demo", "richard", "richard@demo.example.net", MOMENT, None, None, None)


def _of_decisions() -> Iterator[Explanation]:
    for reason, direction, named in product(Reason, (None, *Direction), ((), ("a@x.example", "b@x.example"))):
        yield reasons.reason(replace(DECISION, reason=reason, direction=direction, named=named))
    for outcome, activity in product(Outcome, (None, 12)):
        yield reasons.outcome(replace(DECISION, outcome=outcome, activity=activity))
    yield reasons.outcome(replace(DECISION, outcome=Outcome.REFUSED, reason=Reason.POSTFIX_PUT_OFF))


def _of_the_sync() -> Iterator[Explanation | None]:
    for error, dead_at, held_until in product((None, "timed out"), (None, MOMENT), (None, MOMENT)):
        yield synced.waiting(replace(WAITING, error=error, dead_at=dead_at, held_until=held_until))
    yield from synced.hindrances(AppRefusal("disabled", MOMENT), is_swept=False)
    for state, error, failures, ends in product(State, (None, "quota", "refused"), (0, 2), (None, MOMENT)):
        mailbox = replace(MAILBOX, state=state, error=error, failures=failures, consent_ends_at=ends)
        yield synced.state(mailbox)
        yield synced.note(mailbox, "refused")


def _of_the_record() -> Iterator[Explanation | None]:
    yield from map(record.direction, Direction)
    yield from map(record.route, Route)
    yield from map(record.verdict, (*Verdict, "pending"))
    yield from (record.verdict_reason(one, domain) for one in VerdictReason for domain in ("client.example", None))
    yield from map(record.visibility, Visibility)
    for doubt in Doubt:
        yield from record.author(replace(ACTIVITY, author_doubt=doubt, via="sales@firm.example"))
    yield record.forwarded(Said(user="richard", author="jane@client.example", date=None, subject="x"))
    yield from record.author(replace(ACTIVITY, known_thread=True))
    yield from record.author(replace(ACTIVITY, known_thread=True, known_thread_of=("j@x.example",)))
    yield record.origin(MadeByMail("j@x.example", "Client Ltd", MOMENT))
    yield record.todo(TODO)
    yield record.todo(replace(TODO, done_at=MOMENT))


def _of_forwarding() -> Iterator[Explanation | None]:
    regular = [MOMENT - timedelta(days=number) for number in range(20)]
    sent_on, limited = Pending(1, 1, None, MOMENT, MOMENT, None), Pending(1, 1, None, MOMENT, None, None)
    later = MOMENT + timedelta(days=10)
    for seen, now in (
        (Seen((), False, None), MOMENT),
        (Seen((), False, None), later),
        (Seen((), True, None), later),
        (Seen([MOMENT], True, None), MOMENT),
        (Seen([MOMENT], True, None), later + timedelta(days=40)),
        (Seen(regular, True, None), later),
        (Seen((), False, sent_on), later),
        (Seen((), False, limited), later),
        (Seen((), False, replace(sent_on, bounced_at=MOMENT)), later),
    ):
        found = forwarding.state(USER, seen, now)
        yield from (found.state, found.to_do)


def _of_the_rest() -> Iterator[Explanation | None]:
    for reply in ("550 5.1.1 no", "451 4.3.0 later", broken_off.LOST_CONNECTION):
        yield refusals.refusal(replace(REFUSAL, reply=reply))
    yield relay.login(LOGIN)
    yield relay.login(replace(LOGIN, suspended_at=MOMENT, suspended_reason="over its limit"))
    yield from relay.hindrances(_settings(smtp={"bind_address": "127.0.0.1", "submission_port": 10587}))
    yield from (consents.left(left, "r@firm.example", "no answer") for left in Left if left is not Left.NOTHING)
    yield tracking.nothing("j@x.example", 14)
    yield tracking.nothing("j@x.example", 14, MOMENT)
    yield tracking.nothing("j@x.example", 14, is_first=False)
    yield explain("tracking.looked_back", until=MOMENT)
    yield explain("tracking.tagged", plain="j@x.example")
    yield from (tracking.not_by(kind, "x.example") for kind in NoKey)
    yield from map(explain, ("tracking.no_subjects", "tracking.own_alone", "decision.never_log_of_others"))
    yield word("route", "pigeon")


def _settings(smtp: dict[str, Any]) -> Settings:
    return Settings.model_validate({"data_dir": "/var/lib/mailweir", "smtp": smtp})


def _all() -> list[Explanation]:
    """Every explanation of the package `mailweir`, except the hint, which needs a database. Those without parameters and the one
    for several users are named here: `test_missing_mail` covers them."""
    found = [*_of_decisions(), *_of_the_sync(), *_of_the_record(), *_of_forwarding(), *_of_the_rest()]
    return [one for one in found if one is not None]


def _named_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_each_key_has_words_and_no_words_are_left_over() -> None:
    assert set(english.WORDS) == set(PARAMETERS)


@pytest.mark.parametrize("key", PARAMETERS)
def test_a_text_names_the_parameters_of_its_key(key: str) -> None:
    assert _named_in(english.WORDS[key]) == PARAMETERS[key]


def test_no_key_is_left_over() -> None:
    assert {one.key for one in _all()} | {"hint.register_alias"} == set(PARAMETERS)


def test_each_explanation_has_the_parameters_of_its_key_and_can_be_said() -> None:
    for one in _all():
        assert one.parameters.keys() == PARAMETERS[one.key]
        assert "{" not in english.text(one)


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_a_key_of_its_name(reason: Reason) -> None:
    key = reasons.reason(replace(DECISION, reason=reason)).key
    assert key == f"decision.{reason.name.lower()}"
    assert len(english.WORDS[key]) > 20


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("outcome", Outcome),
        ("direction", Direction),
        ("route", Route),
        ("verdict", Verdict),
        ("author", Doubt),
        ("mailbox", State),
    ],
)
def test_each_word_of_the_record_has_a_key(kind: str, words: type[enum.StrEnum]) -> None:
    assert {word(kind, one).key for one in words} == {f"{kind}.{one}" for one in words}


def test_the_keys_and_parameters_stay() -> None:
    frozen.compare(FROZEN, [f"{key}: {' '.join(sorted(names))}".rstrip() for key, names in PARAMETERS.items()])


def test_a_word_of_a_later_version_is_said_as_it_is() -> None:
    later = reasons.reason(replace(DECISION, reason="some later reason"))
    assert later == Explanation("stored.word", {"word": "some later reason"})
    # a word isn't a key with parameters either
    assert word("mailbox", "failing") == Explanation("stored.word", {"word": "failing"})


def test_a_fault_in_the_parameters_is_found_where_it_is_made() -> None:
    with pytest.raises(ValueError, match="takes \\['author'\\]"):
        explain("hint.register_alias", autor="j@x.example")
    with pytest.raises(KeyError):
        explain("hint.nothing")


def test_a_mailbox_waits_only_while_it_is_connected() -> None:
    failing = replace(MAILBOX, failures=2)
    assert synced.state(failing).key == "mailbox.waits"
    assert synced.state(replace(failing, state=State.RECONNECT)).key == "mailbox.reconnect"
    assert synced.note(replace(failing, error="quota"), None) == Explanation(
        "mailbox.failing", {"error": "quota", "again": MOMENT}
    )
    assert synced.note(MAILBOX, "refused") is None


def test_what_hinders_gmail() -> None:
    open_net = {"bind_address": "192.0.2.25", "submission_port": 587, "submissions_port": 465}
    assert [one.key for one in relay.hindrances(_settings(smtp=open_net))] == ["relay.self_signed"]
    assert (
        relay.hindrances(_settings(smtp={**open_net, "tls_certificate_file": "/mx.pem", "tls_key_file": "/mx.key"}))
        == []
    )
    (alone, *_) = relay.hindrances(_settings(smtp={**open_net, "bind_address": "[::1]"}))
    assert alone == Explanation("relay.loopback_only", {"address": "[::1]"})


def test_mail_that_came_on_five_days_after_a_confirmation_outdates_it() -> None:
    pending = Pending(7, 1, None, MOMENT, MOMENT, None)
    came = [MOMENT + timedelta(days=number, hours=1) for number in range(5)]
    for times in ([MOMENT], [*came[:4], came[0] + timedelta(minutes=1)]):
        open_one = forwarding.state(USER, Seen(times, True, pending), came[-1])
        assert (open_one.state.key, open_one.confirmation) == ("forwarding.unconfirmed", pending)
    usual = forwarding.state(USER, Seen(came, True, pending), came[-1])
    assert (usual.state, usual.to_do, usual.last, usual.confirmation) == (
        Explanation("forwarding.usual", {"last": came[-1]}),
        None,
        came[-1],
        None,
    )


def test_a_confirmation_that_a_strange_mailbox_asked_for_is_no_state_of_the_users() -> None:
    strange = Pending(7, 1, "eve@evil.example", MOMENT, MOMENT, None)
    found = forwarding.state(USER, Seen((), False, strange, is_own=False), MOMENT + timedelta(days=9))
    assert (found.state.key, found.confirmation) == ("forwarding.never", strange)


def test_a_quiet_forwarding_says_since_when_and_what_was_usual() -> None:
    daily = [MOMENT - timedelta(hours=24 * number) for number in range(20)]
    found = forwarding.state(USER, Seen(daily, True, None), MOMENT + timedelta(days=4))
    assert found.state == Explanation("forwarding.quiet", {"days": 4, "last": MOMENT, "usual_days": 1.0})
    assert english.text(found.state) == (
        "forwarding went quiet: nothing for 4 days, since 2026-11-24 03:12Z; before, pauses were usually at most 1.0 days"
    )
