"""Indexes for lists that are read newest first, and a table of the steps that an older version of the program tolerates.

Each list scans one of these indexes, from the newest or the last seen row on. `schema_additions` names the steps that only add:
if a database has no other newer steps, an older program continues to work with it (see `versions`). This step is no transaction:
on PostgreSQL an index is made while mail is recorded. After any interruption it can be run again.
"""

from typing import Any

from mailweir.store.database import indexes

atomic = False
ONLY_ADDS = True

TABLE = "CREATE TABLE IF NOT EXISTS schema_additions (name TEXT NOT NULL PRIMARY KEY){without_rowid}"
INDEXES = (
    "CREATE INDEX activities_newest ON activities(deployment_id, id)",
    # for since and until: the id of the first activity recorded from then on limits the scan
    "CREATE INDEX activities_recorded ON activities(deployment_id, recorded_at)",
    "CREATE INDEX activity_contacts_newest ON activity_contacts(contact_id, activity_id)",
    "CREATE INDEX activity_threads_newest ON activity_threads(thread_id, activity_id)",
    "CREATE INDEX contacts_company ON contacts(company_id, id)",
    "CREATE INDEX todos_done ON todos(user_id, done_at, id)",
    "CREATE INDEX decisions_newest ON decisions(deployment_id, decided_at, id)",
)
# the new indexes begin with the same columns
SUPERSEDED = ("activity_contacts_contact", "activity_threads_thread")


def up(migrator: Any, db: Any) -> None:
    """Makes the table and the indexes, and drops the ones that they replace."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    db.execute_sql(TABLE.replace("{without_rowid}", " WITHOUT ROWID" if is_sqlite else ""))
    indexes.make(db, INDEXES)
    indexes.drop(db, SUPERSEDED)
