"""A list of names, fifty on a page: the page that a URL asks for, and the links to the pages before and after it.

Called by the pages of contacts and companies.
"""

from dataclasses import dataclass

import flask
from flask_babel import gettext

from webapp import forms

_MAX_CHARS = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """The wanted page. begins: the beginning of a word of the name, or "". before, after: the page ends before or begins after
    this row; at most one of them is given, and neither for the first page."""

    begins: str
    before: int | None
    after: int | None

    @property
    def is_first(self) -> bool:
        """Is it the first page?"""
        return self.before is None and self.after is None

    def links(self, before: int | None, after: int | None) -> list[tuple[str, str]]:
        """(words, URL) of the previous and next page. before, after: the rows for their URLs; None if there is no such page."""
        kept = self.begins or None  # None stays out of the URL
        found = []
        if before is not None:
            found.append((gettext("Previous"), flask.url_for(".list_all", q=kept, before=before)))
        if after is not None:
            found.append((gettext("Next"), flask.url_for(".list_all", q=kept, after=after)))
        return found


def asked() -> Asked:
    """The page that the URL asks for. A value that isn't a number is ignored."""
    before = forms.whole_number(flask.request.args.get("before"))
    after = forms.whole_number(flask.request.args.get("after")) if before is None else None
    return Asked(forms.asked("q", _MAX_CHARS), before, after)
