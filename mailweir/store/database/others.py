"""Whether somebody else writes into the database. Called by the digest, which lets others go first."""

from mailweir.store.database.connection import Database


def version_by_others(database: Database) -> int:
    """A number that changes as others write, and stays as it is where only this connection does. DatabaseUnavailable.

    SQLite counts the commits of other connections (data_version). PostgreSQL counts nothing of the kind that is cheap to ask, so
    there it is `last_captured`: the digest captures nothing.
    """
    if not database.is_sqlite:
        return last_captured(database)
    (version,) = database.execute("PRAGMA data_version").fetchone()
    return int(version)


def last_captured(database: Database) -> int:
    """The last id that was given to a captured mail; 0 where there is none yet. DatabaseUnavailable."""
    statement = (
        "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'raw_messages'"
        if database.is_sqlite
        else "SELECT COALESCE(pg_sequence_last_value('raw_messages_id_seq'), 0)"
    )
    (last,) = database.execute(statement).fetchone()
    return int(last)
