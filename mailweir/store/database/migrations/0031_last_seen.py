"""Indexes for the time of a user's last mail, by route, and for the times of forwarded mail. Made while mail is recorded.

Captured mail has an entry for each user and route. There is usually far more ignored mail, which stays only for days. Its entries
sort by the hour first, so that mail of the same time shares the index's leaves, and writing an entry costs next to nothing
(docs/engineering/speed.md has the figures). Mail for several capture addresses at once is rare and has an index of its own.
"""

from typing import Any

from mailweir.store.database import indexes

atomic = False
ONLY_ADDS = True

INDEXES = (
    "CREATE INDEX sightings_of_user ON sightings(user_id, route, seen_at)",
    # recipients is cut: a message may have a thousand, and PostgreSQL refuses a row whose index entry has over 2,700 bytes.
    "CREATE INDEX decisions_ignored ON decisions"
    "(deployment_id, SUBSTR(decided_at, 1, 13), SUBSTR(recipients, 1, 400), decided_at) WHERE outcome = 'ignored'",
    "CREATE INDEX decisions_ignored_of_several ON decisions(deployment_id, decided_at)"
    " WHERE outcome = 'ignored' AND REPLACE(recipients, ',', '') <> recipients",
)


def up(migrator: Any, db: Any) -> None:
    """Makes the indexes."""
    indexes.make(db, INDEXES)
