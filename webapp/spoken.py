"""Translates Mailweir's sentences into the reader's language. The English template is the key of the translation.

A `Sentence` has its template. A sentence that the database kept is a text without it: `recalled` finds it by the words. Text
that isn't ours, such as another server's answer, stays as it is. Called by the pages, and by templates as the filter `spoken`.
"""

import string
from collections.abc import Mapping
from typing import Any

import flask_babel
from flask_babel import gettext

from mailweir.sentence import Kept, Sentence, Value
from webapp import languages, recalled

_DEEPEST = 4  # kept sentences within each other: a text that came from elsewhere may look like many


def spoken(text: str) -> str:
    """The text in the reader's language. A text that is neither a Sentence nor Kept needs no translation and stays as it is."""
    if isinstance(text, Sentence):
        return filled(text.template, text.values)
    return kept(text) if isinstance(text, Kept) else str(text)


def kept(text: str, deep: int = 0) -> str:
    """A text that the database kept: in the reader's language if it is one of Mailweir's sentences, else as it is."""
    found = recalled.find(text, _language()) if deep < _DEEPEST else None
    if found is None:
        return str(text)
    return filled(found.template, {name: kept(value, deep + 1) for name, value in found.values.items()})


def is_english(text: str) -> bool:
    """Is the text or a part of it untranslated, on a page that isn't English? The HTML then has to say so, for screen readers."""
    if _language() == "en":
        return False
    if isinstance(text, Sentence):
        return any(isinstance(one, Kept | Sentence) and is_english(one) for one in text.values.values())
    return isinstance(text, Kept) and bool(text) and recalled.find(text, _language()) is None


def is_unknown(text: str) -> bool:
    """The same as `is_english`, for a text that the database kept."""
    return is_english(Kept(text))


def filled(template: str, values: Mapping[str, Value]) -> str:
    """The translation of a template with its values in it. Values that are sentences are translated, too."""
    own = {name: spoken(value) if isinstance(value, str) else value for name, value in values.items()}
    return _Filling().vformat(str(gettext(template)), (), own)


class _Filling(string.Formatter):
    """Like `str.format`, with numbers as the language writes them. Values that are texts are inserted unchanged."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """See string.Formatter."""
        if isinstance(value, str):
            return value
        written = str(super().format_field(value, format_spec))
        if not isinstance(value, int | float) or not format_spec:
            return written
        locale = flask_babel.get_locale()
        signs = {",": locale.number_symbols["latn"]["group"], ".": locale.number_symbols["latn"]["decimal"]}
        return written.translate(str.maketrans(signs)) if locale else written


def _language() -> str:
    return languages.spoken_here()
