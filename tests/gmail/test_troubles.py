"""Faults of Gmail and the token endpoint: the mailbox waits as requested, others continue, nothing is lost, and the wait ends."""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from gmail_sync import batch_writer
from gmail_sync.batch_writer import Tally
from gmail_sync.budget import Project
from gmail_sync.sweep import Sweep
from mailweir.gmail.errors import GmailError, NeedsReconnect
from mailweir.store.gmail import gmail_connections, gmail_leases, gmail_queue, gmail_waiting
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox, State
from mailweir.store.people import users
from tests.gmail import faults
from tests.gmail.calls import API, GETS, Kind
from tests.gmail.faults import Fault
from tests.gmail.google_errors import Answer, api_error
from tests.gmail.server import GmailServer, Mailbox
from tests.gmail.view import answer_json
from tests.gmail.world import JANE, STRANGER, World, cursor, mail, seconds_until

KINDS = (Kind.PROFILE, Kind.LIST, Kind.HISTORY, Kind.GET_METADATA, Kind.GET_RAW, Kind.TOKEN)
FIRST_PAUSE = 30.0
ASKED = 77.0


@pytest.fixture
def small(gmail: GmailServer, tmp_path: Path) -> Iterator[World]:
    """A world on SQLite alone, with short time-outs: Gmail has a second to answer."""
    made = World(gmail, tmp_path, None, "timeout_seconds = 1\n")
    yield made
    made.close()


def connected_for(world: World, kind: Kind) -> Mailbox:
    """A mailbox of its own user, prepared so that a call of this kind is next; with a message to read."""
    name = f"box{KINDS.index(kind):02}"
    users.add(world.database, world.demo, name, f"{name}@firm.example", "", world.at)
    box = world.connect(name)
    if kind not in (Kind.PROFILE, Kind.LIST):
        world.settle(name)
    if kind is Kind.TOKEN:
        world.gmail.tokens.expire_access(box.address)
    box.insert(mail(str(kind), to=box.address), at=world.at)
    return box


def in_an_hour() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(minutes=45), usegmt=True)


LIMITS: dict[str, tuple[Callable[[], Fault], float]] = {
    "429": (faults.too_many_requests, FIRST_PAUSE),
    "429, wait": (lambda: faults.too_many_requests("77"), ASKED),
    "429 of the newer kind, wait": (lambda: faults.resource_exhausted("77"), ASKED),
    "403 of the user, wait": (lambda: faults.user_rate_limit("77"), ASKED),
    "403 of the project": (faults.project_rate_limit, FIRST_PAUSE),
    "403, nothing more today": (faults.daily_limit, FIRST_PAUSE),
    "503, wait": (lambda: faults.server_error(503, "77"), ASKED),
}
NO_ANSWERS: dict[str, Callable[[], Fault]] = {
    "500": lambda: faults.server_error(500),
    "502": lambda: faults.server_error(502),
    "504": lambda: faults.server_error(504),
    "slow": lambda: faults.delay(1.3),
    "cut": faults.cut,
    "hang up": faults.hang_up,
    "garbage": faults.garbage,
    "wrong JSON": faults.wrong_json,
    "broken gzip": faults.broken_gzip,
}


def _mailbox_waits(small: World, user: str, rest: Any, seconds: float) -> None:
    assert seconds_until(rest, small) == pytest.approx(seconds, abs=0.01)
    state = small.state(user)
    assert (state.state, state.failures, state.dead) == (State.CONNECTED, 1, 0)
    assert state.error


def _message_waits(small: World, user: str, rest: Any, seconds: float) -> None:
    """One message isn't available."""
    assert gmail_queue.has_due(small.database, small.state(user).id, small.at + timedelta(seconds=31))


WAITS = {("503, wait", kind): _message_waits for kind in GETS}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_makes_its_mailbox_wait_as_long_as_gmail_says(small: World, gmail: GmailServer, name: str) -> None:
    make, seconds = LIMITS[name]
    mary = small.connect("mary")
    for kind in KINDS[:-1]:
        box = connected_for(small, kind)
        armed = gmail.faults.add(make(), user=box.address, kind=kind, times=1)
        rest = small.sweep(user := box.address.partition("@")[0])
        assert armed.hits == 1
        WAITS.get((name, kind), _mailbox_waits)(small, user, rest, seconds)
        small.project = Project(10**9, 10**9, lambda: 0.0)  # tests below cover limits for all mailboxes
        mary.insert(mail(f"mary's beside {kind}", to=mary.address), at=small.at)
        small.settle("mary")
        small.later(seconds=seconds)
        small.settle(user)
        assert (small.state(user).failures, small.state(user).error) == (0, None)
    found = small.subjects()
    assert sorted(found) == sorted(
        [*(str(kind) for kind in KINDS[:-1]), *(f"mary's beside {kind}" for kind in KINDS[:-1])]
    )


def test_a_limit_of_the_whole_project_holds_all_back_and_one_of_a_mailbox_only_that(
    small: World, gmail: GmailServer
) -> None:
    seconds = [1_000.0]
    small.project = Project(10**9, 10**9, lambda: seconds[0])
    boxes = {name: small.connect(name) for name in ("richard", "mary")}
    for name in boxes:
        small.settle(name)

    def asked_of_mary(fault: Fault) -> int:
        """The number of requests for mary's mailbox after richard's met a fault."""
        gmail.faults.add(fault, user=boxes["richard"].address, kind=Kind.HISTORY, times=1)
        small.later(minutes=1)
        small.sweep("richard")
        before = len(gmail.calls.of(boxes["mary"].address, Kind.HISTORY))
        small.sweep("mary")
        return len(gmail.calls.of(boxes["mary"].address, Kind.HISTORY)) - before

    assert asked_of_mary(faults.too_many_requests("99")) == 1
    assert small.state("mary").error is None
    assert asked_of_mary(faults.daily_limit()) == 0
    assert "daily limit" in (small.state("mary").error or "")  # each state shows the reason of its wait
    small.sweep("richard")
    assert "daily limit" in (small.state("richard").error or "")
    seconds[0] += 61
    small.later(seconds=61)
    small.settle("mary")
    assert (small.state("mary").error, small.state("mary").failures) == (None, 0)


def _goes_on(small: World, state: GmailMailbox, rest: Any) -> None:
    """The message waits; the mailbox doesn't."""
    assert (state.failures, state.error, state.waiting) == (0, None, 1)


def _begins_anew(small: World, state: GmailMailbox, rest: Any) -> None:
    assert seconds_until(rest, small) == FIRST_PAUSE
    assert (state.state, state.failures) == (State.CONNECTED, 1)
    assert state.error
    assert "\n" not in state.error
    assert "Traceback" not in state.error


OUTCOMES = dict.fromkeys(GETS, _goes_on)


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_an_answer_that_is_none_is_asked_for_again(small: World, gmail: GmailServer, name: str) -> None:
    for kind in KINDS:
        box = connected_for(small, kind)
        # An unanswered request on a kept connection is repeated once, on a new one.
        times = {"hang up": 2, "slow": 2}.get(name, 1)
        armed = gmail.faults.add(NO_ANSWERS[name](), user=box.address, kind=kind, times=times)
        rest = small.sweep(user := box.address.partition("@")[0])
        assert armed.hits == times
        assert str(kind) not in small.subjects()
        OUTCOMES.get(kind, _begins_anew)(small, small.state(user), rest)
        small.later(seconds=FIRST_PAUSE + 1)
        small.settle(user)
        assert (small.state(user).failures, small.state(user).waiting, small.state(user).dead) == (0, 0, 0)
    assert sorted(small.subjects()) == sorted(str(kind) for kind in KINDS)


def test_retry_after_may_be_a_date_or_a_time_in_the_text(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    small.settle()
    for fault in (
        faults.too_many_requests(in_an_hour()),
        faults.user_rate_limit(retry_at=f"{datetime.now(UTC) + timedelta(minutes=45):%Y-%m-%dT%H:%M:%S.000Z}"),
    ):
        gmail.faults.add(fault, user=box.address, times=1)
        assert 44 * 60 < seconds_until(small.sweep(), small) < 46 * 60


def test_pauses_grow_to_an_hour_and_end(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    small.settle()
    kept = cursor(small)
    outage = gmail.faults.add(faults.server_error(), user=box.address)
    box.insert(mail("meanwhile"), at=small.at)
    pauses = []
    for _ in range(10):
        pauses.append(seconds_until(small.sweep(), small))
        small.later(seconds=pauses[-1])
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert (small.state().failures, cursor(small)) == (10, kept)
    outage.lift()
    small.settle()
    assert (small.state().failures, small.state().error, small.subjects()) == (0, None, ["meanwhile"])


@pytest.mark.parametrize("kinds", [API, GETS | {Kind.PROFILE}], ids=["history", "messages"])
def test_a_token_that_gmail_does_not_take_asks_nobody_for_a_new_consent(
    small: World, gmail: GmailServer, kinds: Collection[Kind]
) -> None:
    """Google's sign-in has had such hours, for everybody at once. An expired consent is invalid_grant."""
    box = small.connect()
    small.settle()
    box.insert(mail("meanwhile"), at=small.at)
    armed = gmail.faults.add(faults.token_not_known(), user=box.address, kind=kinds)
    for _ in range(10):
        assert small.sweep()
        small.later(hours=1)
    state = small.state()
    assert (state.state, state.failures, state.dead) == (State.CONNECTED, 10, 0)
    assert "fresh token" in (state.error or "")
    armed.lift()
    small.settle()
    assert (small.subjects(), small.state().error) == (["meanwhile"], None)


@pytest.mark.parametrize("kinds", [API, GETS, frozenset({Kind.TOKEN})])
def test_an_outage_of_hours_buries_nothing(small: World, gmail: GmailServer, kinds: frozenset[Kind]) -> None:
    """This holds whether nothing is available, or everything except messages, or no token."""
    box = small.connect()
    small.settle()
    names = [f"m{number}" for number in range(7)]
    first = gmail.faults.add(faults.server_error(), user=box.address, kind=GETS)
    for name in names:
        box.insert(mail(name), at=small.at)
    small.sweep()  # all of them are queued, and some were tried in vain
    assert small.state().waiting == len(names)
    first.lift()
    outage = gmail.faults.add(faults.server_error(), user=box.address, kind=kinds)
    gmail.tokens.expire_access(box.address)
    for _ in range(30):
        small.later(minutes=20)
        small.sweep()
        assert small.state().dead == 0
    outage.lift()
    small.later(hours=1, minutes=1)
    small.settle()
    assert sorted(small.subjects()) == names


def test_one_bad_message_holds_nobody_up_and_is_given_up(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    small.settle()
    bad = [box.insert(mail(f"bad {number}"), at=small.at) for number in range(7)]  # more than a sweep handles
    for one in bad:
        gmail.faults.add(faults.cut(), user=box.address, message_id=one)
    for number in range(10):
        box.insert(mail(f"good {number}"), at=small.at)
        small.settle()
        small.later(seconds=20)
        small.settle()
        assert len(small.record()) == number + 1
        small.later(hours=1)
    state = small.state()
    assert (state.dead, state.waiting, state.failures) == (len(bad), 0, 0)
    letters = gmail_waiting.dead_letters(small.database, state.id)
    assert {letter.message_id for letter in letters} == set(bad)
    assert {letter.attempts for letter in letters} == {small.settings.gmail.max_attempts}
    assert all("cut or garbled" in letter.error for letter in letters)


@pytest.mark.parametrize("status", [400, 403])
def test_a_message_that_gmail_refuses_is_given_up_without_doubt(small: World, gmail: GmailServer, status: int) -> None:
    box = small.connect()
    small.settle()
    bad = box.insert(mail("bad"), at=small.at)
    gmail.faults.add(Fault("refused", api_error(status, "No.", "invalid")), user=box.address, message_id=bad)
    for _ in range(small.settings.gmail.max_attempts):
        small.settle()
        small.later(hours=1)
    assert (small.state().dead, small.state().state) == (1, State.CONNECTED)


def test_a_bad_message_does_not_stay_in_front_where_the_quota_is_low(tmp_path: Path, gmail: GmailServer) -> None:
    """Finding out whether it is the message's fault costs more than the bucket holds at once."""
    world = World(gmail, tmp_path, None, "user_units_per_minute = 100\nmax_attempts = 2\n")
    box = world.connect()
    box.insert(mail("a stranger's", STRANGER), at=world.at)
    for _ in range(5):
        world.later(minutes=1)
        world.sweep()
    bad = box.insert(mail("bad"), at=world.at)
    gmail.faults.add(faults.cut(), user=box.address, message_id=bad, kind=Kind.GET_RAW)
    for _ in range(20):
        world.later(minutes=1)
        world.sweep()
    box.insert(mail("good"), at=world.at)
    for _ in range(5):
        world.later(minutes=1)
        world.sweep()
    assert (world.subjects(), world.queued()) == (["good"], [bad])
    world.close()


def test_a_refusal_of_all_messages_buries_none(small: World, gmail: GmailServer) -> None:
    """For example a policy with an unknown reason, while history is still available."""
    box = small.connect()
    small.settle()
    names = [f"m{number}" for number in range(3)]
    for name in names:
        box.insert(mail(name), at=small.at)
    refused = gmail.faults.add(Fault("new", api_error(403, "Not now.", "newPolicy")), user=box.address, kind=GETS)
    for _ in range(2 * small.settings.gmail.max_attempts):
        small.settle()
        small.later(hours=1)
    assert (small.state().dead, small.state().waiting) == (0, 3)
    refused.lift()
    small.settle()
    assert sorted(small.subjects()) == names


# --- what a person has to do: tests/gmail/test_refusals.py ------------------------------------------------------------


def test_at_once_says_in_a_line_what_is_wrong_and_leaves_no_lease(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    small.settle()
    gmail.faults.add(faults.server_error(), user=box.address, times=1)
    with pytest.raises(GmailError, match="503"):
        small.sync_now().sweep()
    gmail.revoke_access(box)
    with pytest.raises(NeedsReconnect, match="no longer valid"):
        small.sync_now().sweep()
    assert small.database.execute("SELECT lease_owner FROM gmail_mailboxes").fetchone()[0] is None


# --- somebody else changes the mailbox -------------------------------------------------------------------------------


def _lease_by_another(world: World, mailbox_id: int) -> None:
    late = world.at + timedelta(seconds=gmail_leases.LEASE_SECONDS + 1)
    assert gmail_leases.lease_one(world.database, "another", late, mailbox_id)


TakeAway = Callable[[World, int], object]
ENDED: dict[str, TakeAway] = {
    "user removed": lambda world, _: users.remove(world.database, world.demo, "richard", world.at),
    "disconnected": lambda world, _: gmail_connections.disconnect(world.database, world.demo, "richard", world.at),
}
GOES_ON: dict[str, tuple[TakeAway, str | None]] = {
    "connected anew": (lambda world, _: world.connect(), None),
    "leased by another": (_lease_by_another, "another"),
}


@pytest.fixture
def sweep_with(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[TakeAway], None]:
    """Removes a mailbox of five messages after two of them are read. Nothing more of it is written."""
    monkeypatch.setattr(batch_writer, "MAX_HELD", 1)  # so that there is a moment between two transactions
    box = world.connect()
    world.settle()
    for number in range(5):
        box.insert(mail(f"m{number}"), at=world.at)
    mailbox_id = world.state().id
    leased = gmail_leases.lease_one(world.database, "test", world.at, mailbox_id)
    assert leased

    def sweep(take_away: TakeAway) -> None:
        def intervene(tally: Tally) -> None:
            if tally.looked == 2:
                take_away(world, mailbox_id)

        assert Sweep(world.job_factory.job(leased, world.project), intervene).run() is None
        assert world.subjects() == ["m0", "m1"]

    return sweep


def _owner(world: World) -> tuple[str | None, bool]:
    """The holder of the mailbox's lease, and whether the mailbox has a token."""
    row = world.database.execute("SELECT lease_owner, token_sealed IS NOT NULL FROM gmail_mailboxes").fetchone()
    return row[0], bool(row[1])


@pytest.mark.parametrize("how", ENDED)
def test_a_sweep_whose_mailbox_is_ended_writes_nothing_more(
    world: World, sweep_with: Callable[[TakeAway], None], how: str
) -> None:
    sweep_with(ENDED[how])
    assert _owner(world) == (None, False)
    assert world.queued() == []
    assert gmail_leases.seconds_to_next(world.database, world.at) is None
    assert gmail_leases.lease(world.database, "test", world.at + timedelta(hours=1), 9) == []


@pytest.mark.parametrize("how", GOES_ON)
def test_a_sweep_whose_mailbox_is_taken_away_writes_nothing_more(
    world: World, sweep_with: Callable[[TakeAway], None], how: str
) -> None:
    take_away, owner = GOES_ON[how]
    sweep_with(take_away)
    assert _owner(world) == (owner, True)


def test_a_mailbox_that_is_connected_anew_amid_a_sweep_is_swept_to_its_end(
    world: World, sweep_with: Callable[[TakeAway], None]
) -> None:
    sweep_with(lambda world, _: world.connect())
    world.settle()
    assert len(world.record()) == 5


def test_answers_about_somebody_else_are_refused(small: World, gmail: GmailServer) -> None:
    """An answer with another message's id is invalid: none of it is used."""
    box = small.connect()
    small.settle()
    message_id = box.insert(mail("right"), at=small.at)
    other = answer_json({"id": "another", "labelIds": ["INBOX"], "internalDate": "1", "payload": {"headers": []}})
    gmail.faults.add(Fault("wrong", Answer(200, other.body)), user=box.address, kind=Kind.GET_METADATA, times=1)
    small.sweep()
    assert small.queued() == [message_id]
    small.later(minutes=1)
    small.settle()
    assert [(one.subject, one.author) for one in small.record()] == [("right", JANE)]
