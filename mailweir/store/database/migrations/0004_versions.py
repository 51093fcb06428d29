"""Versions of a message differ in more than the body: in subject and signatures too. Each version has its own subject.

The digests of existing rows stay as they are, so later copies of such a message become one further version.
"""

from typing import Any

STATEMENTS = (
    "ALTER TABLE raw_messages RENAME COLUMN body_digest TO version_digest",
    "ALTER TABLE raw_messages ADD COLUMN subject TEXT",
)


def up(migrator: Any, db: Any) -> None:
    """Renames the column and adds the subject's."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
