"""Turns cells that a spreadsheet would take for a formula into text, by an apostrophe, and back again.

By OWASP's list ("CSV Injection"): cells that begin with = + - @, a tab or a line end, and their full-width and small forms.
Leading blanks and invisible characters are ignored, because programs trim them. A formula may begin in the middle of a cell, too:
if a spreadsheet's separator differs from the file's, `;` or a tab begins a new cell there. `as_it_was` reverses `shown_as_text`
for any cell, because a formula that already has an apostrophe gets one more. Pure. Called by `csv_file`.
"""

import re

_BEGINS = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
# Without tab, CR and LF, which begin a cell or formula themselves.
_UNSEEN = "\x00-\x08\x0b\x0c\x0e-\x20\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
_SEPARATOR = r"(?:\A|(?<=[,;|\t\r\n]))"
_FORMULA = f"(?='*[{_UNSEEN}]*[{_BEGINS}])"
_BARE = re.compile(_SEPARATOR + _FORMULA)
_GUARDED = re.compile(f"{_SEPARATOR}'{_FORMULA}")


def shown_as_text(cell: str) -> str:
    """The cell with an apostrophe before each formula."""
    return _BARE.sub("'", cell)


def as_it_was(cell: str) -> str:
    """The cell without the apostrophes of `shown_as_text`."""
    return _GUARDED.sub("", cell) if "'" in cell else cell
