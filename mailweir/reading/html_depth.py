"""Rewrites a mail's HTML before the sanitizer reads it: every element is closed, in order, and none is nested too deeply.

html5ever, which nh3 uses, takes quadratic time for nested elements, for the attributes of one tag and for `&`. It also repeats
elements that were left open (a hundred fonts in each of a thousand paragraphs). This module prevents all of that in one pass,
linear in the length. Tags of unknown elements are left out; their text stays. It isn't a sanitizer: `html_view` has nh3 for that.
It may put a mark before a link, once the link's text is known. Pure. Standard library only. Called by `html_view`.
"""

import re
from collections.abc import Callable, Sequence

from mailweir.reading import html_tags
from mailweir.reading.html_tags import Tag

MAX_DEPTH = 200  # deeper tags are left out; their text stays
_MAX_FORMATTING = 30  # of these open at once; further ones are left out, because html5ever repeats them
# html5ever writes a text with many references in quadratic time: one text gets at most a thousand, and an unknown element
# separates two texts. nh3 removes that element again.
_MAX_COSTLY = 1000
_APART = "<x></x>"

VOID = frozenset(["br", "col", "hr", "img", "wbr"])
_CONTAINERS = frozenset(
    [
        *("address", "article", "aside", "blockquote", "center", "details", "dir", "div", "dl", "figcaption", "figure"),
        *("footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "main", "menu", "nav", "ol", "p", "pre", "section"),
        *("summary", "table", "ul", "hr", "li", "dd", "dt"),
    ]
)
_FORMATTING = frozenset(("a", "b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u"))
# The start of an element ends open elements of the first set, because it can't be inside them (13.2.6.4). An open element of the
# second set protects those around it.
_ENDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "li": (frozenset({"li"}), frozenset({"ul", "ol", "dir", "menu", "table"})),
    **dict.fromkeys(("dd", "dt"), (frozenset({"dd", "dt"}), frozenset({"dl", "table"}))),
    **dict.fromkeys(("td", "th"), (frozenset({"td", "th", "caption"}), frozenset({"table"}))),
    "tr": (frozenset({"tr", "td", "th", "caption"}), frozenset({"table"})),
    **dict.fromkeys(
        ("tbody", "thead", "tfoot", "colgroup", "caption"),
        (frozenset({"tbody", "thead", "tfoot", "tr", "td", "th", "caption", "colgroup"}), frozenset({"table"})),
    ),
    "col": (frozenset({"tbody", "thead", "tfoot", "tr", "td", "th", "caption"}), frozenset({"table"})),
    "a": (frozenset({"a"}), frozenset({"td", "th", "caption"})),
}
_NOWHERE = (-1,)  # the value in `_at` for an element that isn't open
_TABLE_PARTS = frozenset(["tbody", "thead", "tfoot", "tr", "td", "th", "caption", "col", "colgroup"])
_CELLS = frozenset(["td", "th", "caption"])
# Cells and tables are barriers, too: an end tag inside doesn't close elements around them.

# These reverse all text that follows: a word written backwards would be read as another word
_OVERRIDES = re.compile("[\u202d\u202e]+")
_APART_IN_LINKS = _CONTAINERS | _TABLE_PARTS | {"br"}
_SMALL = frozenset({"small", "sub", "sup"})
_MARK_PIECES = 4  # pieces of the output that a mark becomes: start tag, text, end tag, blank

# Gives a tag's attributes for the output, with a blank before; None: the tag is left out.
Attributes = Callable[[str, Tag], str | None]
# Returns the mark before a link, from its start tag and the forms of its text; "" for no mark; None: the link loses its target.
Mark = Callable[[Tag, Sequence[str]], str | None]


def rewrite(
    source: str, known: frozenset[str], attributes: Attributes, other: Callable[[Tag, str], None], mark: Mark
) -> str:
    """source: as returned by `html_tags.clean`. known: names of elements that stay. other: called for each start tag of another
    element, with its content if that isn't text of the mail (a style). The result is well formed."""
    return _Rewriter(source, known, attributes, other, mark).rewritten()


class _Link:
    """An open link. place: where in the output its mark would stand. styled: the number of open elements within it that may hide
    or shrink their text."""

    def __init__(self, tag: Tag, place: int) -> None:
        self.tag, self.place, self.styled = tag, place, 0
        self._pieces: list[tuple[str, bool]] = []

    def add(self, text: str) -> None:
        """Adds the next piece of its text."""
        self._pieces.append((text, self.styled > 0))

    def readings(self) -> tuple[str, ...]:
        """The texts that a reader may see: the whole text; if parts are styled, also the text without these parts, and these
        parts alone."""
        whole = "".join(text for text, _ in self._pieces)
        if not any(is_styled for _, is_styled in self._pieces):
            return (whole,)
        parts = ("".join(text for text, is_styled in self._pieces if is_styled == wanted) for wanted in (False, True))
        return (whole, *parts)


class _Rewriter:
    def __init__(
        self,
        source: str,
        known: frozenset[str],
        attributes: Attributes,
        other: Callable[[Tag, str], None],
        mark: Mark,
    ) -> None:
        self._source, self._known, self._attributes, self._other, self._mark = source, known, attributes, other, mark
        self._out: list[str] = []
        self._links: list[_Link] = []
        self._open: list[tuple[str, bool, bool]] = []  # name; was it written? does it style text in a link?
        self._at: dict[str, list[int]] = {}  # by name: -1, then the places in `_open`
        self._tables, self._cells = [-1], [-1]  # -1, then their places in `_open`
        self._formatting = 0
        self._depth = 0
        self._begins_pre = False
        self._costly = 0  # characters since the last `_APART`

    def rewritten(self) -> str:
        unseen: Tag | None = None
        for tag in html_tags.scan(self._source):
            if unseen:
                self._other(unseen, self._source[unseen.end : tag.text_start])
                unseen = None
            if tag.start > tag.text_start:
                self._text(self._source[tag.text_start : tag.start])
            name = tag.name
            if name not in self._known:
                if name and not tag.is_end:
                    unseen = tag
            elif tag.is_end:
                self._end(name)
            else:
                self._start(tag)
        if unseen:
            self._other(unseen, "")
        self._close_from(0)
        return "".join(self._out)

    def _text(self, text: str) -> None:
        if "&" in text:
            text = html_tags.clean(html_tags.decode(text))
        if "\u202d" in text or "\u202e" in text:
            text = _OVERRIDES.sub("", text)
        if self._links:
            self._links[-1].add(text)
        if self._begins_pre:  # a parser drops the first line end of a `pre` each time
            text = text.lstrip("\n")
            self._begins_pre = not text
        if (escaped := escape(text)) is text and "\xa0" not in text:  # true for nearly all text
            self._out.append(text)
            return
        costly = text.count("&") + text.count("<") + text.count(">") + text.count("\xa0")
        if self._costly + costly <= _MAX_COSTLY:
            self._costly += costly
            self._out.append(escaped)
        else:
            self._costly = 0
            self._out += [_APART + escape(text[at : at + _MAX_COSTLY]) for at in range(0, len(text), _MAX_COSTLY)]

    def _start(self, tag: Tag) -> None:
        name = tag.name
        if name in _CONTAINERS or name in _ENDS:
            self._end_others(name)
        if not self._has_place(name):
            return
        is_formatting = name in _FORMATTING
        written = None
        if self._depth < MAX_DEPTH and not (is_formatting and self._formatting >= _MAX_FORMATTING):
            written = self._attributes(name, tag)
        is_styled = False
        if written is not None:
            is_styled = self._note_in_link(tag)
            if name == "a":
                self._links.append(_Link(tag, len(self._out)))
                self._out.append("")
            self._out.append(f"<{name}{written}>")
            self._begins_pre = name == "pre"
        if name not in VOID:
            place = len(self._open)
            if name in self._at:
                self._at[name].append(place)
            else:
                self._at[name] = [-1, place]
            if name in _CELLS:
                self._cells.append(place)
            elif name == "table":
                self._tables.append(place)
            self._open.append((name, written is not None, is_styled))
            self._depth += written is not None
            self._formatting += is_formatting

    def _note_in_link(self, tag: Tag) -> bool:
        """Adds an element's own text to the link around it. Returns whether the element may hide or shrink the text inside it."""
        if not self._links or tag.name == "a":
            return False
        link = self._links[-1]
        if tag.name == "img":
            link.add(f" {html_tags.attributes_of(tag.attributes).get('alt', '')} ")
        elif tag.name in _APART_IN_LINKS:
            link.add(" ")
        is_styled = tag.name not in VOID and (bool(tag.attributes) or tag.name in _SMALL)
        link.styled += is_styled
        return is_styled

    def _end_others(self, name: str) -> None:
        if name == "table" and self._tables[-1] > self._cells[-1]:
            self._close_from(self._tables[-1])  # not within a cell of the other table
        if name in _CONTAINERS:
            paragraph = self._last("p")
            if paragraph > self._tables[-1] and paragraph > self._cells[-1]:
                self._close_from(paragraph)
        if name not in _ENDS:
            return
        ended, within = _ENDS[name]
        places = [place for place in map(self._last, ended) if place >= 0]
        if places:
            barrier = max(map(self._last, within))
            # Closing the outermost closes the elements inside it.
            outermost = min((place for place in places if place > barrier), default=-1)
            if outermost >= 0:
                self._close_from(outermost)

    def _has_place(self, name: str) -> bool:
        """Would a parser leave the element in place? Parts of a table belong in one, and nothing else may stand between its cells
        (13.2.6.4.9): a parser would move the element elsewhere, with everything after it."""
        table = self._tables[-1]
        if name in _TABLE_PARTS:
            return table >= 0
        is_between_cells = table > self._cells[-1]
        return not is_between_cells or name in ("img", "br")

    def _last(self, name: str) -> int:
        return self._at.get(name, _NOWHERE)[-1]

    def _end(self, name: str) -> None:
        place = self._last(name)
        if place < 0:
            return
        table, cell = self._tables[-1], self._cells[-1]
        if place >= table and (place >= cell or name in _TABLE_PARTS or name == "table"):
            self._close_from(place)

    def _close_from(self, place: int) -> None:
        while len(self._open) > place:
            name, is_written, is_styled = self._open.pop()
            if is_styled:
                self._links[-1].styled -= 1
            self._at[name].pop()
            if name in _CELLS:
                self._cells.pop()
            elif name == "table":
                self._tables.pop()
            elif name in _FORMATTING:
                self._formatting -= 1
            if is_written:
                self._depth -= 1
                self._out.append(f"</{name}>")
                self._begins_pre = False
                if name == "a":
                    self._end_link(self._links.pop())

    def _end_link(self, link: _Link) -> None:
        mark = self._mark(link.tag, link.readings())
        if mark is None:
            self._out[link.place + 1] = "<a>"
        # A view that is rewritten has its mark already.
        elif "".join(self._out[max(0, link.place - _MARK_PIECES) : link.place]) != mark:
            self._out[link.place] = mark
            if self._links:  # the mark stands within another link, and is a part of that link's text
                self._links[-1].add(mark)


def escape(text: str) -> str:
    """text escaped for HTML, between tags or in double quotes."""
    if "&" not in text and "<" not in text and ">" not in text and '"' not in text:
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")
