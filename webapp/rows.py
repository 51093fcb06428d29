"""Activities as lists show them: each row as the reader may see it (law 13), with its sender verdict in words (law 8).

Called by all pages that list activities; `templates/rows.html` shows these rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import flask
from flask_babel import gettext, lazy_gettext, ngettext

from mailweir.explain import record
from mailweir.reading.search_snippet import Snippet
from mailweir.reading.word_ends import MORE, SNIPPET_CHARS, shortened
from mailweir.store.record import list_links, visibility
from mailweir.store.record.activities import Activity, Participant
from mailweir.store.record.list_links import Known
from mailweir.store.record.visibility import Access
from webapp import explained, here, links

_MOST_NAMES = 3  # of contacts and of users in a row; the message's own page shows all
_LABELS = {
    "automatic": lazy_gettext("automatic"),
    "list": lazy_gettext("mailing list"),
    "bulk": lazy_gettext("bulk mail"),
    "bounce": lazy_gettext("bounce"),
    "receipt": lazy_gettext("receipt"),
    "invitation": lazy_gettext("invitation"),
    "encrypted": lazy_gettext("encrypted"),
    "signed": lazy_gettext("signed"),
}
_MESSAGE_PAGE, _THREAD_PAGE, _STREAM_PAGE = "message.page", "activities.thread", "activities.stream"


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a person or company. url: of its page; None if it has no page, or if the list is on that page. company: of a
    contact."""

    words: str
    url: str | None = None
    is_bcc: bool = False
    company: "Name | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An activity in a list. is_whole: if not, the reader sees only the people and the time. at: when it was sent, but no later
    than it was recorded, UTC. subject, snippet: in pieces, each with a flag: is it marked? verdict: words and their CSS class.
    remarks: further remarks on the author. further_*: how many more there are. thread_url: the URL of the conversation, if it has
    other mail that the reader may read; None on the conversation's own page."""

    activity: Activity
    is_whole: bool
    url: str
    thread_url: str | None
    at: datetime
    subject: tuple[tuple[str, bool], ...]
    snippet: tuple[tuple[str, bool], ...]
    verdict: tuple[str, str]
    remarks: tuple[str, ...]
    contacts: tuple[Name, ...]
    further_contacts: int
    users: tuple[Name, ...]
    further_users: int
    labels: tuple[str, ...]
    files: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """An activity's subject and text, with the hits of a search marked."""

    subject: Snippet
    text: Snippet


def of(activities: Sequence[Activity], marked: Mapping[int, Marked] | None = None) -> list[Row]:
    """The rows of these activities, in their order, as this reader may see them. marked: a search's hits, by activity."""
    may = visibility.access(here.database(), here.reader(), [one.id for one in activities])
    shown = [one for one in activities if one.id in may]
    links = _links(shown)
    return [_row(one, may[one.id] is Access.WHOLE, (marked or {}).get(one.id), links) for one in shown]


def contacts(activity: Activity) -> list[Name]:
    """The contacts who take part, for the activity's own page. activity: without contacts that the reader may not know of."""
    known = list_links.contacts(here.database(), here.deployment(), [activity.id])
    return [_contact(activity.id, one, known) for one in activity.contacts]


def users(activity: Activity) -> list[Name]:
    """The users on whose record the activity is, for the activity's own page."""
    return list(map(_user, activity.users))


def url(activity_id: int) -> str:
    """The URL of an activity's own page."""
    if _MESSAGE_PAGE in flask.current_app.view_functions:
        return links.numbered(_MESSAGE_PAGE, "activity_id", activity_id)
    return f"/activities/{activity_id}"


def verdict(activity: Activity) -> tuple[str, str]:
    """The sender verdict in words, and its CSS class."""
    if activity.sender_verdict == "pass" and activity.sender_verdict_domain:
        return gettext("proven by %(domain)s", domain=activity.sender_verdict_domain), "good"
    match activity.sender_verdict:
        case "pass":
            return gettext("proven"), "good"
        case "fail":
            return gettext("not proven: its signature doesn't hold"), "bad"
        case "pending":
            return gettext("not examined yet"), ""
        case _:
            return gettext("not proven"), "warn"


def label(stored: str) -> str:
    """A label in words."""
    words = _LABELS.get(stored)
    return stored if words is None else str(words)


def sent_at(activity: Activity) -> datetime:
    """The time of sending, but no later than the recording: the Date header may be wrong."""
    return min(activity.sent_at or activity.recorded_at, activity.recorded_at)


@dataclass(frozen=True, slots=True)
class _Links:
    """known: contacts by activity, name and address. conversing: activities whose thread has others that the reader may read."""

    known: Mapping[tuple[int, str, str], Known]
    conversing: frozenset[int]


def _links(shown: Sequence[Activity]) -> _Links:
    known = list_links.contacts(here.database(), here.deployment(), [one.id for one in shown])
    threads = {one.id: one.thread for one in shown if one.thread is not None}
    if flask.request.endpoint == _THREAD_PAGE:
        threads = {}
    return _Links(known, frozenset(list_links.conversing(here.database(), here.reader(), threads)))


def _row(activity: Activity, is_whole: bool, marked: Marked | None, links: _Links) -> Row:
    if not is_whole:
        # the addresses in its thread would show what the mail is about
        activity, marked = replace(activity, known_thread_of=()), None
    named = list(dict.fromkeys(_contact(activity.id, one, links.known) for one in activity.contacts))
    count = len(activity.attachments)
    return Row(
        activity=activity,
        is_whole=is_whole,
        url=url(activity.id),
        thread_url=_thread_url(activity) if activity.id in links.conversing else None,
        at=sent_at(activity),
        subject=tuple(marked.subject.pieces) if marked else ((activity.subject, False),),
        snippet=tuple(marked.text.pieces) if marked else ((_snippet(activity.snippet), False),),
        verdict=verdict(activity),
        remarks=tuple(map(explained.said, record.author(activity))),
        contacts=tuple(named[:_MOST_NAMES]),
        further_contacts=max(0, len(named) - _MOST_NAMES),
        users=tuple(map(_user, activity.users[:_MOST_NAMES])),
        further_users=max(0, len(activity.users) - _MOST_NAMES),
        labels=tuple(map(label, activity.labels)),
        files=ngettext("%(num)d file", "%(num)d files", count) if count else "",
    )


def _contact(activity_id: int, one: Participant, known: Mapping[tuple[int, str, str], Known]) -> Name:
    found = known.get((activity_id, one.name, one.address))
    url = _page("contacts.page", "contact_id", found.contact_id) if found else None
    company = None
    if one.company:
        company_id = found.company_id if found else None
        company = Name(one.company, None if company_id is None else _page("companies.page", "company_id", company_id))
    return Name(one.name, url, is_bcc=one.bcc, company=company)


def _user(username: str) -> Name:
    """A user has no page, so the link leads to the user's part of the record."""
    if _STREAM_PAGE not in flask.current_app.view_functions:
        return Name(username)
    url = links.named(_STREAM_PAGE, "user", username)
    return Name(username, None if url == flask.request.full_path else url)


def _page(endpoint: str, parameter: str, number: int) -> str | None:
    """The page's URL; None on that page itself, where a link would lead nowhere."""
    if endpoint not in flask.current_app.view_functions:
        return None
    url = links.numbered(endpoint, parameter, number)
    return None if url == flask.request.path else url


def _snippet(stored: str) -> str:
    """The snippet, ending after a word. Snippets of older readings were cut after a fixed number of characters."""
    is_cut = len(stored) == SNIPPET_CHARS and not stored.endswith(MORE)
    return shortened(f"{stored}.", SNIPPET_CHARS) if is_cut else stored


def _thread_url(activity: Activity) -> str | None:
    return None if activity.thread is None else links.numbered(_THREAD_PAGE, "thread_id", activity.thread)
