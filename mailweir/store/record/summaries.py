"""The files of activities in a list. Never writes. Called by `activities`."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from mailweir.store.database import rows

# of the leading versions; `IN ({})`: see `batches.of_ids`
FILES = (
    "SELECT a.id, f.name, f.media_type, f.size_bytes, f.sha256, f.is_inline FROM activities AS a"
    " JOIN attachments AS f ON f.raw_id = a.leading_raw_id WHERE a.id IN ({}) ORDER BY a.id, f.number"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """A file of a message for lists and programs. size: bytes; sha256: in hex; both of the decoded content. inline: it is shown
    within the text."""

    name: str
    type: str
    size: int
    sha256: str
    inline: bool


def by_activity(cursor: Any) -> dict[int, list[AttachedFile]]:
    """The rows of `FILES`, by activity and in the order of the files' numbers, which begin with 1."""
    files: dict[int, list[AttachedFile]] = defaultdict(list)
    for row in rows.named(cursor):
        one = AttachedFile(
            name=row["name"],
            type=row["media_type"],
            size=row["size_bytes"],
            sha256=bytes(row["sha256"]).hex(),
            inline=bool(row["is_inline"]),
        )
        files[row["id"]].append(one)
    return files
