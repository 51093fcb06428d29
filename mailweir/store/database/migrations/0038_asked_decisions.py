"""Indexes for searches for decisions by Message-ID, author or recipient. Made while mail is recorded.

Their keys begin with a bucket of 500 ids. So rows that are recorded together share leaves of the index, and recording costs next
to nothing more (docs/engineering/speed.md has the figures). A search looks into one bucket after the other (`decision_search`).
Rare rows, and rows that are deleted after days, have indexes of their own: the digests of recipients, several addresses in From,
and mail that Postfix refused. In these the id follows the bucket, so each entry is added at the end. The key of a text is its
`fingerprint`.
"""

from typing import Any

from mailweir.store.database import fingerprint, indexes

atomic = False
ONLY_ADDS = True

INDEXES = (
    "CREATE INDEX decisions_message_ids ON decisions((id / 500), {message_id})",
    "CREATE INDEX decisions_authors ON decisions((id / 500), {author})",
    "CREATE INDEX decisions_traced ON decisions((id / 500), id, recipient_digests) WHERE recipient_digests IS NOT NULL",
    "CREATE INDEX decisions_named ON decisions((id / 500), id) WHERE named IS NOT NULL",
    # Without mail that was refused before it had a queue id: there is far more of it, and nobody can search for it by queue id.
    "CREATE INDEX decisions_refused ON decisions((id / 500), id)"
    " WHERE outcome = 'refused' AND SUBSTR(source_id, 1, 8) <> 'NOQUEUE:'",
    "CREATE INDEX activity_contacts_addresses ON activity_contacts((activity_id / 500), {address})",
)


def up(migrator: Any, db: Any) -> None:
    """Makes the indexes."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    texts = ("message_id", "author", "address")
    keys = {column: fingerprint.sql(column, is_sqlite=is_sqlite) for column in texts}
    indexes.make(db, [statement.format(**keys) for statement in INDEXES])
