"""The reason of each body's sender verdict (`mailweir.sender_verdict`), and the domain of its signature or seal.

NULL: examined before reasons were stored, or not yet; and no domain if the reason has none.
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
