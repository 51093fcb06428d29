"""Which parts of a message are its text, and which are files: by RFC 8621 4.1.4, with adaptations to real mail.

Only the structure and the headers decide; no part is decoded. Called by `body` and `attachments`, so that no part is shown twice
or lost between them. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mailweir.reading.parts import IDENTITY, Part

MAX_MESSAGES_DEEP = 3  # a message in a message in a message; anything deeper belongs to its file

_PLAIN = frozenset({"text/plain", "text/enriched", "text/richtext"})
_OTHER_FORMS = frozenset({"text/x-amp-html", "text/watch-html", "text/enriched", "text/richtext"})  # of the same text


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of the shown text: its plain form, its HTML form, or both, with the same content."""

    plain: tuple[Part, ...] = ()
    html: tuple[Part, ...] = ()


@dataclass(slots=True)
class Layout:
    """The shown passages, in order; the files; and the attached messages, each with its own layout, which is empty if the message
    is encoded."""

    shown: list[Passage] = field(default_factory=list)
    files: list[Part] = field(default_factory=list)
    messages: list[tuple[Part, "Layout"]] = field(default_factory=list)

    def all_files(self) -> Iterator[Part]:
        """Its own files; each attached message is followed by its files."""
        within = {id(part): layout for part, layout in self.messages}
        for part in self.files:
            yield part
            if id(part) in within:
                yield from within[id(part)].all_files()


def of(parts: Sequence[Part]) -> Layout:
    """The layout of a whole message."""
    reader = _Reader(parts)
    return reader.message(parts[0], messages_deep=0) if parts else Layout()


class _Reader:
    def __init__(self, parts: Sequence[Part]) -> None:
        self._children: dict[tuple[int, ...], list[Part]] = {}
        for part in parts:
            if part.path:
                self._children.setdefault(part.path[:-1], []).append(part)
        self._layout = Layout()
        self._messages_deep = 0

    def message(self, root: Part, messages_deep: int) -> Layout:
        """The content of a message, from its root on."""
        before = self._layout, self._messages_deep
        self._layout, self._messages_deep = Layout(), messages_deep
        self._layout.shown = self._read(root, within="", position=0)
        found = self._layout
        self._layout, self._messages_deep = before
        return found

    def _read(self, part: Part, within: str, position: int) -> list[Passage]:
        children = self._children.get(part.path, [])
        if part.is_multipart and children:
            return (
                self._read_alternatives(children)
                if part.media_type.endswith("/alternative")
                else self._read_all(part, children)
            )
        if part.is_message:
            self._add_message(part, children, is_returned=within == "multipart/report")
            return []
        if part.is_multipart and part.encoding == IDENTITY:  # a multipart without parts: its content is usually text
            return [] if len(part.path) and part.disposition == "attachment" else [Passage(plain=(part,))]
        if part.is_multipart:  # encoded, against RFC 2045 6.4; `body` decodes it
            self._layout.messages.append((part, Layout()))
            self._layout.files.append(part)
            return []
        self._layout.files.extend(child for child in children)  # uuencoded ones
        if _is_text(part, within, position):
            return [Passage(html=(part,)) if part.media_type == "text/html" else Passage(plain=(part,))]
        if not (within == "multipart/alternative" and part.media_type in _OTHER_FORMS):
            self._layout.files.append(part)
        return []

    def _read_all(self, parent: Part, children: list[Part]) -> list[Passage]:
        found: list[Passage] = []
        for position, child in enumerate(children):
            # RFC 2387 3.2: the root comes first, unless `start` names another one; pictures may precede it.
            is_root = not found and parent.media_type == "multipart/related"
            found += self._read(child, within=parent.media_type, position=0 if is_root else position)
        return found

    def _read_alternatives(self, children: list[Part]) -> list[Passage]:
        """Branches have the same content. The last branch with HTML is the HTML form. Plain text beside the HTML in that branch
        belongs to it; other plain text is the plain form."""
        plain: list[Part] = []
        html: list[Part] = []
        for position, child in enumerate(children):
            passages = self._read(child, within="multipart/alternative", position=position)
            if any(passage.html for passage in passages):
                html = [part for passage in passages for part in passage.html or passage.plain]
                plain += [part for passage in passages if passage.html for part in passage.plain]
            else:
                plain += [part for passage in passages for part in passage.plain]
        if not plain and not html:  # nothing but text/enriched, for example
            return [Passage(plain=(child,)) for child in children if child.media_type in _PLAIN][-1:]
        return [Passage(tuple(plain), tuple(html))]

    def _add_message(self, part: Part, children: list[Part], *, is_returned: bool) -> None:
        self._layout.files.append(part)
        if is_returned or self._messages_deep >= MAX_MESSAGES_DEEP:
            return
        inner = self.message(children[0], self._messages_deep + 1) if children else Layout()
        self._layout.messages.append((part, inner))


def _is_text(part: Part, within: str, position: int) -> bool:
    """Is the part shown in place? A text with a file name after other parts is a file, and so is each part with the disposition
    `attachment`."""
    if part.disposition == "attachment":
        return False
    if part.media_type not in ("text/plain", "text/html"):
        if part.media_type in _PLAIN:
            return within != "multipart/alternative"
        return (not part.path or within == "multipart/signed") and _reads_as_text(part.media_type)
    return position == 0 or (within != "multipart/related" and not part.filename) or within == "multipart/alternative"


def _reads_as_text(media_type: str) -> bool:
    return media_type.startswith("text/") and media_type not in (
        "text/calendar",
        "text/vcard",
        "text/x-vcard",
        "text/csv",
    )
