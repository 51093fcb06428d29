"""Indexes of uncommon mail: a verdict other than `pass`, a route other than forwarding. Made while mail is recorded.

A list by such a verdict or route walks its index, which has the ids in order. Mail with the common verdict and route has no
entry, so recording it writes nothing more (docs/engineering/speed.md has the figures).
"""

from typing import Any

from mailweir.store.database import indexes

atomic = False
ONLY_ADDS = True

INDEXES = (
    # each mail is `pending` at first
    "CREATE INDEX activities_unproven ON activities(deployment_id, sender_verdict, id)"
    " WHERE sender_verdict <> 'pass' AND sender_verdict <> 'pending'",
    "CREATE INDEX sightings_uncommon ON sightings(route, activity_id) WHERE route <> 'forward'",
)


def up(migrator: Any, db: Any) -> None:
    """Makes the indexes."""
    indexes.make(db, INDEXES)
