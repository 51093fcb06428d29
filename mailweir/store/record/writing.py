"""The rows of the write path, in plain SQL: models would cost three times the CPU, and this runs for every message.

A transaction writes up to 50 rows of a table in one statement, because each statement gives up Python's lock (the GIL) and takes
it again, which costs a thread switch. Each `put` is an upsert, which works alike on SQLite and PostgreSQL and hides no other
error. If ids are needed, it has RETURNING, which returns the id of a new or existing row. Called by `recording` only.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339

_MAX_ROWS = 50  # in one statement
_PUT_RAWS_SQLITE = (
    "ON CONFLICT (activity_id, version_digest) DO UPDATE SET version_digest = excluded.version_digest"
    " RETURNING activity_id, version_digest, id"
)
# xmax is 0 in a new row. In an existing row it is the id of the transaction that changes the row.
_PUT_RAWS = f"{_PUT_RAWS_SQLITE}, xmax = 0"
_CONTACT_COLUMNS = ("activity_id", "contact_id", "address", "raw_message_id", "is_bcc")


class ActivityRow(NamedTuple):
    """A captured message. by_known_thread: 1 if its author is unknown. Times: aware, as in the other rows."""

    deployment_id: int
    identity: bytes
    direction: str
    author: str
    subject: str
    sent_at: datetime | None
    recorded_at: datetime
    message_id: str | None
    by_known_thread: int = 0


class Stored(NamedTuple):
    """An activity in the database, and its deployment's settings that decide who may read it (`visibility`)."""

    id: int
    subject: str
    private_words: str
    restricts_people: int


class RawRow(NamedTuple):
    """A version of an activity's message. verdict: `pending`, or `none` if no signature could prove its author; author_doubt
    (`decision.Doubt`) and verdict_reason (a word of `sender_verdict`) say why. author_via: the group's or list's address that
    stands in From instead of the author. header_labels: `reading.labels.to_bits`."""

    activity_id: int
    version_digest: bytes
    subject: str
    size_bytes: int
    content_zstd: bytes
    recorded_at: datetime
    verdict: str
    author_doubt: str | None
    author_via: str | None
    header_labels: int
    verdict_reason: str | None


class SightingRow(NamedTuple):
    """One sighting of a message."""

    activity_id: int
    route: str
    source_id: str
    user_id: int | None
    raw_message_id: int
    seen_at: datetime


class DecisionRow(NamedTuple):
    """A decision; recipients is a JSON list of capture addresses. relay_login_id: of the login whose mail was relayed. named: a
    JSON list of the addresses in From, if that isn't the author alone. recipient_digests: see `traces`. labels: see
    `gmail_labels`. rule: the never-log rule that hid it, as a JSON list: the pattern, and the username or null."""

    deployment_id: int
    source_id: str
    decided_at: datetime
    outcome: str
    reason: str
    recipients: str
    author: str | None
    message_id: str | None
    activity_id: int | None
    relay_login_id: int | None
    named: str | None
    recipient_digests: bytes | None
    labels: int | None
    rule: str | None = None


class Writer:
    """Writes within the transaction that its database is in."""

    def __init__(self, database: Database) -> None:
        self._execute: Callable[..., Any] = database.fast_execute()
        self._is_sqlite = database.is_sqlite

    def put_activities(self, rows: Iterable[ActivityRow]) -> dict[tuple[int, bytes], Stored]:
        """Returns new activities, and existing ones, which stay unchanged, by deployment and identity."""
        once: dict[tuple[int, bytes], ActivityRow] = {}
        for row in rows:
            once.setdefault((row.deployment_id, row.identity), row)
        ending = (
            "ON CONFLICT (deployment_id, identity) DO UPDATE SET identity = excluded.identity"
            " RETURNING deployment_id, identity, id, subject,"
            " (SELECT d.private_words FROM deployments d WHERE d.id = activities.deployment_id),"
            " (SELECT d.restricts_people FROM deployments d WHERE d.id = activities.deployment_id)"
        )
        # the same order everywhere: two hosts that record the same messages would otherwise wait for each other
        found = self._put("activities", ActivityRow._fields, [once[key] for key in sorted(once)], ending)
        return {(deployment_id, identity): Stored(*rest) for deployment_id, identity, *rest in found}

    def put_raws(self, rows: Iterable[RawRow]) -> dict[tuple[int, bytes], int]:
        """Returns ids by activity and version digest. The first version of an activity leads until another one is proven.

        New versions wait for the digest from now on; existing ones already wait, or are finished.
        """
        once: dict[tuple[int, bytes], RawRow] = {}
        for row in rows:
            once.setdefault((row.activity_id, row.version_digest), row)
        last_id = self._last_raw_id()
        found = self._put(
            "raw_messages", RawRow._fields, once.values(), _PUT_RAWS if last_id is None else _PUT_RAWS_SQLITE
        )
        ids = {(activity_id, digest): raw_id for activity_id, digest, raw_id, *_ in found}
        self._choose_leading({activity_id for activity_id, _ in ids})
        is_new = [one[3] if last_id is None else one[2] > last_id for one in found]
        new = [(once[one[0], one[1]], one[2]) for one, is_one in zip(found, is_new, strict=True) if is_one]
        self._queue(sorted((raw_id, row.verdict) for row, raw_id in new))
        return ids

    def _last_raw_id(self) -> int | None:
        """On SQLite, the last id ever assigned; nobody else writes meanwhile. PostgreSQL reports for each row whether it is
        new."""
        if not self._is_sqlite:
            return None
        (last_id,) = self._execute("SELECT seq FROM sqlite_sequence WHERE name = 'raw_messages'").fetchone()
        return int(last_id)

    def _queue(self, new: Iterable[tuple[int, str]]) -> None:
        """Queues new versions for the digest. new: ids of versions, and their verdicts."""
        rows = [
            (raw_id, stage)
            for raw_id, verdict in new
            for stage in (("reading", "verdict") if verdict == "pending" else ("reading",))
        ]
        self._put("digest_queue", ("raw_id", "stage"), rows, "")

    def _choose_leading(self, activity_ids: set[int]) -> None:
        if activity_ids:
            self._execute(
                "UPDATE activities SET leading_raw_id ="
                " (SELECT MIN(r.id) FROM raw_messages r WHERE r.activity_id = activities.id), sender_verdict ="
                " (SELECT r.verdict FROM raw_messages r WHERE r.activity_id = activities.id ORDER BY r.id LIMIT 1)"
                f" WHERE leading_raw_id IS NULL AND id IN ({','.join('?' * len(activity_ids))})",
                tuple(activity_ids),
            )

    def put_sightings(self, rows: Iterable[SightingRow]) -> None:
        """Records the times at which messages were seen."""
        ending = "ON CONFLICT (activity_id, source_id, route, COALESCE(user_id, 0)) DO NOTHING"
        self._put("sightings", SightingRow._fields, rows, ending)

    def put_contacts(self, rows: Iterable[tuple[int, int, str, int, int]]) -> None:
        """Puts activities on contacts' record: (activity, contact, address, raw message, 1 for Bcc)."""
        ending = "ON CONFLICT (activity_id, contact_id, address, raw_message_id) DO NOTHING"
        self._put("activity_contacts", _CONTACT_COLUMNS, rows, ending)

    def put_users(self, rows: Iterable[tuple[int, int]]) -> None:
        """Puts activities on users' record: (activity, user)."""
        ending = "ON CONFLICT (activity_id, user_id) DO NOTHING"
        self._put("activity_users", ("activity_id", "user_id"), rows, ending)

    def put_todos(self, rows: Iterable[tuple[int, int, datetime]]) -> None:
        """Puts activities on users' lists, once: (activity, user, now). A to-do that is done stays done."""
        ending = "ON CONFLICT (user_id, activity_id) DO NOTHING"
        self._put("todos", ("activity_id", "user_id", "created_at"), rows, ending)

    def put_decisions(self, rows: Iterable[DecisionRow]) -> None:
        """Records decisions."""
        self._put("decisions", DecisionRow._fields, rows, "ON CONFLICT (source_id, deployment_id) DO NOTHING")

    def _put(
        self, table: str, columns: tuple[str, ...], rows: Iterable[Sequence[Any]], ending: str
    ) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for part in batches.parts(rows, _MAX_ROWS):
            values = [rfc3339(value) if isinstance(value, datetime) else value for row in part for value in row]
            cursor = self._execute(_insert(table, columns, len(part), ending), values)
            found += cursor.fetchall() if "RETURNING" in ending else ()
        return found


@lru_cache(maxsize=1024)
def _insert(table: str, columns: tuple[str, ...], count: int, ending: str) -> str:
    marks = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([marks] * count)} {ending}"
