"""Serves style and script under names with a hash of the content, so that a browser can keep them for ever: a changed file has a
new name."""

import hashlib
from functools import lru_cache
from pathlib import Path

import flask
from werkzeug.wrappers import Response

from webapp.access import Access, open_to

FOLDER = Path(__file__).with_name("static")
_HASH_CHARS = 12


@lru_cache(maxsize=32)
def _digest(name: str) -> str:
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:_HASH_CHARS]


def url(name: str) -> str:
    """The URL of a file of `static/`, e.g. `/static/page.3f2a….css`."""
    stem, _, kind = name.rpartition(".")
    return flask.url_for("static", filename=f"{stem}.{_digest(name)}.{kind}")


@open_to(Access.PUBLIC)
def serve(filename: str) -> Response:
    """The file at a URL from `url`. 404 for any other name."""
    stem, _, kind = filename.rpartition(".")
    name = f"{stem.rpartition('.')[0]}.{kind}"
    known = {file.name for file in FOLDER.iterdir()}
    if name not in known or filename != f"{stem.rpartition('.')[0]}.{_digest(name)}.{kind}":
        flask.abort(404)
    return flask.send_from_directory(FOLDER, name)
