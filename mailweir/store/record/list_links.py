"""The link targets of the names in a list, for a whole list at once: contacts, their companies, and conversations. Never writes.

A list costs a few statements, not one for each row. The caller leaves out names that the reader may not see. Conversations are
checked here: only activities that the reader may read count. Called by the page.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import visibility
from mailweir.store.record.visibility import Access, Reader

LOOKED_AT = 20  # activities of a conversation: the last ones
_AT_ONCE = 100  # SELECTs in one statement: SQLite allows 500


class Known(NamedTuple):
    """A contact, and its company, by their ids."""

    contact_id: int
    company_id: int | None


def contacts(
    database: Database, deployment: Deployment, activity_ids: Sequence[int]
) -> dict[tuple[int, str, str], Known]:
    """The contacts who take part and aren't removed, by the activity, the name and the address; those in Bcc, too."""
    sql = (
        "SELECT DISTINCT p.activity_id, c.name, p.address, c.id, c.company_id FROM activity_contacts p"
        " JOIN contacts c ON c.id = p.contact_id"
        " WHERE c.deployment_id = ? AND c.removed_at IS NULL AND p.activity_id IN ({})"
    )
    found = batches.among(database, sql, (deployment.id,), activity_ids)
    return {(one, name, address): Known(contact, company) for one, name, address, contact, company in found}


def conversing(database: Database, reader: Reader, threads: Mapping[int, int]) -> set[int]:
    """The activities whose thread has another activity that the reader may read. threads: activity -> thread.

    Looks only at the last LOOKED_AT activities of a thread.
    """
    beside: dict[int, set[int]] = {}
    for part in batches.parts(sorted(set(threads.values())), _AT_ONCE):
        # A statement for each thread would cost a round trip to the database for each row of a list.
        one = (
            "SELECT * FROM (SELECT thread_id, activity_id FROM activity_threads WHERE thread_id = ?"
            " ORDER BY thread_id DESC, activity_id DESC LIMIT ?) AS t"
        )
        values = [value for thread in part for value in (thread, LOOKED_AT)]
        for thread, activity_id in database.execute(" UNION ALL ".join([one] * len(part)), values).fetchall():
            beside.setdefault(thread, set()).add(activity_id)
    asked = sorted({one for ids in beside.values() if len(ids) > 1 for one in ids})
    may = visibility.access(database, reader, asked)
    readable = {one for one in asked if may.get(one) is Access.WHOLE}
    return {one for one, thread in threads.items() if (beside.get(thread, set()) & readable) - {one}}
