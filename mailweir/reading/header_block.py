"""The header of another message within a text: `From: ... Sent: ... To: ... Subject: ...`, as Outlook, Apple and others write it.

It usually has at least three labels in a row, one of which names the author. If no label is known, it needs a rule above, an
address and a date. Pure. Called by `openings` and `forwarded`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from mailweir.reading import marker
from mailweir.reading.label_words import FIELDS, FORWARDED, MESSAGE, Field, normal
from mailweir.reading.lines import Line, is_rule
from mailweir.reading.marker import Marker
from mailweir.reading.moments import has_date, has_time

_NOTES = re.compile(
    r"[^\n]{1,300}? ---[\d./-]{6,10} \d{1,2}:\d{2}[^\n-]{0,6}---"
)  # `Jane Roe ---03/06/2024 10:00:00---Hello`
# `From:`, `*From:*`, `**From**:`, `Envoyé le :`; not a sentence: at most four words
_LABEL = re.compile(
    r"[*_]{0,2}(?P<label>[^\W\d_][^:：*\n<>@\"]{0,30}?)[ \t\u00a0]{0,3}[*_]{0,2}[:：][*_]{0,2}"
    r"[ \t\u00a0]{0,8}(?P<value>[^\n]{0,1000})"
)
_ADDRESS = re.compile(r"(?<![^\s<>\[\]()\"',;:@])[^\s<>\[\]()\"',;:@]{1,64}@[^\s<>\[\]()\"',;:@]{2,255}")
_MAX_LABEL_WORDS = 4
_MAX_BLOCK_LINES = 40
_MAX_CONTINUED = 6  # lines of one value: a long list of recipients
_MAX_CONTINUED_CHARS = 300
_MIN_LABELS = 3
_MAX_TABLE_LINES = 12
_MAX_DATED_WORDS = 6
_MIN_CLOSING_RULE = 10
_INLINE_LABELS = re.compile(
    "(?P<label>"
    + "|".join(sorted((re.escape(one) for one in FIELDS if len(one) > 1 or not one.isascii()), key=len, reverse=True))
    + r"|(?<=>)[a-z])\s?[:：]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderBlock:
    """One header. first, end: its lines, half open, with the rule and marker above it.

    depth: its quote depth. values: the labels' values, the first of each kind. from_label: the label of From, in the form of
    `label_words`.
    """

    first: int
    end: int
    depth: int
    values: Mapping[Field, str]
    marker: Marker | None
    from_label: str


def find_all(lines: Sequence[Line]) -> Iterator[HeaderBlock]:
    """The headers of other messages, in order; none overlaps another."""
    index = end = 0
    while index < len(lines):
        body = lines[index].body
        block = _read(lines, index, end) if ":" in body or "：" in body else _read_table(lines, index, end)
        if block is None:
            index += 1
            continue
        yield block
        index = end = block.end


def _read(lines: Sequence[Line], index: int, lowest: int) -> HeaderBlock | None:
    squashed = marker.read(lines[index].body)
    if squashed and squashed[1]:
        return _read_squashed(lines, index, squashed)
    label = _label(lines[index].body)
    if label is None or not (
        label[0] in FIELDS or _stands_under_a_rule(lines, index) or _leads(lines, index, label[1])
    ):
        return None
    entries, end = _entries(lines, index)
    values, from_label = _values(entries)
    top = index - _is_dated(lines, index, lowest)
    if top < index:
        values.setdefault(Field.DATE, lines[top].body)
    first, above = _above(lines, top, lowest)
    subject = _conversation(lines, first, lowest)
    if subject is not None:
        first, above = first - 2, Marker.FORWARDED
        values.setdefault(Field.SUBJECT, subject)
    is_under_rule = first < index
    if not _is_header(entries, values, is_under_rule=is_under_rule, is_marked=above is not None):
        return None
    end += _is_closed(lines, first, end)
    return HeaderBlock(
        first=first, end=end, depth=lines[index].depth, values=values, marker=above, from_label=from_label
    )


def _read_table(lines: Sequence[Line], index: int, lowest: int) -> HeaderBlock | None:
    """Reads labels without colons, right below a marker: cells of a table, or eM Client's `From "Jane Roe"
    <jane@client.example>`."""
    if index == 0 or index < lowest or not marker.begins_with_rule(lines[index - 1].body):
        return None
    if _cells(lines[index].body) is None or marker.read(lines[index - 1].body) is None:
        return None
    rows = [_cells(line.body) for line in lines[index : index + _MAX_TABLE_LINES] if line.depth == lines[index].depth]
    entries = list(takewhile(bool, rows))
    values, from_label = _values([row for row in entries if row])
    if Field.FROM not in values or len(values) < _MIN_LABELS:
        return None
    first, above = _above(lines, index, lowest)
    return HeaderBlock(
        first=first,
        end=index + len(entries),
        depth=lines[index].depth,
        values=values,
        marker=above,
        from_label=from_label,
    )


def _cells(body: str) -> tuple[str, str] | None:
    """A known label, and the text after it."""
    words = body.strip("| \t").replace("|", " ", 1).split()
    for count in range(min(_MAX_LABEL_WORDS, len(words)), 0, -1):
        label = normal(" ".join(words[:count]))
        if label in FIELDS:
            return label, " ".join(words[count:])
    return None


def _is_dated(lines: Sequence[Line], index: int, lowest: int) -> bool:
    """Is the line right above a date line: `Message du 03/06/24 10:00`, as a French provider writes, or that of Notes?"""
    if index <= lowest or lines[index - 1].depth != lines[index].depth:
        return False
    body = lines[index - 1].body
    if _NOTES.match(body):
        return True
    return not lines[index].after_blank and (
        len(body.split()) <= _MAX_DATED_WORDS and MESSAGE.match(body) is not None and has_date(body) and has_time(body)
    )


def _conversation(lines: Sequence[Line], first: int, lowest: int) -> str | None:
    """The subject in the three lines that Gmail puts above the first of several headers: `Forwarded Conversation`, the subject, a
    rule."""
    if first - 2 < lowest or not is_rule(lines[first].body) or not FORWARDED.search(lines[first - 2].body):
        return None
    label = _label(lines[first - 1].body)
    is_short = len(lines[first - 2].body.split()) <= _MAX_LABEL_WORDS
    return label[1] if label and is_short and FIELDS.get(label[0]) is Field.SUBJECT else None


def _is_closed(lines: Sequence[Line], first: int, end: int) -> bool:
    """Is there a rule below the header, or is its marker repeated there?"""
    if end >= len(lines) or lines[end].depth != lines[end - 1].depth:
        return False
    body = lines[end].body
    following = _label(lines[end + 1].body) if end + 1 < len(lines) else None
    is_repeated = lines[first].body == body and marker.read(body) is not None and following is None
    return is_repeated or (is_rule(body) and len(body) >= _MIN_CLOSING_RULE)


def _label(body: str) -> tuple[str, str] | None:
    """A line's label in normal form, and its value."""
    match = _LABEL.match(body)
    if match is None or len(match["label"].split()) > _MAX_LABEL_WORDS or match["value"].startswith("//"):
        return None
    return normal(match["label"]), match["value"].strip()


def _stands_under_a_rule(lines: Sequence[Line], index: int) -> bool:
    while index and not lines[index - 1].body and lines[index - 1].depth:
        index -= 1
    above = lines[index - 1] if index else None
    if above is None or above.depth > lines[index].depth:
        return False
    return is_rule(above.body) or marker.has_rules(above.body) or marker.is_intro(above.body)


def _leads(lines: Sequence[Line], index: int, value: str) -> bool:
    """Does the value of this unknown label have an address, and is the next line's label known?"""
    following = _label(lines[index + 1].body) if index + 1 < len(lines) else None
    return following is not None and following[0] in FIELDS and _ADDRESS.search(value) is not None


def _entries(lines: Sequence[Line], first: int) -> tuple[list[tuple[str, str]], int]:
    """Consecutive labels and values from a line on, and where they end."""
    entries: list[tuple[str, str]] = []
    seen: set[Field] = set()
    index, top = first, min(len(lines), first + _MAX_BLOCK_LINES)
    while index < top and lines[index].depth == lines[first].depth:
        label = _label(lines[index].body)
        if label is None:
            after = _continued(lines, index, top, value=entries[-1][1] if entries else "-")
            if after is None:
                break
            entries[-1] = (
                entries[-1][0],
                " ".join([entries[-1][1], *(one.body for one in lines[index:after])]).strip(),
            )
            index = after
            continue
        field = FIELDS.get(label[0])
        if field in seen and field is not Field.OTHER:
            break
        if field is None and lines[index].after_blank and entries:
            break
        if field is not None:
            seen.add(field)
        entries.append(label)
        index += 1
    # A line `Hello: ...` right below the header isn't part of it, but `User-Agent: ...` is.
    while entries and entries[-1][0] not in FIELDS and "-" not in entries[-1][0] and len(seen) >= _MIN_LABELS:
        entries.pop()
        index -= 1
    return entries, index


def _continued(lines: Sequence[Line], index: int, top: int, *, value: str) -> int | None:
    """The end of the lines without a label that continue a value; None if they don't. value: the value so far."""
    is_value_open = not value
    is_next = not lines[index].after_blank and len(lines[index].body) < _MAX_CONTINUED_CHARS
    is_list_open = value.endswith((",", ";")) or value.rfind("<") > value.rfind(">")
    if is_next and is_list_open and "@" in lines[index].body:
        return index + 1
    for after in range(index, min(top, index + _MAX_CONTINUED)):
        if not lines[after].body or lines[after].depth != lines[index].depth or is_rule(lines[after].body):
            return None
        label = _label(lines[after].body)
        if label and label[0] in FIELDS:
            return after
        if lines[after].after_blank and not is_value_open:
            return None
    return index + 1 if is_value_open and is_next else None


def _above(lines: Sequence[Line], index: int, lowest: int) -> tuple[int, Marker | None]:
    """The first line of a header, including the rules and the marker above it; and the meaning of the marker."""
    first, found = index, None
    while first > lowest and index - first < 4:
        above = lines[first - 1]
        said = marker.read(above.body)
        same_depth = above.depth == lines[index].depth
        if said and not said[1] and (same_depth or said[0] is Marker.FORWARDED):
            found = found or said[0]
        elif (
            same_depth
            and _is_blank(lines, first, index)
            and marker.is_intro(above.body)
            and FORWARDED.search(above.body)
        ):
            found = Marker.INTRO
        elif same_depth and not found and _is_blank(lines, first, index) and marker.unruled(above.body):
            found = marker.unruled(above.body)
        elif not (same_depth and (is_rule(above.body) or not above.body or marker.has_rules(above.body))):
            break
        first -= 1
    while first < index and not lines[first].body:
        first += 1
    return first, found


def _is_blank(lines: Sequence[Line], first: int, end: int) -> bool:
    return not any(line.body for line in lines[first:end])


def _values(entries: Sequence[tuple[str, str]]) -> tuple[dict[Field, str], str]:
    values: dict[Field, str] = {}
    from_label = ""
    for label, value in entries:
        field = FIELDS.get(label)
        if field is not None and field not in values:
            values[field] = value
            if field is Field.FROM:
                from_label = label
    if Field.FROM not in values:  # The language isn't in the table: the first value with an address counts.
        author = next((value for label, value in entries if label not in FIELDS and _ADDRESS.search(value)), None)
        if author is not None:
            values[Field.FROM] = author
    return values, from_label


def _is_header(
    entries: Sequence[tuple[str, str]], values: Mapping[Field, str], *, is_under_rule: bool, is_marked: bool
) -> bool:
    if Field.FROM not in values:
        return False
    known = len([field for field in values if field is not Field.OTHER])
    has_address = any(_ADDRESS.search(value) for _, value in entries)
    if is_marked and known >= 2:
        return True
    date = values.get(Field.DATE, "")
    if known >= _MIN_LABELS:
        return has_address or is_under_rule or (Field.SUBJECT in values and _is_moment(date))
    if known == 2 and _ADDRESS.search(values[Field.FROM]) and _is_moment(date):
        return True
    if known == 2 and len(entries) == 2 and is_under_rule:
        return has_address and (Field.DATE in values or Field.SUBJECT in values)
    return (
        is_under_rule and len(entries) >= _MIN_LABELS and has_address and any(has_date(value) for _, value in entries)
    )


def _is_moment(date: str) -> bool:
    return has_date(date) and has_time(date)


def _read_squashed(lines: Sequence[Line], index: int, said: tuple[Marker, str]) -> HeaderBlock | None:
    """Yahoo's form: marker and labels on one line."""
    rest = said[1]
    found = list(_INLINE_LABELS.finditer(rest))
    ends = [*(match.start() for match in found[1:]), len(rest)]  # without labels there is still one end
    entries = [
        (normal(match["label"]), rest[match.end() : end].strip()) for match, end in zip(found, ends, strict=False)
    ]
    values, from_label = _values(entries)
    if len(values) < 2 or Field.FROM not in values:
        return None
    return HeaderBlock(
        first=index, end=index + 1, depth=lines[index].depth, values=values, marker=said[0], from_label=from_label
    )
