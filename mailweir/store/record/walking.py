"""Walks through activities by their ids, from the newest or from the oldest on, and gives the ids of those that are wanted.

A walk goes by one index, in steps: each step takes so many ids from it, and asks each whether it is wanted and may be seen. So a
step's work is bounded whatever the record's size, and a walk can be ended between two of them. Law 13 is part of the step: with
nothing else to go by, what everybody may see and what the reader takes part in are two index ranges, united. Never writes.
Called by `streams`, `monthly`, `activities`
and `decision_pages`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from mailweir.reading.labels import to_bits
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339_or_none
from mailweir.store.people.deployments import Deployment
from mailweir.store.record.stream_filter import END, StreamFilter, bounds
from mailweir.store.record.visibility import Reader, own_keys

FIRST_STEP, LARGEST_STEP = 60, 5_000  # ids
LARGEST_WINDOW = 10_000  # rows of several contacts that are put in order
_SPAN, _SMALLEST_SPAN = 50_000, 100  # ids among which several contacts' are looked for
# PostgreSQL would read a whole table where a step looks like a large part of it, and plans once for all sizes of steps
_SETTINGS = ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit")

# Law 8: of a proven activity only those whom a proven version of the message names. The leading one is proven then.
_NAMED = (
    "FROM activity_contacts AS part JOIN contacts AS one ON one.id = part.contact_id WHERE part.activity_id = a.id"
    " AND (a.sender_verdict <> 'pass' OR part.raw_message_id = a.leading_raw_id OR EXISTS"
    " (SELECT 1 FROM raw_messages AS version WHERE version.id = part.raw_message_id AND version.verdict = 'pass'))"
)


class Step(NamedTuple):
    """found: ids, in the walk's order. cost: how many were asked. reached: the last id that was looked at; None: there
    are no more."""

    found: list[int]
    cost: int
    reached: int | None


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk. reader: None sees all. low, high: between which ids, without these. tells_bcc: also what a contact is in Bcc of
    alone, whoever wrote it; else only to its author."""

    database: Database
    deployment: Deployment
    reader: Reader | None
    wanted: StreamFilter
    low: int = 0
    high: int = END
    newest_first: bool = True
    tells_bcc: bool = False

    def ids(self, most: int) -> Iterator[int]:
        """All ids of the walk. most, errors: as in `steps`."""
        for step in self.steps(most):
            yield from step.found

    def steps(self, most: int) -> Iterator[Step]:
        """Step by step, until there are no more ids. most: found in a step, and as a rule in all: a step takes as many ids as are
        likely to be enough for that, by how many of those before were wanted. DatabaseUnavailable."""
        low, high = bounds(self.database, self.deployment, self.wanted, self.low, self.high)
        size = max(most, FIRST_STEP)
        looked = found = 0
        while low + 1 < high:
            with by_the_index(self.database):
                step = self._step(low, high, size, most)
            yield step
            if step.reached is None:
                return
            low, high = (low, step.reached) if self.newest_first else (step.reached, high)
            looked, found = looked + step.cost, found + len(step.found)
            likely = (most - found % most) * (looked or size) * 4 // (3 * found or 1)
            size = min(max(likely if found else size * 8, FIRST_STEP), LARGEST_STEP)

    def _step(self, low: int, high: int, size: int, most: int) -> Step:
        edge: int | None = None
        if self._has_several_contacts:
            low, high, edge = self._window(low, high, size)
        chosen, chosen_values = self._source(low, high, size)
        besides, values = self._condition()
        bcc, bcc_values = self._bcc()
        order, last = ("DESC", "MIN") if self.newest_first else ("ASC", "MAX")
        # MATERIALIZED: the ids are taken once. CROSS JOIN: SQLite asks these ids, and doesn't look for better ones.
        sql = (
            f"WITH looked AS MATERIALIZED ({chosen}) SELECT found_id, found_author, only_bcc FROM"
            " (SELECT found_id, found_author, only_bcc FROM"
            f" (SELECT a.id AS found_id, a.author AS found_author, {bcc} AS only_bcc FROM looked CROSS JOIN activities AS a"
            f" WHERE a.id = looked_id AND a.deployment_id = ?{besides}) AS of_these"
            f" WHERE only_bcc IS NOT NULL ORDER BY found_id {order} LIMIT ?) AS first_ones"
            f" UNION ALL SELECT {last}(looked_id), NULL, COUNT(*) FROM looked"
        )
        parameters = (*chosen_values, *bcc_values, self.deployment.id, *values, most)
        rows = self.database.execute(sql, parameters).fetchall()
        (end, looked) = next((row[0], row[2]) for row in rows if row[1] is None)
        found = sorted((row for row in rows if row[1] is not None), reverse=self.newest_first)
        at = found[-1][0] if len(found) == most else end if looked == size else edge
        return Step(list(self._told(found)), looked, at)

    # --- where the ids come from --------------------------------------------------------------------------------------

    @property
    def _has_several_contacts(self) -> bool:
        return self.wanted.thread is None and (self.wanted.company is not None or len(self.wanted.contacts) > 1)

    def _source(self, low: int, high: int, size: int) -> tuple[str, list[Any]]:
        """The next ids, so many at most, as SQL with its values."""
        order = "DESC" if self.newest_first else "ASC"
        if self._has_several_contacts:
            several, values = self._of_several()
            sql = f"SELECT DISTINCT part.activity_id AS looked_id {several} ORDER BY looked_id {order} LIMIT ?"
            return sql, [*values, low, high, size]
        parts: list[str] = []
        found: list[Any] = []
        for key, linked, condition, value in self._ranges():
            parts.append(_range(key, linked, condition, newest_first=self.newest_first))
            found += [value, low, high, size]
        united = " UNION ".join(f"SELECT looked_id FROM ({each}) AS range_of_ids" for each in parts)
        return f"{united} ORDER BY looked_id {order} LIMIT ?", [*found, size]

    def _ranges(self) -> list[tuple[str, str, str, int]]:
        """(key, table, condition with one value, value) of each range of an index in which all ids are."""
        wanted, reader = self.wanted, self.reader
        if wanted.thread is not None:
            return [("activity_id", "activity_threads", "thread_id = ?", wanted.thread)]
        if wanted.contacts:
            return [("activity_id", "activity_contacts", "contact_id = ?", wanted.contacts[0])]
        if wanted.users or reader is None:
            all_of_it = [("id", "activities", "deployment_id = ?", self.deployment.id)]
            return [("activity_id", "activity_users", "user_id = ?", one) for one in wanted.users] or all_of_it
        own = [("activity_id", "activity_users", "user_id = ?", one) for one in reader.user_ids]
        is_open = "deployment_id = ? AND visibility <> 'participants'"
        return [("id", "activities", is_open, self.deployment.id), *own]

    def _of_several(self) -> tuple[str, list[Any]]:
        """The activities of several contacts, as SQL that is to be given two ids besides its values."""
        condition, values = self._of_contacts()
        several = (
            f"FROM contacts AS one CROSS JOIN activity_contacts AS part WHERE {condition} AND part.contact_id = one.id"
            " AND part.activity_id > ? AND part.activity_id < ?"
        )
        return several, values

    def _window(self, low: int, high: int, size: int) -> tuple[int, int, int | None]:
        """The next ids of several contacts have no order in any index: between which ids there are enough, and not too many to
        put them in order. And where to go on when these are looked at; None where nothing is left."""
        (newest,) = self.database.execute("SELECT COALESCE(MAX(id), 0) FROM activities").fetchone()
        high = min(high, newest + 1)
        several, values = self._of_several()
        sql = f"SELECT COUNT(*) FROM (SELECT 1 {several} LIMIT ?) AS counted"
        span, grows = _SPAN, True
        while True:
            begin, end = (max(low, high - span), high) if self.newest_first else (low, min(low + span, high))
            is_all = (begin, end) == (low, high)
            (count,) = self.database.execute(sql, (*values, begin, end, LARGEST_WINDOW)).fetchone()
            if count == LARGEST_WINDOW and span > _SMALLEST_SPAN:
                span, grows = span // 4, False
            elif count < size and grows and not is_all:
                span *= 4
            else:
                return begin, end, None if is_all else begin + 1 if self.newest_first else end - 1

    # --- whether they are wanted --------------------------------------------------------------------------------------

    def _condition(self) -> tuple[str, list[Any]]:
        """What an activity `a` of the source has to be, as SQL, and its values."""
        wanted = self.wanted
        parts, values = [""], []
        if wanted.users and (wanted.names_contacts or wanted.thread is not None):
            condition, of_users = _takes_part(wanted.users)
            parts.append(condition)
            values += of_users
        for condition, value in (
            ("a.direction = ?", wanted.direction),
            ("a.sender_verdict = ?", wanted.verdict),
            ("EXISTS (SELECT 1 FROM sightings AS seen WHERE seen.activity_id = a.id AND seen.route = ?)", wanted.route),
            ("a.recorded_at >= ?", rfc3339_or_none(wanted.since)),
            ("a.recorded_at < ?", rfc3339_or_none(wanted.until)),
        ):
            if value is not None:
                parts.append(condition)
                values.append(value)
        if wanted.label is not None:
            # `<> 0`: the index that has those with labels alone
            parts.append(
                "EXISTS (SELECT 1 FROM readings AS told WHERE told.raw_id = a.leading_raw_id AND told.labels <> 0"
                " AND (told.labels & ?) <> 0)"
            )
            values.append(to_bits([wanted.label]))
        visible, of_reader = self._visible()
        return " AND ".join((*parts, *visible)), [*values, *of_reader]

    def _visible(self) -> tuple[list[str], list[Any]]:
        """Law 13. The ids come from the two ranges that the reader may know of, or else each is looked for in both."""
        wanted, reader = self.wanted, self.reader
        if reader is None:
            return [], []
        own, values = _takes_part(reader.user_ids)
        if wanted.label is not None or wanted.thread is not None:
            return [f"(a.visibility = 'everyone' OR {own})"], values
        if not wanted.names_contacts and not wanted.users:
            return [], []
        # from one id to the same: SQLite then takes the index of what is open, which is small where little is
        is_open = (
            "EXISTS (SELECT 1 FROM activities AS open_one WHERE open_one.deployment_id = ?"
            " AND open_one.visibility <> 'participants' AND open_one.id >= looked_id AND open_one.id <= looked_id)"
        )
        return [f"({is_open} OR {own})"], [self.deployment.id, *values]

    def _told(self, found: list[tuple[int, str, int]]) -> Iterator[int]:
        """Without those that a contact is in Bcc of, but for their author."""
        keys: frozenset[str] | None = None
        for activity_id, author, only_bcc in found:
            if only_bcc and not self.tells_bcc:
                if keys is None:
                    keys = own_keys(self.database, self.reader.user_ids) if self.reader else frozenset()
                if self.deployment.folding.key(author) not in keys:
                    continue
            yield activity_id

    def _bcc(self) -> tuple[str, list[Any]]:
        """1 where the contacts that are asked for are in Bcc alone, 0 where not, NULL where they don't take part (law 8)."""
        if not self.wanted.names_contacts:
            return "0", []
        condition, values = self._of_contacts()
        return f"(SELECT MIN(part.is_bcc) {_NAMED} AND {condition})", values

    def _of_contacts(self) -> tuple[str, list[Any]]:
        """That a contact `one` is asked for."""
        condition, values = "one.deployment_id = ?", [self.deployment.id]
        if self.wanted.company is not None:
            condition += " AND one.company_id = ?"
            values.append(self.wanted.company)
        if self.wanted.contacts:
            marks = ",".join("?" * len(self.wanted.contacts))
            condition += f" AND one.id IN ({marks})"
            values += self.wanted.contacts
        return condition, values


def _range(key: str, linked: str, condition: str, *, newest_first: bool) -> str:
    order = "DESC" if newest_first else "ASC"
    return (
        f"SELECT DISTINCT {key} AS looked_id FROM {linked} WHERE {condition} AND {key} > ? AND {key} < ?"
        f" ORDER BY {key} {order} LIMIT ?"
    )


def _takes_part(user_ids: Sequence[int]) -> tuple[str, list[Any]]:
    """That an id that is looked at is on the record of one of these."""
    marks = ",".join("?" * len(user_ids))
    # LIMIT: of EXISTS, PostgreSQL makes a list of all that these users have, however much that is
    sql = (
        f"(SELECT 1 FROM activity_users AS own WHERE own.activity_id = looked_id AND own.user_id IN ({marks}) LIMIT 1)"
    )
    return f"{sql} IS NOT NULL", list(user_ids)


@contextmanager
def by_the_index(database: Database) -> Iterator[None]:
    """PostgreSQL reads no whole table in this block, however large a part of one it takes a query for."""
    if database.is_sqlite:
        yield
        return
    with database.transaction(alone=False):
        off = ", ".join(f"set_config('{setting}', 'off', true)" for setting in _SETTINGS)
        database.execute(f"SELECT {off}, set_config('plan_cache_mode', 'force_custom_plan', true)")
        yield
