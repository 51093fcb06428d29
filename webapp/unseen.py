"""Whatever a template writes: what is unseen in it shows as its code, wherever it came from.

Names are typed and imported, subjects and authors come by mail, and findings quote both. Rather than each template, the
environment sees to it. A text that is to stay as it is, such as a mail's, is marked with `| as_it_is`; lists use
`mail_text.line` beside this, for its bound. Called by `application`.
"""

from collections.abc import Callable
from typing import Any

import flask
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from mailweir.printable import printable_lines


class AsItIs(str):
    """A text that is to stay as it is; markup in it is escaped all the same."""

    __slots__ = ()


def seen(value: object) -> object:
    """What a template writes: a text without unseen characters; Markup, `AsItIs`, and all that is no text, as it is."""
    is_plain = isinstance(value, str) and not isinstance(value, Markup | AsItIs)
    return printable_lines(str(value)) if is_plain else value


def install(app: flask.Flask) -> None:
    """For all templates, and for what their texts have filled in. After the languages are there."""
    app.jinja_env.finalize = seen
    app.jinja_env.filters["as_it_is"] = AsItIs
    for name in ("gettext", "ngettext"):
        app.jinja_env.globals[name] = _filled(app.jinja_env.globals[name])


def _filled(translated: Any) -> Callable[..., Any]:
    @pass_context
    def text(context: Context, *texts: Any, **values: object) -> Any:
        return translated(context, *texts, **{name: seen(value) for name, value in values.items()})

    return text
