"""Forms: what a POST needs before a view sees it, and what is read of its fields.

Two defences against requests that another site makes: a token of the session in each form, and what the browser says of where the
request is from (Sec-Fetch-Site, Origin). Called by `application`, and by the pages that read fields.
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
# Blanks, and what has no width. A pattern for the end of a text would take time by the square of it
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
    """Marks a view whose form has a file. Stands below the line that routes to it."""
    setattr(view, _FILE_MARK, True)
    return view


def bound() -> None:
    """Before anything reads a form: how large it may be. Werkzeug's own bound is for forms in parts alone, so that a few MB of
    `a&a&a` would take seconds and a gigabyte, from anybody."""
    request = flask.request
    view = flask.current_app.view_functions.get(request.endpoint or "")
    has_file = getattr(view, _FILE_MARK, False) and request.mimetype == "multipart/form-data"
    request.max_content_length = MAX_UPLOAD_BYTES if has_file else MAX_FORM_BYTES


def check() -> None:
    """Before each view: refuses with 403 what another site sent. It comes after the session is found."""
    request = flask.request
    if request.method in _SAFE:
        return
    if not _is_own_origin():
        flask.abort(403)
    if here.account_or_none() is not None and not _has_token():
        flask.abort(403)


def _is_own_origin() -> bool:
    """Browsers of today send both headers with a POST. One that sends neither, or `Origin: null`, is refused."""
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
    """A field of the form, without what is unseen around it; "" where it isn't there. BadInput where it is too long."""
    value = _fit(flask.request.form.get(name, ""))
    if len(value) > longest:
        raise BadInput(gettext("that is longer than %(most)d characters", most=longest))
    return value


def asked(name: str, longest: int = 500) -> str:
    """A field of the URL, as `text` gives one of the form; what is longer is cut."""
    return _fit(flask.request.args.get(name, ""))[:longest]


def ticked(name: str) -> bool:
    """Is a box ticked?"""
    return name in flask.request.form


def ids(name: str, most: int = 200) -> list[int]:
    """The numbers of all fields of this name. 400 where one is none."""
    found = [whole_number(value) for value in flask.request.form.getlist(name)[:most]]
    if None in found:
        flask.abort(400)
    return [value for value in found if value is not None]


def whole_number(text: str | None) -> int | None:
    """An id out of a URL or a form; None where it can't be one."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if number <= _MAX_ID else None


def _fit(typed: str) -> str:
    """Without control characters but for line ends: nobody types them, PostgreSQL takes no NUL, and HTML has none of them. What
    is unseen around it goes, too: an address that is copied out of a mail program often has some."""
    return _CONTROL.sub("\ufffd", typed).strip(_UNSEEN)


def known_id(number: int) -> int:
    """An id out of a route; 404 where no row can have it."""
    if number > _MAX_ID:
        flask.abort(404)
    return number


def fault_of(action: Callable[[], object]) -> str:
    """Does it; what is wrong with what was given, in the reader's language, or "". What isn't there is a 404, as elsewhere."""
    try:
        action()
    except NotFound:
        raise
    except BadInput as error:
        return spoken.spoken(str(error))
    return ""


def choice(name: str, kind: type[_Choice]) -> _Choice:
    """A field that is one of a few words. 400 for another."""
    try:
        return kind(flask.request.form.get(name, ""))
    except ValueError:
        flask.abort(400)
