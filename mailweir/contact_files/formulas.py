"""Cells that a spreadsheet would take for a formula, made text by an apostrophe and back again.

By OWASP's list ("CSV Injection"): what begins with = + - @, a tab or a line end, their full-width and small forms too. Blanks
and characters that aren't seen don't count, for programs trim them. And not only at a cell's begin: where a spreadsheet's
separator is another one than the file's, `;` or a tab begins a new cell. `shown_as_text` is read back by `as_it_was`, whatever
the cell holds: one that looks as if it were guarded already gets one apostrophe more. Pure. Called by `csv_file`.
"""

import re

_BEGINS = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
# without tab, CR and LF, which begin something themselves
_UNSEEN = "\x00-\x08\x0b\x0c\x0e-\x20\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
_SEPARATOR = r"(?:\A|(?<=[,;|\t\r\n]))"
_FORMULA = f"(?='*[{_UNSEEN}]*[{_BEGINS}])"
_BARE = re.compile(_SEPARATOR + _FORMULA)
_GUARDED = re.compile(f"{_SEPARATOR}'{_FORMULA}")


def shown_as_text(cell: str) -> str:
    """The cell with an apostrophe before each formula."""
    return _BARE.sub("'", cell)


def as_it_was(cell: str) -> str:
    """The cell without the apostrophes that `shown_as_text` would have put there."""
    return _GUARDED.sub("", cell) if "'" in cell else cell
