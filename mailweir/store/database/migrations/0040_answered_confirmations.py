"""When a forwarding confirmation was over: `forwarded_at`, when mail first came that its mailbox forwards; `dismissed_at`, when
its user put it away. Both NULL: it is open.

Of those that are there nobody knows what their mailboxes forwarded. What captured mail came after is over, as it was until now.
"""

from typing import Any

ONLY_ADDS = True

STATEMENTS = (
    "ALTER TABLE forwarding_confirmations ADD COLUMN forwarded_at TEXT",
    "ALTER TABLE forwarding_confirmations ADD COLUMN dismissed_at TEXT",
    "UPDATE forwarding_confirmations SET forwarded_at = (SELECT MIN(s.seen_at) FROM sightings s"
    " WHERE s.user_id = forwarding_confirmations.user_id AND s.route = 'forward'"
    " AND s.seen_at > forwarding_confirmations.seen_at)",
)


def up(migrator: Any, db: Any) -> None:
    """Adds the columns, and ends what mail came after."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
