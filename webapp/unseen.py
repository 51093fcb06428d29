"""Shows invisible characters as their code in everything that a template writes, wherever it came from.

Names are typed and imported, subjects and authors come by mail, and findings quote both. The environment does this for all
templates. A text that stays as it is, such as a mail's, is marked with `| as_it_is`. Lists use `mail_text.line` beside this, for
its bound. Called by `application`.
"""

from collections.abc import Callable
from typing import Any

import flask
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from mailweir.printable import printable_lines


class AsItIs(str):
    """A text that stays as it is. Markup in it is escaped all the same."""

    __slots__ = ()


def seen(value: object) -> object:
    """The value for a template to write: a text without invisible characters. Markup, `AsItIs` and other values stay."""
    is_plain = isinstance(value, str) and not isinstance(value, Markup | AsItIs)
    return printable_lines(str(value)) if is_plain else value


def install(app: flask.Flask) -> None:
    """Does this for all templates, and for the values that are filled into their texts. Call it after `languages.install`."""
    app.jinja_env.finalize = seen
    app.jinja_env.filters["as_it_is"] = AsItIs
    for name in ("gettext", "ngettext"):
        app.jinja_env.globals[name] = _filled(app.jinja_env.globals[name])


def _filled(translated: Any) -> Callable[..., Any]:
    @pass_context
    def text(context: Context, *texts: Any, **values: object) -> Any:
        return translated(context, *texts, **{name: seen(value) for name, value in values.items()})

    return text
