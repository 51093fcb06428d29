"""Languages of the page: the catalogues are read as they are, as text, so that nothing has to be compiled for a release.

Whoever has chosen one sees it; else the browser's, of those that there are; else the settings'. Called by `application`.
"""

import io
from functools import lru_cache
from pathlib import Path

import flask
import flask_babel
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

from webapp import here

FOLDER = Path(__file__).with_name("translations")
LANGUAGES = ("en", "de")
NAMES = {"en": "English", "de": "Deutsch"}


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> Translations:
    """A language's texts; English ones are the keys themselves."""
    file = FOLDER / language / "messages.po"
    if not file.is_file():
        return Translations()
    compiled = io.BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return Translations(compiled)


class _Catalogues(flask_babel.Domain):  # type: ignore[misc]  # it comes without types
    """flask-babel's, with catalogues that are text."""

    def get_translations(self) -> Translations:
        """See flask_babel.Domain."""
        return catalogue(str(flask_babel.get_locale() or "en"))


class _Babel(flask_babel.Babel):  # type: ignore[misc]  # it comes without types
    """flask-babel's, which asks this property for its catalogues, and takes none from outside."""

    @property
    def domain_instance(self) -> flask_babel.Domain:
        """See flask_babel.Babel."""
        return _Catalogues()


def chosen() -> str:
    """The language of the page at hand."""
    account = here.account_or_none()
    if account is not None and account.language in LANGUAGES:
        return str(account.language)
    default = here.site().settings.web.language
    return flask.request.accept_languages.best_match(LANGUAGES, default) or default


def install(app: flask.Flask) -> None:
    """Makes `_` and `ngettext` speak the language of the request."""
    _Babel(app, locale_selector=chosen, timezone_selector=lambda: "UTC")
