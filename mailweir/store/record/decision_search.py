"""The decisions on a message that somebody asks for: by a Message-ID, an address, a queue id, Gmail's id, or a part of a subject.

The search uses indexes whose keys begin with a bucket of ids (migration 0038). It goes from the newest bucket to older ones, in
steps that grow. An answer covers a limited number of buckets, and contains how far the search came and where to continue. Never
writes. Called by `explain.tracking` and the demonstration.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from mailweir import address
from mailweir.store.database import batches, fingerprint, like
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import by_the_index, decisions, refusals
from mailweir.store.record.decisions import Asker, Decision

BUCKET_IDS = 500  # as in the indexes
FIRST_STEP, LARGEST_STEP = 16, 4_096  # buckets
MOST_BUCKETS = 4_000  # in an answer: two million ids
TRACED_BUCKETS = 160  # in an answer, if traces of ignored mail must be read one by one
MOST_READ = 3_000  # in an answer: decisions on mail whose From names several addresses, or that Postfix refused under a queue id
MOST_HITS = 500  # in a step
MOST_ASKED = 5_000  # in an answer: hits that are checked for the asker's rights
_MIN_WORD_CHARS = 3
_GMAIL_ID = re.compile(r"[0-9A-Za-z_-]{8,64}")  # opaque; at Google 16 hexadecimal digits
_END = 2**62  # above every id
_NAMED = "c.named IS NOT NULL"
_REFUSED = "c.outcome = 'refused' AND SUBSTR(c.source_id, 1, 8) <> 'NOQUEUE:'"
_BARE = "c.message_id IS NOT NULL AND SUBSTR(c.message_id, 1, 1) <> '<'"
# Each bucket is searched separately: otherwise both databases would read an index from the first bucket to the last. On SQLite
# the buckets aren't joined: for a join, SQLite would first read the whole table to make a Bloom filter. `+bucket` has no type,
# because the index's expression has none either.
_BUCKETS = (
    "WITH RECURSIVE buckets AS (SELECT CAST(? AS BIGINT) AS bucket UNION ALL"
    " SELECT bucket - 1 FROM buckets WHERE bucket > ?) "
)
_SERIES = "GENERATE_SERIES(CAST(? AS BIGINT), CAST(? AS BIGINT)) AS buckets(bucket)"


class Place(NamedTuple):
    """How far an answer came. decision, activity: it covers the ids from these on; 0: nothing is left."""

    decision: int
    activity: int


_START = Place(_END, _END)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """text: a Message-ID (with <> or without), an author's or recipient's address, a queue id, Gmail's id, or a part of the
    subject of recorded mail.

    deployment: None is all. digests: of the recipient, by deployment (`traces`). told: decisions from Postfix's log are found,
    too, except those with these source ids (`refusals.source_id`), which the caller shows itself; None: no decisions from the log
    are found. asker: None is the operator's command line. For others, no subject is compared here, because some of them may be
    hidden from the asker: `search` finds by subjects. since: nothing older.
    """

    text: str
    deployment: Deployment | None = None
    limit: int | None = None
    digests: Mapping[int, bytes] = field(default_factory=dict)
    told: Collection[str] | None = None
    asker: Asker | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """decisions: the newest first. further: where to continue, if not all was covered and fewer were found than wanted. until:
    the answer covers all that was decided since then (UTC, a whole hour)."""

    decisions: tuple[Decision, ...] = ()
    further: Place | None = None
    until: datetime | None = None


def search(database: Database, wanted: Wanted, before: Place | None = None, *, goes_on: bool = False) -> Part:
    """One answer. before: `further` of the previous answer. goes_on: continues until nothing is left, or enough is found.
    DatabaseUnavailable."""
    part = _part(database, wanted, before or _START)
    while goes_on and part.further is not None:
        following = _part(database, wanted, part.further)
        found = (*part.decisions, *following.decisions)[: wanted.limit]
        is_full = len(found) == wanted.limit
        part = replace(following, decisions=found, further=None if is_full else following.further)
    return part


def find(
    database: Database,
    text: str,
    deployment: Deployment | None = None,
    limit: int | None = None,
    digests: Mapping[int, bytes] | None = None,
    told: Collection[str] | None = None,
) -> list[Decision]:
    """All matching decisions, or at most `limit`; see `Wanted`."""
    wanted = Wanted(text=text, deployment=deployment, limit=limit, digests=digests or {}, told=told)
    return list(search(database, wanted, goes_on=True).decisions)


def _part(database: Database, wanted: Wanted, before: Place) -> Part:
    text = wanted.text.strip()
    if not text.isprintable():  # such as bytes of another encoding; all values on the record are printable
        return Part()
    with by_the_index.all_of_these(database):
        return _Looking(database, replace(wanted, text=text)).part(before)


_Told = list[tuple[str, int]]  # (decided_at, id) of decisions


class _Looking:
    """An answer while it is made."""

    def __init__(self, database: Database, wanted: Wanted) -> None:
        self._database, self._wanted = database, wanted
        self._author = address.normalise_path(wanted.text) or address.typed(wanted.text)
        self._condition, self._values = decisions.told(wanted.deployment, wanted.asker, wanted.since, wanted.told)

    def part(self, before: Place) -> Part:
        """The answer from the place `before` on."""
        found = self._told(self._by_source()) if before == _START else []
        high = min(before.decision, self._newest("SELECT MAX(id) FROM decisions") + 1)
        decided, at_decision = self._descend(high, self._floor(high), self._hits, self._told)
        taking_part, at_activity = self._of_contacts(before, decided)
        found = sorted({*found, *decided, *taking_part}, reverse=True)[: self._wanted.limit]
        further: Place | None = Place(at_decision, at_activity)
        if further == (0, 0) or len(found) == self._wanted.limit:
            further = None
        until = self._until(further) if further else None
        if until and self._wanted.since and until <= self._wanted.since:
            further = until = None
        return Part(decisions=tuple(self._loaded([number for _, number in found])), further=further, until=until)

    # --- from the newest bucket on ------------------------------------------------------------------------------------

    def _descend(
        self, high: int, floor: int, hits: Callable[[int, int, int], list[int]], told: Callable[[list[int]], _Told]
    ) -> tuple[_Told, int]:
        """Goes down from the id `high` to the bucket `floor`, or until it has found enough decisions that the asker may see.
        Returns these, and the id down to which it looked. hits: called with the lowest and the highest bucket, and the id that
        all hits must be below; returns ids, the highest first."""
        found: _Told = []
        size, asked = FIRST_STEP, 0
        while high > floor * BUCKET_IDS and asked < MOST_ASKED and not self._is_enough(found):
            top = (high - 1) // BUCKET_IDS
            low = max(top - size + 1, floor)
            ids = hits(low, top, high)
            found += told(ids)
            high = ids[-1] if len(ids) == MOST_HITS else low * BUCKET_IDS
            size, asked = min(size * 4, LARGEST_STEP), asked + len(ids)
        return found, high

    def _is_enough(self, found: _Told) -> bool:
        return self._wanted.limit is not None and len(found) >= self._wanted.limit

    def _newest(self, sql: str) -> int:
        (newest,) = self._database.execute(sql).fetchone()
        return newest or 0

    def _floor(self, high: int) -> int:
        """The bucket at which this answer ends."""
        top = (high - 1) // BUCKET_IDS
        floors = [0, top - MOST_BUCKETS + 1]
        rare = [("decisions_named", _NAMED)] if self._author else []
        rare += [("decisions_refused", _REFUSED)] if self._has_refused else []
        for index, condition in rare:
            by = self._by(index)
            sql = (
                f"SELECT c.id / 500 FROM decisions AS c{by} WHERE {condition} AND c.id / 500 <= ?"
                " ORDER BY c.id / 500 DESC LIMIT 1 OFFSET ?"
            )
            row = self._database.execute(sql, (top, MOST_READ)).fetchone()
            floors += row or ()
        if self._author and self._wanted.digests:
            by = self._by("decisions_traced")
            sql = (
                f"SELECT c.id / 500 FROM decisions AS c{by} WHERE c.recipient_digests IS NOT NULL"
                " AND c.id / 500 >= 0 ORDER BY c.id / 500 LIMIT 1"
            )
            row = self._database.execute(sql).fetchone()
            if row is not None and row[0] <= top - TRACED_BUCKETS:
                floors.append(top - TRACED_BUCKETS + 1)
        return max(floors)

    # --- decisions ----------------------------------------------------------------------------------------------------

    def _by_source(self) -> list[int]:
        """Searches by the ids of Postfix and of Gmail, which have indexes of their own."""
        text = self._wanted.text
        sql = "SELECT c.id FROM decisions AS c WHERE c.source_id = ?"
        found = self._database.execute(sql, (text,)).fetchall()
        if _GMAIL_ID.fullmatch(text):
            sql = (
                "SELECT c.id FROM gmail_mailboxes AS m CROSS JOIN decisions AS c"
                " WHERE c.source_id = CAST(? AS TEXT) || '@' || CAST(m.id AS TEXT)"
            )
            found += self._database.execute(sql, (text,)).fetchall()
        if self._author:
            found += self._by_capture_address(*address.split(self._author))
        return [number for (number,) in found]

    def _by_capture_address(self, local: str, domain: str) -> Sequence[Any]:
        """Recorded mail that was forwarded to a user's capture address, the newest first."""
        sql = (
            "SELECT u.id FROM deployments AS d JOIN users AS u ON u.deployment_id = d.id AND u.removed_at IS NULL"
            " WHERE d.domain = ? AND (u.username = ? OR (d.plus_addresses = 1 AND u.username = ?))"
        )
        user = self._database.execute(sql, (domain, local, local.partition("+")[0])).fetchone()
        if user is None:
            return []
        sql = (
            "SELECT c.id FROM sightings AS s CROSS JOIN decisions AS c WHERE s.user_id = ? AND s.route = 'forward'"
            " AND c.source_id = s.source_id AND c.activity_id = s.activity_id ORDER BY s.seen_at DESC LIMIT ?"
        )
        most = _END if self._wanted.limit is None else MOST_HITS
        found: Sequence[Any] = self._database.execute(sql, (user[0], most)).fetchall()
        return found

    def _hits(self, low: int, top: int, high: int) -> list[int]:
        sources = list(self._sources(low, top))
        united = " UNION ".join(walked for walked, _ in sources)
        buckets, of_buckets = self._buckets(low, top)
        # +: otherwise SQLite would scan the ids themselves, and not use the index
        sql = f"{buckets}SELECT looked_id FROM ({united}) AS of_these WHERE +looked_id < ? ORDER BY looked_id DESC LIMIT ?"
        values = [*of_buckets, *(value for _, those in sources for value in those), high, MOST_HITS]
        return [number for (number,) in self._database.execute(sql, values).fetchall()]

    def _sources(self, low: int, top: int) -> Iterator[tuple[str, Sequence[Any]]]:
        """The queries for matching decisions in these buckets, each with its values. A query returns ids as `looked_id`."""
        text = self._wanted.text
        message_id_key = self._key("c.message_id")
        bracketed = text if text.startswith("<") else f"<{text}>"
        condition = f"{message_id_key} = ? AND c.message_id || '' = ?"
        yield self._in_bucket("decisions_message_ids", condition, low, top, fingerprint.of(bracketed), bracketed)
        if bracketed != text:
            yield self._range("decisions_bare_ids", f"{_BARE} AND {condition}"), (low, top, fingerprint.of(text), text)
        if self._author:
            is_author, key = self._is_address("c.author")
            condition = f"{is_author} AND c.author || '' = ?"
            yield self._in_bucket("decisions_authors", condition, low, top, key, self._author)
            condition, pattern = self._names()
            yield self._range("decisions_named", f"{_NAMED} AND {condition}"), (low, top, pattern)
            digests = list(self._wanted.digests.values())
            if digests:
                position = "INSTR(c.recipient_digests, ?)"
                if not self._database.is_sqlite:
                    position = "POSITION(? IN c.recipient_digests)"
                condition = " OR ".join([f"{position} > 0"] * len(digests))
                condition = f"c.recipient_digests IS NOT NULL AND ({condition})"
                yield self._range("decisions_traced", condition), (low, top, *digests)
        elif self._wanted.asker is None and len(text) >= _MIN_WORD_CHARS:
            column = like.folded_sql("a.subject", is_sqlite=self._database.is_sqlite)
            condition = (
                f"EXISTS (SELECT 1 FROM activities AS a WHERE a.id = c.activity_id AND {column} LIKE ? ESCAPE '!')"
            )
            pattern = f"%{like.escaped(like.folded(text) or '')}%"
            yield self._range("decisions_authors", condition), (low, top, pattern)
        if self._has_refused:
            begins = refusals.source_id(text, "")
            condition = f"{_REFUSED} AND SUBSTR(c.source_id, 1, ?) = ?"
            yield self._range("decisions_refused", condition), (low, top, len(begins), begins)

    def _in_bucket(self, index: str, condition: str, low: int, top: int, *values: Any) -> tuple[str, Sequence[Any]]:
        """A query that searches each of these buckets by itself, and its values."""
        buckets = () if self._database.is_sqlite else (low, top)
        return self._each("FROM decisions AS c", index, "c.id", condition), (*buckets, *values)

    def _buckets(self, low: int, top: int) -> tuple[str, Sequence[int]]:
        """A statement's beginning, for `_each`, and its values."""
        return (_BUCKETS, (top, low)) if self._database.is_sqlite else ("", ())

    def _each(self, aliased: str, index: str, number: str, condition: str) -> str:
        """A query that searches each bucket by itself. On PostgreSQL its values begin with the lowest and highest bucket.
        aliased: FROM with the table and its alias."""
        if self._database.is_sqlite:
            by = self._by(index)
            within = f"{number} / 500 IN (SELECT +bucket FROM buckets)"
            return f"SELECT {number} AS looked_id {aliased}{by} WHERE {within} AND {condition}"
        # OFFSET: otherwise PostgreSQL would read the whole index once if there are many buckets
        return (
            f"SELECT looked_id FROM {_SERIES} CROSS JOIN LATERAL (SELECT {number} AS looked_id {aliased}"
            f" WHERE {number} / 500 = bucket AND {condition} OFFSET 0) AS of_bucket"
        )

    def _range(self, index: str, condition: str) -> str:
        """A query that searches all of these buckets in one scan of the index."""
        by = self._by(index)
        return f"SELECT c.id AS looked_id FROM decisions AS c{by} WHERE c.id / 500 >= ? AND c.id / 500 <= ? AND {condition}"

    def _by(self, index: str) -> str:
        """Names the index for SQLite, which would use another one, with or without statistics."""
        return f" INDEXED BY {index}" if self._database.is_sqlite else ""

    def _key(self, column: str) -> str:
        """A text column in the form of the indexes (`fingerprint`). Conditions compare the text itself as `column || ''`.
        Otherwise SQLite would put the compared value into this expression, too, and wouldn't find its index."""
        return fingerprint.sql(column, is_sqlite=self._database.is_sqlite)

    def _is_address(self, column: str) -> tuple[str, int | str]:
        """The condition that a column's address has the same number (`fingerprint`) as the wanted one, and its value. Other
        addresses may have this number, too."""
        is_sqlite = self._database.is_sqlite
        asked, value = fingerprint.asked_address(self._author or "", is_sqlite=is_sqlite)
        return f"{fingerprint.address_sql(column, is_sqlite=is_sqlite)} = {asked}", value

    @property
    def _has_refused(self) -> bool:
        return self._wanted.told is not None and self._wanted.text.isalnum()

    @property
    def _matches(self) -> str:
        return "LIKE" if self._database.is_sqlite else "ILIKE"  # both ignore case

    def _names(self) -> tuple[str, str]:
        """The condition that From names the address besides the author, and its value."""
        quoted, matches = json.dumps(self._author, ensure_ascii=False), self._matches
        return f"c.named {matches} ? ESCAPE '!'", f"%{like.escaped(quoted)}%"

    def _told(self, ids: list[int]) -> _Told:
        """Those of these decisions that the asker may see."""
        condition = self._condition
        sql = (
            "SELECT c.decided_at, c.id FROM decisions AS c LEFT JOIN activities AS a ON a.id = c.activity_id"
            f" WHERE {condition} AND c.id IN ({{}})"
        )
        return [(at, number) for at, number in self._asked(sql, self._values, ids)]

    def _asked(self, sql: str, first: Sequence[Any], ids: list[int]) -> Iterator[tuple[Any, ...]]:
        """The rows of a query on these ids, by `batches.of_ids`, so that one plan serves all steps."""
        for part in batches.parts(ids):
            yield from self._database.execute(*batches.of_ids(self._database, sql, part, first)).fetchall()

    # --- by who takes part --------------------------------------------------------------------------------------------

    def _of_contacts(self, before: Place, decided: _Told) -> tuple[_Told, int]:
        """Decisions on recorded mail in which the address takes part, but isn't in From. decided: decisions on mail with the
        address in From; if they are enough, nothing older than these is wanted."""
        if not self._author:
            return [], 0
        high = min(before.activity, self._newest("SELECT MAX(id) FROM activities") + 1)
        floor = max(0, (high - 1) // BUCKET_IDS - MOST_BUCKETS + 1)
        deployment, limit = self._wanted.deployment, self._wanted.limit
        if deployment is not None and limit is not None and self._is_enough(decided):
            oldest, _ = sorted(decided, reverse=True)[limit - 1]
            sql = (
                "SELECT a.id FROM activities AS a WHERE a.deployment_id = ? AND a.recorded_at >= ?"
                " ORDER BY a.recorded_at LIMIT 1"
            )
            row = self._database.execute(sql, (deployment.id, oldest)).fetchone()
            floor = max(floor, row[0] // BUCKET_IDS if row else high // BUCKET_IDS)
        return self._descend(high, floor, self._activities, self._decided)

    def _activities(self, low: int, top: int, high: int) -> list[int]:
        hidden, users = _but_bcc(self._wanted.asker)
        is_address, key = self._is_address("p.address")
        buckets, of_buckets = self._buckets(low, top)
        condition = f"{is_address} AND p.address || '' = ?{hidden} AND +p.activity_id < ?"
        each = self._each("FROM activity_contacts AS p", "activity_contacts_addresses", "p.activity_id", condition)
        sql = f"{buckets}SELECT DISTINCT looked_id FROM ({each}) AS of_these ORDER BY looked_id DESC LIMIT ?"
        values = (*(of_buckets or (low, top)), key, self._author, *users, high, MOST_HITS)
        return [number for (number,) in self._database.execute(sql, values).fetchall()]

    def _decided(self, activity_ids: list[int]) -> _Told:
        condition, (named, pattern) = self._condition, self._names()
        sql = (
            "SELECT c.decided_at, c.id FROM sightings AS s CROSS JOIN decisions AS c LEFT JOIN activities AS a"
            " ON a.id = c.activity_id WHERE c.source_id = s.source_id AND c.activity_id = s.activity_id"
            f" AND COALESCE(c.author, '') <> ? AND (c.named IS NULL OR NOT {named}) AND {condition}"
            " AND s.activity_id IN ({})"
        )
        first = (self._author, pattern, *self._values)
        return [(at, number) for at, number in dict.fromkeys(self._asked(sql, first, activity_ids))]

    # --- the answer ---------------------------------------------------------------------------------------------------

    def _loaded(self, ids: list[int]) -> Iterator[Decision]:
        for some in batches.parts(ids):
            marks = ",".join("?" * len(some))
            yield from decisions.select(self._database, f"c.id IN ({marks})", some)

    def _until(self, place: Place) -> datetime | None:
        """The time since which an answer down to this place is complete, rounded up to a whole hour: nobody may learn the exact
        time of another deployment's decision."""
        decided = "SELECT c.decided_at FROM decisions AS c WHERE c.id >= ? ORDER BY c.id LIMIT 1"
        recorded = "SELECT a.recorded_at FROM activities AS a WHERE a.id >= ? ORDER BY a.id LIMIT 1"
        found = [
            parse(row[0])
            for sql, number in ((decided, place.decision), (recorded, place.activity))
            if number and (row := self._database.execute(sql, (number,)).fetchone())
        ]
        latest = max(found, default=None)
        if latest is None:
            return None
        return (latest + timedelta(hours=1, microseconds=-1)).replace(minute=0, second=0, microsecond=0)


def _but_bcc(asker: Asker | None) -> tuple[str, Sequence[int]]:
    """A further condition on a contact who takes part, and its values: not in Bcc, except for the sender."""
    if asker is None:
        return "", ()
    marks = ",".join("?" * len(asker.reader.user_ids))
    condition = (
        " AND (p.is_bcc = 0 OR EXISTS (SELECT 1 FROM activities AS sent JOIN user_addresses AS own ON own.address = sent.author"
        f" WHERE sent.id = p.activity_id AND own.user_id IN ({marks})))"
    )
    return condition, asker.reader.user_ids
