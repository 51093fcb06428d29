"""Mail whose From is ambiguous: the doubt about a version's author (`author_doubt`), and all addresses that From could name
(`named`).

NULL for existing mail, whose From was unambiguous.
"""

from typing import Any

STATEMENTS = (
    "ALTER TABLE raw_messages ADD COLUMN author_doubt TEXT CHECK (author_doubt IN ('repaired', 'several'))",
    "ALTER TABLE decisions ADD COLUMN named TEXT",
    # keyed digests of the header recipients if the mail isn't recorded (see mailweir.traces)
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
