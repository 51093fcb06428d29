"""A deployment's decisions as a page lists them, the newest first, as far as the asker may see them. Never writes.

A page continues after the last decision of the previous page, and reads a limited number of decisions. Called by the web page.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from mailweir.decision import Outcome
from mailweir.store.database import batches, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import by_the_index, decisions
from mailweir.store.record.decisions import Asker, Decision

MAX_LIMIT = 200
STEPS = (60, 600, 2_000)  # decisions that a page reads in each step, until enough of them match


class Place(NamedTuple):
    """A place in the list of decisions. decided_at: UTC."""

    decided_at: datetime
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """decisions: the newest first. further: the next call's `before`, None if there are no more. A page may be empty although
    there are more, because it reads a limited number of decisions, and few of them may match."""

    decisions: tuple[Decision, ...]
    further: Place | None = None


def page(
    database: Database,
    deployment: Deployment,
    asker: Asker | None,
    *,
    before: Place | None = None,
    outcome: Outcome | None = None,
    limit: int = 50,
) -> Page:
    """Decisions for a deployment. before: `further` of the previous page. asker: None is an operator, who sees everything.

    ValueError for a limit that isn't 1 to MAX_LIMIT, and for an asker of another deployment. DatabaseUnavailable.
    """
    if not 1 <= limit <= MAX_LIMIT or (asker is not None and asker.reader.deployment_id != deployment.id):
        raise ValueError(f"a page has 1 to {MAX_LIMIT} decisions, for a reader of the deployment")
    kept: list[rows.Row] = []
    place, is_last = before, False
    for size in STEPS:
        read = _newest(database, deployment, place, size)
        kept += _wanted(database, asker, outcome, read)
        is_last = len(read) < size
        if len(kept) > limit or is_last:
            break
        place = _place(read[-1])
    shown = [row["id"] for row in kept[:limit]]
    marks = ",".join("?" * len(shown))
    found = tuple(decisions.select(database, f"c.id IN ({marks})", shown)) if shown else ()
    if len(kept) > limit:
        return Page(decisions=found, further=_place(kept[limit - 1]))
    return Page(decisions=found, further=None if is_last else place)


def _newest(database: Database, deployment: Deployment, before: Place | None, count: int) -> list[rows.Row]:
    further = ""
    values: list[Any] = [deployment.id]
    if before is not None:
        further = " AND (decided_at, id) < (?, ?)"
        values += [rfc3339(before.decided_at), min(max(before.id, 0), 2**63 - 1)]
    sql = (
        f"SELECT id, decided_at, outcome FROM decisions WHERE deployment_id = ?{further}"
        " ORDER BY deployment_id DESC, decided_at DESC, id DESC LIMIT ?"
    )
    return rows.named(database.execute(sql, (*values, count)))


def _wanted(database: Database, asker: Asker | None, outcome: Outcome | None, read: list[rows.Row]) -> list[rows.Row]:
    wanted = [row for row in read if outcome is None or row["outcome"] == outcome]
    if asker is None:
        return wanted
    values: list[Any] = []
    seen = decisions.told_to(asker, values)
    sql = f"SELECT c.id FROM decisions c LEFT JOIN activities a ON a.id = c.activity_id WHERE {seen} AND c.id IN ({{}})"
    told: set[int] = set()
    for part in batches.parts([row["id"] for row in wanted]):
        told |= {one for (one,) in by_the_index.rows(database, *batches.of_ids(database, sql, part, values))}
    return [row for row in wanted if row["id"] in told]


def _place(row: rows.Row) -> Place:
    return Place(parse(row["decided_at"]), row["id"])
