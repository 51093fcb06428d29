"""Activities as a page lists them: fifty at a time, the newest first. The next page is asked for by the id of the last activity
shown, the previous page by that of the first one.

No rows are counted or skipped. If few of many activities are wanted, a page ends after a number of ids, and contains where to
continue. Law 13 holds: no page has an activity that the reader may not know of. Mail that a contact got only in Bcc is in the
contact's stream only for the mail's author. Never writes. Called by the web page.
"""

from dataclasses import dataclass, replace

from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import activities, threads
from mailweir.store.record.activities import Activity
from mailweir.store.record.stream_filter import END, StreamFilter
from mailweir.store.record.visibility import Reader
from mailweir.store.record.walking import Walk

LOOKED_AT = 5_000  # ids that a page may cost
MAX_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """activities: the newest first, as the reader sees them. older, newer: the next call's `before` or `after`, None if there is
    nothing on that side. The side from which the reader came is always set, even if all activities there are gone by now.
    continues_from: set if the page ends because it looked at enough ids. It is `older` or `newer` then, and it isn't known yet
    whether anything is there."""

    activities: tuple[Activity, ...]
    older: int | None = None
    newer: int | None = None
    continues_from: int | None = None


def stream(
    database: Database,
    deployment: Deployment,
    reader: Reader | None,
    wanted: StreamFilter,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = 50,
) -> Page:
    """A page of a deployment's activities. reader: None is an operator, who sees the metadata of all, and no text.

    before: activities older than this id. after: activities newer than this id, those next to it. limit: 1 to MAX_LIMIT.
    ValueError if both are given, for another limit, and for a reader of another deployment. DatabaseUnavailable.
    """
    if (before is not None and after is not None) or not 1 <= limit <= MAX_LIMIT:
        raise ValueError("a page is asked for by `before` or by `after`, with a limit in its bounds")
    if reader is not None and reader.deployment_id != deployment.id:
        raise ValueError("the reader is another deployment's")
    if reader is None and (wanted.label is not None or wanted.thread is not None):
        return Page(activities=())
    if wanted.thread is not None:
        wanted = replace(wanted, thread=threads.current(database, wanted.thread))
    newest_first = after is None
    low, high = _id(after, 0), _id(before, END)
    walk = Walk(database, deployment, reader, wanted, low=low, high=high, newest_first=newest_first)
    ids, at = _found(walk, limit + 1)
    is_more = len(ids) > limit
    shown = sorted(ids[:limit], reverse=True)
    page = Page(activities=tuple(activities.shown_to(database, deployment, reader, shown)))
    further = (shown[-1] if newest_first else shown[0]) if is_more else at
    back = _back(shown, before, after)
    continues_from = None if is_more else at
    if newest_first:
        return replace(page, older=further, newer=back, continues_from=continues_from)
    return replace(page, newer=further, older=back, continues_from=continues_from)


def _found(walk: Walk, most: int) -> tuple[list[int], int | None]:
    """The first ids, at most `most`; and the id from which to continue, or None at the walk's end."""
    found: list[int] = []
    cost = 0
    for step in walk.steps(most):
        found += step.found
        cost += step.cost
        if len(found) >= most or (cost >= LOOKED_AT and step.reached is not None):
            return found[:most], step.reached
    return found, None


def _back(shown: list[int], before: int | None, after: int | None) -> int | None:
    """The id for the page from which the reader came; None for the first page."""
    if before is not None:
        return shown[0] if shown else _id(before, END) - 1
    if after is not None:
        return shown[-1] if shown else _id(after, 0) + 1
    return None


def _id(given: int | None, otherwise: int) -> int:
    """Limits an id to possible values: both databases refuse a number that is too large."""
    return otherwise if given is None else min(max(given, 0), END)
