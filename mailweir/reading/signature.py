"""Where a signature begins at the end of somebody's text.

Found by its mark (RFC 3676 4.3: two dashes and a blank), by a rule above lines with contact details, by a closing above a name
with such lines, or as a phone's own line (`Sent from my phone`). Pure. Called by `folds`.
"""

import re
from collections.abc import Sequence

from mailweir.reading.lines import Line, is_rule
from mailweir.reading.phone_lines import is_phones_line, is_programs_own

_MARKS = frozenset({"--", "—", "–", "__", "- -", "*--*", "\\--"})
_MAX_MARKED_LINES = 25
_MAX_RULED_LINES = 12
_MAX_CLOSED_LINES = 10
_MAX_LINE_CHARS = 90
_SENTENCE_WORDS = 6
_LONG_WORDS = 14
_SENTENCE_ENDS = (".", "?", "!", "。", "？", "！", "؟", "।", "…")
_CLOSING_SIGNS = "\"')»”"  # after the end of a sentence
# A postscript is text, at any position.
_POSTSCRIPT = re.compile(
    r"(?:p\.? ?s\.?|p\.? ?d\.?|n\.? ?b\.?|п\.? ?с\.?|з\.? ?ы\.?|υ\.? ?γ\.?|נ\.? ?ב\.?|追伸|追記|추신|附言|又及)(?:\W|$)",
    re.IGNORECASE,
)
_CONTACT = re.compile(
    r"(?P<mail>[^\s<>@]{1,64}@[^\s<>@]{2,255}\.[^\s<>@]{2,})|(?P<web>https?://|www\.|\b[a-z0-9-]{2,40}\.(?:com|org|net|de"
    r"|fr|it|es|io|eu|co|example)\b)"
    r"|(?P<phone>(?<![\d/])(?:\+|\(|0)[\d ()./\-–]{6,24}\d(?!\d))",
    re.IGNORECASE,
)
_ITEM = re.compile(r"(?:[-*•+]|\d{1,2}[.)])\s")
_CODE = re.compile(r"[;{}\\]$|^[$#] ")
_CLOSING_END = re.compile(r"[,，、!;.]?$")
_LETTERS = re.compile(r"[^\W\d_]+")
_NAME_WORD = re.compile(r"[^\W\d_].*")


def begins(lines: Sequence[Line], low: int, high: int) -> int | None:
    """The first line of the signature that ends with the line before `high`; None if there is none. None of its lines is quoted.

    low: the first line that could belong to it.
    """
    low = max(low, high - 60)
    own = _last_unquoted_from(lines, low, high)
    if any(_is_wanted(lines[index]) for index in range(own + 1, high)):
        own = max(index for index in range(own + 1, high) if _is_wanted(lines[index])) + 1
    marked = _by_mark(lines, own, high)
    if marked is not None:
        return marked
    if is_phones_line(lines, high - 1):
        return high - 1
    return _by_closing(lines, own, high)


def _last_unquoted_from(lines: Sequence[Line], low: int, high: int) -> int:
    first = high
    while first > low and lines[first - 1].depth == 0 and lines[first - 1].body:
        first -= 1
    return first


def _is_wanted(line: Line) -> bool:
    """A postscript, or a question in a separate paragraph: no signature contains these."""
    return _POSTSCRIPT.match(line.body) is not None or (line.after_blank and line.body.endswith(("?", "？", "؟")))


def _by_mark(lines: Sequence[Line], low: int, high: int) -> int | None:
    for index in range(low, high):
        body = lines[index].body
        if body in _MARKS and high - index <= _MAX_MARKED_LINES and not _is_in_code(lines, low, index):
            if _is_sure(lines, index, high) or _looks_signed(lines, index + 1, high, needs_contact=False):
                return index
        elif (
            is_rule(body)
            and not _has_gap(lines, index + 1, high)
            and high - index <= _MAX_RULED_LINES
            and not _is_in_code(lines, low, index)
            and _looks_signed(lines, index + 1, high, needs_contact=True)
        ):
            return index
    return None


def _is_sure(lines: Sequence[Line], index: int, high: int) -> bool:
    """Is it the standard's mark with its blank; or without the blank, and no long line, code or blank line right below?"""
    line = lines[index]
    if line.body != "--" or line.end - line.start > len("--"):
        return line.body == "--"
    return not _has_gap(lines, index + 1, high) and not any(
        (len(one.body.split()) >= _LONG_WORDS and not is_programs_own(one.body)) or _CODE.search(one.body)
        for one in lines[index + 1 : min(index + 2, high)]
    )


def _has_gap(lines: Sequence[Line], index: int, high: int) -> bool:
    return index < high and lines[index].after_blank


def _is_in_code(lines: Sequence[Line], low: int, index: int) -> bool:
    return sum(line.body.startswith("```") for line in lines[low:index]) % 2 == 1


def _looks_signed(lines: Sequence[Line], low: int, high: int, *, needs_contact: bool) -> bool:
    """Could these lines be a signature: no sentences, items or code, and a contact detail if needed? Also true for no lines."""
    after = [line.body for line in lines[low:high] if not is_rule(line.body) and line.body not in _MARKS]
    if any(
        len(body) > 4 * _MAX_LINE_CHARS or is_sentence(body) or _ITEM.match(body) or _CODE.search(body)
        for body in after
    ):
        return False
    if needs_contact and any(": " in body and not _CONTACT.search(body) for body in after):  # text: an amount, a room
        return False
    return not after or not needs_contact or any(_CONTACT.search(body) for body in after)


def is_sentence(body: str) -> bool:
    """Is a line a full sentence?"""
    words = body.split()
    return (
        len(words) >= _LONG_WORDS
        or (len(words) >= _SENTENCE_WORDS and ends_sentence(body))
        or body.endswith(("?", "？", "؟"))
    )


def ends_sentence(body: str) -> bool:
    """Does it end in sentence-ending punctuation?"""
    return body.rstrip(_CLOSING_SIGNS).endswith(_SENTENCE_ENDS)


def _by_closing(lines: Sequence[Line], low: int, high: int) -> int | None:
    """A closing (`Regards,`), a name, and one more line; or a name with two contact details, in a separate paragraph."""
    bodies = [line.body for line in lines[low:high]]
    is_asked_for = False
    first = max(0, len(bodies) - _MAX_CLOSED_LINES)
    for index in range(_first_of_card(bodies, first + 1) - 1, len(bodies) - 1):
        line = lines[low + index]
        if (
            _is_closing(line.body)
            and len(bodies) - index >= 3
            and _is_name(bodies[index + 1])
            and _is_card(bodies[index + 2 :])
        ):
            return low + index
        if index and _is_name(line.body) and (line.after_blank or _is_below_closing(lines, low + index)):
            is_asked_for = is_asked_for or bodies[index - 1].endswith((":", "："))  # then all cards below are, too
            ways = {kind for body in bodies[index + 1 :] for kind in _kinds(body)}
            if not is_asked_for and len(ways) >= 2 and _is_card(bodies[index + 1 :]):
                return low + index
    return None


def _first_of_card(bodies: Sequence[str], low: int) -> int:
    """The line after the last line that is a sentence, an item or too long for a card."""
    for index in range(len(bodies) - 1, low - 1, -1):
        body = bodies[index]
        if len(body) > _MAX_LINE_CHARS or is_sentence(body) or _ITEM.match(body):
            return index + 1
    return low


def _is_closing(body: str) -> bool:
    """`Regards,`, `Mit freundlichen Grüßen`: a few words without a number, and a comma at the end."""
    return (
        body.endswith((",", "，", "、"))
        and len(body) <= 40
        and len(body.split()) <= 4
        and not any(map(str.isdigit, body))
    )


def _is_below_closing(lines: Sequence[Line], index: int) -> bool:
    """Does the paragraph begin with the line above, a closing without a comma: `Kind regards`?"""
    above = lines[index - 1]
    words = above.body.split()
    return above.after_blank and not above.depth and 1 <= len(words) <= 4 and _is_closing(f"{above.body},")


def _is_name(body: str) -> bool:
    words = body.strip("*_ ,.").split()
    return (
        1 <= len(words) <= 5
        and len(body) <= 50
        and all(_NAME_WORD.match(word) and not word[0].islower() for word in words if len(word) > 3)
    )


def _is_card(bodies: Sequence[str]) -> bool:
    """Are these lines like a business card: is each a name, a title or a contact detail?"""
    return all(_CONTACT.search(body) or _is_title(body) for body in bodies)


def _is_title(body: str) -> bool:
    words = [word for word in _LETTERS.findall(body) if len(word) > 3]
    return (
        len(body) <= 60
        and 2 * sum(not word[0].islower() for word in words) >= len(words)
        and not ends_sentence(body.removesuffix("!"))
    )


def _kinds(body: str) -> set[str]:
    return {match.lastgroup for match in _CONTACT.finditer(body) if match.lastgroup}
