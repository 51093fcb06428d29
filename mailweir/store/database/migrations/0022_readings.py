"""The readings of versions (`readings`, `attachments`), the digest's pending work (`digest_queue`), and its progress in reading
the record again (`digest_rebuilds`). From now on ids of activities and versions are never reused, on SQLite too.

Versions that wait for a verdict move to the queue. Their two columns in `raw_messages` (attempts, next_try_at) stay unused,
because SQLite would rewrite every stored body to drop them. Existing mail is not read here, because that takes long. The digest
reads it page by page, the newest first: for this the step adds a row to `digest_rebuilds`.
"""

from typing import Any

STATEMENTS = (
    # lane: 0 for new mail, 1 for retries and repeated work. deaths: child processes that died of this work. The filter writes
    # lane 0 alone, which the index below leaves out: a message costs it one leaf of one tree.
    """CREATE TABLE digest_queue (
        raw_id INTEGER NOT NULL REFERENCES raw_messages(id),
        stage TEXT NOT NULL CHECK (stage IN ('verdict', 'reading')),
        lane INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        deaths INTEGER NOT NULL DEFAULT 0,
        next_try_at TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (lane, stage, raw_id)){without_rowid}""",
    "CREATE INDEX digest_queue_later ON digest_queue(stage, next_try_at, raw_id) WHERE lane = 1",
    # The columns for lists precede the large ones: SQLite then reads no page of the text for a list.
    """CREATE TABLE readings (
        raw_id INTEGER NOT NULL PRIMARY KEY REFERENCES raw_messages(id),
        reader_version INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('read', 'unreadable')),
        read_at TEXT NOT NULL,
        subject TEXT NOT NULL,
        snippet TEXT NOT NULL,
        labels INTEGER NOT NULL,
        thread_keys TEXT NOT NULL,
        problems TEXT NOT NULL,
        remote_images INTEGER NOT NULL,
        sanitizer_version INTEGER,
        original_author TEXT,
        original_name TEXT,
        original_date TEXT,
        original_subject TEXT,
        original_start INTEGER,
        invitation TEXT,
        folds TEXT NOT NULL,
        text_zstd BLOB NOT NULL,
        html_zstd BLOB)""",
    "CREATE INDEX readings_unreadable ON readings(raw_id) WHERE state = 'unreadable'",
    "CREATE INDEX readings_version ON readings(reader_version)",
    "CREATE INDEX readings_read_at ON readings(read_at)",
    """CREATE TABLE attachments (
        raw_id INTEGER NOT NULL REFERENCES raw_messages(id),
        number INTEGER NOT NULL,
        name TEXT NOT NULL,
        media_type TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        sha256 BLOB NOT NULL,
        is_inline INTEGER NOT NULL,
        content_id TEXT NOT NULL,
        offset_bytes INTEGER NOT NULL,
        length_bytes INTEGER NOT NULL,
        encoding TEXT NOT NULL,
        PRIMARY KEY (raw_id, number)){without_rowid}""",
    "CREATE INDEX attachments_sha256 ON attachments(sha256, raw_id)",
    # below_raw_id: versions below this id are still to be checked. which: those read by an 'older' reader, or 'all'
    """CREATE TABLE digest_rebuilds (
        stage TEXT NOT NULL PRIMARY KEY CHECK (stage IN ('verdict', 'reading')),
        which TEXT NOT NULL CHECK (which IN ('older', 'all')),
        below_raw_id INTEGER NOT NULL,
        began_at TEXT NOT NULL,
        queued INTEGER NOT NULL DEFAULT 0){without_rowid}""",
    "INSERT INTO digest_queue (raw_id, stage, lane, attempts, next_try_at)"
    " SELECT id, 'verdict', CASE WHEN attempts > 0 THEN 1 ELSE 0 END, attempts, next_try_at"
    " FROM raw_messages WHERE verdict = 'pending'",
    "DROP INDEX raw_messages_pending",
    "INSERT INTO digest_rebuilds (stage, which, below_raw_id, began_at)"
    " SELECT 'reading', 'older', MAX(id) + 1, '' FROM raw_messages HAVING MAX(id) IS NOT NULL",
)

# With a reused id a mail could get another mail's page or verdict. AUTOINCREMENT doesn't change how rows are stored, so only the
# table's SQL is changed, as https://www.sqlite.org/lang_altertable.html says; a new table would copy every stored body.
# PostgreSQL's identities never repeat.
_NEVER_TWICE = (
    "PRAGMA writable_schema = ON",
    "UPDATE sqlite_master SET sql = REPLACE(sql, 'id INTEGER PRIMARY KEY,', 'id INTEGER PRIMARY KEY AUTOINCREMENT,')"
    " WHERE type = 'table' AND name IN ('activities', 'raw_messages')",
    "PRAGMA writable_schema = RESET",
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'activities', COALESCE(MAX(id), 0) FROM activities",
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'raw_messages', COALESCE(MAX(id), 0) FROM raw_messages",
)

# SQLite's syntax, and PostgreSQL's replacement.
_FOR_POSTGRESQL = ((" INTEGER", " BIGINT"), (" BLOB", " BYTEA"), ("{without_rowid}", ""))
_FOR_SQLITE = (("{without_rowid}", " WITHOUT ROWID"),)


def up(migrator: Any, db: Any) -> None:
    """Makes the tables, moves waiting versions, and prevents reuse of ids."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    for statement in (*(_NEVER_TWICE if is_sqlite else ()), *STATEMENTS):
        for word, own_word in _FOR_SQLITE if is_sqlite else _FOR_POSTGRESQL:
            statement = statement.replace(word, own_word)
        db.execute_sql(statement)
