"""The record as lists: the stream with its filters, a thread, and the search. Each reader sees what is theirs (law 13).

One message has a page of its own.
"""

import flask
from flask_babel import gettext

from mailweir.reading import search_query, search_snippet
from mailweir.reading.search_query import Term
from mailweir.store.record import activities, readings, search, search_index, streams
from mailweir.store.record.search import Found, Wanted
from mailweir.store.record.stream_filter import StreamFilter
from webapp import forms, here, rows, stream_filters, streams_shown
from webapp.access import Access, open_to
from webapp.rows import Marked, Row
from webapp.stream_filters import Asked

blueprint = flask.Blueprint("activities", __name__)
_HITS = 25
_SNIPPET_COLUMNS, _SUBJECT_COLUMNS = 160, 120
_OF_SEARCH = ("contact", "user", "since")
_MAX_QUERY_CHARS = 500


@blueprint.get("/activities")
@open_to(Access.READER)
def stream() -> tuple[str, int]:
    """The newest activities first, filtered as the URL says."""
    asked = stream_filters.read()
    found = None
    if asked.wanted is not None:
        found = streams_shown.shown(asked.wanted, ".stream", asked.fields)
    page = flask.render_template(
        "activities/stream.html",
        asked=asked,
        found=found,
        options=stream_filters.options(),
        usernames=stream_filters.usernames(),
    )
    return page, 200 if found else 400


@blueprint.get("/threads/<int:thread_id>")
@open_to(Access.READER)
def thread(thread_id: int) -> str:
    """A conversation, the oldest mail first. It has only mails of which the reader may see everything. 404 if there are none."""
    if thread_id >= 2**63:
        flask.abort(404)
    before = forms.whole_number(flask.request.args.get("before"))
    after = forms.whole_number(flask.request.args.get("after")) or 0
    place = {"after": after} if before is None else {"before": before}
    wanted = StreamFilter(thread=thread_id)
    page = streams.stream(here.database(), here.deployment(), here.reader(), wanted, **place)
    if not page.activities:
        flask.abort(404)
    links = []
    if page.older is not None and (after or before):
        links.append((gettext("Earlier"), flask.url_for(".thread", thread_id=thread_id, before=page.older)))
    if page.newer is not None:
        links.append((gettext("Later"), flask.url_for(".thread", thread_id=thread_id, after=page.newer)))
    found = rows.of(page.activities[::-1])
    return flask.render_template("activities/thread.html", rows=found, links=links)


@blueprint.get("/search")
@open_to(Access.READER)
def search_page() -> tuple[str, int]:
    """The activities that have all the words, with the words marked, the last recorded activity first."""
    typed = forms.asked("q", _MAX_QUERY_CHARS)
    asked = stream_filters.read(_OF_SEARCH)
    terms = search_query.parse(typed)
    hits = _hits(terms, asked)
    links = []
    if flask.request.args.get("before"):
        links.append((gettext("Back to the first"), flask.url_for(".search_page", q=typed, **asked.fields)))
    if len(hits) == _HITS:
        further = flask.url_for(".search_page", q=typed, **asked.fields, before=hits[-1].activity_id)
        links.append((gettext("Next"), further))
    page = flask.render_template(
        "activities/search.html",
        typed=typed,
        has_words=bool(terms),
        asked=asked,
        rows=_marked(hits, terms),
        links=links,
        unread=search_index.count_unread(here.database(), here.deployment().id) if terms else 0,
        usernames=stream_filters.usernames(),
    )
    return page, 200 if asked.wanted is not None else 400


def _hits(terms: tuple[Term, ...], asked: Asked) -> list[Found]:
    if asked.wanted is None:
        return []
    wanted = Wanted(
        limit=_HITS,
        user=asked.fields.get("user"),
        contact=asked.fields.get("contact"),
        since=asked.wanted.since,
        before=forms.whole_number(flask.request.args.get("before")),
    )
    return search.matching(here.database(), here.deployment(), terms, wanted, search.of_reader(here.reader()))


def _marked(hits: list[Found], terms: tuple[Term, ...]) -> list[Row]:
    """The rows of the hits, as this reader sees them. If the reader sees only the metadata of a hit, its row has no text."""
    shown = activities.shown_to(here.database(), here.deployment(), here.reader(), [hit.activity_id for hit in hits])
    versions = {hit.activity_id: hit.raw_id for hit in hits if hit.is_whole}
    texts = readings.texts(here.database(), versions.values())
    marked = {
        one.id: Marked(
            subject=search_snippet.around(one.subject, terms, _SUBJECT_COLUMNS),
            text=search_snippet.around(texts.get(versions[one.id]) or one.snippet, terms, _SNIPPET_COLUMNS),
        )
        for one in shown
        if one.id in versions
    }
    return rows.of(shown, marked)
