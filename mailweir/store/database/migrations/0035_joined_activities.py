"""Activities that turned out to be one mail: a forward made by hand, and the original, which came later (`joined_activities`).

old_id: the activity that was joined to activity_id; since then its id leads there. joined_at: NULL until the joining is done.
`forwarded_versions_author` finds the forwards of an author's mail of a given time.
"""

from typing import Any

ONLY_ADDS = True

STATEMENTS = (
    """CREATE TABLE joined_activities (
        old_id {integer} NOT NULL PRIMARY KEY,
        activity_id {integer} NOT NULL,
        joined_at TEXT){without_rowid}""",
    "CREATE INDEX joined_activities_activity ON joined_activities(activity_id)",
    "CREATE INDEX joined_activities_open ON joined_activities(old_id) WHERE joined_at IS NULL",
    "CREATE INDEX forwarded_versions_author ON forwarded_versions(author, sent_at)",
)


def up(migrator: Any, db: Any) -> None:
    """Makes the table and the indexes."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    words = {
        "{integer}": "INTEGER" if is_sqlite else "BIGINT",
        "{without_rowid}": " WITHOUT ROWID" if is_sqlite else "",
    }
    for statement in STATEMENTS:
        for mark, word in words.items():
            statement = statement.replace(mark, word)
        db.execute_sql(statement)
