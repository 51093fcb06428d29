"""Whether automatic mail makes to-dos in a deployment: 0, as it was for all, or 1."""

from typing import Any

_COLUMN = "automatic_todos {kind} NOT NULL DEFAULT 0"


def up(migrator: Any, db: Any) -> None:
    """Adds the column."""
    kind = "INTEGER" if type(db).__name__ == "SqliteDatabase" else "BIGINT"
    db.execute_sql(f"ALTER TABLE deployments ADD COLUMN {_COLUMN.format(kind=kind)}")
