"""What mail that was read is found by, and in which portions it is written. Called by `outcomes`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from mailweir.reading import search_entry
from mailweir.reading.reading import Reading
from mailweir.store.database.connection import Database
from mailweir.store.record import search_index
from mailweir.store.record.search_index import Known

_Item = TypeVar("_Item")


def entries(database: Database, found: Mapping[int, Reading | None]) -> dict[int, search_entry.Entry]:
    """By version, of those that are on the record. found: None where mail could not be read; subject and people find it then.

    To be made outside of the transaction that writes it, for it takes longer than writing does.
    """
    known = search_index.known(database, found)
    return {raw_id: _entry(raw_id, one, known[raw_id]) for raw_id, one in found.items() if raw_id in known}


def portions(items: Iterable[tuple[_Item, int]]) -> Iterator[list[_Item]]:
    """Items with how many words each writes, in portions of few milliseconds: the filter waits for the write lock meanwhile."""
    portion: list[_Item] = []
    size = 0
    for item, words in items:
        if portion and size + words > search_index.MAX_SIZE:
            yield portion
            portion, size = [], 0
        portion.append(item)
        size += words
    if portion:
        yield portion


def _entry(raw_id: int, found: Reading | None, known: Known) -> search_entry.Entry:
    return search_entry.make(
        raw_id=raw_id,
        deployment_id=known.deployment_id,
        text=found.text if found else "",
        subject=found.subject if found else known.subject,
        names=known.names,
        file_names=[one.name for one in found.attachments] if found else (),
    )
