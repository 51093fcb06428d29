"""Secure erasing: deleted content is removed from the database's files, too, and not only from its tables.

SQLite overwrites deleted content (`secure_delete`, on each of our connections). Two places are left. Deleted words stay in the
search index until the segments that contain them are merged; this module merges them in steps of some milliseconds, because the
filter waits for the write lock meanwhile. The write-ahead log keeps earlier pages until it is truncated. Earlier backups aren't
changed. On PostgreSQL, VACUUM removes dead rows; the server's write-ahead log and its archives aren't changed. Pending work is a
row (`erasures`), so the next process continues after a kill. Called by `retraction` and `mailweir db prune`.
"""

import time
from collections.abc import Callable
from typing import Any

from mailweir.errors import DatabaseUnavailable
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.record import search_index

Progress = Callable[[int, int], None]  # called with (done, total), in pages of the search index

_STEP_SECONDS = 0.02
_FIRST_PAGES, _FEWEST_PAGES, _MOST_PAGES = 64, 8, 1_000  # of the index, per step
_PAUSE_SECONDS = 0.01  # between two steps, for other writers
_TRUNCATE_TRIES, _TRUNCATE_MILLISECONDS, _TRUNCATE_PAUSE_SECONDS = 40, 50, 0.05
# The tables with content of a mail: (table, id column, columns with text, columns with bytes).
_SAYING: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("activities", "id", ("author", "subject", "message_id"), ()),
    ("raw_messages", "id", ("subject",), ("content_zstd",)),
    (
        "readings",
        "raw_id",
        ("subject", "snippet", "original_author", "original_name", "original_subject", "invitation"),
        ("text_zstd", "html_zstd"),
    ),
    ("attachments", "raw_id", ("name", "content_id"), ("sha256",)),
    ("forwarded_versions", "raw_id", ("author", "subject"), ()),
    ("decisions", "activity_id", ("author", "message_id", "named"), ()),
)
_BY_ACTIVITY = frozenset({"activities", "decisions"})
_CLEARED = (
    *("activities", "raw_messages", "readings", "attachments", "search_texts", "sightings", "activity_contacts"),
    *("decisions", "forwarded_versions"),
)


def forget_words(database: Database, activity_id: int) -> None:
    """Overwrites an activity's content on SQLite, removes its versions from the search index, and records the pending erasure.
    Call it within the transaction that deletes the activity, before any of its rows is deleted."""
    sql = "SELECT id FROM raw_messages WHERE activity_id = ?"
    raw_ids = [raw_id for (raw_id,) in database.execute(sql, (activity_id,)).fetchall()]
    if database.is_sqlite:
        # If a deletion joins two pages, SQLite leaves copies of moved rows behind, which secure_delete doesn't reach: of 3,000
        # deleted mails, one could still be read. So rows are blanked before they can be moved. A blank row has the same length,
        # so it stays in place.
        for table, key, texts, blobs in _SAYING:
            ids = [activity_id] if table in _BY_ACTIVITY else raw_ids
            batches.change(database, _overwriting(table, key, texts, blobs), (), ids)
    search_index.remove(database, raw_ids)
    note(database)


def _overwriting(table: str, key: str, texts: tuple[str, ...], blobs: tuple[str, ...]) -> str:
    columns = [
        f"{one} = SUBSTR(HEX(ZEROBLOB(LENGTH(CAST({one} AS BLOB)))), 1, LENGTH(CAST({one} AS BLOB)))" for one in texts
    ]
    columns += [f"{one} = ZEROBLOB(LENGTH({one}))" for one in blobs]
    return f"UPDATE {table} SET {', '.join(columns)} WHERE {key} IN ({{}})"


def note(database: Database) -> None:
    """Records a pending erasure, within the transaction that deletes."""
    database.execute(
        "INSERT INTO erasures (id, deletions, merging) VALUES (1, 1, NULL)"
        " ON CONFLICT (id) DO UPDATE SET deletions = erasures.deletions + 1"
    )


def is_pending(database: Database) -> bool:
    """Is deleted content still in the database's files?"""
    return database.execute("SELECT 1 FROM erasures WHERE id = 1").fetchone() is not None


def finish(database: Database, progress: Progress = lambda done, total: None) -> bool:
    """Erases pending content, in transactions of some milliseconds; returns whether nothing is left. False: a reader still uses
    the old data (a running backup), or PostgreSQL is vacuuming already; try again. Content deleted meanwhile is erased as well.
    Errors: DatabaseUnavailable."""
    while is_pending(database):
        if database.is_sqlite:
            _merge(database, progress)
            if not truncate_log(database):
                return False
        elif not _vacuum(database):
            return False
        _settle(database)
    return True


def truncate_log(database: Database) -> bool:
    """Empties SQLite's write-ahead log, which contains earlier versions of pages; returns whether it is empty. Nobody has to wait
    for long."""
    if not database.is_sqlite:
        return True
    (patience,) = database.execute("PRAGMA busy_timeout").fetchone()
    database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()  # most of the work, while others write
    database.execute(f"PRAGMA busy_timeout = {_TRUNCATE_MILLISECONDS}")
    try:
        for attempt in range(_TRUNCATE_TRIES):
            if attempt:
                time.sleep(_TRUNCATE_PAUSE_SECONDS)
            if not database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                return True
        return False
    finally:
        database.execute(f"PRAGMA busy_timeout = {int(patience)}")


def _merge(database: Database, progress: Progress) -> None:
    """Merges all segments of the index into one without the deleted words.

    FTS5 stores the progress of a merge. If a merge began before the last deletion, another one follows it (`finish`).
    """
    (total,) = database.execute("SELECT COUNT(*) FROM search_words_idx").fetchone()
    pages, done = _FIRST_PAGES, 0
    with database.transaction():
        (merging,) = database.execute("SELECT merging FROM erasures WHERE id = 1").fetchone()
        if merging is None:
            database.execute("UPDATE erasures SET merging = deletions WHERE id = 1")
            _step(database, -pages)  # a negative number: of all segments, not only of those that are due
    while True:
        begun = time.monotonic()
        with database.transaction():
            is_through = not _step(database, pages)
        took = time.monotonic() - begun
        done += pages
        progress(min(done, total), total)
        if is_through:
            return
        pages = max(_FEWEST_PAGES, pages // 2) if took > _STEP_SECONDS else min(_MOST_PAGES, pages + pages // 4)
        time.sleep(_PAUSE_SECONDS)


def _step(database: Database, pages: int) -> bool:
    """Merges about this many pages; was there something to merge? See FTS5's documentation, 'merge'."""
    connection: Any = database.peewee.connection()
    before = connection.total_changes
    database.execute("INSERT INTO search_words (search_words, rank) VALUES ('merge', ?)", (pages,))
    return bool(connection.total_changes - before >= 2)


def _settle(database: Database) -> None:
    """Records that nothing is pending any more, except content deleted meanwhile."""
    with database.transaction():
        if database.is_sqlite:
            database.execute("DELETE FROM erasures WHERE id = 1 AND deletions = merging")
            database.execute("UPDATE erasures SET merging = NULL WHERE id = 1")
        else:
            database.execute("DELETE FROM erasures WHERE id = 1 AND deletions = merging")


def _vacuum(database: Database) -> bool:
    """Makes PostgreSQL remove dead rows; returns whether it did."""
    with database.transaction():
        database.execute("UPDATE erasures SET merging = deletions WHERE id = 1")
    return vacuum(database, *_CLEARED)


def vacuum(database: Database, *tables: str) -> bool:
    """Makes PostgreSQL remove the dead rows of these tables; returns whether it did."""
    (patience,) = database.execute("SELECT current_setting('statement_timeout')").fetchone()
    database.execute("SELECT set_config('statement_timeout', '0', false)")
    try:
        for table in tables:
            database.execute(f"VACUUM {table}")
    except DatabaseUnavailable:  # another process is vacuuming, and holds the lock
        return False
    finally:
        database.execute("SELECT set_config('statement_timeout', ?, false)", (patience,))
    return True
