"""The number of mails with a contact or a company in each of the last months, for a small picture. Never writes.

Counts only mail that the reader may know of (law 13), and at most a limited number of activities: the newest. The database counts
in one statement for a span of ids. It compares the contacts' entries in activity_contacts with the two ranges of activities that
the reader may know of, and reads only activities that it finds in both. Called by the web page.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import by_the_index
from mailweir.store.record.stream_filter import StreamFilter, bounds
from mailweir.store.record.visibility import Reader, own_keys

MONTHS = 12
LOOKED_AT = 20_000  # entries of contacts that a picture may read
_NARROWER = 4  # a span with more entries than that is made so many times smaller
_ONE = 2  # the size of a span of one id

# Law 8: a proven activity counts only for the people whom a proven version of the message names. Its leading version is always
# proven.
_OF_PART = "one.id = part.contact_id"  # the condition on the contacts is added
_COUNTED = (
    "each_one AS MATERIALIZED (SELECT SUBSTR(CASE WHEN a.sent_at < a.recorded_at THEN a.sent_at ELSE a.recorded_at END, 1, 7)"
    " AS told_month, a.author AS told_author, (SELECT MIN(part.is_bcc) FROM activity_contacts AS part"
    f" JOIN contacts AS one ON {_OF_PART} WHERE part.activity_id = a.id"
    " AND (a.sender_verdict <> 'pass' OR part.raw_message_id = a.leading_raw_id OR (SELECT version.verdict"
    " FROM raw_messages AS version WHERE version.id = part.raw_message_id) = 'pass')) AS only_bcc"
    " FROM known_ones CROSS JOIN activities AS a WHERE a.id = known_ones.seen_id AND a.deployment_id = ?)"
    " SELECT told_month, CASE WHEN only_bcc <> 0 THEN told_author END, COUNT(*) FROM each_one WHERE only_bcc IS NOT NULL"
    " GROUP BY told_month, CASE WHEN only_bcc <> 0 THEN told_author END"
    " UNION ALL SELECT NULL, NULL, COUNT(*) FROM parts"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Monthly:
    """months: (`2026-11`, count), the oldest first, this month last; all twelve are there. is_partial: there were more activities
    than are read, so each count may be too low."""

    months: tuple[tuple[str, int], ...]
    is_partial: bool


class _Span(NamedTuple):
    """The ids between `low` and `high`, without these two. most: the largest number of entries that is counted."""

    low: int
    high: int
    most: int


def counts(
    database: Database, deployment: Deployment, reader: Reader | None, wanted: StreamFilter, now: datetime
) -> Monthly:
    """Counts the wanted activities, each in the month (UTC) in which it was sent, or recorded if that was earlier.

    wanted: contacts or a company, and nothing else. reader: None is an operator. ValueError for another filter, and for a reader
    of another deployment. DatabaseUnavailable.
    """
    if reader is not None and reader.deployment_id != deployment.id:
        raise ValueError("the reader is another deployment's")
    if not wanted.names_contacts or wanted != StreamFilter(contacts=wanted.contacts, company=wanted.company):
        raise ValueError("months are counted of contacts or of a company, and of all their mail")
    names = _last_months(now)
    year, month = map(int, names[0].split("-"))
    since = StreamFilter(since=datetime(year, month, 1, tzinfo=UTC))
    low, high = bounds(database, deployment, since)
    counted: Counter[str] = Counter()
    keys: frozenset[str] | None = None
    cost, size = 0, high - low
    while low + 1 < high and cost < LOOKED_AT:
        span = _Span(max(low, high - size), high, LOOKED_AT)
        found, entries = _counted(database, deployment, reader, wanted, span)
        if entries > LOOKED_AT and size > _ONE:
            high = min(high, _newest(database) + 1)
            size = max((high - span.low) // _NARROWER, _ONE)
            continue
        for name, whose, count in found:
            if whose is not None and keys is None:
                keys = own_keys(database, reader.user_ids) if reader else frozenset()
            # mail that contacts got only in Bcc counts only for its author
            if whose is None or deployment.folding.key(whose) in (keys or ()):
                counted[name] += count
        cost, high = cost + entries, span.low + 1
    return Monthly(months=tuple((name, counted[name]) for name in names), is_partial=low + 1 < high)


def _newest(database: Database) -> int:
    (newest,) = database.execute("SELECT MAX(id) FROM activities").fetchone()
    return newest or 0


def _counted(
    database: Database, deployment: Deployment, reader: Reader | None, wanted: StreamFilter, span: _Span
) -> tuple[list[tuple[str, str | None, int]], int]:
    """Rows of (month, author if the contacts are only in Bcc, number), and the number of entries. If there are too many entries,
    nothing is counted."""
    marks = ",".join("?" * len(wanted.contacts))
    conditions = ["one.deployment_id = ?"]
    conditions += [f"one.id IN ({marks})"] if wanted.contacts else []
    conditions += ["one.company_id = ?"] if wanted.company is not None else []
    whose, of_whose = " AND ".join(conditions), [deployment.id, *wanted.contacts]
    of_whose += [] if wanted.company is None else [wanted.company]
    gathering = (
        f"SELECT part.activity_id AS part_id FROM contacts AS one CROSS JOIN activity_contacts AS part WHERE {whose}"
        " AND part.contact_id = one.id AND part.activity_id > ? AND part.activity_id < ? LIMIT ?"
    )
    of_parts = (*of_whose, span.low, span.high, span.most + 1)
    seeing, of_seen = _seen(database, reader, span)
    counting = _COUNTED.replace(_OF_PART, f"{_OF_PART} AND {whose}")
    sql = f"WITH parts AS MATERIALIZED ({gathering}), known_ones AS MATERIALIZED (SELECT part_id AS seen_id {seeing}), {counting}"
    values = (*of_parts, *of_seen, *of_whose, deployment.id)
    rows = by_the_index.merged_rows(database, sql, values)
    entries = next(count for name, _, count in rows if name is None)
    return [(name, author, count) for name, author, count in rows if name is not None], entries


def _seen(database: Database, reader: Reader | None, span: _Span) -> tuple[str, list[Any]]:
    """SQL from FROM on, for `known_ones`: the entries that the reader may know of (law 13), each activity once; and its
    values."""
    is_few = "(SELECT COUNT(*) FROM parts) <= ?"
    if reader is None:
        return f"FROM parts WHERE {is_few} GROUP BY part_id", [span.most]
    marks = ",".join("?" * len(reader.user_ids))
    if database.is_sqlite:
        return (  # from one id to the same id: then SQLite uses the index of open activities, which is small if few are open
            f"FROM parts WHERE {is_few} AND (EXISTS (SELECT 1 FROM activities AS open_one"
            " WHERE open_one.deployment_id = ? AND open_one.visibility <> 'participants' AND open_one.id >= part_id"
            " AND open_one.id <= part_id) OR EXISTS (SELECT 1 FROM activity_users AS own"
            f" WHERE own.activity_id = part_id AND own.user_id IN ({marks}))) GROUP BY part_id",
            [span.most, reader.deployment_id, *reader.user_ids],
        )
    # the ranges' own bounds: PostgreSQL then knows what it costs to read a range from end to end
    return (
        f"FROM parts JOIN activities AS open_one ON open_one.id = part_id WHERE {is_few}"
        " AND open_one.deployment_id = ? AND open_one.visibility <> 'participants' AND open_one.id > ? AND open_one.id < ?"
        " UNION SELECT part_id AS seen_id FROM parts JOIN activity_users AS own ON own.activity_id = part_id"
        f" WHERE {is_few} AND own.user_id IN ({marks}) AND own.activity_id > ? AND own.activity_id < ?",
        [
            *(span.most, reader.deployment_id, span.low, span.high),
            *(span.most, *reader.user_ids, span.low, span.high),
        ],
    )


def _last_months(now: datetime) -> list[str]:
    """The last months' names, the oldest first."""
    this = now.astimezone(UTC)
    number = this.year * 12 + this.month - 1
    return [f"{one // 12:04d}-{one % 12 + 1:02d}" for one in range(number - MONTHS + 1, number + 1)]
