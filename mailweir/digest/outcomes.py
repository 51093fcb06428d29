"""What comes of the children's answers: verdicts, readings and threads, or another try; each few in one small transaction.

What ends a child is tried again MAX_DEATHS times in all. Then its author counts as not proven, or it is kept as "could not be
read"; it never blocks other mail. Called by `server`.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from mailweir import backoff, sender_verdict
from mailweir.digest import children, indexing
from mailweir.digest.portions import Portions
from mailweir.errors import DatabaseUnavailable
from mailweir.reading import frame, search_entry
from mailweir.reading.reading import Reading
from mailweir.sender_verdict import SenderVerdict, VerdictReason
from mailweir.store.database.connection import Database
from mailweir.store.record import digest_queue, raw_messages, readings, search_index, threads, verdicts
from mailweir.store.record.digest_queue import Entry, Stage
from mailweir.store.record.verdicts import Examined

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(days=1)
MAX_DEATHS = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """A child's answer; None where there is none, for it died."""

    entry: Entry
    activity_id: int
    answer: bytes | None


class _Unreadable(str):
    """Why a version has no reading: a word for `readings.problems`."""


_Final = SenderVerdict | Reading | _Unreadable


def pause_after(attempts: int) -> timedelta:
    """How long a version waits after so many earlier attempts: twice as long each time, up to a day."""
    return backoff.pause(attempts, FIRST_PAUSE, LONGEST_PAUSE)


class Outcomes:
    """Writes them."""

    def __init__(self, database: Database, logger: structlog.stdlib.BoundLogger, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._logger = logger
        self._clock = clock
        self._portions = Portions()

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Writes what came of them, in transactions of few milliseconds. One that can't be written holds up none of the others,
        and counts as one that ended its child. Errors: DatabaseUnavailable; what isn't written then is done again."""
        try:
            self._write(outcomes)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            self._logger.error("results can't be written together", exc_info=error)
            for outcome in outcomes:
                self._write_alone(outcome)

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
            self._write_part(part, entries)
            self._portions.end()

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
            proven = verdicts.settle(self._database, settled, now) if settled else []
            found_of = {
                outcome.entry.raw_id: found for outcome, found in decided if isinstance(found, Reading | _Unreadable)
            }
            read = self._keep(found_of, now)
            for _, found in decided:
                if isinstance(found, Entry):
                    digest_queue.postpone(self._database, found, now + pause_after(found.attempts + found.deaths - 1))
            search_index.put(self._database, [entries[raw_id] for raw_id in read if raw_id in entries])
            self._assign_threads([*proven, *(activity_ids[raw_id] for raw_id in read)], now)

    def _keep(self, read: Mapping[int, Reading | _Unreadable], now: datetime) -> list[int]:
        """Keeps readings; of which versions. Not of those that are off the record by now."""
        digest_queue.done(self._database, Stage.READING, *read)
        kept = raw_messages.present(self._database, read)
        readings.write_all(
            self._database, {raw_id: one for raw_id in kept if isinstance(one := read[raw_id], Reading)}, now
        )
        for raw_id in kept:
            if isinstance(one := read[raw_id], _Unreadable):
                readings.write_unreadable(self._database, raw_id, str(one), now)
        return kept

    def _assign_threads(self, activity_ids: Collection[int], now: datetime) -> None:
        """Those of a deployment together: its threads are held until the end."""
        keys = readings.keys_of_leading(self._database, list(dict.fromkeys(activity_ids)))
        joining: dict[int, list[threads.Joining]] = {}
        for deployment_id, activity_id, author, verdict in verdicts.authors(self._database, keys):
            one = threads.Joining(activity_id, keys[activity_id], author, verdict == "pass")
            joining.setdefault(deployment_id, []).append(one)
        for deployment_id, of_deployment in joining.items():
            threads.assign(self._database, deployment_id, of_deployment, now)

    # --- what an answer means ---------------------------------------------------------------------------------------------

    def _decide(self, outcome: Outcome) -> _Final | Entry:
        """What is to be written; an entry is to be tried again."""
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
    """What was found, where that is what the answer says: hostile mail may have got hold of the child."""
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
    """What it takes to write, in words of the index: a reading is bytes, files and ids as well."""
    cost = 20 + (entry.size if entry else 0)
    if isinstance(found, Reading):
        html = len(found.view.html) if found.view else 0
        keys = found.thread_keys
        cost += (len(found.text) + html) // 500 + 20 * len(found.attachments)
        cost += 10 * (len(keys.in_reply_to) + len(keys.references))
    return cost


def _given_up(stage: Stage, reason: VerdictReason) -> SenderVerdict | _Unreadable:
    return sender_verdict.none(reason) if stage is Stage.VERDICT else _Unreadable(reason)
