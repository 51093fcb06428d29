"""Search in the record: the activities that contain all terms, the last recorded first. Never writes.

The index returns versions, the newest first; of these, the leading ones are checked against the filters and the reader's rights.
So a change of the leading version needs no change in the index. Called by `mailweir search` and by `missing_mail`.
"""

import heapq
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from mailweir.reading import search_entry
from mailweir.reading.search_query import Term
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import activities, search_index, visibility
from mailweir.store.record.activities import Activity

FIRST_CHUNK, LARGEST_CHUNK = 200, 10_000
_NO_BOUND = 2**62
_CLOCKS = timedelta(hours=1)  # ids follow time within this tolerance, because hosts' clocks differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The filters of a search. user: a username. contact: one of a contact's addresses. before: the id of an activity, the last
    one of the previous page."""

    limit: int
    user: str | None = None
    contact: str | None = None
    since: datetime | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """raw_id: the activity's leading version, which contains the words. is_whole: the reader may see all of it; otherwise only
    its metadata, and no text."""

    raw_id: int
    activity: Activity
    is_whole: bool = True


class Found(NamedTuple):
    """raw_id: the version that leads the activity, in which the words were found. is_whole: the reader may see all of it."""

    raw_id: int
    activity_id: int
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A reader's rights (law 13), as SQL conditions on an activity `a`, with their values. whole: the reader may see all of it.
    names: the reader may see only its metadata, so only names and addresses find it. contact: a condition on `part`, one of its
    contacts: the reader may know that this contact takes part."""

    whole: str
    whole_values: tuple[Any, ...]
    names: str
    names_values: tuple[Any, ...]
    contact: str = "part.is_bcc = 0"
    contact_values: tuple[Any, ...] = ()


def of_reader(reader: visibility.Reader) -> Reader:
    """The rights of this user."""
    marks = ",".join("?" * len(reader.user_ids))
    # LIMIT: for EXISTS, PostgreSQL would list everything that the reader takes part in, however much that is
    mine = (
        "(SELECT 1 FROM activity_users AS own WHERE own.activity_id = a.id"
        f" AND own.user_id IN ({marks}) LIMIT 1) IS NOT NULL"
    )
    return Reader(
        whole=f"a.visibility = 'everyone' OR {mine}",
        whole_values=reader.user_ids,
        names="a.visibility = 'metadata'",
        names_values=(),
        contact=(
            "part.is_bcc = 0 OR EXISTS (SELECT 1 FROM user_addresses AS own WHERE own.address = a.author"
            f" AND own.user_id IN ({marks}))"
        ),
        contact_values=reader.user_ids,
    )


def select(
    database: Database, deployment: Deployment, terms: Sequence[Term], wanted: Wanted, reader: Reader | None = None
) -> list[Hit]:
    """A deployment's activities that contain all terms. reader: None is the operator's command line. NotFound if the user or
    contact never existed."""
    found = matching(database, deployment, terms, wanted, reader)
    with _by_the_index(database):
        loaded = activities.load(database, [one.activity_id for one in found])
        shown = [
            loaded[one.activity_id] if one.is_whole else activities.metadata_of(loaded[one.activity_id])
            for one in found
            if one.activity_id in loaded
        ]
        if wanted.user is not None:
            shown = activities.as_shown_to(database, deployment, wanted.user, shown)
    known = {one.activity_id: one for one in found}
    return [Hit(raw_id=known[one.id].raw_id, activity=one, is_whole=known[one.id].is_whole) for one in shown]


def matching(
    database: Database, deployment: Deployment, terms: Sequence[Term], wanted: Wanted, reader: Reader | None = None
) -> list[Found]:
    """As `select`, without the activities' data, for a caller that loads the activities as the reader sees them."""
    if not terms:
        return []
    with _by_the_index(database):
        return list(islice(_matching(database, deployment, terms, wanted, reader), wanted.limit))


def _matching(
    database: Database, deployment: Deployment, terms: Sequence[Term], wanted: Wanted, reader: Reader | None
) -> Iterator[Found]:
    """The results of `matching`, without its limit; the newest first."""
    condition, values = _conditions(database, deployment, wanted, reader)
    low, high = _bounds(database, wanted)
    asked = _Asked(deployment.id, terms, low, high)
    if reader is None:
        yield from (Found(*one, is_whole=True) for one in _leading(database, asked, condition, values))
        return
    whole = _leading(database, asked, f"{condition} AND ({reader.whole})", (*values, *reader.whole_values))
    names = _leading(
        database,
        replace(asked, names_only=True),
        f"{condition} AND ({reader.names})",
        (*values, *reader.names_values),
    )
    each = (Found(*one, is_whole=True) for one in whole), (Found(*one, is_whole=False) for one in names)
    before = None
    for found in heapq.merge(*each, reverse=True):  # if an activity is found both ways, the whole one comes first
        if found.raw_id != before:
            yield found
        before = found.raw_id


def _conditions(
    database: Database, deployment: Deployment, wanted: Wanted, reader: Reader | None
) -> tuple[str, list[Any]]:
    """The further conditions on an activity, as SQL, and their values."""
    # The plus: otherwise SQLite would scan all activities of the deployment by an index, to find those of the versions.
    conditions, values = ["+a.deployment_id = ?"], [deployment.id]
    if wanted.user is not None:
        users = activities.user_ids(database, deployment, wanted.user)
        marks = ",".join("?" * len(users))
        conditions.append(
            f"EXISTS (SELECT 1 FROM activity_users AS mine WHERE mine.activity_id = a.id AND mine.user_id IN ({marks}))"
        )
        values += users
    if wanted.contact is not None:
        contacts = activities.contact_ids(database, deployment, wanted.contact)
        marks = ",".join("?" * len(contacts))
        told, told_values = (reader.contact, reader.contact_values) if reader else ("1 = 1", ())
        # Law 8: a proven activity has only the people whom a proven version of the message names.
        conditions.append(
            "EXISTS (SELECT 1 FROM activity_contacts AS part JOIN raw_messages AS version ON version.id = part.raw_message_id"
            " WHERE part.activity_id = a.id AND (a.sender_verdict <> 'pass' OR version.verdict = 'pass')"
            f" AND part.contact_id IN ({marks}) AND ({told}))"
        )
        values += [*contacts, *told_values]
    parameters: list[Any] = list(values)
    if wanted.since is not None:
        conditions.append("a.recorded_at >= ?")
        parameters.append(rfc3339(wanted.since))
    return " AND ".join(conditions), parameters


@dataclass(frozen=True, slots=True)
class _Asked:
    """The query to the index: the versions from `low` to below `high` that contain the terms."""

    deployment_id: int
    terms: Sequence[Term]
    low: int
    high: int
    names_only: bool = False


def _leading(database: Database, asked: _Asked, condition: str, parameters: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """(version, activity) of the leading versions that contain the words and meet the condition, the newest first."""
    sql = (
        "SELECT r.id, a.id FROM raw_messages AS r JOIN activities AS a ON a.id = r.activity_id AND a.leading_raw_id = r.id"
        f" WHERE {condition} AND r.id IN ({{}})"
    )
    for raw_ids in _candidates(database, asked):
        rows = [(raw_id, activity_id) for raw_id, activity_id in batches.among(database, sql, parameters, raw_ids)]
        yield from sorted(rows, reverse=True)


@contextmanager
def _by_the_index(database: Database) -> Iterator[None]:
    """Makes PostgreSQL use the index. It underestimates the cost of reading all words of all mail, and overestimates the benefit
    of compiling a query."""
    if database.is_sqlite:
        yield
        return
    with database.transaction(alone=False):
        for setting in ("enable_seqscan = off", "jit = off", "work_mem = '32MB'"):
            database.execute(f"SET LOCAL {setting}")
        yield


# --- the range of versions --------------------------------------------------------------------------------------------


def _bounds(database: Database, wanted: Wanted) -> tuple[int, int]:
    """The range of versions to search: from the first one to below the second."""
    low = _first_since(database, wanted.since) if wanted.since is not None else 0
    high = _NO_BOUND
    if wanted.before is not None:
        sql = "SELECT id, leading_raw_id FROM activities WHERE id <= ? ORDER BY id DESC LIMIT 1"
        row = database.execute(sql, (min(wanted.before, _NO_BOUND),)).fetchone()
        # if that activity is gone meanwhile: from the one recorded before it
        high = 0 if row is None else row[1] + (row[0] != wanted.before)
    return low, high


def _first_since(database: Database, since: datetime) -> int:
    """The first version that may have been recorded since then; _NO_BOUND if there is none. Ids grow with time, so this is a
    binary search."""
    try:
        text = rfc3339(since - _CLOCKS)
    except OverflowError:
        return 0
    (newest,) = database.execute("SELECT MAX(id) FROM activities").fetchone()
    low, high = 0, newest or 0  # the wanted one is above `low`, and at most `high`
    sql = "SELECT id, recorded_at FROM activities WHERE id > ? ORDER BY id LIMIT 1"
    while low < high:
        middle = (low + high) // 2
        row = database.execute(sql, (middle,)).fetchone()
        if row is not None and row[1] < text:
            low = row[0]
        else:
            high = middle
    first = database.execute(
        "SELECT MIN(r.id) FROM raw_messages AS r WHERE r.activity_id ="
        " (SELECT a.id FROM activities AS a WHERE a.id > ? ORDER BY a.id LIMIT 1)",
        (low,),
    ).fetchone()[0]
    return int(first) if first is not None else _NO_BOUND


# --- the index's results ----------------------------------------------------------------------------------------------


def _candidates(database: Database, asked: _Asked) -> Iterator[list[int]]:
    """The versions that contain all terms, the newest first, in chunks."""
    low, high = asked.low, asked.high
    if database.is_sqlite:
        yield from _chunks(database, _SQLITE, (_fts_query(asked),), low, high)
        return
    query, phrases = _ts_query(asked), _phrases(asked)
    sql = _POSTGRESQL.format(" AND POSITION(? IN ' ' || words || ' ') > 0" * len(phrases))
    for begin, only in _windows(database, asked):
        if begin <= low:
            break
        yield from _chunks(database, sql, (f"{query} & {only}", *phrases), begin, high)
        high = min(high, begin)
    yield from _chunks(database, sql, (query, *phrases), low, high)


_SQLITE = (
    "SELECT rowid FROM search_words WHERE search_words MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
)
# MATERIALIZED: otherwise PostgreSQL might read the newest rows one by one until enough contain the words, which may mean all
# rows.
_POSTGRESQL = (
    "WITH hits AS MATERIALIZED (SELECT raw_id FROM search_texts"
    " WHERE array_to_tsvector(string_to_array(words, ' ')) @@ CAST(? AS tsquery){})"
    " SELECT raw_id FROM hits WHERE raw_id >= ? AND raw_id < ? ORDER BY raw_id DESC LIMIT ?"
)


def _chunks(database: Database, sql: str, query: tuple[str, ...], low: int, high: int) -> Iterator[list[int]]:
    size = FIRST_CHUNK
    while low < high:
        found = [raw_id for (raw_id,) in database.execute(sql, (*query, low, high, size)).fetchall()]
        if found:
            yield found
        if len(found) < size:
            return
        high, size = found[-1], min(4 * size, LARGEST_CHUNK)


def _windows(database: Database, asked: _Asked) -> Iterator[tuple[int, str]]:
    """Windows of versions, from the newest versions on, each larger than the one before: (its lowest id, its condition)."""
    newest = asked.high - 1
    if asked.high == _NO_BOUND:
        newest = database.execute("SELECT COALESCE(MAX(raw_id), 0) FROM search_texts").fetchone()[0]
    # for each window the index collects all words with this prefix, so there is only one window
    has_prefix = any(term.is_prefix for term in asked.terms)
    for bits in search_index.WINDOW_BITS[1:2] if has_prefix else search_index.WINDOW_BITS:
        number = newest >> bits
        numbers = (number, number - 1) if number else (number,)
        names = (f"'{search_index.window(asked.deployment_id, bits, one)}'" for one in numbers)
        yield numbers[-1] << bits, f"({' | '.join(names)})"


def _fts_query(asked: _Asked) -> str:
    """Terms in FTS5's syntax. No word contains a quote."""
    return " AND ".join(f'"{" ".join(words)}"' + " *" * is_prefix for words, is_prefix in _indexed_words(asked))


def _ts_query(asked: _Asked) -> str:
    """The words of terms in PostgreSQL's syntax. No word contains a quote or a backslash."""
    wanted: dict[str, None] = {}
    for words, is_prefix in _indexed_words(asked):
        *others, last = (f"'{word}'" for word in words)
        wanted |= dict.fromkeys((*others, f"{last}:*" if is_prefix else last))
    return " & ".join(wanted)


def _phrases(asked: _Asked) -> list[str]:
    """The phrases that the text must contain, too: PostgreSQL's index has no positions of words."""
    several = [(" ".join(words), is_prefix) for words, is_prefix in _indexed_words(asked) if len(words) > 1]
    return [f" {phrase}" if is_prefix else f" {phrase} " for phrase, is_prefix in several]


def _indexed_words(asked: _Asked) -> list[tuple[list[str], bool]]:
    """The words of each term as in the index, and whether the last is a prefix."""
    begin = search_entry.named(asked.deployment_id) if asked.names_only else search_entry.whole(asked.deployment_id)
    return [([begin + word for word in term.words], term.is_prefix) for term in asked.terms]
