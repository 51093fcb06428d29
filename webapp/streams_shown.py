"""A page of a stream as templates get it: its rows, and the links to newer and older ones.

Called by the pages that have a stream: activities, contacts and companies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import flask
from flask_babel import gettext

from mailweir.store.record import streams
from mailweir.store.record.stream_filter import StreamFilter
from webapp import forms, here, rows
from webapp.rows import Row

LIMIT = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """rows: the newest first. links: (words, URL) of the newer and older pages. go_on: if the query stopped because it had looked
    at too many rows, the URL that continues it; else None. is_first: does the page begin with the newest activity?"""

    rows: list[Row]
    links: list[tuple[str, str]]
    go_on: str | None
    is_first: bool


def shown(wanted: StreamFilter, endpoint: str, fields: Mapping[str, Any], limit: int = LIMIT) -> Shown:
    """The page before or after the activity that the request's `before` or `after` names. fields: other fields of the URLs."""
    before = forms.whole_number(flask.request.args.get("before"))
    after = forms.whole_number(flask.request.args.get("after")) if before is None else None
    page = streams.stream(
        here.database(), here.deployment(), here.reader(), wanted, before=before, after=after, limit=limit
    )
    links = []
    if before is not None or after is not None:
        links.append((gettext("Newest"), flask.url_for(endpoint, **fields)))
    if page.newer is not None:
        links.append((gettext("Newer"), flask.url_for(endpoint, **fields, after=page.newer)))
    if page.older is not None:
        links.append((gettext("Older"), flask.url_for(endpoint, **fields, before=page.older)))
    go_on = None
    if page.continues_from is not None:
        place: dict[str, Any] = {"before" if page.continues_from == page.older else "after": page.continues_from}
        go_on = flask.url_for(endpoint, **fields, **place)
        links = [link for link in links if link[1] != go_on]
    return Shown(rows.of(page.activities), links, go_on, before is None and page.newer is None)
