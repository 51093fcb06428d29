"""The search entries of mail that was read. Called by `outcomes`."""

from collections.abc import Mapping

from mailweir.reading import search_entry
from mailweir.reading.reading import Reading
from mailweir.store.database.connection import Database
from mailweir.store.record import search_index
from mailweir.store.record.search_index import Known


def entries(database: Database, found: Mapping[int, Reading | None]) -> dict[int, search_entry.Entry]:
    """The entries by version, for versions on the record. found: None if the mail could not be read; then its subject and people
    are indexed.

    Call it outside of the transaction that writes the entries, because it takes longer than writing.
    """
    known = search_index.known(database, found)
    return {raw_id: _entry(raw_id, one, known[raw_id]) for raw_id, one in found.items() if raw_id in known}


def _entry(raw_id: int, found: Reading | None, known: Known) -> search_entry.Entry:
    return search_entry.make(
        raw_id=raw_id,
        deployment_id=known.deployment_id,
        text=found.text if found else "",
        subject=found.subject if found else known.subject,
        names=known.names,
        file_names=[one.name for one in found.attachments] if found else (),
    )
