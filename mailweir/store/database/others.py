"""Detects writes by other connections. Called by the digest, which lets other writers go first."""

from mailweir.store.database.connection import Database


def version_by_others(database: Database) -> int:
    """A number that changes if other connections write, and stays unchanged if only this one writes. DatabaseUnavailable.

    SQLite counts the commits of other connections (data_version). PostgreSQL has no such count that is cheap to query, so its
    number is `last_captured`: the digest captures nothing itself.
    """
    if not database.is_sqlite:
        return last_captured(database)
    (version,) = database.execute("PRAGMA data_version").fetchone()
    return int(version)


def last_captured(database: Database) -> int:
    """The last id given to a captured mail; 0 if there is none yet. DatabaseUnavailable."""
    statement = (
        "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'raw_messages'"
        if database.is_sqlite
        else "SELECT COALESCE(pg_sequence_last_value('raw_messages_id_seq'), 0)"
    )
    (last,) = database.execute(statement).fetchone()
    return int(last)
