"""Contacts' and groups' addresses that were added after a mailbox was connected: their earlier mail is still to be searched for.

Ids of addresses only grow, and whoever adds contacts writes alone (`Database.transaction`), so an id that is passed never comes
up later. Called by the sync.
"""

from mailweir.store.database.connection import Database
from mailweir.store.gmail.gmail_leases import Leased


def addresses_after(database: Database, leased: Leased, limit: int) -> list[tuple[int, str]]:
    """The next addresses that aren't searched for yet: (id, address)."""
    rows = database.execute(
        "SELECT a.id, a.address FROM contact_addresses a WHERE a.deployment_id = ? AND a.id > ? ORDER BY a.id LIMIT ?",
        (leased.deployment.id, leased.backfilled_address_id, limit),
    ).fetchall()
    return [(int(row[0]), str(row[1])) for row in rows]


def groups_after(database: Database, leased: Leased, limit: int) -> list[tuple[int, str]]:
    """The next groups that aren't searched for yet: (id, address)."""
    rows = database.execute(
        "SELECT g.id, g.address FROM group_addresses g JOIN gmail_mailboxes m ON m.id = ?"
        " WHERE g.deployment_id = ? AND g.id > m.backfilled_group_id ORDER BY g.id LIMIT ?",
        (leased.id, leased.deployment.id, limit),
    ).fetchall()
    return [(int(row[0]), str(row[1])) for row in rows]
