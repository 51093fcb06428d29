"""The reason of each body's sender verdict (`mailweir.sender_verdict`), and the domain of its signature or seal.

Both are NULL if the body was examined before reasons were stored, or isn't examined yet. Some reasons have no domain.
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
