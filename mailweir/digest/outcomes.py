"""The results of the children's answers: verdicts, readings and threads, or a retry; a few at a time in one small transaction.

A mail that ends its child is tried MAX_DEATHS times in all. Then its author counts as not proven, or its reading as "could not be
read"; it never blocks other mail. Called by `server`.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from mailweir import backoff, sender_verdict
from mailweir.digest import children, indexing
from mailweir.digest.giving_way import GivingWay
from mailweir.digest.portions import WANTED_SECONDS, WANTED_SECONDS_ALONE, Portions
from mailweir.errors import DatabaseUnavailable
from mailweir.reading import frame, search_entry
from mailweir.reading.reading import Reading
from mailweir.sender_verdict import SenderVerdict, VerdictReason
from mailweir.store.database.connection import Database
from mailweir.store.record import digest_queue, joining, leading, raw_messages, readings, search_index, verdicts
from mailweir.store.record.digest_queue import Entry, Stage
from mailweir.store.record.verdicts import Examined, Led

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(days=1)
# Law 11: DNS may briefly return no key, or a broken one. It is asked again, after growing pauses.
_OF_ONE_ANSWER = frozenset({VerdictReason.KEY_MISSING, VerdictReason.KEY_UNUSABLE})
FIRST_LOOK_AGAIN, LOOKS_AGAIN_WITHIN = timedelta(hours=1), timedelta(days=2)
MAX_DEATHS = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """A child's answer; None if the child died."""

    entry: Entry
    activity_id: int
    answer: bytes | None


class _Unreadable(str):
    """Why a version has no reading: a word for `readings.problems`."""


_Final = SenderVerdict | Reading | _Unreadable


def pause_after(attempts: int) -> timedelta:
    """The pause after this many earlier attempts: doubles each time, up to a day."""
    return backoff.pause(attempts, FIRST_PAUSE, LONGEST_PAUSE)


class Outcomes:
    """Writes the children's answers."""

    def __init__(self, database: Database, logger: structlog.stdlib.BoundLogger, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._logger = logger
        self._clock = clock
        self._portions = Portions()
        self._giving_way = GivingWay(database)
        self._may_join = True  # a killed process may have left forwards to join

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Writes the results, in transactions of a few milliseconds. A result that can't be written doesn't delay the others, and
        counts as a mail that ended its child. Errors: DatabaseUnavailable; unwritten results are then computed again."""
        try:
            self._write(outcomes)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            self._logger.error("results can't be written together", exc_info=error)
            for outcome in outcomes:
                self._write_alone(outcome)
        if self._may_join:
            self._join()

    def _join(self) -> None:
        """Joins hand-made forwards with the author's own copies that have arrived since."""
        try:
            count = joining.work_off(self._database, self._clock())
        except DatabaseUnavailable:
            raise
        except Exception as error:  # they stay separate, and nothing else waits for them
            self._logger.error("forwards can't be joined", exc_info=error)
            count = 0
        self._may_join = False
        if count:
            self._logger.info("forwards joined with the mail itself", number=count)

    def _write_alone(self, outcome: Outcome) -> None:
        try:
            self._write([outcome])
        except DatabaseUnavailable:
            raise
        except Exception as error:
            facts = {"raw": outcome.entry.raw_id, "stage": outcome.entry.stage.value}
            self._logger.error("a result can't be written", exc_info=error, **facts)
            self._write([replace(outcome, answer=None)])

    def _write(self, outcomes: Sequence[Outcome]) -> None:
        decided = [(outcome, self._decide(outcome)) for outcome in outcomes]
        found = {outcome.entry.raw_id: one for outcome, one in decided if isinstance(one, Reading | _Unreadable)}
        entries = indexing.entries(
            self._database, {raw_id: one if isinstance(one, Reading) else None for raw_id, one in found.items()}
        )
        left = deque((one, _cost(one[1], entries.get(one[0].entry.raw_id))) for one in decided)
        while left:
            part = self._portions.take(left)
            self._giving_way.give_way()
            self._write_part(part, entries)
            self._giving_way.has_taken(self._portions.end(self._wanted_seconds()))

    def _wanted_seconds(self) -> float:
        """How long a transaction should take. On SQLite all writers wait for each other, so it is always short."""
        is_free = not self._database.is_sqlite and self._giving_way.is_alone
        return WANTED_SECONDS_ALONE if is_free else WANTED_SECONDS

    def _write_part(
        self, decided: Sequence[tuple[Outcome, _Final | Entry]], entries: Mapping[int, search_entry.Entry]
    ) -> None:
        now = self._clock()
        activity_ids = {outcome.entry.raw_id: outcome.activity_id for outcome, _ in decided}
        with self._database.transaction(alone=False):
            self._portions.begin()
            verdicts.lock(self._database, list(activity_ids.values()))
            settled = [
                (Examined(outcome.entry.raw_id, outcome.activity_id), found)
                for outcome, found in decided
                if isinstance(found, SenderVerdict)
            ]
            led = verdicts.settle(self._database, settled, now)
            read = {
                outcome.entry.raw_id: found for outcome, found in decided if isinstance(found, Reading | _Unreadable)
            }
            kept, of_first = self._keep(read, now)
            led += [Led(activity_ids[raw_id], raw_id in of_first) for raw_id in kept]
            for outcome, found in decided:
                if isinstance(found, SenderVerdict) and found.reason in _OF_ONE_ANSWER:
                    self._look_again(outcome.entry, now)
            for _, found in decided:
                if isinstance(found, Entry):
                    digest_queue.postpone(self._database, found, now + pause_after(found.attempts + found.deaths - 1))
            search_index.put(self._database, [entries[raw_id] for raw_id in kept if raw_id in entries])
            leading.join_threads(self._database, led, now)
            self._may_join |= joining.note(self._database, list(activity_ids.values()))

    def _look_again(self, entry: Entry, now: datetime) -> None:
        """Schedules another examination for an author who isn't proven yet, as long as the mail is new."""
        recorded_at = verdicts.unproven_since(self._database, entry.raw_id)
        if recorded_at is not None and now - recorded_at < LOOKS_AGAIN_WITHIN:
            until = now + max(FIRST_LOOK_AGAIN, now - recorded_at)
            digest_queue.put_later(self._database, replace(entry, attempts=0, deaths=0), until)

    def _keep(self, read: Mapping[int, Reading | _Unreadable], now: datetime) -> tuple[list[int], set[int]]:
        """Stores readings; returns their versions, without those removed from the record meanwhile. Also returns the leading ones
        that were never read before: they may have become leading earlier."""
        digest_queue.done(self._database, Stage.READING, *read)
        kept = raw_messages.present(self._database, read)
        found = {raw_id: one for raw_id in kept if isinstance(one := read[raw_id], Reading)}
        first = readings.write_all(self._database, found, now)
        for raw_id in kept:
            if isinstance(one := read[raw_id], _Unreadable):
                readings.write_unreadable(self._database, raw_id, str(one), now)
        return kept, verdicts.leading(self._database, first)

    # --- the meaning of an answer -----------------------------------------------------------------------------------------

    def _decide(self, outcome: Outcome) -> _Final | Entry:
        """The result to write; an entry means a retry."""
        entry = outcome.entry
        facts = {"activity": outcome.activity_id, "raw": entry.raw_id, "attempt": entry.attempts + entry.deaths + 1}
        of_stage = {"stage": entry.stage.value, **facts}
        found = _said(outcome)
        if isinstance(found, SenderVerdict):
            self._logger.info("examined", verdict=str(found.value), **facts, **{"reason": str(found.reason)})
            return found
        if isinstance(found, Reading):
            return found
        if outcome.answer == children.DAMAGED:
            self._logger.error("raw message is damaged in the database: restore a backup", **facts)
            return _given_up(entry.stage, VerdictReason.DAMAGED)
        if outcome.answer == children.NO_DNS and entry.stage is Stage.VERDICT:
            self._logger.warning("DNS unavailable", **facts)
            return replace(entry, attempts=entry.attempts + 1)
        if entry.deaths + 1 < MAX_DEATHS:
            self._logger.warning("examiner died", **of_stage)
            return replace(entry, deaths=entry.deaths + 1)
        if entry.stage is Stage.VERDICT:
            self._logger.error("examiner died again, author not proven", **facts)
        else:
            self._logger.error("examiner died again, could not be read", **facts)
        return _given_up(entry.stage, VerdictReason.EXAMINER_DIED)


def _said(outcome: Outcome) -> SenderVerdict | Reading | None:
    """The result; None if the answer isn't a valid one, because hostile mail may have taken over the child."""
    answer = outcome.answer or b""
    if not answer.startswith(children.DONE):
        return None
    try:
        if outcome.entry.stage is Stage.VERDICT:
            return SenderVerdict.parse(answer[1:])
        return frame.unpack(answer[1:])
    except ValueError:
        return None


def _cost(found: _Final | Entry, entry: search_entry.Entry | None) -> int:
    """The cost of writing, in words of the index: a reading also has bytes, files and ids."""
    cost = 20 + (entry.size if entry else 0)
    if isinstance(found, Reading):
        html = len(found.view.html) if found.view else 0
        keys = found.thread_keys
        cost += (len(found.text) + html) // 500 + 20 * len(found.attachments)
        cost += 10 * (len(keys.in_reply_to) + len(keys.references))
    return cost


def _given_up(stage: Stage, reason: VerdictReason) -> SenderVerdict | _Unreadable:
    return sender_verdict.none(reason) if stage is Stage.VERDICT else _Unreadable(reason)
