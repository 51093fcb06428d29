"""Forms: checks each POST before a view sees it, and reads its fields.

There are two defences against requests that another site makes a browser send: a token of the session in each form, and the
headers by which the browser names the request's origin (Sec-Fetch-Site, Origin). Called by `application`, and by the pages that
read fields.
"""

import enum
import hmac
import re
import string
from collections.abc import Callable
from typing import Any, TypeVar

import flask
from flask_babel import gettext

from mailweir.errors import BadInput, NotFound
from webapp import here, spoken

TOKEN_FIELD = "csrf_token"
MAX_FORM_BYTES = 500_000
MAX_UPLOAD_BYTES = 20_000_000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Blanks, and characters without width. A list for `strip`, because a regular expression for the end of a text can take quadratic
# time
_UNSEEN = string.whitespace + "".join(
    map(
        chr, (0xA0, 0xAD, 0x61C, *range(0x2000, 0x2010), *range(0x2028, 0x2030), *range(0x205F, 0x2070), 0x3000, 0xFEFF)
    )
)
_SAFE = {"GET", "HEAD", "OPTIONS"}
_MAX_ID = 2**63 - 1
_FILE_MARK = "_takes_a_file"
_Choice = TypeVar("_Choice", bound=enum.StrEnum)
_View = TypeVar("_View", bound=Callable[..., Any])


def takes_a_file(view: _View) -> _View:
    """Marks a view whose form has a file. Put it below the line that routes to the view."""
    setattr(view, _FILE_MARK, True)
    return view


def bound() -> None:
    """Limits the size of a form before anything reads it. Werkzeug's own limit applies to multipart forms only: with a few MB of
    `a&a&a`, anybody could take seconds of CPU and a gigabyte of memory."""
    request = flask.request
    view = flask.current_app.view_functions.get(request.endpoint or "")
    has_file = getattr(view, _FILE_MARK, False) and request.mimetype == "multipart/form-data"
    request.max_content_length = MAX_UPLOAD_BYTES if has_file else MAX_FORM_BYTES


def check() -> None:
    """Runs before each view, after the session is found. Answers a request from another site with 403."""
    request = flask.request
    if request.method in _SAFE:
        return
    if not _is_own_origin():
        flask.abort(403)
    if here.account_or_none() is not None and not _has_token():
        flask.abort(403)


def _is_own_origin() -> bool:
    """Today's browsers send both headers with a POST. A browser that sends neither, or `Origin: null`, is refused."""
    fetched = flask.request.headers.get("Sec-Fetch-Site")
    if fetched is not None and fetched not in ("same-origin", "none"):
        return False
    origin = flask.request.headers.get("Origin")
    if origin is None:
        return fetched is not None
    site = here.site()
    own = {site.public_url, f"{flask.request.scheme}://{flask.request.host}"}
    return origin in own


def _has_token() -> bool:
    given = flask.request.form.get(TOKEN_FIELD, "")
    wanted = here.csrf_token()
    return bool(wanted) and hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def text(name: str, longest: int = 500) -> str:
    """A field of the form, without invisible characters around it; "" if it isn't there. BadInput if it is too long."""
    value = _fit(flask.request.form.get(name, ""))
    if len(value) > longest:
        raise BadInput(gettext("that is longer than %(most)d characters", most=longest))
    return value


def asked(name: str, longest: int = 500) -> str:
    """A field of the URL, cleaned as by `text`. A longer value is cut."""
    return _fit(flask.request.args.get(name, ""))[:longest]


def ticked(name: str) -> bool:
    """Is a box ticked?"""
    return name in flask.request.form


def ids(name: str, most: int = 200) -> list[int]:
    """The numbers of all fields of this name. 400 if a value isn't a number."""
    found = [whole_number(value) for value in flask.request.form.getlist(name)[:most]]
    if None in found:
        flask.abort(400)
    return [value for value in found if value is not None]


def whole_number(text: str | None) -> int | None:
    """An id from a URL or a form; None if the text can't be an id."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if number <= _MAX_ID else None


def _fit(typed: str) -> str:
    """Replaces control characters, except tabs and line ends: nobody types them, PostgreSQL accepts no NUL, and HTML allows none.
    Removes invisible characters at both ends, which an address that is copied from a mail program often has."""
    return _CONTROL.sub("\ufffd", typed).strip(_UNSEEN)


def known_id(number: int) -> int:
    """An id from a route; 404 if no row can have it."""
    if number > _MAX_ID:
        flask.abort(404)
    return number


def fault_of(action: Callable[[], object]) -> str:
    """Runs the action. Returns the fault of its input in the reader's language, or "". NotFound is passed on, for a 404."""
    try:
        action()
    except NotFound:
        raise
    except BadInput as error:
        return spoken.spoken(str(error))
    return ""


def choice(name: str, kind: type[_Choice]) -> _Choice:
    """A field whose value is one of a few words. 400 for another value."""
    try:
        return kind(flask.request.form.get(name, ""))
    except ValueError:
        flask.abort(400)
