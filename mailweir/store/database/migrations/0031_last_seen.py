"""Indexes for when mail of a user was last seen, by route, and when it was forwarded. Made while mail is recorded.

What was captured has an entry for each user and route. What was ignored is far more as a rule and stays for days alone: its
entries are put by the hour first, so that those that come together share the index's leaves, and to write one costs next to
nothing (docs/speed.md has the figures). Mail for several capture addresses at once is rare and has an index of its own.
"""

from typing import Any

from mailweir.store.database import indexes

atomic = False
ONLY_ADDS = True

INDEXES = (
    "CREATE INDEX sightings_of_user ON sightings(user_id, route, seen_at)",
    "CREATE INDEX decisions_ignored ON decisions(deployment_id, SUBSTR(decided_at, 1, 13), recipients, decided_at)"
    " WHERE outcome = 'ignored'",
    "CREATE INDEX decisions_ignored_of_several ON decisions(deployment_id, decided_at, recipients)"
    " WHERE outcome = 'ignored' AND REPLACE(recipients, ',', '') <> recipients",
)


def up(migrator: Any, db: Any) -> None:
    """Makes the indexes."""
    indexes.make(db, INDEXES)
