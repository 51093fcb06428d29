"""HTML of a mail, written anew before the sanitizer reads it: every element has its end, in order, and none is too deep.

html5ever, beneath nh3, takes quadratic time for depth, for the attributes of one tag and for `&`, and it repeats what was
left open (a hundred fonts in each of a thousand paragraphs). Here all of that is settled in one pass, linear in the length.
What isn't known is left out with its tags; its text stays. It is no sanitizer: `html_view` has nh3 for that. Pure. Standard
library only. Called by `html_view`.
"""

from collections.abc import Callable

from mailweir.reading import html_tags
from mailweir.reading.html_tags import Tag

MAX_DEPTH = 200  # tags below it are left out; their text stays
_MAX_FORMATTING = 30  # of these open at once; more are left out, for html5ever repeats them
# html5ever writes a text with many references in quadratic time: a thousand are for one text, and an element that nobody knows
# stands between two. nh3 leaves it out again.
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
# An element ends where another begins that can't stand in it (13.2.6.4), unless the second is within a third.
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
_TABLE_PARTS = frozenset(["tbody", "thead", "tfoot", "tr", "td", "th", "caption", "col", "colgroup"])
_CELLS = frozenset(["td", "th", "caption"])
_BARRIERS = _CELLS | {"table"}  # an end tag within ends nothing that is around them

# Gives a tag's attributes as they shall stand, with a blank before; None: the tag is left out.
Attributes = Callable[[str, Tag], str | None]


def rewrite(source: str, known: frozenset[str], attributes: Attributes, other: Callable[[Tag, str], None]) -> str:
    """source: as `html_tags.clean` gives it. known: names of elements that stay. other: is told of each start tag that isn't
    known, with what stands in it if that is no text of the mail's (a style). The result is well formed."""
    return _Rewriter(source, known, attributes, other).rewritten()


class _Rewriter:
    def __init__(
        self, source: str, known: frozenset[str], attributes: Attributes, other: Callable[[Tag, str], None]
    ) -> None:
        self._source, self._known, self._attributes, self._other = source, known, attributes, other
        self._out: list[str] = []
        self._open: list[tuple[str, bool]] = []  # name, and is it written
        self._at: dict[str, list[int]] = {}  # places in _open by name
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
        text = html_tags.clean(html_tags.decode(text))
        if self._begins_pre:  # a parser drops the first line end of a `pre`, each time anew
            text = text.lstrip("\n")
            self._begins_pre = not text
        costly = text.count("&") + text.count("<") + text.count(">") + text.count("\xa0")
        if self._costly + costly <= _MAX_COSTLY:
            self._costly += costly
            self._out.append(escape(text))
        else:
            self._costly = 0
            self._out += [_APART + escape(text[at : at + _MAX_COSTLY]) for at in range(0, len(text), _MAX_COSTLY)]

    def _start(self, tag: Tag) -> None:
        name = tag.name
        self._end_others(name)
        if not self._has_place(name):
            return
        is_void = name in VOID
        is_formatting = name in _FORMATTING
        written = None
        if self._depth < MAX_DEPTH and not (is_formatting and self._formatting >= _MAX_FORMATTING):
            written = self._attributes(name, tag)
        if written is not None:
            self._out.append(f"<{name}{written}>")
            self._begins_pre = name == "pre"
        if not is_void:
            self._at.setdefault(name, []).append(len(self._open))
            self._open.append((name, written is not None))
            self._depth += written is not None
            self._formatting += is_formatting

    def _end_others(self, name: str) -> None:
        if name == "table" and self._last("table") > self._last_of(_CELLS):
            self._close_from(self._last("table"))  # not within a cell of the other one
        if name in _CONTAINERS and self._last("p") > self._last_of(_BARRIERS):
            self._close_from(self._last("p"))
        ends = _ENDS.get(name)
        if ends:
            ended, within = ends
            barrier = self._last_of(within)
            places = [place for place in map(self._last, ended) if place > barrier]
            # the outermost is what the others stand in
            if places:
                self._close_from(min(places))

    def _has_place(self, name: str) -> bool:
        """Would a parser leave the element where it stands? Parts of a table are in one, and between its cells there is nothing
        else (13.2.6.4.9): a parser would move it elsewhere, with all that follows."""
        if name in _TABLE_PARTS:
            return self._last("table") >= 0
        is_between_cells = self._last("table") > self._last_of(_CELLS)
        return not is_between_cells or name in ("img", "br")

    def _last(self, name: str) -> int:
        places = self._at.get(name)
        return places[-1] if places else -1

    def _last_of(self, names: frozenset[str]) -> int:
        return max(map(self._last, names))

    def _end(self, name: str) -> None:
        place = self._last(name)
        barrier = self._last("table") if name in _TABLE_PARTS else self._last_of(_BARRIERS)
        if place >= 0 and (place >= barrier or name == "table"):
            self._close_from(place)

    def _close_from(self, place: int) -> None:
        while len(self._open) > place:
            name, is_written = self._open.pop()
            self._at[name].pop()
            self._formatting -= name in _FORMATTING
            if is_written:
                self._depth -= 1
                self._out.append(f"</{name}>")
                self._begins_pre = False


def escape(text: str) -> str:
    """text as it stands in HTML, between tags or in double quotes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")
