"""Does a forward show exactly the mail of another reading: the same text to the letter, and the same files?

Changes that programs make when forwarding are ignored: line wrapping and indentation, quote marks, blanks. Any other difference,
even a link or a punctuation mark, makes it another mail. Pure. Called by the code that joins the two on the record.
"""

import re
from collections.abc import Collection, Sequence

from mailweir.reading.attachments import Attachment
from mailweir.reading.folds import Fold, FoldKind

_QUOTE_MARKS = re.compile(r"^[ \t\xa0>]+", re.MULTILINE)
_NOT_SEEN = re.compile("[\\s\u00ad\u200b\u200e\u200f\u2060\ufeff]+")
_AT_THE_END = frozenset({FoldKind.SIGNATURE, FoldKind.DISCLAIMER})


def is_same_text(own: str, forward: str, folds: Sequence[Fold], start: int) -> bool:
    """own: the whole text of the mail. forward, folds: the whole text of the forward, and its folds. start: where the original
    begins in that text."""
    wanted = _letters(own)
    header = next((one for one in folds if one.kind is FoldKind.FORWARDED and one.end > start), None)
    if not wanted or header is None:
        return False
    if _letters(forward[header.end :]) == wanted:
        return True
    last = folds[-1]  # text that the forwarder's own program added at the end
    is_at_the_end = last.kind in _AT_THE_END and last.start >= header.end
    return is_at_the_end and _letters(forward[header.end : last.start]) == wanted


def have_same_files(own: Collection[Attachment], forward: Collection[Attachment]) -> bool:
    """Does each of the two have all files of the other? Inline pictures may be missing, because programs leave them out."""
    in_own, in_forward = {one.sha256 for one in own}, {one.sha256 for one in forward}
    apart_own = {one.sha256 for one in own if not one.is_inline}
    apart_forward = {one.sha256 for one in forward if not one.is_inline}
    return apart_own <= in_forward and apart_forward <= in_own


def _letters(text: str) -> str:
    return _NOT_SEEN.sub("", _QUOTE_MARKS.sub("", text))
