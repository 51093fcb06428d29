"""The login that sent a message through the relay. Its user gets a notice if the message can't be delivered.

NULL for all other mail, and for existing mail.
"""

from typing import Any

STATEMENTS = ("ALTER TABLE decisions ADD COLUMN relay_login_id INTEGER REFERENCES relay_logins(id)",)

# SQLite's syntax, and PostgreSQL's replacement.
_FOR_POSTGRESQL = ((" INTEGER", " BIGINT"),)


def up(migrator: Any, db: Any) -> None:
    """Adds the column."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    for statement in STATEMENTS:
        for word, own_word in () if is_sqlite else _FOR_POSTGRESQL:
            statement = statement.replace(word, own_word)
        db.execute_sql(statement)
