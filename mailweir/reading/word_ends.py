"""Where a text may be cut without half words: after a word, or between any two characters in scripts without spaces.

A user-perceived character stays whole (an approximation of UAX #29's extended grapheme clusters): a letter with its marks, an
emoji with its modifiers and joiners, a flag, a Hangul syllable, a conjunct of Indic letters. Pure. Called by the reading, by
`search_snippet` and by the page.
"""

import unicodedata

MORE = "…"
SNIPPET_CHARS = 200  # of the beginning of a mail in lists
LONGEST_WORD = 40  # a longer word may be cut within: an address, a line of dashes
_JOINER = "\u200d"
_VIRAMA = 9  # canonical combining class
_MARKS = {"Mn", "Me", "Mc"}
_MODIFIERS = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)
_FLAGS = range(0x1F1E6, 0x1F200)
_VOWELS_AND_ENDS = range(0x1160, 0x1200)  # of Hangul
_BEGINNINGS = range(0x1100, 0x1160)
_SURROGATE_ENDS = range(0xDC00, 0xE000)
# Scripts without spaces between words, except wide ones: Thai, Lao, Myanmar, Khmer.
_WITHOUT_SPACES = (range(0x0E00, 0x0F00), range(0x1000, 0x10A0), range(0x1780, 0x1800))


def shortened(text: str, most_chars: int) -> str:
    """The text in at most this many characters, with an ellipsis for the rest."""
    if len(text) <= most_chars:
        return text
    return text[: word_end(text, most_chars - 1)].rstrip() + MORE


def word_end(text: str, place: int) -> int:
    """The last allowed cutting place up to this place."""
    if place >= len(text):
        return len(text)
    for at in range(place, max(0, place - LONGEST_WORD), -1):
        if text[at].isspace() or text[at - 1].isspace() or _is_between_words(text, at):
            return at
    for at in range(place, max(0, place - LONGEST_WORD), -1):
        if _is_between_characters(text, at):
            return at
    return place if place > LONGEST_WORD else 0


def _is_between_words(text: str, at: int) -> bool:
    return (_has_no_spaces(text[at]) or _has_no_spaces(text[at - 1])) and _is_between_characters(text, at)


def _has_no_spaces(char: str) -> bool:
    if unicodedata.east_asian_width(char) == "W":
        return not _is_hangul(char)
    return ord(char) in _FLAGS or any(ord(char) in one for one in _WITHOUT_SPACES)


def _is_hangul(char: str) -> bool:
    return 0xAC00 <= ord(char) < 0xD7A4 or ord(char) in _BEGINNINGS


def _is_between_characters(text: str, at: int) -> bool:
    before, after = text[at - 1], text[at]
    code = ord(after)
    if unicodedata.category(after) in _MARKS or after == _JOINER or before == _JOINER:
        return False
    if code in _MODIFIERS or code in _TAGS or code in _VOWELS_AND_ENDS or code in _SURROGATE_ENDS:
        return False
    if unicodedata.combining(before) == _VIRAMA and after.isalpha():
        return False
    if ord(before) in _BEGINNINGS and _is_hangul(after):
        return False
    return not (code in _FLAGS and _flags_before(text, at) % 2)


def _flags_before(text: str, at: int) -> int:
    """The number of regional indicators in a row right before a place; counts at most LONGEST_WORD."""
    count = 0
    while count < LONGEST_WORD and at - count > 0 and ord(text[at - count - 1]) in _FLAGS:
        count += 1
    return count
