"""Error pages: for input that can't be accepted, for things that don't exist, and for a database that gives no answer."""

import flask
from flask_babel import gettext
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from mailweir.errors import BadInput, DatabaseUnavailable, NotFound
from webapp import spoken

_RETRY_SECONDS = "10"


def install(app: flask.Flask) -> None:
    """Registers the handlers."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(NotFound, _not_found)
    app.register_error_handler(BadInput, _bad_input)
    app.register_error_handler(DatabaseUnavailable, _unavailable)
    app.register_error_handler(Exception, _ours)


def page(status: int, title: str, words: str) -> Response:
    """An error page with this title and text."""
    if (
        flask.globals.request_ctx.url_adapter is None
    ):  # the request names a host that isn't ours: there is no page to link to
        return Response(f"{title}\n", status, content_type="text/plain; charset=utf-8")
    response = flask.make_response(flask.render_template("fault.html", title=title, words=words), status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return flask.make_response(error.get_response())
    said = {
        400: (gettext("That can't be read"), gettext("Go back, load the page again, and try once more.")),
        401: (gettext("You are signed out"), gettext("Sign in again. Your last request wasn't carried out.")),
        403: (
            gettext("That was refused"),
            gettext("The form was too old, or came from elsewhere. Load the page again."),
        ),
        404: (gettext("There is no such page"), gettext("It doesn't exist, or you may not see it.")),
        405: (gettext("That can't be opened this way"), gettext("Use the buttons of the page.")),
        413: (gettext("That is too large"), gettext("Send a smaller file.")),
        429: (gettext("Too many tries"), gettext("Wait a minute, and try again.")),
    }
    title, words = said.get(status, (gettext("That failed"), gettext("Try again in a minute.")))
    response = page(status, title, words)
    if status == 405 and error.get_response().headers.get("Allow"):
        response.headers["Allow"] = error.get_response().headers["Allow"]
    return response


def _not_found(error: NotFound) -> Response:
    return page(404, gettext("That doesn't exist"), spoken.spoken(str(error)))


def _bad_input(error: BadInput) -> Response:
    return page(400, gettext("That isn't accepted"), spoken.spoken(str(error)))


def _unavailable(_: DatabaseUnavailable) -> Response:
    response = page(
        503,
        gettext("The database gives no answer"),
        gettext("Nothing is lost. Try again in a minute; 'mailweir doctor' tells an admin more."),
    )
    response.headers["Retry-After"] = _RETRY_SECONDS
    return response


def _ours(error: Exception) -> Response:
    flask.current_app.logger.error("request failed", exc_info=error)
    return page(500, gettext("That failed"), gettext("The fault is ours, and it is in the log. Try again in a minute."))
