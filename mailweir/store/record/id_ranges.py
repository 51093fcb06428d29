"""Ranges of indexes in which a walk finds the ids of activities, in their order. Never writes. Called by `walking`.

A rare property (an unusual route, a verdict other than `pass`) has an index of its own, which holds only the mail with that
property. If each of several ranges contains all wanted activities, a walk uses the range that reaches furthest with the same
number of ids.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from mailweir.reading.labels import to_bits
from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import by_the_index
from mailweir.store.record.stream_filter import StreamFilter
from mailweir.store.record.visibility import Reader

PROBED = 60  # ids that are read from each range to compare them
MOST_CONTACTS = 8  # in a list that has a range for each contact


class Range(NamedTuple):
    """The ids in the column `key` of those rows of a table that meet a condition. values: the condition's parameters."""

    key: str
    table: str
    condition: str
    values: tuple[Any, ...]


class Between(NamedTuple):
    """The ids between `low` and `high`, without these two, and their order."""

    low: int
    high: int
    newest_first: bool

    def first(self, span: int) -> "Between":
        """The first `span` of these ids, or all."""
        if self.newest_first:
            return self._replace(low=max(self.low, self.high - span))
        return self._replace(high=min(self.high, self.low + span))

    @property
    def order(self) -> str:
        """The order in SQL."""
        return "DESC" if self.newest_first else "ASC"

    @property
    def last(self) -> str:
        """SQL's function for the last id in this order."""
        return "MIN" if self.newest_first else "MAX"


def are_gathered(wanted: StreamFilter) -> bool:
    """Does the list want a company, or more contacts than may have ranges of their own? No index has the ids of several contacts
    in one order."""
    return wanted.thread is None and (wanted.company is not None or len(wanted.contacts) > MOST_CONTACTS)


def of_filter(wanted: StreamFilter, deployment: Deployment, reader: Reader | None) -> list[Range]:
    """Ranges that together contain all wanted activities; if no contact, user or thread is wanted, all activities that the reader
    may know of."""
    if wanted.thread is not None:
        return [Range("activity_id", "activity_threads", "thread_id = ?", (wanted.thread,))]
    if wanted.contacts:
        return [Range("activity_id", "activity_contacts", "contact_id = ?", (one,)) for one in wanted.contacts]
    if wanted.users:
        return _of_users(wanted.users)
    if reader is None:
        return [Range("id", "activities", "deployment_id = ?", (deployment.id,))]
    is_open = "deployment_id = ? AND visibility <> 'participants'"
    return [Range("id", "activities", is_open, (deployment.id,)), *_of_users(reader.user_ids)]


def _of_users(user_ids: Sequence[int]) -> list[Range]:
    return [Range("activity_id", "activity_users", "user_id = ?", (one,)) for one in user_ids]


def rare(wanted: StreamFilter, deployment: Deployment) -> list[Range]:
    """Ranges that each contain all wanted activities, and few others. The conditions are copies of the indexes' own, because
    SQLite compares their text."""
    found = []
    if wanted.verdict in ("fail", "none"):
        condition = (
            "deployment_id = ? AND sender_verdict <> 'pass' AND sender_verdict <> 'pending' AND sender_verdict = ?"
        )
        found.append(Range("id", "activities", condition, (deployment.id, wanted.verdict)))
    if wanted.route not in (None, "forward"):
        found.append(Range("activity_id", "sightings", "route <> 'forward' AND route = ?", (wanted.route,)))
    if wanted.label is not None:
        values = (deployment.id, to_bits([wanted.label]))
        found.append(Range("activity_id", "activity_labels", "deployment_id = ? AND label = ?", values))
    return found


def next_ids(ranges: Sequence[Range], between: Between, size: int) -> tuple[str, list[Any]]:
    """SQL for the next ids of these ranges, as `looked_id`, and its values. The ids are in order, each once, and at most `size`
    ids."""
    order = between.order
    parts = [_next(one, order) for one in ranges]
    values = [value for one in ranges for value in (*one.values, between.low, between.high, size)]
    if len(parts) == 1:
        return parts[0], values
    united = " UNION ".join(f"SELECT looked_id FROM ({each}) AS range_of_ids" for each in parts)
    return f"{united} ORDER BY looked_id {order} LIMIT ?", [*values, size]


def _next(one: Range, order: str) -> str:
    key, linked, condition = one.key, one.table, one.condition
    return (
        f"SELECT DISTINCT {key} AS looked_id FROM {linked} WHERE {condition} AND {key} > ? AND {key} < ?"
        f" ORDER BY {key} {order} LIMIT ?"
    )


def furthest(database: Database, alternatives: Sequence[Sequence[Range]], between: Between) -> int:
    """The position of the alternative that needs the fewest ids for the same activities. Reads PROBED ids of each."""
    parts: list[str] = []
    values: list[Any] = []
    last = between.last
    for number, ranges in enumerate(alternatives):
        each, of_each = next_ids(ranges, between, PROBED)
        parts.append(f"SELECT {number} AS place, {last}(looked_id), COUNT(*) FROM ({each}) AS looked_at")
        values += of_each
    found = by_the_index.rows(database, " UNION ALL ".join(parts), values)
    sign = 1 if between.newest_first else -1
    # A range with fewer ids has come to its end.
    return min((count == PROBED, sign * (end or 0), int(place)) for place, end, count in found)[2]
