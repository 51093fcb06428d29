"""The search index, written in the caller's transaction.

SQLite: a contentless FTS5 table. It removes a row only if it gets the row's words again, so `search_texts` stores them,
compressed. PostgreSQL: an index of the words in `search_texts`, split at blanks, so that PostgreSQL's own rules for words have no
effect. Called by the digest and `erasing`; `search` reads it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import zstandard

from mailweir.reading import search_entry
from mailweir.reading.search_entry import Entry
from mailweir.store.database import batches
from mailweir.store.database.connection import Database

# PostgreSQL's index has no order. So each version also gets words made of its id without the last bits, by which a search finds
# the newest mail first.
WINDOW_BITS = (12, 16, 20)
_NOBODYS = "x"  # for a word that isn't indexed; no query has it, because each word of a query begins with a deployment's number
_MAX_STORED_BYTES = 3 * search_entry.MAX_BYTES


def put(database: Database, entries: Iterable[Entry]) -> None:
    """Indexes versions; replaces their earlier entries. Idempotent."""
    wanted = {entry.raw_id: entry for entry in entries}
    if database.is_sqlite:
        _put_into_fts(database, wanted)
    else:
        _put_texts(database, wanted)


def remove(database: Database, raw_ids: Collection[int]) -> None:
    """Removes versions from the index; `erasing` removes their words from SQLite's file."""
    if database.is_sqlite:
        _take_out_of_fts(database, _stored(database, raw_ids).values())
        # see `erasing.forget_words`
        sql = "UPDATE search_texts SET words = ZEROBLOB(LENGTH(words)) WHERE raw_id IN ({})"
        batches.change(database, sql, (), raw_ids)
    batches.change(database, "DELETE FROM search_texts WHERE raw_id IN ({})", (), raw_ids)


def window(deployment_id: int, bits: int, number: int) -> str:
    """The word in PostgreSQL's index of the versions whose id, without its last bits, is this number."""
    return f"{deployment_id}k{bits}k{number}"


def _put_into_fts(database: Database, wanted: dict[int, Entry]) -> None:
    before = _stored(database, wanted)
    remove(database, [raw_id for raw_id, entry in before.items() if entry != wanted[raw_id]])
    compressor = zstandard.ZstdCompressor()
    new = [entry for raw_id, entry in sorted(wanted.items()) if before.get(raw_id) != entry]
    texts = [
        (
            entry.raw_id,
            entry.deployment_id,
            compressor.compress(f"{' '.join(entry.names)}\n{' '.join(entry.others)}".encode()),
        )
        for entry in new
    ]
    batches.insert(database, "search_texts", ("raw_id", "deployment_id", "words"), texts)
    execute = database.fast_execute()
    for entry in new:
        execute("INSERT INTO search_words (rowid, words) VALUES (?, ?)", (entry.raw_id, _text(entry)))


def _stored(database: Database, raw_ids: Collection[int]) -> dict[int, Entry]:
    """The index entries of these versions, by version."""
    sql = "SELECT raw_id, deployment_id, words FROM search_texts WHERE raw_id IN ({})"
    found: dict[int, Entry] = {}
    for raw_id, deployment_id, packed in batches.among(database, sql, (), raw_ids):
        text = zstandard.ZstdDecompressor().decompress(packed, max_output_size=_MAX_STORED_BYTES).decode()
        names, _, others = text.partition("\n")
        found[raw_id] = Entry(
            raw_id=raw_id, deployment_id=deployment_id, names=tuple(names.split()), others=tuple(others.split())
        )
    return found


def _take_out_of_fts(database: Database, stored: Iterable[Entry]) -> None:
    execute = database.fast_execute()
    for entry in stored:
        execute(
            "INSERT INTO search_words (search_words, rowid, words) VALUES ('delete', ?, ?)",
            (entry.raw_id, _text(entry)),
        )


def _text(entry: Entry) -> str:
    return search_entry.indexed(entry, _NOBODYS)


def _put_texts(database: Database, wanted: dict[int, Entry]) -> None:
    rows = []
    for raw_id, entry in sorted(wanted.items()):
        windows = " ".join(window(entry.deployment_id, bits, raw_id >> bits) for bits in WINDOW_BITS)
        rows.append((raw_id, entry.deployment_id, f"{_text(entry)} {windows}"))
    ending = (
        "ON CONFLICT (raw_id) DO UPDATE SET deployment_id = excluded.deployment_id, words = excluded.words"
        " WHERE search_texts.words <> excluded.words"
    )
    batches.insert(database, "search_texts", ("raw_id", "deployment_id", "words"), rows, ending)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The record's data about a version, to be indexed. names: names and addresses of its author and contacts, without those in
    Bcc, whom only the sender may see."""

    deployment_id: int
    subject: str
    names: tuple[str, ...]


def known(database: Database, raw_ids: Collection[int]) -> dict[int, Known]:
    """The data about those of these versions that are on the record, by version."""
    sql = (
        "SELECT r.id, r.activity_id, a.deployment_id, COALESCE(r.subject, a.subject) AS subject, a.author FROM raw_messages r"
        " JOIN activities a ON a.id = r.activity_id WHERE r.id IN ({})"
    )
    found = list(batches.among(database, sql, (), raw_ids))
    people: dict[int, list[str]] = defaultdict(list)
    of_contacts = (
        "SELECT part.raw_message_id, c.name, part.address FROM activity_contacts part JOIN contacts c ON c.id = part.contact_id"
        " WHERE part.is_bcc = 0 AND part.activity_id IN ({}) ORDER BY part.contact_id, part.address"
    )
    for raw_id, name, address in batches.among(database, of_contacts, (), {row[1] for row in found}):
        people[raw_id] += [name, address]
    return {
        raw_id: Known(
            deployment_id=deployment_id, subject=subject, names=tuple(dict.fromkeys([author, *people[raw_id]]))
        )
        for raw_id, _, deployment_id, subject, author in found
    }


def count_unread(database: Database, deployment_id: int) -> int:
    """The number of a deployment's versions that wait to be read; at most 10,000. Older versions that a rebuild hasn't reached
    aren't counted."""
    sql = (
        "SELECT COUNT(*) FROM (SELECT q.raw_id FROM digest_queue q JOIN raw_messages r ON r.id = q.raw_id"
        " JOIN activities a ON a.id = r.activity_id WHERE q.stage = 'reading' AND a.deployment_id = ? LIMIT 10000) AS waiting"
    )
    return int(database.execute(sql, (deployment_id,)).fetchone()[0])
