"""Compares acknowledged messages with the database: law 1 and law 2, and the figures of a scenario.

Reads through the store's own connection, so it is the same for both databases. Called by `run`.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass, field

import zstandard

from mailweir.database_url import DatabaseUrl
from mailweir.store.database.connection import Database
from tests.chaos.load import Message

MAX_NAMED = 5  # how many violations of one sort are printed


@dataclass
class Figures:
    """One scenario's. faults: kills and other blows; absorbed: repeats of a message that was recorded already."""

    scenario: str
    database: str
    messages: int
    tries: int
    temporary: int
    cuts: int
    faults: int
    absorbed: int
    longest_seconds: float  # from a message's first try to its acknowledgement
    seconds: float
    violations: list[str] = field(default_factory=list)


HEADINGS = (
    "scenario", "database", "faults", "messages", "tries", "4xx", "cuts", "absorbed", "longest s", "s", "violations",
)  # fmt: skip


def row(figures: Figures) -> tuple[str, ...]:
    """The figures as text, in the order of HEADINGS."""
    counts = (
        figures.faults, figures.messages, figures.tries, figures.temporary, figures.cuts, figures.absorbed,
    )  # fmt: skip
    times = (f"{figures.longest_seconds:.1f}", f"{figures.seconds:.0f}")
    return figures.scenario, figures.database, *map(str, counts), *times, str(len(figures.violations))


def judge(messages: Collection[Message], database_url: DatabaseUrl, allowed: Collection[int]) -> tuple[list[str], int]:
    """The violations, and the number of absorbed repeats. allowed: 5xx replies that the scenario may cause."""
    decisions: dict[str, set[str]] = {}
    activities: dict[str, list[tuple[int, int, bytes]]] = {}
    with closing(Database(database_url)) as database:
        rows = database.execute("SELECT message_id, outcome FROM decisions WHERE source_id NOT LIKE '%:%'").fetchall()
        for message_id, outcome in rows:
            decisions.setdefault(message_id, set()).add(outcome)
        for message_id, raw_count, sighting_count, content in database.execute(
            "SELECT a.message_id, (SELECT COUNT(*) FROM raw_messages x WHERE x.activity_id = a.id),"
            " (SELECT COUNT(*) FROM sightings s WHERE s.activity_id = a.id), r.content_zstd"
            " FROM activities a LEFT JOIN raw_messages r ON r.id = a.leading_raw_id"
        ):
            digest = hashlib.sha256(zstandard.ZstdDecompressor().decompressobj().decompress(content)).digest()
            activities.setdefault(message_id, []).append((raw_count, sighting_count, digest))
    wrong: list[str] = []
    for message in messages:
        wrong += _faults_of(message, decisions.get(message.message_id), activities.get(message.message_id, []), allowed)
    known = {message.message_id for message in messages}
    wrong += [f"an activity of nobody's message: {one}" for one in activities if one not in known]
    return named(wrong), len(rows) - len(decisions)


def _faults_of(
    message: Message, outcomes: set[str] | None, activities: list[tuple[int, int, bytes]], allowed: Collection[int]
) -> Iterable[str]:
    if message.complaint:
        if message.codes[-1] not in allowed:
            yield f"refused for good: {message.message_id} {message.complaint}"
        return
    if message.acknowledged_at is None:
        yield f"not acknowledged in the end: {message.message_id} after {message.codes[-5:]}"
        return
    expected = "captured" if message.kind.is_captured else "ignored"
    if outcomes is None:
        yield f"acknowledged without a decision: {message.message_id}"
    elif outcomes != {expected}:
        yield f"decided otherwise: {message.message_id} is {', '.join(sorted(outcomes))}"
    if len(activities) != message.kind.is_captured:
        yield f"number of activities: {message.message_id} ({message.kind}) has {len(activities)}"
    for raw_count, sighting_count, digest in activities:
        if digest != message.digest:
            yield f"other bytes on the record: {message.message_id}"
        if raw_count != 1 or sighting_count < 1:
            yield f"raw messages and sightings: {message.message_id} has {raw_count} and {sighting_count}"


def named(wrong: Iterable[str]) -> list[str]:
    """All violations, counted; of each sort, a few in full."""
    seen: Counter[str] = Counter()
    kept = []
    for line in wrong:
        sort = line.partition(":")[0]
        seen[sort] += 1
        if seen[sort] <= MAX_NAMED:
            kept.append(line)
    return kept + [f"{sort}: {count} in all" for sort, count in seen.items() if count > MAX_NAMED]
