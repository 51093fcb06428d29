"""Drops two indexes of `decisions`: no query could use them, and each new decision had to update both.

At this step `why` searches several columns at once, some of which contain lists, so it reads the whole table anyway.
"""

from typing import Any

STATEMENTS = ("DROP INDEX decisions_message_id", "DROP INDEX decisions_author")


def up(migrator: Any, db: Any) -> None:
    """Drops the indexes."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
