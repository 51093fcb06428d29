"""Makes a large record with SQL alone, in minutes: people, activities with raw messages, readings, threads, to-dos, decisions.

Every 100th activity is of contact 1; the others are spread over all other contacts. Company 1 has 800 contacts (those with an id
divisible by 25); each other company has about 40. Called by `pages`.
"""

from dataclasses import dataclass

import zstandard

from mailweir.store.database import batches
from mailweir.store.database.connection import Database

USERS, CONTACTS, COMPANIES = 50, 20_000, 500
BUSY_CONTACT, BUSY_COMPANY = 1, 1
SECONDS_BETWEEN = 30
IGNORED_DAYS = 14  # older ignored mail is deleted
RAW_BYTES = 1_500
TEXT = "We can offer you forty of them, and send them next week.\n" * 25
_BEGAN = 1_767_225_600  # 2026-01-01, in seconds since 1970
_NOW = "2026-01-01T00:00:00.000000Z"
_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
_CONTACT = f"CASE WHEN n % 100 = 0 THEN {BUSY_CONTACT} ELSE 2 + (n * 7919) % {CONTACTS - 1} END"
_USER = f"(n * 31) % {USERS} + 1"
_RECIPIENTS = f"'[\"user' || ({_USER}) || '@demo.example.net\"]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """private: the share (0 to 1) of activities that only participants may see. newest: these are the newest activities, and not
    spread evenly."""

    activities: int
    private: float
    newest: bool


def fill(database: Database, shape: Shape) -> None:
    """Fills an empty database; a transaction for each table."""
    if database.is_sqlite:
        database.execute("PRAGMA synchronous = off")  # while the record is made
    _make_people(database)
    for statement in _statements(database, shape):
        with database.transaction(alone=False):
            database.execute(f"{_NUMBERS} {statement} FROM numbers", (shape.activities,))
    with database.transaction(alone=False):
        begin = shape.activities - IGNORED_DAYS * 86_400 // SECONDS_BETWEEN
        database.execute(f"{_NUMBERS} {_ignored(database)} FROM numbers WHERE n > ?", (shape.activities, begin))
    if database.is_sqlite:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("PRAGMA synchronous = full")
    database.execute("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")


def _make_people(database: Database) -> None:
    users = range(1, USERS + 1)
    contacts = range(1, CONTACTS + 1)
    tables: dict[str, list[tuple[object, ...]]] = {
        "deployments (id, name, domain, created_at)": [(1, "demo", "demo.example.net", _NOW)],
        "users (id, deployment_id, username, name, mailbox, created_at)": [
            (one, 1, f"user{one}", "", f"user{one}@firm.example", _NOW) for one in users
        ],
        "user_addresses (deployment_id, user_id, address, match_key)": [
            (1, one, f"user{one}@firm.example", f"user{one}@firm.example") for one in users
        ],
        "companies (id, deployment_id, name, created_at)": [
            (one, 1, f"Company {one}", _NOW) for one in range(1, COMPANIES + 1)
        ],
        "contacts (id, deployment_id, company_id, name, created_at)": [
            (one, 1, BUSY_COMPANY if one % 25 == 0 else 2 + one % (COMPANIES - 1), f"Client {one}", _NOW)
            for one in contacts
        ],
        "contact_addresses (deployment_id, contact_id, address, match_key)": [
            (1, one, f"contact{one}@client.example", f"contact{one}@client.example") for one in contacts
        ],
    }
    with database.transaction():
        for head, rows in tables.items():
            name, _, columns = head.rstrip(")").partition(" (")
            batches.insert(database, name, columns.split(", "), rows)


def _statements(database: Database, shape: Shape) -> list[str]:
    """An INSERT for each table. The caller appends `FROM numbers`, which has the column `n`, from 1."""
    if database.is_sqlite:
        blob, raw = "CAST('i' || n AS BLOB)", f"RANDOMBLOB({RAW_BYTES})"
    else:
        blob = "CAST('i' || n AS BYTEA)"
        # The 32 hex characters of an MD5 are 16 bytes, which can't be compressed.
        raw = f"DECODE((SELECT STRING_AGG(MD5(n || '-' || part), '') FROM GENERATE_SERIES(1, {RAW_BYTES // 16}) part), 'hex')"
    moment = _moment(database)
    if shape.newest:
        private = f"n > {int(shape.activities * (1 - shape.private))}"
    else:
        private = f"(n * 2654435761 / 65536) % 100 < {int(shape.private * 100)}"  # independent of the activity's user
    text = _literal(database, zstandard.compress(TEXT.encode()))
    address = f"'contact' || ({_CONTACT}) || '@client.example'"
    return [
        "INSERT INTO activities (id, deployment_id, identity, direction, author, subject, sent_at, recorded_at, sender_verdict,"
        f" leading_raw_id, visibility) SELECT n, 1, {blob}, CASE WHEN n % 5 = 0 THEN 'outgoing' ELSE 'incoming' END, {address},"
        f" 'An offer of a usual length, number ' || n, {moment}, {moment},"
        " CASE WHEN n % 1000 = 0 THEN 'fail' WHEN n % 5 = 1 THEN 'none' ELSE 'pass' END, n,"
        f" CASE WHEN {private} THEN 'participants' ELSE 'everyone' END",
        "INSERT INTO raw_messages (id, activity_id, version_digest, size_bytes, content_zstd, recorded_at, verdict,"
        f" header_labels) SELECT n, n, {blob}, 5000, {raw}, {moment},"
        " CASE WHEN n % 1000 = 0 THEN 'fail' WHEN n % 5 = 1 THEN 'none' ELSE 'pass' END, 0",
        "INSERT INTO sightings (activity_id, route, source_id, user_id, raw_message_id, seen_at)"
        f" SELECT n, CASE WHEN n % 997 = 0 THEN 'relay' ELSE 'forward' END, 'q' || n, {_USER}, n, {moment}",
        f"INSERT INTO activity_users (activity_id, user_id) SELECT n, {_USER}",
        "INSERT INTO activity_contacts (activity_id, contact_id, address, raw_message_id, is_bcc)"
        f" SELECT n, {_CONTACT}, {address}, n, 0",
        f"INSERT INTO threads (deployment_id, created_at) SELECT 1, '{_NOW}'",
        "INSERT INTO activity_threads (activity_id, deployment_id, thread_id, subject_digest)"
        f" SELECT n, 1, n / 4 + 1, {blob}",
        "INSERT INTO readings (raw_id, reader_version, state, read_at, subject, snippet, labels, thread_keys, problems,"
        f" remote_images, folds, text_zstd) SELECT n, 1, 'read', {moment}, 'An offer', 'We can offer you forty of them.',"
        f" CASE WHEN n % 500 = 0 THEN 32 WHEN n % 7 = 0 THEN 1 ELSE 0 END, '', '[]', 0, '[]', {text}",
        "INSERT INTO todos (activity_id, user_id, created_at, done_at)"
        f" SELECT n, {_USER}, {moment}, CASE WHEN n % 20 = 0 THEN NULL ELSE {moment} END",
        "INSERT INTO decisions (deployment_id, source_id, decided_at, outcome, reason, recipients, author, message_id,"
        f" activity_id) SELECT 1, 'q' || n, {moment}, 'captured', 'author is a contact', {_RECIPIENTS}, {address},"
        " '<' || n || '@client.example>', n",
    ]


def _ignored(database: Database) -> str:
    """Decisions on ignored mail, as many as on captured mail. Each has the digest of one recipient."""
    # twelve bytes, in no sorted order, like real digests
    digest = "SUBSTR('' || (10000000000000 + n * 2654435761), 2, 12)"
    digest = f"CAST({digest} AS BLOB)" if database.is_sqlite else f"CONVERT_TO({digest}, 'UTF8')"
    return (
        "INSERT INTO decisions (deployment_id, source_id, decided_at, outcome, reason, recipients, author, message_id,"
        f" recipient_digests) SELECT 1, 'i' || n, {_moment(database)}, 'ignored', 'unknown author', {_RECIPIENTS},"
        f" 'stranger' || (n * 7919) % 10007 || '@else.example', '<' || n || '@else.example>', {digest}"
    )


def _moment(database: Database) -> str:
    """SQL for the time at which activity `n` arrived."""
    if database.is_sqlite:
        return f"STRFTIME('%Y-%m-%dT%H:%M:%S', {_BEGAN} + n * {SECONDS_BETWEEN}, 'unixepoch') || '.000000Z'"
    began = f"TO_TIMESTAMP({_BEGAN} + n * {SECONDS_BETWEEN}) AT TIME ZONE 'UTC'"
    return f"TO_CHAR({began}, 'YYYY-MM-DD\"T\"HH24:MI:SS') || '.000000Z'"


def _literal(database: Database, content: bytes) -> str:
    """Bytes within a statement."""
    return f"X'{content.hex()}'" if database.is_sqlite else f"DECODE('{content.hex()}', 'hex')"
