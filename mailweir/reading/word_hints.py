"""Which of a list of words a text may contain: one cached look-up per word of the text, instead of hundreds of tests per
character.

Searching for a hundred words takes a hundred steps for each character. Mail repeats the same words, so a cache of known words is
ten times as fast. Linear and bounded. Pure. Called by `disclaimer` and `label_words`. Standard library only.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

_MAX_REMEMBERED = 8_192  # words
_MAX_WORD_CHARS = 40  # of a cached word; a longer one is an address, or not a word


class Hints:
    """kinds: for each kind its words, as alternatives of a regular expression separated by `|`; upper and lower case don't
    differ. A word with a blank is a phrase, and contains no regex syntax. A text contains a word at any position, also within
    another word."""

    def __init__(self, kinds: Sequence[str]) -> None:
        divided = [[part.lower() for part in kind.split("|")] for kind in kinds]
        self._phrases = [tuple(part for part in parts if " " in part) for parts in divided]
        words = ["|".join(part for part in parts if " " not in part) for parts in divided]
        self._words = [re.compile(one or r"(?!)") for one in words]
        self._remembered = lru_cache(maxsize=_MAX_REMEMBERED)(self._kinds_of)

    def of(self, text: str) -> int:
        """The kinds of words in the text, as bits: 1 for the first kind, 2 for the second, 4 for the third."""
        lower = text.lower()
        found = 0
        for word in set(lower.split()):
            found |= self._remembered(word) if len(word) <= _MAX_WORD_CHARS else self._kinds_of(word)
        for place, phrases in enumerate(self._phrases):
            if not found >> place & 1 and any(phrase in lower for phrase in phrases):
                found |= 1 << place
        return found

    def _kinds_of(self, word: str) -> int:
        return sum((expression.search(word) is not None) << place for place, expression in enumerate(self._words))
