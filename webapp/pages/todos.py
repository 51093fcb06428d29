"""To-dos of the user who is signed in: the list of open to-dos, made by contacts' mail, and the list of done to-dos.

One click marks a to-do as done, and one click undoes that: the redirect's URL has the ids of the changed to-dos, for the notice
with the undo button. Whatever ids a request has, only the user's own to-dos are shown or changed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir.store.record import todo_lists
from mailweir.store.record.todo_lists import DonePlace
from mailweir.store.record.todos import Todo
from webapp import forms, here, rows
from webapp.access import Access, open_to
from webapp.rows import Row

blueprint = flask.Blueprint("todos", __name__)
_OLDEST = "oldest"
_MOST_DIGITS = 19


@blueprint.get("/todos")
@open_to(Access.STAFF)
def open_list() -> str:
    """The open to-dos, fifty at a time."""
    order, place = _order(), _open_place(flask.request.args)
    page = todo_lists.open_ones(
        here.database(), here.deployment(), here.user_id(), oldest_first=order == _OLDEST, **place
    )
    links = [(gettext("Back to the first"), _list_url(order))] if place else []
    if page.back is not None:
        links.append((gettext("Previous"), _list_url(order, before=page.back)))
    if page.further is not None:
        links.append((gettext("Next"), _list_url(order, after=page.further)))
    return flask.render_template(
        "todos/open.html",
        todos=_with_rows(page.todos),
        order=order,
        place=place,
        links=links,
        done=_named("done"),
        undone=_named("undone"),
    )


@blueprint.get("/todos/done")
@open_to(Access.STAFF)
def done_list() -> str:
    """The done to-dos, the last done first."""
    place = _done_place(flask.request.args)
    page = todo_lists.done_ones(here.database(), here.deployment(), here.user_id(), **place)
    links = [(gettext("Back to the first"), flask.url_for(".done_list"))] if place else []
    if page.back is not None:
        links.append((gettext("Previous"), _done_url("after", page.back)))
    if page.further is not None:
        links.append((gettext("Next"), _done_url("before", page.further)))
    return flask.render_template(
        "todos/done.html",
        todos=_with_rows(page.todos),
        place=_in_url(place),
        links=links,
        undone=_named("undone"),
    )


@blueprint.post("/todos/done")
@open_to(Access.STAFF)
def finish() -> Response:
    """Takes one to-do off the list, or all that were shown."""
    wanted = forms.ids("todo") or (forms.ids("shown") if forms.ticked("all") else [])
    done = todo_lists.finish_many(here.database(), here.deployment(), here.user_id(), wanted, here.now())
    return _back(done=done)


@blueprint.post("/todos/undo")
@open_to(Access.STAFF)
def reopen() -> Response:
    """Puts one or more to-dos on the list again."""
    undone = todo_lists.reopen_many(here.database(), here.deployment(), here.user_id(), forms.ids("todo"))
    if forms.ticked("from_done"):
        place = _in_url(_done_place(flask.request.form))
        return flask.redirect(flask.url_for(".done_list", undone=_joined(undone), **place), 303)
    return _back(undone=undone)


def _with_rows(found: Sequence[Todo]) -> list[tuple[Todo, Row]]:
    by_activity = {one.activity.id: one for one in rows.of([todo.activity for todo in found])}
    return [(todo, by_activity[todo.activity.id]) for todo in found if todo.activity.id in by_activity]


def _order() -> str:
    return _OLDEST if flask.request.values.get("order") == _OLDEST else "newest"


def _back(**changed: list[int]) -> Response:
    """Redirects to the same page of the list, with the ids of the changed to-dos in the URL."""
    named: dict[str, Any] = {name: _joined(ids) for name, ids in changed.items()}
    return flask.redirect(_list_url(_order(), **_open_place(flask.request.form), **named), 303)


def _open_place(given: Mapping[str, str]) -> dict[str, int]:
    """The to-do after or before which a page of open to-dos begins or ends. If both are given, `after` counts."""
    found = {name: forms.whole_number(given.get(name)) for name in ("after", "before")}
    return next(({name: value} for name, value in found.items() if value is not None), {})


def _list_url(order: str, **place: Any) -> str:
    return flask.url_for(".open_list", order=order, **place)


def _done_url(way: str, place: DonePlace) -> str:
    return flask.url_for(".done_list", **_in_url({way: place}))


def _in_url(place: Mapping[str, DonePlace]) -> dict[str, Any]:
    return {key: text for way, at in place.items() for key, text in (("at", at.done_at.isoformat()), (way, at.id))}


def _joined(ids: list[int]) -> str | None:
    return ",".join(map(str, ids)) or None


def _named(name: str) -> list[int]:
    """The ids in this field of the URL. Values that aren't ids are left out: the ids are only for the notice."""
    given = flask.request.args.get(name, "")[: todo_lists.MAX_LIMIT * (_MOST_DIGITS + 1)].split(",")
    found = (forms.whole_number(text) for text in given[: todo_lists.MAX_LIMIT])
    return [one for one in found if one is not None]


def _done_place(given: Mapping[str, str]) -> dict[str, Any]:
    """The to-do before or after which a page of done to-dos begins or ends (time and id). 404 if it can't be one."""
    way = "after" if "after" in given else "before"
    at, number = given.get("at"), forms.whole_number(given.get(way))
    if at is None and number is None:
        return {}
    try:
        moment = datetime.fromisoformat(at or "")
    except ValueError:
        flask.abort(404)
    if number is None or moment.tzinfo is None:
        flask.abort(404)
    return {way: DonePlace(moment, number)}
