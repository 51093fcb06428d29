"""Shows invisible characters as their code in everything that a template writes, wherever it came from.

Names are typed and imported, subjects and authors come by mail, and findings quote both. The template environment does this for
all templates. A text that has to stay as it is, such as a mail's, is marked with `| as_it_is`. Lists also use `mail_text.line`,
which limits the length. Called by `application`.
"""

from collections.abc import Callable
from typing import Any

import flask
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from mailweir.printable import printable_lines


class AsItIs(str):
    """A text whose invisible characters stay. Markup in it is escaped nevertheless."""

    __slots__ = ()


def seen(value: object) -> object:
    """The value for a template to write: a text without invisible characters. Markup, `AsItIs` and other values stay."""
    is_plain = isinstance(value, str) and not isinstance(value, Markup | AsItIs)
    return printable_lines(str(value)) if is_plain else value


def install(app: flask.Flask) -> None:
    """Applies `seen` in all templates, also to the values within translated texts. Call it after `languages.install`."""
    app.jinja_env.finalize = seen
    app.jinja_env.filters["as_it_is"] = AsItIs
    for name in ("gettext", "ngettext"):
        app.jinja_env.globals[name] = _filled(app.jinja_env.globals[name])


def _filled(translated: Any) -> Callable[..., Any]:
    @pass_context
    def text(context: Context, *texts: Any, **values: object) -> Any:
        return translated(context, *texts, **{name: seen(value) for name, value in values.items()})

    return text
