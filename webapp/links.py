"""Makes the URLs of a list fast. A list has hundreds of them, and `url_for` takes longer for one than the rest of a row takes.
Called by `rows`.
"""

from typing import Any

import flask

_MARK = 7_305_730_573  # stands for the number in a route's URL


def numbered(endpoint: str, parameter: str, number: int) -> str:
    """The URL of a route whose only parameter is a number. Calls `url_for` once for each route in a request."""
    known: dict[str, tuple[str, str]] = flask.g.setdefault("links_around_numbers", {})
    if endpoint not in known:
        values: dict[str, Any] = {parameter: _MARK}
        before, _, after = flask.url_for(endpoint, **values).partition(str(_MARK))
        known[endpoint] = before, after
    before, after = known[endpoint]
    return f"{before}{number}{after}"


def named(endpoint: str, parameter: str, value: str) -> str:
    """The URL of a route with this one parameter. Calls `url_for` once for each value in a request."""
    known: dict[tuple[str, str], str] = flask.g.setdefault("links_by_name", {})
    if (endpoint, value) not in known:
        values: dict[str, Any] = {parameter: value}
        known[endpoint, value] = flask.url_for(endpoint, **values)
    return known[endpoint, value]
