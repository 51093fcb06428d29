"""A list of names, fifty at a time: what part of it is asked for, and the links to the parts beside it.

Called by the pages of contacts and companies.
"""

from dataclasses import dataclass

import flask
from flask_babel import gettext

from webapp import forms

_MAX_CHARS = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """begins: how a word of the name begins, or "". before, after: beside this row, one at most; without, the first part."""

    begins: str
    before: int | None
    after: int | None

    @property
    def is_first(self) -> bool:
        """Is it the first part?"""
        return self.before is None and self.after is None

    def links(self, before: int | None, after: int | None) -> list[tuple[str, str]]:
        """(words, address) of the parts beside this one. before, after: what to ask for, None where there is none."""
        kept = self.begins or None  # what is None isn't in the address
        found = []
        if before is not None:
            found.append((gettext("Previous"), flask.url_for(".list_all", q=kept, before=before)))
        if after is not None:
            found.append((gettext("Next"), flask.url_for(".list_all", q=kept, after=after)))
        return found


def asked() -> Asked:
    """What the address asks for. What is no number counts as left out."""
    before = forms.whole_number(flask.request.args.get("before"))
    after = forms.whole_number(flask.request.args.get("after")) if before is None else None
    return Asked(forms.asked("q", _MAX_CHARS), before, after)
