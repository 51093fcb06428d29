"""The addresses that a message's headers could name: the doubt about a version's author, and all addresses in a decision's From.

Existing mail had an unambiguous From: NULL.
"""

from typing import Any

STATEMENTS = (
    "ALTER TABLE raw_messages ADD COLUMN author_doubt TEXT CHECK (author_doubt IN ('repaired', 'several'))",
    "ALTER TABLE decisions ADD COLUMN named TEXT",
    # of header recipients if nothing is recorded: keyed digests (see mailweir.traces)
    "ALTER TABLE decisions ADD COLUMN recipient_digests BLOB",
)

# SQLite's syntax, and PostgreSQL's replacement.
_FOR_POSTGRESQL = ((" BLOB", " BYTEA"),)


def up(migrator: Any, db: Any) -> None:
    """Adds the columns."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    for statement in STATEMENTS:
        for word, own_word in () if is_sqlite else _FOR_POSTGRESQL:
            statement = statement.replace(word, own_word)
        db.execute_sql(statement)
