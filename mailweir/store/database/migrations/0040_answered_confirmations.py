"""The end of a forwarding confirmation. `forwarded_at`: the time of the first mail that its mailbox forwarded. `dismissed_at`:
when the user dismissed the confirmation. It is open while both are NULL.

For existing confirmations, nobody knows which mail their mailboxes forwarded. As before, the user's next captured mail that came
by forwarding ends a confirmation.
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
    """Adds the columns, and ends the confirmations after which mail was forwarded."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
