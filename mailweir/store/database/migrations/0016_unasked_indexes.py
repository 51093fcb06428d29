"""Two indexes of `decisions` go: no query could use them, and each message that is recorded paid for both.

`why` looks for a word in several columns at once, of which some hold lists, so it reads the whole table either way.
"""

from typing import Any

STATEMENTS = ("DROP INDEX decisions_message_id", "DROP INDEX decisions_author")


def up(migrator: Any, db: Any) -> None:
    """Drops the indexes."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
