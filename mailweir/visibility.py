"""Access to an activity, and the words in a subject that make it private.

A word counts if it stands alone, in any script and case. In scripts without spaces between words it counts anywhere. Pure: linear
in the subject's length. Called by `recording`, and by `store` where it is set. Standard library only.
"""

import enum
import unicodedata
from functools import lru_cache

from mailweir.errors import BadInput
from mailweir.sentence import said

MAX_WORDS, MAX_WORD_CHARS = 50, 100
# Chinese, Japanese, Thai, Lao, Burmese, Khmer, Tibetan, by the Unicode names of their characters.
_WITHOUT_SPACES = ("CJK ", "HIRAGANA ", "KATAKANA", "THAI ", "LAO ", "MYANMAR ", "KHMER ", "TIBETAN ")


class Visibility(enum.StrEnum):
    """From the most open to the strictest, which is also alphabetical order, so that a database's MAX finds the strictest.

    METADATA: non-participants see who, when and in which direction, and no text of it. PARTICIPANTS: non-participants see nothing
    of it.
    """

    EVERYONE = "everyone"
    METADATA = "metadata"
    PARTICIPANTS = "participants"


def cleaned(text: str) -> str:
    """Comma-separated words from a person, in their stored form. BadInput."""
    words = [" ".join(unicodedata.normalize("NFC", part).split()) for part in text.split(",")]
    words = list(dict.fromkeys(word for word in words if word))
    for word in words:
        if not word.isprintable() or not any(map(_is_of_word, word)):
            raise BadInput(said("'{word}' is not a word", word=word))
        if len(word) > MAX_WORD_CHARS:
            raise BadInput(
                said(
                    "the word '{word}…' is longer than {most} characters",
                    word=word[:20],
                    most=MAX_WORD_CHARS,
                )
            )
    if len(words) > MAX_WORDS:
        raise BadInput(said("there are more than {most} words", most=MAX_WORDS))
    return ",".join(words)


def is_private(subject: str, kept: str) -> bool:
    """Is one of the words in the subject? kept: as returned by `cleaned`."""
    if not kept:
        return False
    text = _folded(subject)
    return any(_stands_in(word, text) for word in _words(kept))


@lru_cache(maxsize=256)
def _words(kept: str) -> tuple[str, ...]:
    return tuple(_folded(word) for word in kept.split(","))


def _folded(text: str) -> str:
    """The text with uniform width, case and spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def _stands_in(word: str, text: str) -> bool:
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        if _is_edge(text[start - 1 : start], word[0]) and _is_edge(text[end : end + 1], word[-1]):
            return True
        start = text.find(word, start + 1)
    return False


def _is_edge(neighbour: str, own: str) -> bool:
    """Is there a word boundary between a word and its neighbour? own: the word's first or last character; neighbour: the
    character beside it, or "". Punctuation on either side is a boundary."""
    if not neighbour or not _is_of_word(neighbour) or not _is_of_word(own):
        return True
    return _is_without_spaces(own) or _is_without_spaces(neighbour)


def _is_of_word(character: str) -> bool:
    """A letter, a mark on one, or a digit."""
    return unicodedata.category(character)[0] in "LMN" or character == "_"


def _is_without_spaces(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_WITHOUT_SPACES)
