"""Activities as lists show them: each row as the reader may see it (law 13), its author proven or not in words (law 8).

Called by all pages that list activities; `templates/rows.html` shows what is made here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import flask
from flask_babel import gettext, ngettext

from mailweir.explain import record
from mailweir.reading.search_snippet import Snippet
from mailweir.store.record import conversations, visibility
from mailweir.store.record.activities import Activity, Participant
from mailweir.store.record.visibility import Access
from webapp import explained, here

_MOST_NAMES = 3  # of contacts and of users; the message's own page has all
_MESSAGE_PAGE, _THREAD_PAGE = "message.page", "activities.thread"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An activity in a list. is_whole: else the reader sees who and when alone. at: when it was sent, but no later than it was
    recorded, UTC. subject, snippet: in pieces, each with whether it is marked. verdict: words and the class of their state.
    remarks: what else there is to say of its author. contacts: names with their companies. further_*: how many more. thread_url:
    of the conversation, where it has others that the reader sees, but on its own page."""

    activity: Activity
    is_whole: bool
    url: str
    thread_url: str | None
    at: datetime
    subject: tuple[tuple[str, bool], ...]
    snippet: tuple[tuple[str, bool], ...]
    verdict: tuple[str, str]
    remarks: tuple[str, ...]
    contacts: tuple[str, ...]
    further_contacts: int
    users: tuple[str, ...]
    further_users: int
    labels: tuple[str, ...]
    files: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """What a search found in an activity."""

    subject: Snippet
    text: Snippet


def of(activities: Sequence[Activity], marked: Mapping[int, Marked] | None = None) -> list[Row]:
    """The rows of activities that the store gave for this reader, in their order. marked: by activity."""
    may = visibility.access(here.database(), here.reader(), [one.id for one in activities])
    threaded = conversations.with_others(here.database(), here.reader(), [one.id for one in activities])
    found = [_row(one, may[one.id] is Access.WHOLE, (marked or {}).get(one.id)) for one in activities if one.id in may]
    return [one if one.activity.id in threaded else replace(one, thread_url=None) for one in found]


def url(activity_id: int) -> str:
    """Where an activity's own page is."""
    if _MESSAGE_PAGE in flask.current_app.view_functions:
        return flask.url_for(_MESSAGE_PAGE, activity_id=activity_id)
    return f"/activities/{activity_id}"


def verdict(activity: Activity) -> tuple[str, str]:
    """Was the author proven, in words, and the class of that state."""
    if activity.sender_verdict == "pass" and activity.sender_verdict_domain:
        return gettext("proven by %(domain)s", domain=activity.sender_verdict_domain), "good"
    said = {
        "pass": (gettext("proven"), "good"),
        "fail": (gettext("not proven: its signature doesn't hold"), "bad"),
        "pending": (gettext("not examined yet"), ""),
    }
    return said.get(activity.sender_verdict, (gettext("not proven"), "warn"))


def label(stored: str) -> str:
    """A label in words."""
    words = {
        "automatic": gettext("automatic"),
        "list": gettext("mailing list"),
        "bulk": gettext("bulk mail"),
        "bounce": gettext("bounce"),
        "receipt": gettext("receipt"),
        "invitation": gettext("invitation"),
        "encrypted": gettext("encrypted"),
        "signed": gettext("signed"),
    }
    return str(words.get(stored, stored))


def sent_at(activity: Activity) -> datetime:
    """When it was sent, but no later than it was recorded: a Date may say anything."""
    return min(activity.sent_at or activity.recorded_at, activity.recorded_at)


def _row(activity: Activity, is_whole: bool, marked: Marked | None) -> Row:
    if not is_whole:
        # with which thread it belongs tells what it is about
        activity, marked = replace(activity, known_thread_of=()), None
    contacts = list(dict.fromkeys(map(_contact, activity.contacts)))
    count = len(activity.attachments)
    return Row(
        activity=activity,
        is_whole=is_whole,
        url=url(activity.id),
        thread_url=_thread_url(activity),
        at=sent_at(activity),
        subject=tuple(marked.subject.pieces) if marked else ((activity.subject, False),),
        snippet=tuple(marked.text.pieces) if marked else ((activity.snippet, False),),
        verdict=verdict(activity),
        remarks=tuple(map(explained.said, record.author(activity))),
        contacts=tuple(contacts[:_MOST_NAMES]),
        further_contacts=max(0, len(contacts) - _MOST_NAMES),
        users=activity.users[:_MOST_NAMES],
        further_users=max(0, len(activity.users) - _MOST_NAMES),
        labels=tuple(map(label, activity.labels)),
        files=ngettext("%(num)d file", "%(num)d files", count) if count else "",
    )


def _contact(one: Participant) -> str:
    name = f"{one.name} ({one.company})" if one.company else one.name
    return gettext("%(name)s in Bcc", name=name) if one.bcc else name


def _thread_url(activity: Activity) -> str | None:
    if activity.thread is None or flask.request.endpoint == _THREAD_PAGE:
        return None
    return flask.url_for(_THREAD_PAGE, thread_id=activity.thread)
