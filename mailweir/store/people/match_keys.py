"""Recomputes the matching keys of addresses when a deployment changes its folding.

Called by `deployments`, within its transaction.
"""

from collections.abc import Mapping

from mailweir import never_log
from mailweir.errors import BadInput
from mailweir.folding import Folding
from mailweir.sentence import said
from mailweir.store.database.connection import Database

_BATCH_ROWS = 5_000
# Folding can change these addresses only. A deployment may have millions of others.
_COULD_FOLD = "(address LIKE '%+%' OR address LIKE '%@gmail.com' OR address LIKE '%@googlemail.com')"
_OF_CONTACTS = (
    (
        f"SELECT id, address FROM contact_addresses WHERE deployment_id = ? AND id > ? AND {_COULD_FOLD}"
        f" ORDER BY id LIMIT {_BATCH_ROWS}",
        "UPDATE contact_addresses SET match_key = ? WHERE id = ?",
    ),
    (
        f"SELECT id, address FROM removed_addresses WHERE deployment_id = ? AND id > ? AND {_COULD_FOLD}"
        f" ORDER BY id LIMIT {_BATCH_ROWS}",
        "UPDATE removed_addresses SET match_key = ? WHERE id = ?",
    ),
)


def rewrite(database: Database, deployment_id: int, folding: Folding) -> None:
    """Gives each address of a deployment its key. BadInput if two addresses of users or groups become one."""
    # Temporary values first: keys are unique, and a new key may equal another address's old one.
    database.execute(
        f"UPDATE user_addresses SET match_key = '=' || address WHERE deployment_id = ? AND {_COULD_FOLD}",
        (deployment_id,),
    )
    users = database.execute(
        "SELECT a.id, a.address, a.user_id, u.username FROM user_addresses a JOIN users u ON u.id = a.user_id"
        " WHERE a.deployment_id = ? ORDER BY a.id",
        (deployment_id,),
    ).fetchall()
    holders: dict[str, tuple[str, str]] = {}
    for row_id, address, _, username in users:
        key = folding.key(address)
        if key in holders:
            other, holder = holders[key]
            raise BadInput(
                said(
                    "{other} of the user {holder} and {address} of {username} would be one address: remove one first",
                    other=other,
                    holder=holder,
                    address=address,
                    username=username,
                )
            )
        holders[key] = (address, username)
        database.execute("UPDATE user_addresses SET match_key = ? WHERE id = ?", (key, row_id))
    _rewrite_groups(database, deployment_id, folding, holders)
    _rewrite_contacts(database, deployment_id, folding)
    _rewrite_rules(database, deployment_id, folding)


def _rewrite_groups(
    database: Database, deployment_id: int, folding: Folding, users: Mapping[str, tuple[str, str]]
) -> None:
    groups = database.execute(
        "SELECT id, address FROM group_addresses WHERE deployment_id = ? ORDER BY id", (deployment_id,)
    ).fetchall()
    database.execute("UPDATE group_addresses SET match_key = '=' || address WHERE deployment_id = ?", (deployment_id,))
    holders: dict[str, str] = {}
    for row_id, address in groups:
        key = folding.key(address)
        if key in users or key in holders:
            other = users[key][0] if key in users else holders[key]
            raise BadInput(
                said(
                    "the group {address} and {other} would be one address: remove one first",
                    address=address,
                    other=other,
                )
            )
        holders[key] = address
        database.execute("UPDATE group_addresses SET match_key = ? WHERE id = ?", (key, row_id))


def _rewrite_contacts(database: Database, deployment_id: int, folding: Folding) -> None:
    """Contacts' addresses, and those that were removed from them."""
    for select, update in _OF_CONTACTS:
        done = 0
        while rows := database.execute(select, (deployment_id, done)).fetchall():
            for row_id, address in rows:
                database.execute(update, (folding.key(address), row_id))
            done = rows[-1][0]


def _rewrite_rules(database: Database, deployment_id: int, folding: Folding) -> None:
    """Rewrites the keys of never-log rules. Of several rules that become equal, the first stays."""
    rules = database.execute(
        "SELECT id, user_id, pattern FROM never_log_rules WHERE deployment_id = ? ORDER BY id", (deployment_id,)
    ).fetchall()
    # Temporary values first, as above.
    database.execute("UPDATE never_log_rules SET match_key = '=' || pattern WHERE deployment_id = ?", (deployment_id,))
    seen: set[tuple[int | None, str]] = set()
    for row_id, user_id, pattern in rules:
        key = never_log.match_key(pattern, folding)
        if (user_id, key) in seen:
            database.execute("DELETE FROM never_log_rules WHERE id = ?", (row_id,))
            continue
        seen.add((user_id, key))
        database.execute("UPDATE never_log_rules SET match_key = ? WHERE id = ?", (key, row_id))
