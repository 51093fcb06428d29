"""Messages that history doesn't report: lists of a mailbox's messages are compared with the record, and missing ones are queued.

There are three occasions. The first is a list of all messages since some time, when a mailbox is newly connected or its history
expired. The second is the audit of the last 48 hours. The third is earlier mail: of contacts and groups that were added later, of
never-log rules that were removed, and of companies' domains that make contacts from then on. Called by `sweep`.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote_plus

from gmail_sync.job import Job
from gmail_sync.pages import Pages
from mailweir.gmail.errors import Refused
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_backfill, gmail_leases, gmail_queue
from mailweir.store.gmail.gmail_leases import Leased
from mailweir.store.gmail.gmail_queue import Origin

AUDIT_SPAN = timedelta(hours=48)
_FIRST_SPAN, _LEAST_SPAN = timedelta(days=1), timedelta(minutes=10)  # of one search in a long list
_FEW_PAGES = 4  # a span with at most so many pages, empty ones included, makes the next span longer
MAX_ADDRESSES = 20  # in one search
# The longest list of addresses in a search, as encoded in the request: beyond 2,048 characters, it would become a POST.
MAX_QUERY_CHARS = 1_600
# Addresses that need no escaping in a search. A local part may contain search syntax, above all braces. Such an address would
# silently turn a search for twenty addresses into a search without results.
_ORDINARY = re.compile(r"(?:[a-z0-9][a-z0-9._+%'=/_-]*@)?[a-z0-9.-]+")
_MEANS_SOMETHING_QUOTED = re.compile(r'["\\]')
# The address of a contact or group, the address or domain of a never-log rule, or a company's domain; with its id.
_Address = tuple[int, str]
_Note = Callable[[Database, Leased, int], None]
# The sources of earlier mail: the name, the query for addresses still to be searched, and the function that marks them as
# searched.
_KINDS: tuple[tuple[str, Callable[[Database, Leased, int], list[_Address]], _Note], ...] = (
    ("contacts", gmail_backfill.addresses_after, gmail_leases.note_backfilled),
    ("groups", gmail_backfill.groups_after, gmail_leases.note_groups_backfilled),
    ("removals of rules", gmail_backfill.removals_after, gmail_leases.note_removals_backfilled),
    ("companies' domains", gmail_backfill.switches_after, gmail_leases.note_switches_backfilled),
)
_ONLY_MAIL = "-in:drafts -in:chats"  # a list excludes spam and trash by itself


def list_since(job: Job) -> None:
    """Queues all unknown messages since `list_since`. Once the list is complete, removes the task.

    A list that doesn't fit on one page is split into spans of time, the oldest first. Each completed span is recorded, so a
    limit, an outage or a kill in the middle of a large list doesn't restart it.
    """
    assert job.leased.list_since
    since, span, queued = job.leased.list_since, _FIRST_SPAN, 0
    if job.leased.swept_at:  # otherwise nothing has been decided yet
        queued += _put_sent_later(job, since)
    first = job.mailbox.list_ids(_came(since, None))
    if first.next_page is None:
        queued += _put_listed(job, first.message_ids)
        _note_listed(job, None)
    while began := job.leased.list_since:
        end = began + span if began + span < job.services.clock() else None
        pages = 0
        for ids in _pages(job, _came(began, end)):
            queued += _put_listed(job, ids)
            pages += 1
        _note_listed(job, end)
        span = 2 * span if pages <= _FEW_PAGES else max(span / 2, _LEAST_SPAN)
    job.leased = replace(job.leased, has_queue=job.leased.has_queue or queued > 0)
    job.services.log.info("listed", since=rfc3339(since), queued=queued, **job.facts())


def _came(since: datetime, end: datetime | None) -> str:
    """The query for this span of time. It includes the seconds at both edges, because Gmail doesn't document their treatment."""
    before = f" before:{_seconds(end) + 2}" if end else ""
    return f"after:{_seconds(since) - 1}{before} {_ONLY_MAIL}"


def _put_listed(job: Job, ids: Collection[str]) -> int:
    with job.writing() as database:
        new = gmail_queue.unknown(database, job.leased, ids)
        return gmail_queue.put(database, job.leased, new, Origin.LISTED, job.services.clock())


def _note_listed(job: Job, end: datetime | None) -> None:
    """Records that all messages up to this time are queued or known; None: all messages are."""
    with job.writing() as database:
        gmail_leases.note_listing(database, job.leased, end)
    job.leased = replace(job.leased, list_since=end)


def audit(job: Job, catch_up: Callable[[], object]) -> tuple[int, int]:
    """Compares the last 48 hours, or the part of them with stored decisions, with the record. Queues unknown messages. Returns
    how many messages were listed, and how many were unknown.

    catch_up: reads history, so that messages that come while the list is made aren't missing.
    """
    now = job.services.clock()
    since = max(now - min(AUDIT_SPAN, decided_span(job)), job.leased.covered_since)
    ids = [one for page in _pages(job, f"after:{_seconds(since)} {_ONLY_MAIL}") for one in page]
    catch_up()
    sent = _sent_since(job, since)
    with job.writing() as database:
        missing = gmail_queue.unknown(database, job.leased, ids)
        gmail_queue.put(database, job.leased, missing, Origin.AUDIT, now)
        # Messages that were decided before they were sent: with today's labels, the decision could differ.
        unsent = gmail_queue.decided_as_unsent(database, job.leased, sent)
        gmail_queue.put(database, job.leased, unsent, Origin.LABELS, now)
        missing = [*missing, *unsent]
        gmail_leases.note_audit(database, job.leased, now, _next_audit(job, now), (len(ids), len(missing)))
    job.leased = replace(job.leased, audit_due_at=_next_audit(job, now))
    say = job.services.log.error if missing else job.services.log.info
    say("audited", listed=len(ids), missing=len(missing), **job.facts())
    return len(ids), len(missing)


def _sent_since(job: Job, since: datetime) -> list[str]:
    """The messages that the mailbox sent, by today's labels."""
    if not job.leased.outbound:
        return []
    return [one for page in _pages(job, f"in:sent after:{_seconds(since) - 1} {_ONLY_MAIL}") for one in page]


def _put_sent_later(job: Job, since: datetime) -> int:
    """Queues messages that were decided before they were sent, if history didn't report the sending."""
    sent = _sent_since(job, since)
    with job.writing() as database:
        unsent = gmail_queue.decided_as_unsent(database, job.leased, sent)
        return gmail_queue.put(database, job.leased, unsent, Origin.LABELS, job.services.clock())


def decided_span(job: Job) -> timedelta:
    """Every message decided within this time still has its decision (`retention`)."""
    return timedelta(days=min(job.services.settings.retention.decision_days, 36_500))


def _next_audit(job: Job, now: datetime) -> datetime:
    hours = job.services.settings.gmail.audit_hours
    return now + timedelta(hours=hours or 24)


def backfill(job: Job) -> bool:
    """Searches for the mail of the next addresses of one of `_KINDS`. May there be more?"""
    for what, after, note in _KINDS:
        with job.reading() as database:
            found = after(database, job.leased, MAX_ADDRESSES + 1)
        if chunk := _fitting(found):
            _search_for(job, what, chunk, note)
            return True  # there may be addresses of the other kinds; if not, the next call finds that out
    return False


def _search_for(job: Job, what: str, chunk: list[_Address], note: _Note) -> None:
    queued = 0
    if job.services.settings.gmail.backfill_days:
        chunk, queued = _search_what_gmail_takes(job, chunk)
    last = chunk[-1][0]
    with job.writing() as database:
        note(database, job.leased, last)
    if note is gmail_leases.note_backfilled:
        job.leased = replace(job.leased, backfilled_address_id=last)
    if queued:
        job.services.log.info(f"searched for new {what}", addresses=len(chunk), queued=queued, **job.facts())


def _search_what_gmail_takes(job: Job, chunk: list[_Address]) -> tuple[list[_Address], int]:
    """Searches for a chunk of addresses, or for as much of it as Gmail accepts: an address that Gmail refuses must block neither
    the other addresses nor the mailbox."""
    while True:
        try:
            return chunk, _search(job, [address for _, address in chunk])
        except Refused as error:
            if len(chunk) == 1:
                facts = {"address": chunk[0][1], "error": str(error), **job.facts()}
                job.services.log.error("a contact's earlier mail can't be searched for", **facts)
                return chunk, 0
            chunk = chunk[: len(chunk) // 2]


def _search(job: Job, addresses: list[str]) -> int:
    """Queues the unrecorded mail of these addresses; returns the number of messages."""
    queued = 0
    since = job.services.clock() - timedelta(days=job.services.settings.gmail.backfill_days)
    wanted = " ".join(f"from:{address} to:{address}" for address in map(_as_searched, addresses))
    for ids in _pages(job, f"{{{wanted}}} after:{_seconds(since)} {_ONLY_MAIL}"):
        with job.writing() as database:
            new = gmail_queue.unknown(database, job.leased, ids, recorded_only=True)
            queued += gmail_queue.put(database, job.leased, new, Origin.BACKFILL, job.services.clock())
    return queued


def _fitting(found: list[_Address]) -> list[_Address]:
    """As many addresses as fit in one search, and at least one: an address has at most 254 characters (RFC 5321 4.5.3.1.3)."""
    chunk: list[_Address] = []
    chars = 0
    for one in found[:MAX_ADDRESSES]:
        if not _ORDINARY.fullmatch(one[1]):
            return chunk or [one]  # alone, so that it doesn't break the search for others
        chars += len(quote_plus(f"from:{one[1]} to:{one[1]} "))
        if chunk and chars > MAX_QUERY_CHARS:
            break
        chunk.append(one)
    return chunk


def _as_searched(address: str) -> str:
    return address if _ORDINARY.fullmatch(address) else f'"{_MEANS_SOMETHING_QUOTED.sub(" ", address)}"'


def _pages(job: Job, query: str) -> Iterator[list[str]]:
    pages = Pages()
    while True:
        found = job.mailbox.list_ids(query, pages.token)
        yield list(found.message_ids)
        if not pages.turn(found.next_page):
            return


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
