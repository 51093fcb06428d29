"""The lines of a text, as folds look at them: the quote depth of each, and its text without quote marks.

Blank lines are dropped; the next line has a flag for them. Pure. Called by `folds`, `forwarded` and their parts.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

MAX_LINES = 20_000  # further lines aren't examined, and stay visible
MAX_BODY_CHARS = 1_000  # of a longer line only the beginning is examined

_LINE = re.compile(r"[^\n]+")
# `>`, `> >`, and the mark `»` of some programs in France and Eastern Europe
_MARKS = re.compile(r"[ \t]{0,4}((?:[>»][ \t]{0,2}){1,200})")
_INITIALS = re.compile(
    r"[ \t]?[A-Z][A-Za-z]{0,11}((?:>[ \t]?){1,50})(?![^<\n]{0,200}>)"
)  # Supercite: `JD> `, and not `Name>`
# GroupWise's line above the answered mail: `>>> Jane Roe <jane@client.example> 6/3/2024 10:00 AM >>>`
_DIVIDER = re.compile(r"[ \t]{0,4}>>> ?[^>\s][^\n]{2,250}\d{1,2}[:.]\d{2}[^\d\n]{0,12}>>>[ \t]{0,4}")
_UNSEEN = "\ufeff\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\u00ad"
_WITHOUT_UNSEEN = dict.fromkeys(map(ord, _UNSEEN))
_UNSEEN_CHAR = re.compile(f"[{_UNSEEN}]")
_BAR = re.compile(r"[ \t]{0,3}\|(?![^|\n]*\|)")
_PICTURE = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")
_TRACKER = "\u1427"  # a letter of Canadian syllabics, which a tracking picture leaves in the text
_WROTE_BEHIND = re.compile(r">[ \t]{0,2}[^\d\W][^\d\n]{0,30}[:：]$")
_ADDRESS_END = re.compile(r"[^<>]{0,200}>[ \t]{0,2}[^\s<>]{0,12}[ \t]?[:：]$")


class Line(NamedTuple):
    """One line that isn't blank. start, end: its characters in the text, without the line end. depth: its number of quote marks.

    body: its text, without marks and surrounding blanks, at most MAX_BODY_CHARS. after_blank: are there blank lines, or lines of
    quote marks only, before it?
    """

    start: int
    end: int
    depth: int
    body: str
    after_blank: bool


def split(text: str) -> list[Line]:
    """The first MAX_LINES lines of a text; lines of quote marks only have an empty body."""
    lines: list[Line] = []
    has_unseen = not text.isascii() and _UNSEEN_CHAR.search(text) is not None
    end = 0
    body = " "  # of the previous line
    for match in _LINE.finditer(text):
        whole = match[0]
        if len(whole) > MAX_BODY_CHARS:
            whole = whole[:MAX_BODY_CHARS]
        said = whole.strip()
        if not said:
            continue
        start = match.start()
        gap = start - end > 1 or not body
        depth = 0
        if ">" not in said and "»" not in said and not has_unseen:
            body = said
        else:
            depth, body = _read(whole)
            if depth and lines and _closes(lines[-3:], whole):
                depth, body = 0, said
        end = match.end()
        lines.append(Line(start, end, depth, body, gap))
        if len(lines) >= MAX_LINES:
            break
    return lines


def _read(whole: str) -> tuple[int, str]:
    if not whole.isascii():
        whole = whole.translate(_WITHOUT_UNSEEN)
    if whole.lstrip(" \t").startswith(">>>") and _DIVIDER.fullmatch(whole):
        return 0, whole.strip()
    marks = _MARKS.match(whole) or _INITIALS.match(whole)
    if marks is None:
        return 0, whole.strip()
    return marks[1].count(">") + marks[1].count("»"), whole[marks.end() :].strip()


def _closes(before: Sequence[Line], whole: str) -> bool:
    """Is the `>` the end of an address that a mailer split: `Jane <jane@client.example` and `> wrote:`?"""
    if len(whole) > 250:
        return False
    last = before[-1].body
    if last.rfind("<") > last.rfind(">") and _ADDRESS_END.match(whole.strip()):
        return True
    return any(line.body.endswith("<") for line in before) and _WROTE_BEHIND.match(whole.strip()) is not None


def has_bar(text: str, lines: Sequence[Line], index: int) -> bool:
    """Does a line begin with a bar, as some programs quote? With a second bar it is part of a table."""
    return index < len(lines) and _bar(text, lines[index]) is not None


def with_bars(text: str, lines: Sequence[Line], first: int) -> list[Line]:
    """The lines; those with a leading bar count as quoted, from `first` up to the first line without one."""
    marked = list(lines)
    for index in range(first, len(lines)):
        bar = _bar(text, lines[index])
        if bar is None:
            break
        marked[index] = lines[index]._replace(depth=1, body=lines[index].body.lstrip("| \t"))
    return marked


def _bar(text: str, line: Line) -> re.Match[str] | None:
    return _BAR.match(text[line.start : min(line.end, line.start + MAX_BODY_CHARS)])


def is_rule(body: str) -> bool:
    """Is it a rule of one repeated character, three times or more? Or one single character that trackers leave behind."""
    if body[:1].isalnum() and body[0] != _TRACKER:
        return False
    signs = body.replace(" ", "")
    if signs == _TRACKER:
        return True
    return len(signs) >= 3 and signs[0] in "-_=*~#+—–―─━‐‑‒·•.⸻" and signs == signs[0] * len(signs)


def says_something(body: str) -> bool:
    """Does it contain a letter or digit?"""
    return body[:1].isalnum() or any(map(str.isalnum, body))


def has_picture(body: str) -> bool:
    """Does it contain a symbol with a meaning, such as a thumbs-up?"""
    return _PICTURE.search(body) is not None
