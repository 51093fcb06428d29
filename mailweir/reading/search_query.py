"""What a person types to search, read as terms: each has to be found, in any order.

Words stand by themselves, `"several words"` beside each other, `wor*` for what begins so. An address, a file name or a word with
a hyphen is several words beside each other, for it is indexed so; each of its parts finds it as well. Nothing that is typed is
an error, and nothing is an operator: OR, NOT, brackets and the like are words, or nothing. Pure. Called by `store/record/search`
and the command line.
"""

import re
from dataclasses import dataclass

from mailweir.reading.search_words import fold

MAX_TYPED_CHARS = 10_000
MAX_WORDS = 100  # of a query; what comes after is left out
MAX_WORD_CHARS = 100  # of a word, in the index and in a query alike; a longer one is cut
MIN_PREFIX_CHARS = 3  # shorter ones would be looked for as half the index: they count as whole words

# Whatever `fold` leaves between words, no word holds what either database takes for syntax or for the end of a word.
_WORD = re.compile(r"[^\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\xa0\s\ud800-\udfff]+")
_TYPED = re.compile(r'"([^"]*)"|([^\s"]+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Words that have to stand beside each other, in this order. is_prefix: the last one may go on."""

    words: tuple[str, ...]
    is_prefix: bool = False


def words(text: str) -> list[str]:
    """The words of a text as they are indexed and looked for."""
    return [word[:MAX_WORD_CHARS] for word in _WORD.findall(fold(text))]


def parse(typed: str) -> tuple[Term, ...]:
    """The terms of what was typed; none where there is no word in it."""
    terms: list[Term] = []
    left = MAX_WORDS
    for match in _TYPED.finditer(typed[:MAX_TYPED_CHARS]):
        quoted, plain = match.groups()
        found = words(quoted or plain or "")[:left]
        if found:
            left -= len(found)
            asked = bool(plain) and plain.endswith("*") and len(found[-1]) >= MIN_PREFIX_CHARS
            terms.append(Term(words=tuple(found), is_prefix=asked))
    return tuple(terms)
