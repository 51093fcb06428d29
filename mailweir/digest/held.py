"""Held mail: passes it to children, decides by their answers, and erases it once its time is over (decision 0036).

One transaction decides a mail: either it is on the record and no longer held, or its decision says why not. A mail that ends its
child is tried MAX_DEATHS times in all, and is then ignored and erased. Called by `server`.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from mailweir import holding, recording
from mailweir.decision import HeldKind, Reason
from mailweir.digest import children, held_entries, held_frame
from mailweir.digest.held_frame import Said
from mailweir.digest.outcomes import MAX_DEATHS, pause_after
from mailweir.digest.workers import Facts, Pool
from mailweir.errors import DatabaseUnavailable
from mailweir.holding import Ignored, Mail
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.people import auto_contacts
from mailweir.store.people.directory import SqlDirectory
from mailweir.store.record import forwarded_versions, held
from mailweir.store.record.held import Held
from mailweir.strangers import NewContacts

LEASE = timedelta(minutes=3)
_TAKEN_AT_ONCE = 16
_SWEEP_SECONDS = 5.0
_LATER_SWEEP_SECONDS = 60.0  # if a reader still uses the old data


class HeldHand(NamedTuple):
    """Held mail that a child is working on, and its known facts."""

    held: Held
    facts: holding.Facts


class HeldDesk:
    """The queue of held mail. erase_after: how long ignored mail is kept after its decision. For one thread."""

    def __init__(
        self,
        database: Database,
        pool: "Pool[HeldHand]",
        logger: structlog.stdlib.BoundLogger,
        clock: Callable[[], datetime],
        erase_after: timedelta,
    ) -> None:
        self.pool = pool
        self._database = database
        self._logger = logger
        self._clock = clock
        self._erase_after = erase_after
        self._waiting: deque[Held] = deque()
        self._in_hand: dict[int, Held] = {}
        self._left: list[int] = []  # released, but still leased
        self._answered: list[tuple[HeldHand, bytes | None]] = []
        self.next_look = 0.0
        self._next_sweep = 0.0

    def look_at_once(self) -> None:
        """Look at the queue, and at the mail to erase, without delay."""
        self.next_look = self._next_sweep = 0.0

    def give_out(self, poll_seconds: float) -> None:
        """Passes due mail to children with room. Errors: DatabaseUnavailable."""
        self._give_back()
        while self.pool.has_room:
            if not self._waiting and not self._take(poll_seconds):
                return
            one = self._waiting.popleft()
            content_zstd = held.content(self._database, one.id)
            if content_zstd is None:
                del self._in_hand[one.id]
                continue
            hand = HeldHand(one, holding.Facts.from_json(one.facts))
            self.pool.give(hand, _about(hand), content_zstd)

    def _take(self, poll_seconds: float) -> bool:
        if time.monotonic() < self.next_look:
            return False
        now = self._clock()
        found = held.take(self._database, _TAKEN_AT_ONCE, now=now, until=now + LEASE, without=self._in_hand)
        self._waiting.extend(found)
        self._in_hand.update((one.id, one) for one in found)
        if not found:
            self.next_look = time.monotonic() + poll_seconds
        return bool(found)

    def answered(self, hand: HeldHand, answer: bytes | None) -> None:
        """Records a child's answer; None if the child died."""
        self._answered.append((hand, answer))

    def write(self) -> int:
        """Decides the answered mail, each in its own transaction; returns how many. Errors: DatabaseUnavailable; undecided mail
        is then done again."""
        count = 0
        while self._answered:
            hand, answer = self._answered[0]
            try:
                self._decide(hand, _said(answer), answer)
            except DatabaseUnavailable:
                raise
            except Exception as error:
                self._logger.error("held mail can't be decided", exc_info=error, held=hand.held.id)
                self._decide(hand, None, None)
            self._answered.pop(0)
            self._in_hand.pop(hand.held.id, None)
            count += 1
        return count

    def sweep(self) -> None:
        """Erases mail whose time is over. Does nothing within a few seconds of the last sweep. Errors: DatabaseUnavailable."""
        if time.monotonic() < self._next_sweep:
            return
        count, is_clean = held.erase_expired(self._database, self._clock())
        if count:
            self._logger.info("held mail erased", number=count, is_clean=is_clean)
        self._next_sweep = time.monotonic() + (_SWEEP_SECONDS if is_clean else _LATER_SWEEP_SECONDS)

    def forget(self) -> None:
        """Releases everything undecided: the queue still has it."""
        self.pool.stop()
        self._left += self._in_hand
        self._waiting.clear()
        self._in_hand.clear()
        self._answered.clear()
        self.look_at_once()

    def stop(self) -> None:
        """Ends the children, and gives back their mail. Errors: DatabaseUnavailable."""
        self.forget()
        self._give_back()

    def _give_back(self) -> None:
        if self._left:
            held.release(self._database, self._left)
            self._left = []

    # --- the meaning of an answer -----------------------------------------------------------------------------------------

    def _decide(self, hand: HeldHand, said: Said | None, answer: bytes | None) -> None:
        now = self._clock()
        reason = self._make_contacts(hand, said, now) if said is not None else None
        with self._database.transaction(alone=False):
            one = held.find(self._database, hand.held.id, for_update=True)
            if one is None:  # its time is over, or another host has decided it
                return
            if said is not None:
                mail = _mail(one, hand, said)
                decided = holding.decide(mail, SqlDirectory(self._database))
                if isinstance(decided, NewContacts):
                    decided = Ignored(reason or Reason.UNKNOWN_AUTHOR)
                if isinstance(decided, Ignored):
                    self._ignore(one, decided, now)
                else:
                    self._record(one, mail, decided)
                return
            self._try_again(one, answer, now)

    def _make_contacts(self, hand: HeldHand, said: Said, now: datetime) -> Reason | None:
        """Makes the contacts of the mail, in a separate write transaction, so that the ids of their addresses only grow (see
        `gmail_backfill`). Returns why a contact can't be made, or None. The decision looks the contacts up again."""
        if hand.held.kind is not HeldKind.COMPANY:
            return None
        reason: Reason | None = None
        with self._database.transaction():
            one = held.find(self._database, hand.held.id)
            wanted = one and holding.decide(_mail(one, hand, said), SqlDirectory(self._database))
            if one is None or not isinstance(wanted, NewContacts):
                return None
            for normal, name in wanted.people:
                made = auto_contacts.make(self._database, one.deployment, normal, name, now)
                reason = reason or made.reason
                if made.is_new:
                    company = {"company": made.company, "contact": made.contact_id}
                    self._logger.info("contact made", address=normal, deployment=one.deployment.name, **company)
        return reason

    def _record(self, one: Held, mail: Mail, picks: holding.Picks) -> None:
        content_zstd = held.content(self._database, one.id)
        assert content_zstd is not None
        made = list(held_entries.make(self._database, mail, one, picks, content_zstd))
        recorded = recording.record_all(self._database, [each.entry for each in made])
        for each, result in zip(made, recorded, strict=True):
            assert result.activity_id is not None
            assert each.entry.content is not None
            if one.kind is HeldKind.FORWARD:
                forwarded_versions.note(
                    self._database,
                    result.activity_id,
                    one.source_id,
                    user_id=each.pick.decision.users[0],
                    author=each.pick.decision.author or "",
                    sent_at=each.entry.content.sent_at,
                    subject=each.entry.content.subject,
                )
        first = recorded[0].activity_id
        assert first is not None
        held.captured(self._database, one, picks[0].decision.reason, first)
        self._logger.info("held mail recorded", held=one.id, source=one.source_id, activity=first, number=len(made))

    def _ignore(self, one: Held, decided: Ignored, now: datetime) -> None:
        held.ignored(self._database, one, decided.reason, decided.rule, now=now, erase_after=self._erase_after)
        self._logger.info("held mail ignored", held=one.id, source=one.source_id, reason=str(decided.reason))

    def _try_again(self, one: Held, answer: bytes | None, now: datetime) -> None:
        if answer == children.NO_DNS:
            attempts, deaths = one.attempts + 1, one.deaths
            self._logger.warning("DNS unavailable", held=one.id)
        else:
            attempts, deaths = one.attempts, one.deaths + 1
            self._logger.warning("examiner died", stage="held", held=one.id, attempt=deaths)
        if deaths >= MAX_DEATHS or answer == children.DAMAGED:
            self._ignore(one, Ignored(Reason.HELD_UNREAD), now)
        else:
            until = now + pause_after(attempts + deaths - 1)
            held.postpone(self._database, one.id, until, attempts=attempts, deaths=deaths)


def _mail(one: Held, hand: HeldHand, said: Said) -> Mail:
    return Mail(one.deployment, one.kind, one.author, hand.facts, said.verdict, said.originals)


def _about(hand: HeldHand) -> Facts:
    one, facts = hand
    return {
        "activity": 0,
        "author": one.author,
        "via_group": facts.via is not None,
        "size": one.size_bytes,
        "recorded": rfc3339(one.held_at),
        "has_login": facts.has_proven_author,
        "forwards": one.kind is HeldKind.FORWARD,
        "is_meant": holding.is_meant(facts, one.kind, one.deployment.domain),
    }


def _said(answer: bytes | None) -> Said | None:
    """The result; None if the answer isn't a valid one, because hostile mail may have taken over the child."""
    if answer is None or not answer.startswith(children.DONE):
        return None
    try:
        return held_frame.unpack(answer[1:])
    except ValueError:
        return None
