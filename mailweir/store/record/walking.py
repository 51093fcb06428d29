"""Walks through activities by their ids, from the newest or from the oldest, and returns the ids of the wanted ones.

A walk uses one index, in steps: each step takes a number of ids from it, and checks for each whether it is wanted and may be
seen. So a step's work is bounded whatever the record's size, and a walk can end between two steps. Law 13 is part of the step:
without a narrower index, it reads the union of two index ranges, the activities that everybody may see and those that the reader
takes part in. Never writes. Called by `streams` and `activities`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mailweir.reading.labels import to_bits
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339_or_none
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import by_the_index, id_ranges
from mailweir.store.record.id_ranges import Between, Range
from mailweir.store.record.stream_filter import END, StreamFilter, bounds
from mailweir.store.record.visibility import Reader, own_keys

FIRST_STEP, LARGEST_STEP = 60, 5_000  # ids
LARGEST_WINDOW = 10_000  # rows of several contacts that are sorted at once
# The ids of several contacts are searched within a span of ids: _SPAN at first for _CONTACTS contacts or more, and a longer one
# for fewer contacts. A span of _SMALLEST_SPAN or less isn't made shorter.
_SPAN, _CONTACTS, _SMALLEST_SPAN = 40_000, 800, 100

# Law 8: a proven activity has only the people whom a proven version of the message names. Its leading version is always proven.
_NAMED = (
    "FROM activity_contacts AS part JOIN contacts AS one ON one.id = part.contact_id WHERE part.activity_id = a.id"
    " AND (a.sender_verdict <> 'pass' OR part.raw_message_id = a.leading_raw_id OR EXISTS"
    " (SELECT 1 FROM raw_messages AS version WHERE version.id = part.raw_message_id AND version.verdict = 'pass'))"
)


class Step(NamedTuple):
    """found: ids, in the walk's order. cost: the number of checked ids, or of found ids if enough were found. reached: the last
    checked id; None: there are no more ids."""

    found: list[int]
    cost: int
    reached: int | None


class _Source(NamedTuple):
    """The source of a walk's ids. ranges: see `id_ranges`; empty if the ids of several contacts are gathered. is_users: is each
    id on the record of a wanted user? is_visible: may the reader know of each id?"""

    ranges: Sequence[Range]
    is_users: bool = False
    is_visible: bool = False


@dataclass(slots=True)
class _Pace:
    """The size of the next step, chosen by the share of wanted ids in the steps before. size: ids. span: ids among which those of
    several contacts are gathered. gathered, gathered_of: how many were gathered among how many ids in the last step."""

    most: int
    size: int
    span: int = _SPAN
    gathered: int = 0
    gathered_of: int = 0
    looked: int = 0
    found: int = 0

    def begin(self, source: _Source, reader: Reader | None) -> None:
        """Enlarges the first step if the reader may not know of all its ids, because a larger step costs less than another
        one."""
        if reader is not None and not source.is_visible:
            self.size = min(self.size * (8 if source.ranges else 16), LARGEST_STEP)

    def adapt(self, step: Step) -> None:
        """Chooses the next size after a step."""
        self.looked, self.found = self.looked + step.cost, self.found + len(step.found)
        likely = (self.most - self.found % self.most) * (self.looked or self.size) * 4 // (3 * self.found or 1)
        self.size = min(max(likely if self.found else self.size * 8, FIRST_STEP), LARGEST_STEP)
        if self.gathered_of:  # a span with as many ids as are probably enough, and half as many in addition
            likely_span = self.size * 3 * self.gathered_of // (2 * self.gathered or 1)
            self.span = min(max(likely_span, _SMALLEST_SPAN), 16 * self.gathered_of)


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk. reader: None sees all. low, high: the ids between them, without these two. tells_bcc: also includes mail in which a
    contact is only in Bcc, whoever wrote it; otherwise only its author gets such mail."""

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
        """Yields step by step, until there are no more ids. most: the largest number of ids that a step finds, and usually the
        number wanted in all. A step takes as many ids as are probably enough for that, by the share of wanted ids in the steps
        before. DatabaseUnavailable."""
        low, high = bounds(self.database, self.deployment, self.wanted, self.low, self.high)
        pace = _Pace(most, max(most, FIRST_STEP))
        source: _Source | None = None
        while low + 1 < high:
            between = Between(low, high, self.newest_first)
            if source is None:
                source = self._source(between)
                pace.begin(source, self.reader)
            step = self._by_ranges(source, between, pace) if source.ranges else self._gathered(source, between, pace)
            yield step
            if step.reached is None:
                return
            low, high = (low, step.reached) if self.newest_first else (step.reached, high)
            pace.adapt(step)

    def _source(self, between: Between) -> _Source:
        if id_ranges.are_gathered(self.wanted):
            return _Source(())
        plain = id_ranges.of_filter(self.wanted, self.deployment, self.reader)
        rare = id_ranges.rare(self.wanted, self.deployment) if self.wanted.thread is None else []
        alternatives = [plain, *([one] for one in rare)]
        chosen = id_ranges.furthest(self.database, alternatives, between) if rare else 0
        is_whose = self.wanted.names_contacts or self.wanted.thread is not None or chosen > 0
        return _Source(
            alternatives[chosen],
            is_users=bool(self.wanted.users) and not is_whose,
            is_visible=not self.wanted.users and not is_whose,
        )

    # --- a step -------------------------------------------------------------------------------------------------------

    def _by_ranges(self, source: _Source, between: Between, pace: _Pace) -> Step:
        # PostgreSQL takes the ids of one range as it needs them, and stops at the last needed id
        size = pace.size if self.database.is_sqlite or len(source.ranges) > 1 else LARGEST_STEP
        chosen, values = id_ranges.next_ids(source.ranges, between, size)
        sql, parameters = self._found(source, between, chosen, values, pace.most)
        return self._step(by_the_index.rows(self.database, sql, parameters), size, pace.most, None)

    def _gathered(self, source: _Source, between: Between, pace: _Pace) -> Step:
        """A step through the ids of several contacts. No index has these in one order, so the ids of a span are sorted; if they
        are too many, those of a shorter span."""
        several, of_several = self._of_several()
        if not pace.gathered_of:
            newest, count = self._first_span()
            between = between._replace(high=min(between.high, newest + 1))
            pace.span = min(_SPAN * _CONTACTS // (count or 1), 16 * _SPAN)
        order = between.order
        size = pace.size if self.database.is_sqlite else LARGEST_STEP
        gathered = "gathered"
        # if these are too many, none is checked
        chosen = (
            f"SELECT DISTINCT gathered_id AS looked_id FROM {gathered} WHERE (SELECT COUNT(*) FROM {gathered}) < ?"
            f" ORDER BY looked_id {order} LIMIT ?"
        )
        before = f"{gathered} AS MATERIALIZED (SELECT part.activity_id AS gathered_id {several} LIMIT ?), "
        while True:
            span = between.first(pace.span)
            most = LARGEST_WINDOW if pace.span > _SMALLEST_SPAN else END
            sql, parameters = self._found(source, between, chosen, [most, size], pace.most, before)
            sql += f" UNION ALL SELECT COUNT(*), NULL, -1 FROM {gathered}"
            found = by_the_index.rows(self.database, sql, (*of_several, span.low, span.high, most, *parameters))
            count = next(row[0] for row in found if row[2] == -1)
            if count < most:
                break
            pace.span = pace.span // 4 if pace.span <= _SPAN else _SPAN // 2
        pace.gathered, pace.gathered_of = count, span.high - span.low
        edge = None if span == between else span.low + 1 if between.newest_first else span.high - 1
        return self._step([row for row in found if row[2] != -1], size, pace.most, edge)

    def _found(
        self, source: _Source, between: Between, chosen: str, of_chosen: Sequence[Any], most: int, before: str = ""
    ) -> tuple[str, list[Any]]:
        """SQL for the wanted ids among the chosen ones, and its values. Its last row has the last chosen id and the number of
        chosen ids, or NULL and 0 if `most` ids were found. before: named queries (WITH) that `chosen` uses.

        The ids are checked in order, so both databases end at the last needed id. CROSS JOIN: SQLite checks these ids in this
        order, and chooses no other order. With an ORDER BY for the results, SQLite would check all ids first.
        """
        besides, values = self._condition(source)
        bcc, of_bcc = self._bcc()
        order, last = between.order, between.last
        of_before: Sequence[Any] = ()
        of_found = [*of_bcc, *of_chosen]
        beside, sorted_by = "", f" ORDER BY 1 {order}"  # by found_id
        if self.database.is_sqlite:  # SQLite would evaluate `chosen` twice
            looked_at = "looked_at"
            before, of_before = f"{before}{looked_at} AS MATERIALIZED ({chosen}), ", of_chosen
            chosen, of_chosen, of_found = f"SELECT looked_id FROM {looked_at}", (), [*of_bcc]
            sorted_by = ""
        elif of_bcc:  # PostgreSQL would evaluate `bcc` twice
            bcc, beside, of_found = (
                "of_parts.is_bcc",
                f" CROSS JOIN LATERAL ({bcc}) AS of_parts(is_bcc)",
                [*of_chosen, *of_bcc],
            )
        sql = (
            f"WITH {before}found_ones AS MATERIALIZED (SELECT found_id, found_author, only_bcc FROM"
            f" (SELECT a.id AS found_id, a.author AS found_author, {bcc} AS only_bcc FROM ({chosen}) AS looked"
            f" CROSS JOIN activities AS a{beside} WHERE a.id = looked_id AND a.deployment_id = ?{besides}) AS of_these"
            f" WHERE only_bcc IS NOT NULL{sorted_by} LIMIT ?)"
            " SELECT found_id, found_author, only_bcc FROM found_ones"
            f" UNION ALL SELECT {last}(looked_id), NULL, COUNT(*) FROM ({chosen}) AS looked_again"
            " WHERE (SELECT COUNT(*) FROM found_ones) < ?"
        )
        return sql, [*of_before, *of_found, self.deployment.id, *values, most, *of_chosen, most]

    def _step(self, rows: Sequence[tuple[Any, ...]], size: int, most: int, edge: int | None) -> Step:
        """The step for the rows of `_found`. edge: where to continue if fewer than `size` ids were chosen."""
        (end, looked) = next((row[0], row[2]) for row in rows if row[1] is None)
        found = sorted((row for row in rows if row[1] is not None), reverse=self.newest_first)
        at = found[-1][0] if len(found) == most else end if looked == size else edge
        return Step(list(self._told(found)), max(looked, len(found)), at)

    def _first_span(self) -> tuple[int, int]:
        """The newest id of all, and the number of wanted contacts, counted up to _CONTACTS."""
        condition, values = self._of_contacts()
        sql = (
            "SELECT (SELECT COALESCE(MAX(id), 0) FROM activities),"
            f" (SELECT COUNT(*) FROM (SELECT 1 FROM contacts AS one WHERE {condition} LIMIT ?) AS counted)"
        )
        ((newest, count),) = by_the_index.rows(self.database, sql, (*values, _CONTACTS))
        return newest, count

    def _of_several(self) -> tuple[str, list[Any]]:
        """SQL for the activities of several contacts between two ids, and its values without these two. It doesn't check the
        contacts' deployment, because PostgreSQL would then go through all contacts of the deployment. `_bcc` checks it for each
        activity."""
        condition, values = self._of_contacts()
        several = (
            f"FROM contacts AS one CROSS JOIN activity_contacts AS part WHERE {condition} AND part.contact_id = one.id"
            " AND part.activity_id > ? AND part.activity_id < ?"
        )
        return several, values

    # --- whether an id is wanted --------------------------------------------------------------------------------------

    def _condition(self, source: _Source) -> tuple[str, list[Any]]:
        """The condition on an activity `a` of the source, as SQL, and its values."""
        wanted = self.wanted
        parts, values = [""], []
        if wanted.users and not source.is_users:
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
            # `<> 0`: so that the index of the readings with labels is used
            parts.append(
                "EXISTS (SELECT 1 FROM readings AS told WHERE told.raw_id = a.leading_raw_id AND told.labels <> 0"
                " AND (told.labels & ?) <> 0)"
            )
            values.append(to_bits([wanted.label]))
        visible, of_reader = self._visible(source)
        return " AND ".join((*parts, *visible)), [*values, *of_reader]

    def _visible(self, source: _Source) -> tuple[list[str], list[Any]]:
        """Law 13, as conditions and their values. Each id is looked up in the two ranges that the reader may know of, unless it
        comes from these."""
        wanted, reader = self.wanted, self.reader
        if reader is None:
            return [], []
        own, values = _takes_part(reader.user_ids)
        # from one id to the same id: then SQLite uses the index of open activities, which is small if few are open
        is_open = (
            "EXISTS (SELECT 1 FROM activities AS open_one WHERE open_one.deployment_id = ?"
            " AND open_one.visibility <> 'participants' AND open_one.id >= looked_id AND open_one.id <= looked_id)"
        )
        known, of_known = f"({is_open} OR {own})", [self.deployment.id, *values]
        if wanted.label is not None or wanted.thread is not None:
            whole = f"(a.visibility = 'everyone' OR {own})"
            # an activity that the reader may not know of is left out before its row is read
            reads_few = source.is_visible or wanted.thread is not None
            return ([whole], values) if reads_few else ([known, whole], [*of_known, *values])
        return ([], []) if source.is_visible else ([known], of_known)

    def _told(self, found: list[tuple[int, str, int]]) -> Iterator[int]:
        """Leaves out activities in which a contact is only in Bcc, except for their author."""
        keys: frozenset[str] | None = None
        for activity_id, author, only_bcc in found:
            if only_bcc and not self.tells_bcc:
                if keys is None:
                    keys = own_keys(self.database, self.reader.user_ids) if self.reader else frozenset()
                if self.deployment.folding.key(author) not in keys:
                    continue
            yield activity_id

    def _bcc(self) -> tuple[str, list[Any]]:
        """1 if the wanted contacts are only in Bcc, 0 if not, NULL if they don't take part (law 8)."""
        if not self.wanted.names_contacts:
            return "0", []
        condition, values = self._of_contacts()
        bcc = f"(SELECT MIN(part.is_bcc) {_NAMED} AND one.deployment_id = ? AND {condition})"
        return bcc, [self.deployment.id, *values]

    def _of_contacts(self) -> tuple[str, list[Any]]:
        """The condition that a contact `one` is wanted."""
        conditions: list[str] = []
        values: list[Any] = []
        if self.wanted.company is not None:
            conditions.append("one.company_id = ?")
            values.append(self.wanted.company)
        if self.wanted.contacts:
            marks = ",".join("?" * len(self.wanted.contacts))
            conditions.append(f"one.id IN ({marks})")
            values += self.wanted.contacts
        return " AND ".join(conditions), values


def _takes_part(user_ids: Sequence[int]) -> tuple[str, list[Any]]:
    """The condition that the id is on the record of one of these users."""
    marks = ",".join("?" * len(user_ids))
    # LIMIT: for EXISTS, PostgreSQL would list everything that these users have, however much that is
    sql = (
        f"(SELECT 1 FROM activity_users AS own WHERE own.activity_id = looked_id AND own.user_id IN ({marks}) LIMIT 1)"
    )
    return f"{sql} IS NOT NULL", list(user_ids)
