"""Languages of the page. The catalogues are read as text, so nothing has to be compiled for a release.

An account's choice comes first, then the best available language of the browser, then the settings'. Called by `application`.
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


HEART = (
    "mailweir/",
    "milter/",
    "gmail_sync/",
    "admin_cli/",
    "webapp/job_kinds/",
)  # the folders whose sentences a database may keep


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> Translations:
    """A language's texts. The English texts are the keys themselves."""
    file = FOLDER / language / "messages.po"
    if not file.is_file():
        return Translations()
    compiled = io.BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return Translations(compiled)


@lru_cache(maxsize=len(LANGUAGES))
def sentences(language: str) -> tuple[str, ...]:
    """The templates of sentences that a database may keep and that have a translation into the language."""
    file = FOLDER / language / "messages.po"
    if not file.is_file():
        return ()
    with file.open("rb") as source:
        found = [(one.id, one.locations) for one in read_po(source, locale=language) if one.id]
    return tuple(
        text for text, places in found if isinstance(text, str) and any(at.startswith(HEART) for at, _ in places)
    )


def spoken_here() -> str:
    """The language of the current page, as the name of its folder."""
    return str(flask_babel.get_locale() or "en")


class _Catalogues(flask_babel.Domain):  # type: ignore[misc]  # it comes without types
    """A flask-babel domain whose catalogues are text files."""

    _found: Translations | None = None

    def get_translations(self) -> Translations:
        """See flask_babel.Domain. It is called for each text of a page, so it keeps the catalogue. Each request has its own
        domain and one language."""
        if self._found is None:
            self._found = catalogue(spoken_here())
        return self._found


class _Babel(flask_babel.Babel):  # type: ignore[misc]  # it comes without types
    """flask-babel's extension, which gets its catalogues from this property and has no setting for them."""

    @property
    def domain_instance(self) -> flask_babel.Domain:
        """See flask_babel.Babel."""
        return _Catalogues()


def chosen() -> str:
    """Chooses the language of the current page."""
    account = here.account_or_none()
    if account is not None and account.language in LANGUAGES:
        return str(account.language)
    default = here.site().settings.web.language
    return flask.request.accept_languages.best_match(LANGUAGES, default) or default


def install(app: flask.Flask) -> None:
    """Makes `_` and `ngettext` use the language of the request."""
    _Babel(app, locale_selector=chosen, timezone_selector=lambda: "UTC")
