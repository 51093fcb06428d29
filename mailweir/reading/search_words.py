"""Text as the words that the search uses: the same for both databases, and for typed searches.

Neither database's own rules are enough: SQLite's find no part of a Chinese, Japanese, Korean or Thai text and no `strasse` in
`Straße`, and PostgreSQL's keep an address as one word. The result contains words of letters and digits with one blank between
them, and no other characters. So both databases only need to split it at its blanks. An address becomes its parts, side by side,
so a search for the address is a search for a phrase. Characters of scripts without blanks between words are separate words, so
any part of a text is a phrase. Linear in time and bounded. Never raises. Pure; called by the digest and by searches. Standard
library only.
"""

import re
import unicodedata

# Of text; the rest isn't found. PostgreSQL accepts a tsvector of 1,048,575 bytes: this many characters never exceed it.
MAX_CHARS = 250_000
MAX_WORD_CHARS = 64  # a longer word is data; it is found by its beginning
MAX_TERMS = 32

_MAX_REMEMBERED = 20_000  # characters: a text can hold a million different ones

# Letters that are other letters with a stroke or a tail, or ligatures, which Unicode doesn't decompose.
_LETTERS = {
    **dict.fromkeys("øǿɵ", "o"),
    **dict.fromkeys("æǽ", "ae"),
    **dict.fromkeys("đðɖɗ", "d"),
    **{"œ": "oe", "ł": "l", "ħ": "h", "ı": "i", "ŋ": "n", "þ": "th", "ŧ": "t", "ƀ": "b", "ǥ": "g", "ɨ": "i", "ƶ": "z", "ʉ": "u"},
    **{"ĸ": "k", "ſ": "s", "ɐ": "a", "ə": "e", "ƒ": "f", "ƙ": "k", "ƴ": "y", "ɓ": "b"},
    # Persian and Arabic keyboards write the same words with different letters
    **{"ӏ": "і", "ۀ": "ه", "ک": "ك", "ی": "ي", "ى": "ي", "ة": "ه"},
}  # fmt: skip
# Letters and characters without blanks between words: Thai, Lao, Burmese, Khmer; Chinese, Japanese, Korean, Yi; their
# supplementary planes.
_ALONE = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1100, 0x11FF), (0x3005, 0x3007), (0x3021, 0x3029)),
    *((0x3031, 0x312F), (0x3130, 0x318F), (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF)),
    *((0xA000, 0xA48F), (0xA960, 0xA97F), (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0x1B000, 0x1B16F), (0x20000, 0x3FFFD)),
)
# Ignored within a word: the soft hyphen, joiners, bidirectional marks, the Arabic lengthening stroke.
_NOTHING = frozenset("\u00ad\u034f\u061c\u0640\u180e\u200c\u200d\u200e\u200f\u2060\ufeff")
_NOTHING_CATEGORIES = frozenset({"Mn", "Mc", "Me"})
_LEAD, _VOWEL, _TAIL = 0x1100, 0x1161, 0x11A7  # Unicode 3.12
_JAMO = re.compile("[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?")


def fold(text: str) -> str:
    """The words of a text, with one blank between them. Idempotent."""
    part = text[:MAX_CHARS]
    if part.isascii():
        folded = part.encode("ascii").translate(_ASCII).decode("ascii")
    else:
        if _JAMO.search(part):  # as in Apple's file names
            part = _JAMO.sub(_syllable, part)
        folded = "".join(map(_FOLDED.__getitem__, part))
    words = folded.split()
    if max(map(len, words), default=0) > MAX_WORD_CHARS:
        words = [word[:MAX_WORD_CHARS] for word in words]
    return " ".join(words)[:MAX_CHARS].rstrip()


def terms(text: str) -> tuple[tuple[str, ...], ...]:
    """The terms of a typed search: each term is words side by side, and all terms are required.

    `jane@client.example 運用` is (jane client example) and (運 用). At most 32 terms.
    """
    found = (tuple(fold(typed).split()) for typed in text[:MAX_CHARS].split())
    return tuple(dict.fromkeys(term for term in found if term))[:MAX_TERMS]


class _Folded(dict[str, str]):
    """The folded form of each character, computed once."""

    def __missing__(self, char: str) -> str:
        folded = _fold_char(char)
        if len(self) < _MAX_REMEMBERED:
            self[char] = folded
        return folded


def _fold_char(char: str) -> str:
    # Each character separately: Unicode's rules would first reorder a whole text, which takes minutes for a run of accents.
    whole = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    if 0xAC00 <= ord(char) <= 0xD7A3:
        whole = char
    return "".join(_letter(one) for one in whole)


def _letter(one: str) -> str:
    category = unicodedata.category(one)
    if category in _NOTHING_CATEGORIES or one in _NOTHING:
        return ""
    if category == "Nd":
        return str(unicodedata.digit(one))
    if category[0] not in "LN":
        return " "
    one = _LETTERS.get(one, one)
    code = ord(one[0])
    return f" {one} " if code >= 0x0E00 and any(first <= code <= last for first, last in _ALONE) else one


def _syllable(jamo: re.Match[str]) -> str:
    lead, vowel = ord(jamo[0][0]) - _LEAD, ord(jamo[0][1]) - _VOWEL
    tail = ord(jamo[0][2]) - _TAIL if len(jamo[0]) > 2 else 0
    return chr(0xAC00 + (lead * 21 + vowel) * 28 + tail)


_FOLDED = _Folded()
_ASCII = bytes(ord(_fold_char(chr(code)).strip() or " ") for code in range(128)).ljust(256)
