"""Erasing that erases: what was deleted leaves the database's files, too, and not its tables alone.

SQLite overwrites what it deletes (`secure_delete`, on each of our connections). Two places are left. The words of the search
index stay until the pieces of it that hold them are merged, which is done here in steps of some milliseconds, for the filter
waits for the write lock meanwhile. And the write-ahead log keeps earlier pages until it is truncated. Backups that were made
before are nobody's to reach. On PostgreSQL, VACUUM clears rows away; its server's own log and archives keep what they keep.
What is pending is a row (`erasures`), so whoever comes next goes on after a kill. Called by `retraction` and `mailweir db prune`.
"""

import time
from collections.abc import Callable
from typing import Any

from mailweir.errors import DatabaseUnavailable
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.record import search_index

Progress = Callable[[int, int], None]  # what is done and what there is, in steps of its own

_STEP_SECONDS = 0.02
_FIRST_PAGES, _FEWEST_PAGES, _MOST_PAGES = 64, 8, 1_000  # of the index, in a step
_PAUSE_SECONDS = 0.01  # between two steps, for others that wait for the write lock
_TRUNCATE_TRIES, _TRUNCATE_MILLISECONDS, _TRUNCATE_PAUSE_SECONDS = 40, 50, 0.05
# The tables of what a mail says, by which id, with the columns that say it
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
)
_CLEARED = (
    *("activities", "raw_messages", "readings", "attachments", "search_texts", "sightings", "activity_contacts"),
    *("decisions", "forwarded_versions"),
)


def forget_words(database: Database, activity_id: int) -> None:
    """Within the transaction that deletes an activity, before anything of it goes: what it says is overwritten, its versions
    leave the search index, and it is noted that something is to be erased."""
    sql = "SELECT id FROM raw_messages WHERE activity_id = ?"
    raw_ids = [raw_id for (raw_id,) in database.execute(sql, (activity_id,)).fetchall()]
    if database.is_sqlite:
        # Where deleting joins two pages, SQLite leaves copies of moved rows behind, which secure_delete doesn't reach: of 3,000
        # mails, one could be read. So rows say nothing any more before they can be moved. Of equal length, they stay in place.
        for table, key, texts, blobs in _SAYING:
            ids = [activity_id] if table == "activities" else raw_ids
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
    """Within the transaction that deletes: something is to be erased."""
    database.execute(
        "INSERT INTO erasures (id, deletions, merging) VALUES (1, 1, NULL)"
        " ON CONFLICT (id) DO UPDATE SET deletions = erasures.deletions + 1"
    )


def is_pending(database: Database) -> bool:
    """Is something deleted still in the database's files?"""
    return database.execute("SELECT 1 FROM erasures WHERE id = 1").fetchone() is not None


def finish(database: Database, progress: Progress = lambda done, total: None) -> bool:
    """Erases what is pending, in transactions of some milliseconds; is nothing left? False: somebody still reads what was there
    before (a backup that is being made); to be tried again. What is deleted meanwhile is erased as well. Errors:
    DatabaseUnavailable."""
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
    """Empties SQLite's write-ahead log, which holds pages as they were before; is it empty? Nobody is kept waiting for long."""
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
    """Merges all pieces of the index that there are into one, which has none of the deleted words.

    FTS5 keeps how far it is. Where that was begun before the last deletion, it is begun anew once it is through.
    """
    (total,) = database.execute("SELECT COUNT(*) FROM search_words_idx").fetchone()
    pages, done = _FIRST_PAGES, 0
    with database.transaction():
        (merging,) = database.execute("SELECT merging FROM erasures WHERE id = 1").fetchone()
        if merging is None:
            database.execute("UPDATE erasures SET merging = deletions WHERE id = 1")
            _step(database, -pages)  # a negative number: of all pieces, instead of those that are due
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
    """Merges about so many pages; was there something to merge? See FTS5's documentation, 'merge'."""
    connection: Any = database.peewee.connection()
    before = connection.total_changes
    database.execute("INSERT INTO search_words (search_words, rank) VALUES ('merge', ?)", (pages,))
    return bool(connection.total_changes - before >= 2)


def _settle(database: Database) -> None:
    """Nothing is pending any more, or else what was deleted meanwhile."""
    with database.transaction():
        if database.is_sqlite:
            database.execute("DELETE FROM erasures WHERE id = 1 AND deletions = merging")
            database.execute("UPDATE erasures SET merging = NULL WHERE id = 1")
        else:
            database.execute("DELETE FROM erasures WHERE id = 1 AND deletions = merging")


def _vacuum(database: Database) -> bool:
    """Has PostgreSQL clear deleted rows away; did it?"""
    with database.transaction():
        database.execute("UPDATE erasures SET merging = deletions WHERE id = 1")
    return vacuum(database, *_CLEARED)


def vacuum(database: Database, *tables: str) -> bool:
    """Has PostgreSQL clear away what was deleted from these tables; did it?"""
    (patience,) = database.execute("SELECT current_setting('statement_timeout')").fetchone()
    database.execute("SELECT set_config('statement_timeout', '0', false)")
    try:
        for table in tables:
            database.execute(f"VACUUM {table}")
    except DatabaseUnavailable:  # somebody else is at it, and holds it
        return False
    finally:
        database.execute("SELECT set_config('statement_timeout', ?, false)", (patience,))
    return True
