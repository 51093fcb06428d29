"""What readings add to activities in a list: labels, snippet, files, and the conversation. Never writes.

Costs a statement for each table, however many activities there are. Reads no text: what a list shows stands before it in the
table. Called by `activities`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailweir.reading.labels import Label, from_bits, to_bits
from mailweir.store.database import rows
from mailweir.store.database.connection import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """A file of a message, as lists and programs get it. size: bytes; sha256: in hex; both of what is decoded. inline: it stands
    in the text."""

    name: str
    type: str
    size: int
    sha256: str
    inline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """labels: without those of the headers, which `raw_messages` has. attachments: by their numbers, from 1 on. thread: None
    where it isn't read yet."""

    labels: frozenset[Label] = field(default_factory=frozenset)
    snippet: str = ""
    thread: int | None = None
    attachments: tuple[AttachedFile, ...] = ()


def load(database: Database, activity_ids: Sequence[int]) -> dict[int, Summary]:
    """Of each of these activities, by id; of their leading versions. As many as one statement takes."""
    marks = ",".join("?" * len(activity_ids))
    read = (
        "SELECT a.id, d.labels, d.snippet FROM activities AS a JOIN readings AS d ON d.raw_id = a.leading_raw_id"
        f" WHERE a.id IN ({marks})"
    )
    told = {row[0]: (row[1], row[2]) for row in database.execute(read, activity_ids).fetchall()}
    joined = f"SELECT activity_id, thread_id FROM activity_threads WHERE activity_id IN ({marks})"
    threads = {row[0]: row[1] for row in database.execute(joined, activity_ids).fetchall()}
    held = (
        "SELECT a.id, f.name, f.media_type, f.size_bytes, f.sha256, f.is_inline FROM activities AS a"
        f" JOIN attachments AS f ON f.raw_id = a.leading_raw_id WHERE a.id IN ({marks}) ORDER BY a.id, f.number"
    )
    files = _files(rows.named(database.execute(held, activity_ids)))
    nothing = (0, "")
    return {
        one: Summary(
            labels=from_bits(told.get(one, nothing)[0]),
            snippet=told.get(one, nothing)[1],
            thread=threads.get(one),
            attachments=tuple(files[one]),
        )
        for one in activity_ids
    }


def labelled(label: Label) -> tuple[str, list[Any]]:
    """The condition that an activity `a` is read and has this label, and its values."""
    # `<> 0`: the index that has those with labels alone
    sql = "a.leading_raw_id IN (SELECT d.raw_id FROM readings AS d WHERE d.labels <> 0 AND (d.labels & ?) <> 0)"
    return sql, [to_bits([label])]


def _files(found: Iterable[rows.Row]) -> dict[int, list[AttachedFile]]:
    files: dict[int, list[AttachedFile]] = defaultdict(list)
    for row in found:
        one = AttachedFile(
            name=row["name"],
            type=row["media_type"],
            size=row["size_bytes"],
            sha256=bytes(row["sha256"]).hex(),
            inline=bool(row["is_inline"]),
        )
        files[row["id"]].append(one)
    return files
