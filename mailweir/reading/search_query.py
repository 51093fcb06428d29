"""A typed search as terms: all of them must be found, in any order.

A word is a term of its own, `"several words"` is a phrase, `wor*` is a prefix. An address, a file name or a word with a hyphen is
a phrase, because it is indexed so; each of its parts finds it as well. No input is an error, and nothing is an operator: OR, NOT,
brackets and the like are words, or ignored. Pure. Called by `store/record/search` and the command line.
"""

import re
from dataclasses import dataclass

from mailweir.reading.search_words import fold

MAX_TYPED_CHARS = 10_000
MAX_WORDS = 100  # of a query; further ones are ignored
MAX_WORD_CHARS = 100  # of a word, in the index and in a query alike; a longer one is truncated
MIN_PREFIX_CHARS = 3  # a shorter prefix would match half the index: it counts as a whole word

# Whatever `fold` leaves between words is dropped: a word has no character that either database takes for syntax or for a word's
# end.
_WORD = re.compile(r"[^\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\xa0\s\ud800-\udfff]+")
_TYPED = re.compile(r'"([^"]*)"|([^\s"]+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Words that must stand beside each other, in this order. is_prefix: the last one may continue."""

    words: tuple[str, ...]
    is_prefix: bool = False


def words(text: str) -> list[str]:
    """The words of a text as they are indexed and searched."""
    return [word[:MAX_WORD_CHARS] for word in _WORD.findall(fold(text))]


def parse(typed: str) -> tuple[Term, ...]:
    """The terms of a typed search; none if it contains no word."""
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
