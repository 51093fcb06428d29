"""Detects writes by other connections. Called by the digest, which gives them priority."""

from mailweir.store.database.connection import Database


def version_by_others(database: Database) -> int | None:
    """A number that changes with each commit of another connection, and with none of this one (SQLite's data_version).

    None on PostgreSQL, where nobody has to wait for a writer. DatabaseUnavailable.
    """
    if not database.is_sqlite:
        return None
    (version,) = database.execute("PRAGMA data_version").fetchone()
    return int(version)
