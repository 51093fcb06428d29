"""Sets the deployments of files that the previous version of the program wrote. That version runs beside this one while hosts are
upgraded, and leaves `attachments.deployment_id` empty (migration 0033). Called by the digest as it starts."""

from mailweir.store.database.connection import Database

_PAGE = 500

_NEXT = (
    "SELECT MAX(raw_id) FROM (SELECT raw_id FROM attachments WHERE deployment_id IS NULL AND raw_id > ?"
    " ORDER BY raw_id LIMIT ?) AS page"
)
_FILL = (
    "UPDATE attachments SET deployment_id = (SELECT a.deployment_id FROM raw_messages r JOIN activities a"
    " ON a.id = r.activity_id WHERE r.id = attachments.raw_id) WHERE deployment_id IS NULL AND raw_id > ? AND raw_id <= ?"
)


def fill(database: Database) -> None:
    """Sets all missing deployments, in a transaction for each page of files. DatabaseUnavailable."""
    after = 0
    while (last := database.execute(_NEXT, (after, _PAGE)).fetchone()[0]) is not None:
        with database.transaction(alone=False):
            database.execute(_FILL, (after, last))
        after = last
