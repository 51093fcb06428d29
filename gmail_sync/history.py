"""New messages since the cursor, by Gmail's history: ids are queued in the transaction that moves the cursor (law 1).

If history doesn't reach back to the cursor, a list replaces it (`listing`). Called by `sweep`.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from gmail_sync import listing
from gmail_sync.budget import OverBudget
from gmail_sync.job import Job
from gmail_sync.pages import Pages
from mailweir.gmail.errors import HistoryExpired
from mailweir.gmail.parse import HistoryPage
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_leases, gmail_queue
from mailweir.store.gmail.gmail_queue import Origin

# Messages shortly before the last sweep may have been missed: a list goes by the time of arrival, and clocks differ.
LISTING_MARGIN = timedelta(days=1)
# Messages that arrived as spam or trash may be rescued for this long, and expired history doesn't show that either.
LONGEST_IN_SPAM = timedelta(days=30)
LONGEST_GAP = timedelta(days=31)  # for a list, if the time of the last sweep is unknown
LONG_HISTORY_SHARE = 0.4  # of a mailbox's quota; a sweep resumes at a half-full bucket


def catch_up(job: Job, began: datetime) -> bool:
    """Queues the ids of history, up to its end; did new mail come? began: the time now."""
    if job.leased.cursor is None:
        _take_baseline(job, None)
    cursor, pages, heard = job.leased.cursor, Pages(), False
    reached: str | None = None
    assert cursor
    while True:
        try:
            found = job.mailbox.history(cursor, pages.token)
        except HistoryExpired:
            _recover(job)
            return heard
        except OverBudget as error:
            spent = pages.turned * job.services.settings.gmail.history_units
            if job.spending.bucket.share_of(spent) >= LONG_HISTORY_SHARE and not error.whole_project:
                _leave(job)
            raise
        # The position at the first page: the later pages may not include messages that came while they were read.
        reached = reached or found.history_id
        moved = reached if found.next_page is None and reached != cursor else None
        if found.message_ids or found.drafts or moved:
            heard = _queue(job, found, moved, began) or heard
        if not pages.turn(found.next_page):
            return heard


def _queue(job: Job, page: HistoryPage, moved: str | None, began: datetime) -> bool:
    """Processes one page of history; is any of it new? moved: the new cursor, once all pages are read."""
    message_ids = page.message_ids
    with job.writing() as database:
        new = gmail_queue.unknown(database, job.leased, message_ids, or_waiting=True) if message_ids else []
        gmail_queue.put(database, job.leased, new, Origin.HISTORY, began)
        # Law 12: messages that were decided before they were sent are decided again.
        if page.sent.difference(new):
            unsent = gmail_queue.decided_as_unsent(database, job.leased, page.sent.difference(new))
            gmail_queue.put(database, job.leased, unsent, Origin.LABELS, began)
        if page.drafts:
            drafts = gmail_queue.recorded(database, job.leased, page.drafts)
            gmail_queue.put(database, job.leased, drafts, Origin.DRAFT, began)
        if moved:
            gmail_leases.move_cursor(database, job.leased, moved)
    job.leased = replace(
        job.leased,
        cursor=moved or job.leased.cursor,
        has_queue=job.leased.has_queue or bool(message_ids or page.drafts),
    )
    return bool(new)


def _recover(job: Job) -> None:
    """History doesn't reach back to the cursor: list the messages since the last whole sweep and some time before, and take a new
    baseline."""
    since = _gap_began(job)
    job.services.log.warning("history expired", since=rfc3339(since), **job.facts())
    _take_baseline(job, since)


def _leave(job: Job) -> None:
    """Reading this history costs more than the bucket holds, and would start at the same cursor each time. So it counts as
    expired from the next sweep on."""
    since = _gap_began(job)
    with job.writing() as database:
        gmail_leases.move_cursor(database, job.leased, None)
        gmail_leases.note_listing(database, job.leased, since)
    job.services.log.warning("history too long", since=rfc3339(since), **job.facts())


def _gap_began(job: Job) -> datetime:
    leased, now = job.leased, job.services.clock()
    since, swept_at = leased.covered_since, leased.swept_at
    if swept_at:
        # A sweep in the future was recorded by a wrong clock.
        since = max(since, _listed_since(job, swept_at, now) if swept_at <= now else now - LONGEST_GAP)
    if leased.list_since:
        since = min(since, leased.list_since)
    return since


def _listed_since(job: Job, swept_at: datetime, now: datetime) -> datetime:
    """As far back as messages may be rescued from spam, but no further than decisions are stored: messages with a decision cost
    no request, and rescued ones have no decision."""
    rescued = max(swept_at - LONGEST_IN_SPAM, now - listing.decided_span(job))
    return min(swept_at - LISTING_MARGIN, rescued)


def _take_baseline(job: Job, list_since: datetime | None) -> None:
    """The cursor is taken before the list is made: messages that come meanwhile are in history."""
    cursor = job.mailbox.profile().history_id
    with job.writing() as database:
        gmail_leases.move_cursor(database, job.leased, cursor)
        if list_since:
            gmail_leases.note_listing(database, job.leased, list_since)
    job.leased = replace(job.leased, cursor=cursor, list_since=list_since or job.leased.list_since)
