"""A small bar chart of the mail of the last twelve months, made by the server, and the same numbers as a table.

Browsers request both separately, because counting a busy contact's mail takes as long as the whole rest of its page. Called by
the pages of a contact and of a company.
"""

from dataclasses import dataclass
from datetime import datetime

import flask
import flask_babel
from werkzeug.wrappers import Response

from mailweir.store.record import monthly
from mailweir.store.record.monthly import Monthly
from mailweir.store.record.stream_filter import StreamFilter
from webapp import here, safety

WIDTH, HEIGHT = 260, 84
_BARS_HEIGHT = 48
_GAP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A month. short, long: its name. x, y, width, height: in the picture's units. height is 0 only if there was no mail."""

    short: str
    long: str
    count: int
    x: int
    y: int
    width: int
    height: int


def picture(wanted: StreamFilter) -> Response:
    """The number of mails that the reader may know of, as a picture for `<img>`. Its text is part of the picture."""
    response = flask.make_response(
        flask.render_template("months_picture.html", **_shown(wanted), width=WIDTH, height=HEIGHT)
    )
    response.mimetype = "image/svg+xml"
    response.headers["Content-Security-Policy"] = safety.PICTURE_POLICY
    return response


def table(wanted: StreamFilter, name: str, back: str) -> str:
    """The same numbers as a page. name: of the contact or company. back: the URL of the page that has the picture."""
    return flask.render_template("months_table.html", **_shown(wanted), name=name, back=back)


def _shown(wanted: StreamFilter) -> dict[str, object]:
    counted = monthly.counts(here.database(), here.deployment(), here.reader(), wanted, here.now())
    return {"bars": _bars(counted), "is_partial": counted.is_partial, "total": sum(one for _, one in counted.months)}


def _bars(counted: Monthly) -> list[Bar]:
    """The bars, the oldest month first."""
    most = max((count for _, count in counted.months), default=0)
    step = WIDTH // max(1, len(counted.months))
    return [_bar(name, count, most, number * step, step - _GAP) for number, (name, count) in enumerate(counted.months)]


def _bar(name: str, count: int, most: int, x: int, width: int) -> Bar:
    first = datetime.fromisoformat(f"{name}-15")
    height = max(2, round(_BARS_HEIGHT * count / most)) if count else 0
    return Bar(
        short=_formatted(first, "LLL"),
        long=_formatted(first, "LLLL y"),
        count=count,
        x=x,
        y=_BARS_HEIGHT - height,
        width=width,
        height=height,
    )


def _formatted(moment: datetime, pattern: str) -> str:
    return str(flask_babel.format_datetime(moment, pattern, rebase=False))
