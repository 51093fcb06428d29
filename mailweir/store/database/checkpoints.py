"""Carries SQLite's write-ahead log into the file, beside those who write: no message waits for it.

A large record's checkpoint takes a tenth of a second, and whoever makes the log full has to make it. A passive one (sqlite.org,
"Write-Ahead Logging") holds nobody up and leaves what it can't have yet. Called by `mailweir-digest`, which always runs where the
record is. While that is busy or down, writers make their own (`wal_autocheckpoint`).
"""

import struct

from mailweir.store.database.connection import Database

PAGES = 2_000  # 8 MB, a quarter of a second's writing under full load; with fewer the disk would write the same pages too often
_INDEX_BYTES = 100
_LAST_FRAME, _CARRIED_OVER = 16, 96  # in the index of the log (sqlite.org, "WAL-mode File Format", 2.1)


class Checkpoints:
    """One connection's. On PostgreSQL none: the server makes its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def step(self) -> bool:
        """Makes one if enough waits in the log; did it? Never waits for a lock. Not within a transaction.

        Errors: DatabaseUnavailable.
        """
        if not self._database.is_sqlite or waiting_pages(self._database) < PAGES:
            return False
        self._database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return True


def waiting_pages(database: Database) -> int:
    """How many pages of SQLite's log aren't in the file yet; 0 where nobody has the database open."""
    index = database.path.with_name(database.path.name + "-shm")
    try:
        with index.open("rb") as stream:
            head = stream.read(_INDEX_BYTES)
    except OSError:
        return 0
    if len(head) < _INDEX_BYTES:
        return 0
    last, carried_over = (int(struct.unpack_from("=I", head, at)[0]) for at in (_LAST_FRAME, _CARRIED_OVER))
    return max(0, last - carried_over)
