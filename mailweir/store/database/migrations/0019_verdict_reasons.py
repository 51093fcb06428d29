"""Why each body's sender verdict is what it is (`mailweir.sender_verdict`), and whose signature or seal that is about.

NULL: examined before that was kept, or not yet; and no domain where none belongs to it.
"""

from typing import Any

STATEMENTS = (
    "ALTER TABLE raw_messages ADD COLUMN verdict_reason TEXT",
    "ALTER TABLE raw_messages ADD COLUMN verdict_domain TEXT",
)


def up(migrator: Any, db: Any) -> None:
    """Adds the columns."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
