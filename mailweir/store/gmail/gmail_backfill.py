"""Changes after a mailbox was connected, for which its earlier mail is searched: new addresses of contacts and groups, removed
never-log rules, and companies' domains that were switched on to make contacts.

Ids only grow, and transactions that add contacts are serialised (`Database.transaction`). So a new row's id is above all ids that
were already searched for. Called by the sync.
"""

from mailweir.store.database.connection import Database
from mailweir.store.gmail.gmail_leases import Leased


def addresses_after(database: Database, leased: Leased, limit: int) -> list[tuple[int, str]]:
    """The next addresses that haven't been searched for yet: (id, address)."""
    rows = database.execute(
        "SELECT a.id, a.address FROM contact_addresses a WHERE a.deployment_id = ? AND a.id > ? ORDER BY a.id LIMIT ?",
        (leased.deployment.id, leased.backfilled_address_id, limit),
    ).fetchall()
    return [(int(row[0]), str(row[1])) for row in rows]


def groups_after(database: Database, leased: Leased, limit: int) -> list[tuple[int, str]]:
    """The next groups that haven't been searched for yet: (id, address)."""
    rows = database.execute(
        "SELECT g.id, g.address FROM group_addresses g JOIN gmail_mailboxes m ON m.id = ?"
        " WHERE g.deployment_id = ? AND g.id > m.backfilled_group_id ORDER BY g.id LIMIT ?",
        (leased.id, leased.deployment.id, limit),
    ).fetchall()
    return [(int(row[0]), str(row[1])) for row in rows]


def removals_after(database: Database, leased: Leased, limit: int) -> list[tuple[int, str]]:
    """The next removed never-log rules that haven't been searched for yet: (id, an address or a domain). They are rules of the
    deployment or of the mailbox's user."""
    rows = database.execute(
        "SELECT n.id, n.pattern FROM never_log_removals n JOIN gmail_mailboxes m ON m.id = ?"
        " WHERE n.deployment_id = ? AND n.id > m.backfilled_removal_id AND (n.user_id IS NULL OR n.user_id = m.user_id)"
        " ORDER BY n.id LIMIT ?",
        (leased.id, leased.deployment.id, limit),
    ).fetchall()
    return [(int(row[0]), str(row[1]).removeprefix("@")) for row in rows]


def switches_after(database: Database, leased: Leased, limit: int) -> list[tuple[int, str]]:
    """The next domains that haven't been searched for yet: (id, domain)."""
    rows = database.execute(
        "SELECT s.id, s.domain FROM auto_contact_switches s JOIN gmail_mailboxes m ON m.id = ?"
        " WHERE s.deployment_id = ? AND s.id > m.backfilled_switch_id ORDER BY s.id LIMIT ?",
        (leased.id, leased.deployment.id, limit),
    ).fetchall()
    return [(int(row[0]), str(row[1])) for row in rows]
