"""One message: its author with the sender verdict, its time, text, files, thread and visibility.

Text and HTML come from readings: no mail is parsed here. HTML is shown on request, in a frame with a document of its own
(`message_parts`).
"""

from dataclasses import dataclass

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir.errors import BadInput
from mailweir.explain import record
from mailweir.reading.attachments import Attachment
from mailweir.sender_verdict import VerdictReason
from mailweir.store.record import (
    forwarded_versions,
    raw_messages,
    readings,
    streams,
    todo_lists,
    visibility,
)
from mailweir.store.record.readings import KeptReading
from mailweir.store.record.stream_filter import StreamFilter
from mailweir.store.web import change_log
from mailweir.store.web.reader_log import What
from mailweir.visibility import Visibility
from webapp import explained, forms, here, message_text, message_words, rows, safety, seen_message
from webapp.access import Access, open_to
from webapp.seen_message import Seen

blueprint = flask.Blueprint("message", __name__)
_MOST_COPIES = 5  # other activities with the same file, in the list of files
_MOST_LOOKED_AT = 20  # files of a message whose copies in other activities are searched
_MOST_OF_THREAD = 20
_MOST_SIGHTINGS = 100
# as the sanitizer writes it; if a mail itself has it, the page only explains arrows without need
_MARKED_LINK = "</bdi> <a "


@dataclass(frozen=True, slots=True)
class _File:
    """An attachment in the list. number: from 1 on. elsewhere: other activities with the same file; has_more: are there more?"""

    number: int
    file: Attachment
    elsewhere: tuple[int, ...]
    has_more: bool


@blueprint.app_context_processor
def words() -> dict[str, object]:
    """Values and functions for the templates of a message."""
    return {
        "message_words": message_words,
        "file_size": message_words.size,
        "said": explained.said,
        "mail_sandbox": safety.SANDBOX,
        "row_label": rows.label,
        "row_verdict": rows.verdict,
    }


@blueprint.get("/activities/<int:activity_id>")
@open_to(Access.READER)
def page(activity_id: int) -> str:
    """The message. `view=html`: its HTML, in a frame. `from`: a later part of a long text. `version`: another version."""
    seen = seen_message.find(activity_id)
    if not seen.is_whole:
        return flask.render_template("message/metadata.html", **_about(seen))
    version = forms.whole_number(flask.request.args.get("version"))
    reading = seen_message.reading(seen, version)
    if reading is not None:
        seen_message.note(seen, What.TEXT)
    is_html = (
        flask.request.args.get("view") == "html" and version is None and reading is not None and bool(reading.html)
    )
    start = forms.whole_number(flask.request.args.get("from")) or 0
    part = message_text.part(reading.text, reading.folds, start) if reading else None
    return flask.render_template(
        "message/page.html",
        **_about(seen),
        reading=reading,
        is_html=is_html,
        has_marked_links=is_html and reading is not None and _MARKED_LINK in (reading.html or ""),
        version=version,
        part=part,
        is_long=is_html or (part is not None and part.is_long),
        is_damaged=reading is not None and VerdictReason.DAMAGED in reading.problems,
        files=_files(seen, reading) if reading and version is None else (),
        **_around(seen),
    )


@blueprint.post("/activities/<int:activity_id>/visibility")
@open_to(Access.READER)
def set_visibility(activity_id: int) -> Response:
    """Sets who may read the message. Participants may do that, and admins who may read the message."""
    seen = seen_message.find_whole(activity_id)
    if not _may_set(seen):
        flask.abort(404)
    given = forms.text("visibility")
    if given not in set(Visibility):
        raise BadInput(gettext("Choose who may read the message."))
    database, name, now = here.database(), here.account().name, here.now()
    with database.transaction():
        if visibility.set_by_hand(database, activity_id, Visibility(given), name, now, here.deployment()):
            change_log.note(database, here.deployment().id, name, "activity.visibility", str(activity_id), given, now)
    if visibility.access(database, here.reader(), [activity_id]):
        return flask.redirect(flask.url_for("message.page", activity_id=activity_id), 303)
    return flask.redirect(
        flask.url_for("home.start"), 303
    )  # an admin who isn't a participant has restricted it to the participants


@blueprint.post("/activities/<int:activity_id>/done")
@open_to(Access.STAFF)
def finish(activity_id: int) -> Response:
    """Takes the reader's own to-do off the list."""
    todo_lists.finish_many(here.database(), here.deployment(), here.user_id(), [_todo_id(activity_id)], here.now())
    return flask.redirect(flask.url_for("message.page", activity_id=activity_id), 303)


@blueprint.post("/activities/<int:activity_id>/open")
@open_to(Access.STAFF)
def reopen(activity_id: int) -> Response:
    """Puts the reader's own to-do on the list again."""
    todo_lists.reopen_many(here.database(), here.deployment(), here.user_id(), [_todo_id(activity_id)])
    return flask.redirect(flask.url_for("message.page", activity_id=activity_id), 303)


def _todo_id(activity_id: int) -> int:
    seen = seen_message.find(activity_id)
    todo = todo_lists.of_activity(here.database(), here.deployment(), here.user_id(), seen.activity.id)
    if todo is None:
        flask.abort(404)
    return todo[0]


def _about(seen: Seen) -> dict[str, object]:
    """The values that are shown to all readers, also to those who see only the people and the time."""
    activity = seen.activity
    return {
        "activity": activity,
        "direction": record.direction(activity.direction),
        "named_contacts": list(zip(activity.contacts, rows.contacts(activity), strict=True)),
        "named_users": rows.users(activity),
    }


def _around(seen: Seen) -> dict[str, object]:
    """The values around the text, for readers who see all of the message."""
    activity, database, deployment = seen.activity, here.database(), here.deployment()
    own = here.membership()
    return {
        "takes_part": seen.takes_part,
        "verdict": message_words.verdict(
            activity.sender_verdict, activity.sender_verdict_reason, activity.sender_verdict_domain
        ),
        "doubts": [explained.said(one) for one in record.author(activity)],
        "forwarded": forwarded_versions.of_leading(database, activity.id),
        "thread": _thread(seen),
        "sightings": raw_messages.sightings(database, activity)[:_MOST_SIGHTINGS],
        "versions": raw_messages.versions(database, activity),
        "routes": {one: record.route(one) for one in activity.routes},
        "visibility": record.visibility(activity.visibility),
        "visibilities": [(str(one), record.visibility(one)) for one in Visibility],
        "visibility_changes": visibility.changes(database, activity.id),
        "may_set_visibility": _may_set(seen),
        "todo": todo_lists.of_activity(database, deployment, own.user_id, activity.id) if own and own.user_id else None,
    }


def _may_set(seen: Seen) -> bool:
    return seen.is_whole and (seen.takes_part or here.is_admin())


def _thread(seen: Seen) -> streams.Page | None:
    """The last messages of the conversation that the reader may see; None if there is no other message."""
    if seen.activity.thread is None:
        return None
    wanted = StreamFilter(thread=seen.activity.thread)
    found = streams.stream(here.database(), here.deployment(), here.reader(), wanted, limit=_MOST_OF_THREAD)
    return found if any(one.id != seen.activity.id for one in found.activities) else None


def _files(seen: Seen, reading: KeptReading) -> list[_File]:
    """The attachments. Copies of inline files aren't searched: a signature's picture is in every mail."""
    found = []
    for number, file in enumerate(reading.attachments, 1):
        others: list[int] = []
        if file.size_bytes and not file.is_inline and number <= _MOST_LOOKED_AT:
            most = _MOST_COPIES + 2  # this activity, those that are shown, and one more
            same = readings.same_file(here.database(), here.deployment().id, file.sha256, most, here.reader())
            others = [one for one in dict.fromkeys(other for other, _ in same) if one != seen.activity.id]
        found.append(_File(number, file, tuple(others[:_MOST_COPIES]), len(others) > _MOST_COPIES))
    return found
