"""Indexes for lists of contacts and companies by name. Made while mail is recorded, like those of 0028."""

from typing import Any

from mailweir.store.database import indexes

atomic = False
ONLY_ADDS = True

INDEXES = (
    "CREATE INDEX contacts_by_name ON contacts(deployment_id, LOWER(name), id)",
    "CREATE INDEX companies_by_name ON companies(deployment_id, LOWER(name), id)",
)


def up(migrator: Any, db: Any) -> None:
    """Makes the indexes."""
    indexes.make(db, INDEXES)
