"""Serves content that came by mail: a message's HTML as a document of its own, its files, and the raw message.

Such content gets a Content-Security-Policy of its own. A child process extracts files and raw messages (`mailweir.extraction`).
"""

from typing import IO

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir.errors import MailweirError
from mailweir.extraction import Busy, Extractor, HasBcc
from mailweir.reading import file_names
from mailweir.store.record import digest_queue
from mailweir.store.record.digest_queue import Version
from mailweir.store.web.reader_log import What
from webapp import faults, forms, here, safety, seen_message
from webapp.access import Access, open_to
from webapp.seen_message import Seen

blueprint = flask.Blueprint("message_parts", __name__)
EXTRACTOR = "mailweir.extractor"
AT_ONCE = 2  # children
_HEAD_BYTES = 16
_CHUNK_BYTES = 65_536
_ANYTHING = "application/octet-stream"


@blueprint.get("/activities/<int:activity_id>/html")
@open_to(Access.READER)
def html(activity_id: int) -> Response:
    """The sanitized HTML, for the frame or a tab of its own. 404 if the mail has none."""
    seen = seen_message.find_whole(activity_id)
    reading = seen_message.reading(seen)
    if reading is None or not reading.html:
        flask.abort(404)
    seen_message.note(seen, What.HTML)
    response = flask.make_response(flask.render_template("message/document.html", html=reading.html))
    files = (
        flask.request.host_url.rstrip("/") + flask.url_for("message.page", activity_id=activity_id) + "/attachments/"
    )
    response.headers["Content-Security-Policy"] = safety.mail_policy(files)
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@blueprint.get("/activities/<int:activity_id>/attachments/<int:number>")
@open_to(Access.READER)
def attachment(activity_id: int, number: int) -> Response:
    """A file of the message. A picture (by its first bytes) is shown in the browser. Other files are downloaded; with `?save`,
    pictures are, too."""
    seen = seen_message.find_whole(activity_id)
    reading = seen_message.reading(seen)
    if reading is None or not 1 <= number <= len(reading.attachments):
        flask.abort(404)
    file = reading.attachments[number - 1]
    version = _version(reading.raw_id)
    try:
        content = _extractor().file(version, file)
    except MailweirError as error:
        return _failed(error)
    seen_message.note(seen, What.HTML if file.is_inline else What.ATTACHMENT)
    kind = _picture(content)
    return _sent(content, kind or _ANYTHING, file.name, is_shown=bool(kind) and "save" not in flask.request.args)


@blueprint.get("/activities/<int:activity_id>/raw")
@open_to(Access.READER)
def raw(activity_id: int) -> Response:
    """The raw message, for participants. `version`: the number of a version, if not the leading one."""
    seen = seen_message.find_whole(activity_id)
    if not seen.takes_part:
        flask.abort(404)
    version = _version(_wanted(seen))
    try:
        content = _extractor().whole(version, with_bcc=seen_message.is_author(seen))
    except HasBcc:
        return faults.page(
            403,
            gettext("Only the author may open the raw message"),
            gettext("It names recipients in Bcc, and nobody else may know of them."),
        )
    except MailweirError as error:
        return _failed(error)
    seen_message.note(seen, What.RAW)
    return _sent(content, _ANYTHING, f"activity-{activity_id}.eml", is_shown=False)


def _wanted(seen: Seen) -> int:
    """The id of the version that is asked for, or of the leading version."""
    number = forms.whole_number(flask.request.args.get("version"))
    if number is not None:
        return seen_message.raw_id(seen, number)
    leading = seen_message.leading_id(seen)
    if leading is None:
        flask.abort(404)
    return leading


def _version(raw_id: int) -> Version:
    version = digest_queue.version(here.database(), raw_id)
    if version is None:
        flask.abort(404)
    return version


def _extractor() -> Extractor:
    found = flask.current_app.extensions[EXTRACTOR]
    assert isinstance(found, Extractor)
    return found


def _failed(error: MailweirError) -> Response:
    if not isinstance(error, Busy):
        flask.current_app.logger.error("a message's bytes could not be had: %s", error)
        return faults.page(
            500, gettext("The file can't be read"), gettext("The fault is in the log; an admin can see it.")
        )
    response = faults.page(503, gettext("Too many files are being read"), gettext("Try again in a minute."))
    response.headers["Retry-After"] = "10"
    return response


def _picture(content: IO[bytes]) -> str | None:
    """The media type of a picture that every browser shows and that can't contain code; None for other content."""
    head = content.read(_HEAD_BYTES)
    content.seek(0)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    known = {
        b"\x89PNG\r\n\x1a\n": "image/png",
        b"\xff\xd8\xff": "image/jpeg",
        b"GIF87a": "image/gif",
        b"GIF89a": "image/gif",
    }
    return next((kind for magic, kind in known.items() if head.startswith(magic)), None)


def _sent(content: IO[bytes], media_type: str, name: str, *, is_shown: bool) -> Response:
    size = content.seek(0, 2)
    content.seek(0)
    response = flask.send_file(
        content,
        mimetype=media_type,
        as_attachment=not is_shown,
        download_name=file_names.safe(name) or "file",
        conditional=False,
        etag=False,
        max_age=None,
    )
    response.content_length = size
    response.headers["Content-Security-Policy"] = safety.FILE_POLICY
    response.headers["Cache-Control"] = "no-store"
    return response
