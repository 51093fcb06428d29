"""Indexes for *Why*: two of migration 0038 get a key that distinguishes similar addresses, and a new one has unusual Message-IDs.

With the first key, addresses that differ in a few neighbouring characters had the same number: a search for one of many numbered
addresses read many times as many rows as it found (decision 0050). The indexes keep their names, because SQLite's queries name
their index. So the previous program version still finds everything, though by the buckets alone. Made while mail is recorded.
After any interruption this step can be run again.
"""

from functools import partial
from typing import Any

from mailweir.store.database import fingerprint, indexes

atomic = False
ONLY_ADDS = True

# Message-IDs without <>, which are rare. With this index a search looks into each bucket once, and not a second time for these.
BARE = (
    "CREATE INDEX decisions_bare_ids ON decisions((id / 500), {message_id})"
    " WHERE message_id IS NOT NULL AND SUBSTR(message_id, 1, 1) <> '<'"
)
# name: the table and the keys
INDEXES = {
    "decisions_authors": ("decisions", "(id / 500), ({key})", "author"),
    "activity_contacts_addresses": ("activity_contacts", "(activity_id / 500), ({key})", "address"),
}


def up(migrator: Any, db: Any) -> None:
    """Replaces each index. On PostgreSQL the new one gets another name first, and the old name once the old index is dropped."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    indexes.make(db, [BARE.format(message_id=fingerprint.sql("message_id", is_sqlite=is_sqlite))])
    for name, (table, keys, column) in INDEXES.items():
        keys = keys.format(key=fingerprint.address_sql(column, is_sqlite=is_sqlite))
        if is_sqlite:  # SQLite can't rename an index
            with db.atomic():
                db.execute_sql(f"DROP INDEX IF EXISTS {name}")
                db.execute_sql(f"CREATE INDEX {name} ON {table}({keys})")
            continue
        indexes.make(db, [f"CREATE INDEX {name}_next ON {table}({keys})"])
        indexes.drop(db, [name])
        indexes.try_often(db, partial(db.execute_sql, f"ALTER INDEX {name}_next RENAME TO {name}"))
