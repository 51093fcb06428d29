"""A deployment may ignore plus-tags and Gmail's dots in addresses: the matching key is stored beside the address.

Both choices are off in existing deployments, so each key is the address itself.
"""

from typing import Any

STATEMENTS = (
    "ALTER TABLE deployments ADD COLUMN plus_addresses INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE deployments ADD COLUMN gmail_dots INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE user_addresses ADD COLUMN match_key TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE contact_addresses ADD COLUMN match_key TEXT NOT NULL DEFAULT ''",
    "UPDATE user_addresses SET match_key = address",
    "UPDATE contact_addresses SET match_key = address",
    # Two users never share a key, because an author must be exactly one user.
    "CREATE UNIQUE INDEX user_addresses_match_key ON user_addresses(deployment_id, match_key)",
    # With contact_id the query uses the index alone: one descent in a tree, not two.
    "CREATE INDEX contact_addresses_match_key ON contact_addresses(deployment_id, match_key, contact_id)",
)


def up(migrator: Any, db: Any) -> None:
    """Adds the columns and their indexes."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
