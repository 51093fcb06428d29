"""Indexes for what somebody asks of decisions: by Message-ID, author, recipient. Made while mail is recorded.

Their keys begin with a bucket of 500 ids, so that what is recorded together stands together in the index, and to record costs
next to nothing (docs/speed.md has the figures). A question looks into each bucket (`decision_search`). What is rare, or goes
after days, has an index of those rows alone: the digests of recipients, what From named besides the author, and what Postfix
refused. In the last ones the ids come right behind the bucket: each entry is put at the end.
"""

from typing import Any

from mailweir.store.database import indexes

atomic = False
ONLY_ADDS = True

INDEXES = (
    "CREATE INDEX decisions_message_ids ON decisions((id / 500), message_id)",
    "CREATE INDEX decisions_authors ON decisions((id / 500), author)",
    "CREATE INDEX decisions_traced ON decisions((id / 500), id, recipient_digests) WHERE recipient_digests IS NOT NULL",
    "CREATE INDEX decisions_named ON decisions((id / 500), id) WHERE named IS NOT NULL",
    # what had no queue id yet is far more, and nobody can ask for it by one
    "CREATE INDEX decisions_refused ON decisions((id / 500), id)"
    " WHERE outcome = 'refused' AND SUBSTR(source_id, 1, 8) <> 'NOQUEUE:'",
    "CREATE INDEX activity_contacts_addresses ON activity_contacts((activity_id / 500), address)",
)


def up(migrator: Any, db: Any) -> None:
    """Makes the indexes."""
    indexes.make(db, INDEXES)
