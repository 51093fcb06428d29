"""The deployment of each file (`attachments.deployment_id`), with an index: copies of a file are searched within a deployment
alone.

This step is no transaction: existing rows are filled a few at a time, while mail is recorded. After any interruption it can be
run again.
"""

from typing import Any

from mailweir.store.database import indexes

atomic = False
ONLY_ADDS = True

COLUMN_ON_SQLITE = "ALTER TABLE attachments ADD COLUMN deployment_id INTEGER"
COLUMN_ON_POSTGRESQL = "ALTER TABLE attachments ADD COLUMN IF NOT EXISTS deployment_id BIGINT"
INDEXES = ("CREATE INDEX attachments_of_deployment ON attachments(deployment_id, sha256, raw_id)",)
SUPERSEDED = ("attachments_sha256",)
_NEXT = (
    "SELECT MAX(raw_id) FROM (SELECT raw_id FROM attachments WHERE raw_id > {mark} ORDER BY raw_id LIMIT 500) AS next"
)
_FILL = (
    "UPDATE attachments SET deployment_id = (SELECT a.deployment_id FROM raw_messages r JOIN activities a"
    " ON a.id = r.activity_id WHERE r.id = attachments.raw_id)"
    " WHERE raw_id > {mark} AND raw_id <= {mark} AND deployment_id IS NULL"
)


def up(migrator: Any, db: Any) -> None:
    """Adds the column, fills it, makes the index, and drops the replaced index."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    if not is_sqlite:
        db.execute_sql(COLUMN_ON_POSTGRESQL)
    elif "deployment_id" not in {column.name for column in db.get_columns("attachments")}:
        db.execute_sql(COLUMN_ON_SQLITE)
    _fill(db, "?" if is_sqlite else "%s")
    indexes.make(db, INDEXES)
    indexes.drop(db, SUPERSEDED)


def _fill(db: Any, mark: str) -> None:
    after = 0
    while (last := db.execute_sql(_NEXT.replace("{mark}", mark), (after,)).fetchone()[0]) is not None:
        db.execute_sql(_FILL.replace("{mark}", mark), (after, last))
        after = last
