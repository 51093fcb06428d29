"""Where another message begins in a text, if quote marks don't show it: a quoted one below somebody's own text, or a forwarded
one.

Found by the header that Outlook and others put there, by a marker, by an attribution without a following quote mark, or by a
phone's own line in the middle. Pure. Called by `folds` and `forwarded`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mailweir import subjects
from mailweir.reading import attribution, header_block, lines, marker, phone_lines
from mailweir.reading.header_block import HeaderBlock
from mailweir.reading.label_words import ORIGINAL, Field
from mailweir.reading.lines import Line, says_something
from mailweir.reading.marker import Marker
from mailweir.reading.prefixes import is_forward, is_reply

_MAX_ATTRIBUTIONS = 500  # this many candidate last lines are examined closely; no real mail comes near it


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The beginning of another message. lines: the text's, with quote bars converted.

    first, end: the lines of its header, half open; both are the number of lines if there is no other message. is_forwarded: was
    the message forwarded? quote: the first line of the quoted text, which reaches to the end. phones_line: the line of the phone,
    if that divides the text. block: the header, if it has labels. attribution: the first line of the attribution below a marker,
    if the header is one.
    """

    lines: Sequence[Line]
    first: int
    end: int
    is_forwarded: bool = False
    quote: int | None = None
    phones_line: int | None = None
    block: HeaderBlock | None = None
    attribution: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The known facts about the mail that contains the text. subject: its own. is_meant: was it sent only to the log address?
    Then it forwards the message below, unless its subject is a reply's. people: the addresses in its From, To and Cc, in normal
    form; None if it names other messages (RFC 5322 3.6.4), or its headers are unknown."""

    subject: str
    is_meant: bool = False
    people: frozenset[str] | None = None

    def is_forward(self) -> bool:
        """Is the mail a forward by its subject, or because only the log address received it?"""
        return is_forward(self.subject) or (self.is_meant and not is_reply(self.subject))


@dataclass(slots=True)
class _Seen:
    """said: the first line outside quotes with content. quoted: the first quoted line that isn't empty. Both are a large number
    until found.

    is_told_of: does the writer only show a header, as in a report? Then the headers below it are only shown, too.
    """

    said: int = 2 * lines.MAX_LINES
    quoted: int = 2 * lines.MAX_LINES
    is_told_of: bool = False

    def add(self, index: int, line: Line) -> None:
        if line.depth:
            if line.body and index < self.quoted:
                self.quoted = index
        elif index < self.said and says_something(line.body):
            self.said = index


class Outline(NamedTuple):
    """A text's lines, and where another message begins in it. Both folds and forwarded messages are found from it."""

    text: str
    lines: list[Line]
    opening: Opening


def outline(text: str, context: Context) -> Outline:
    """The lines of a text and its opening, which are found only once."""
    all_lines = lines.split(text)
    return Outline(text, all_lines, find(text, all_lines, context))


def find(text: str, all_lines: Sequence[Line], context: Context) -> Opening:
    """The first place where a message without quote marks begins, and its kind."""
    blocks = {block.first: block for block in header_block.find_all(all_lines)}
    current, seen, tried = all_lines, _Seen(), 0
    for index, line in enumerate(all_lines):
        block = blocks.get(index)
        opening = _at_block(current, block, context, seen) if block else None
        if opening is None and not current[index].depth:
            opening = _at_marker(current, index, context, seen) or _at_phones_line(current, index, context, seen)
            opening = opening or _at_desks_line(current, index, seen)
            if opening is None and tried < _MAX_ATTRIBUTIONS and attribution.could_end(line.body):
                tried += 1
                current = _with_bars(text, current, index)
                opening = _at_attribution(current, index, context, seen)
        if opening is not None:
            return opening
        seen.add(index, current[index])
    return Opening(lines=current, first=len(all_lines), end=len(all_lines))


def _with_bars(text: str, all_lines: Sequence[Line], last: int) -> Sequence[Line]:
    """The lines; those with a leading bar below an attribution count as quoted."""
    if (
        not lines.has_bar(text, all_lines, last + 1)
        or attribution.ending_at(all_lines, last, is_above_quote=True) is None
    ):
        return all_lines
    return lines.with_bars(text, all_lines, last + 1)


def _at_block(all_lines: Sequence[Line], block: HeaderBlock, context: Context, seen: _Seen) -> Opening | None:
    said = seen.said < block.first
    if _is_forwarded(all_lines, block, context, seen):
        end = block.end
        while end < len(all_lines) and not all_lines[end].body:
            end += 1
        return Opening(lines=all_lines, first=block.first, end=end, is_forwarded=True, block=block)
    seen.is_told_of = seen.is_told_of or (said and not block.depth and _is_told_of(all_lines, block, context))
    if block.depth or not said or seen.is_told_of:
        return None
    return Opening(lines=all_lines, first=block.first, end=block.end, quote=block.first, block=block)


def _is_told_of(all_lines: Sequence[Line], block: HeaderBlock, context: Context) -> bool:
    """Does the writer only show a header, for example in a report? Yes if the line above ends in a colon, or the header has no
    date. No if the mail is a reply, or a marker stands above."""
    if is_reply(context.subject, block.from_label) or block.marker is not None:
        return False
    above = all_lines[block.first - 1].body if block.first else ""
    return above.endswith((":", "：")) or Field.DATE not in block.values


def _is_forwarded(all_lines: Sequence[Line], block: HeaderBlock, context: Context, seen: _Seen) -> bool:
    """Was the message below a header forwarded? A quoted header doesn't count if quoted text or an attribution stands above
    it."""
    if block.depth and (seen.quoted < block.first or _stands_below_attribution(all_lines, block.first)):
        return False
    if block.marker is Marker.FORWARDED or is_forward(context.subject, block.from_label):
        return True
    if is_reply(context.subject, block.from_label):
        return False
    is_quoted_header = block.depth > 0 and block.marker is not None
    return context.is_meant or is_quoted_header or seen.said > block.first or _is_of_others(all_lines, block, context)


def _is_of_others(all_lines: Sequence[Line], block: HeaderBlock, context: Context) -> bool:
    """Does the mail name no message, have another subject than the header below, and people without that header's author? Then it
    is no reply."""
    author, subject = block.values.get(Field.FROM, "").casefold(), block.values.get(Field.SUBJECT, "")
    if context.people is None or block.depth or "@" not in author or not subjects.core(subject):
        return False
    if any(one in author for one in context.people) or subjects.same(subject, context.subject or "-"):
        return False
    return not all_lines[block.first - 1].body.endswith((":", "："))


def _stands_below_attribution(all_lines: Sequence[Line], first: int) -> bool:
    while first and all_lines[first - 1].depth and not all_lines[first - 1].body:
        first -= 1
    return first > 0 and attribution.ending_at(all_lines, first - 1, is_above_quote=True) is not None


def _at_marker(all_lines: Sequence[Line], index: int, context: Context, seen: _Seen) -> Opening | None:
    found = marker.read(all_lines[index].body)
    if found is None or found[1]:
        return None
    if found[0] is Marker.FORWARDED:
        if not marker.has_rules(all_lines[index].body):
            return None
        end = _end_of_attribution(all_lines, index + 1)
        return Opening(
            lines=all_lines, first=index, end=end or index + 1, is_forwarded=True, attribution=end and index + 1
        )
    is_original = ORIGINAL.search(all_lines[index].body) is not None  # others may be the writer's own headings
    if context.is_forward() or seen.said > index or not is_original:
        return None
    return Opening(lines=all_lines, first=index, end=index + 1, quote=index)


def _end_of_attribution(all_lines: Sequence[Line], first: int) -> int | None:
    """The end of the attribution that begins with this line."""
    for last in range(first, min(first + attribution.MAX_LINES, len(all_lines))):
        is_above_quote = last + 1 < len(all_lines) and all_lines[last + 1].depth > 0
        if attribution.ending_at(all_lines, last, is_above_quote=is_above_quote) == first:
            return last + 1
    return None


def _at_attribution(all_lines: Sequence[Line], last: int, context: Context, seen: _Seen) -> Opening | None:
    following = all_lines[last + 1] if last + 1 < len(all_lines) else None
    is_above_quote = following is not None and following.depth > 0
    is_forwarded = context.is_forward()
    if is_above_quote and not is_forwarded:
        return None
    first = attribution.ending_at(all_lines, last, is_above_quote=False)
    if first is None:
        return None
    if is_forwarded:
        top = first
        while top and (marker.read(all_lines[top - 1].body) or ("", "x"))[1] == "":
            top -= 1
        return Opening(lines=all_lines, first=top, end=last + 1, is_forwarded=True, attribution=first)
    return Opening(lines=all_lines, first=first, end=last + 1, quote=first) if seen.said < first else None


def _at_desks_line(all_lines: Sequence[Line], index: int, seen: _Seen) -> Opening | None:
    """`##- Please type your reply above this line -##`: a help desk's line, in any language. The desk's own text is below it."""
    body = all_lines[index].body
    is_one = body.startswith("##-") and body.endswith("-##") and seen.said < index
    return Opening(lines=all_lines, first=index, end=index + 1, quote=index) if is_one else None


def _at_phones_line(all_lines: Sequence[Line], index: int, context: Context, seen: _Seen) -> Opening | None:
    """`Sent from my phone`, in a separate paragraph, followed by text without a quote mark: that text is the previous mail."""
    line, following = all_lines[index], all_lines[index + 1] if index + 1 < len(all_lines) else None
    if context.subject and not is_reply(context.subject):
        return None
    if all_lines[index - 1].body.endswith((":", "：")) or (following and following.body[:1].islower()):
        return None
    if seen.said >= index or following is None or following.depth or not (line.after_blank and following.after_blank):
        return None
    if not phone_lines.is_programs_own(line.body) or phone_lines.is_programs_own(following.body):
        return None
    return Opening(lines=all_lines, first=index, end=index + 1, quote=index + 1, phones_line=index)
