"""An inline message that somebody forwarded by hand: its author, date and subject, and where it begins in the text.

The text proves nothing: the forwarder may have changed it. A header counts in three cases: it has a marker of a forward; the
mail's subject has the prefix of a forward; or the forwarder wrote nothing above the header, and the subject isn't a reply's.
Otherwise the header is part of a reply's quote. In a forward of a forward, `find` returns the outermost message. Pure; called by
`message` and `originals` (decision 0030).
"""

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from mailweir import address
from mailweir.reading import header_block, moments, openings
from mailweir.reading.header_block import HeaderBlock
from mailweir.reading.label_words import WROTE, Field
from mailweir.reading.lines import Line
from mailweir.reading.openings import Context, Outline

_MAX_NAME_CHARS = 200
_MAX_ORIGINALS = 20
_ADDRESS = re.compile(r"(?<![^\s<>\[\]()\"',;:@])[^\s<>\[\]()\"',;:@]{1,64}@[^\s<>\[\]()\"',;:@]{2,255}")
_IN_BRACKETS = re.compile(r"<[^<>]{0,400}>?>?|\[[^\[\]]{0,400}\]|\([^()]{0,60}@[^()]{0,300}\)")
_AROUND_NAMES = "\"'“”„«»*_<>[]|;:, "
_QUOTED = re.compile(r"[\"'“„«](?P<name>[^\"“”„«»\n]{1,200})[\"'”“»]")
# The text before a name: the date, and a word in lower case.
_NAME_BEHIND_DATE = re.compile(
    r"^(?:.{0,300}\d\S{0,20})?\s{0,3}(?:[AaPp]\.?[Mm]\.?\s)?(?:[^\W\d_A-Z][^\W\d_]{3,20}\s)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The content of a forwarded header. author: an address in normal form; None if only a name is given, which happens in
    Outlook.

    author_name: as written, or empty. date: aware, UTC; None if uncertain. subject: of the original, or empty. start: the
    character of the text where the forwarded message begins, with its header.
    """

    author: str | None
    author_name: str
    date: datetime | None
    subject: str
    start: int


def find(
    text: str, subject: str, zone: str = "", *, is_meant: bool = False, people: frozenset[str] | None = None
) -> Original | None:
    """The outermost message that was forwarded in this text, or None.

    subject: of the mail that contains the text. zone: `+0200`, of that mail's own Date: programs write a forwarded header in the
    forwarder's zone, and rarely name it. Without it a date that names no zone is None. is_meant: was the mail sent only to the
    log address? Then a header also counts if the writer's own words stand above it, unless the subject is a reply's. people: see
    `openings.Context`.
    """
    return of(openings.outline(text, Context(subject=subject, is_meant=is_meant, people=people)), zone)


def of(outline: Outline, zone: str = "") -> Original | None:
    """The same for a text with a known outline."""
    _, lines, opening = outline
    if not opening.is_forwarded:
        return None
    start = lines[opening.first].start
    if opening.block is not None:
        return _of_block(opening.block, start, zone)
    attribution = opening.first if opening.attribution is None else opening.attribution
    return _of_attribution(lines[attribution : opening.end], start, zone)


def find_all(text: str, subject: str, zone: str = "", *, is_meant: bool = False) -> tuple[Original, ...]:
    """The result of `find`, then the originals in the headers below it, in order: a forward of a forward, or of a conversation.

    The arguments are those of `find`. At most 20.
    """
    outline = openings.outline(text, Context(subject=subject, is_meant=is_meant))
    outermost = of(outline, zone)
    if outermost is None:
        return ()
    lines = outline.lines
    below = (block for block in header_block.find_all(lines) if lines[block.first].start > outermost.start)
    originals = (_of_block(block, lines[block.first].start, zone) for block in islice(below, _MAX_ORIGINALS - 1))
    return (outermost, *(one for one in originals if one is not None))


def _of_block(block: HeaderBlock, start: int, zone: str) -> Original | None:
    author, name = author_of(block.values.get(Field.FROM, ""))
    if not (author or name):
        return None
    date = moments.written(block.values.get(Field.DATE, ""), zone)
    return Original(
        author=author, author_name=name, date=date, subject=block.values.get(Field.SUBJECT, "").strip("* "), start=start
    )


def _of_attribution(lines: list[Line], start: int, zone: str) -> Original | None:
    """Outlook for Mac writes an attribution above a forwarded message."""
    text = " ".join(line.body for line in lines)
    match = _ADDRESS.search(text)
    if match is None:
        return None
    before = WROTE.sub(" ", text[: match.start()]).rstrip("<( ")
    quoted = _QUOTED.search(before)
    name = quoted["name"].strip() if quoted else _NAME_BEHIND_DATE.sub("", before.rpartition(",")[2])
    author = address.normalise(match[0].rstrip("."))
    return (
        Original(
            author=author,
            author_name=_plain_name(name),
            date=moments.written(_ADDRESS.sub(" ", text), zone),
            subject="",
            start=start,
        )
        if author
        else None
    )


def author_of(value: str) -> tuple[str | None, str]:
    """The address and the name in a From label's value: `Doe, Jane [mailto:jane@client.example]`, `Jane <a@b<mailto:a@b>>`."""
    author = None
    for match in _ADDRESS.finditer(value):
        author = address.normalise(match[0].rstrip("."))
        if author:
            break
    outside = _IN_BRACKETS.split(value, maxsplit=1)[0].strip() or _IN_BRACKETS.sub(" ", value)
    return author, _plain_name(_ADDRESS.split(outside, maxsplit=1)[0])


def _plain_name(text: str) -> str:
    name = " ".join(text.replace("mailto:", " ").split()).strip(_AROUND_NAMES).lstrip(")]").rstrip("([")
    if name.startswith("(") or name.count(")") > name.count("("):
        name = name.strip("()")
    return name.strip(_AROUND_NAMES)[:_MAX_NAME_CHARS]
