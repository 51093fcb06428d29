"""The reports of each host's privileged chore (`health_reports`), and its position in Postfix's log (`log_positions`).

`report` is JSON: the findings of one check. `counts` is JSON: the recent numbers of recorded refusals (`health.refusal_quota`).
"""

from typing import Any

STATEMENTS = (
    """CREATE TABLE health_reports (
        host TEXT NOT NULL,
        check_name TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('ok', 'note', 'wrong')),
        report TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (host, check_name)){without_rowid}""",
    """CREATE TABLE log_positions (
        host TEXT NOT NULL,
        log TEXT NOT NULL,
        inode INTEGER NOT NULL,
        offset_bytes INTEGER NOT NULL,
        head BLOB NOT NULL,
        counts TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (host, log)){without_rowid}""",
)

# SQLite's syntax, and PostgreSQL's replacement.
_FOR_POSTGRESQL = ((" INTEGER", " BIGINT"), (" BLOB", " BYTEA"), ("{without_rowid}", ""))
_FOR_SQLITE = (("{without_rowid}", " WITHOUT ROWID"),)


def up(migrator: Any, db: Any) -> None:
    """Makes the tables."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    for statement in STATEMENTS:
        for word, own_word in _FOR_SQLITE if is_sqlite else _FOR_POSTGRESQL:
            statement = statement.replace(word, own_word)
        db.execute_sql(statement)
