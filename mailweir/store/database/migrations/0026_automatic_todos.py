"""Does automatic mail make to-dos in a deployment? 1, or 0 as before. Also an index of the readings that have labels."""

from typing import Any

_COLUMN = "automatic_todos {kind} NOT NULL DEFAULT 0"
# includes the labels, so that a list by label reads no page of the texts
_INDEX = "CREATE INDEX readings_labelled ON readings(raw_id, labels) WHERE labels <> 0"


def up(migrator: Any, db: Any) -> None:
    """Adds the column and the index."""
    kind = "INTEGER" if type(db).__name__ == "SqliteDatabase" else "BIGINT"
    db.execute_sql(f"ALTER TABLE deployments ADD COLUMN {_COLUMN.format(kind=kind)}")
    db.execute_sql(_INDEX)
