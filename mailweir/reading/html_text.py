"""Converts an HTML mail to the text that a person reads, in lines, for reading, folding and searching.

It builds no tree, so the time is linear and no nesting is too deep. Blocks become lines, `<blockquote>` becomes `> `, lists and
tables stay readable, and a link shows its target if its text doesn't. Hidden content is left out, such as a newsletter's
preheader. A hiding element that is never closed hides nothing. Pure. Standard library only. Called by the reading of bodies.
"""

import re
from collections.abc import Callable
from urllib.parse import unquote

from mailweir.reading import html_tags, text_lines
from mailweir.reading.html_tags import Tag, attributes_of
from mailweir.reading.inline_style import declarations
from mailweir.reading.text_lines import BLOCK, BREAK, CELL, FILLER, PARAGRAPH, PREFIX, QUOTE, ROW, TABLE

MAX_QUOTES_SHOWN = 10  # `> ` for each level; deeper quotes show this many
_MAX_INDENTS = 10
_MAX_URL_CHARS = 120  # a longer one is useless to readers and to the search; its host is enough
_RULE, _OUTLOOK_RULE = "-" * 10, "_" * 32

_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
_BLOCKS = frozenset(
    [
        *(
            "address",
            "article",
            "aside",
            "body",
            "caption",
            "center",
            "dd",
            "details",
            "dialog",
            "div",
            "dt",
            "fieldset",
        ),
        *(
            "figcaption",
            "figure",
            "footer",
            "form",
            "header",
            "html",
            "legend",
            "li",
            "main",
            "nav",
            "optgroup",
            "option",
        ),
        *("search", "section", "summary"),
    ]
)
_PARAGRAPHS = frozenset(["dir", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "menu", "p"])
_PREFORMATTED = frozenset({"pre", "listing", "xmp", "plaintext", "textarea"})
# The end of one of these elements doesn't end blocks that were opened inside it (13.2.6.1, the adoption agency).
_FORMATTING = frozenset(
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"]
)
# By element: the elements whose start ends it, because they can't be inside it.
_ENDS_BEFORE = {
    **dict.fromkeys(("td", "th"), frozenset({"td", "th", "tr", "tbody", "thead", "tfoot"})),
    "tr": frozenset({"tr", "tbody", "thead", "tfoot"}),
    "li": frozenset({"li"}),
    **dict.fromkeys(("dt", "dd"), frozenset({"dt", "dd"})),
    "option": frozenset({"option"}),
    "p": frozenset({*_BLOCKS, *_PARAGRAPHS, "blockquote", "hr", "ol", "pre", "table", "ul"}),
}

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
# C1 controls; characters of no width and no meaning for a reader; bidirectional controls that affect all following text.
_JUNK = re.compile(
    "[\x80-\x9f\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u202a-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]+"
)
_MARK_RUN = re.compile("([\u200c-\u200f\u061c])[\u200c-\u200f\u061c]+")
_LONE_JOINER = re.compile(r"(?<!\S)[\u200c\u200d]|[\u200c\u200d](?!\S)")

_HINT = re.compile(r"none|hidden|(?:size|height|opacity)\s*:\s*\.?0|white-space", re.IGNORECASE)
_ZERO = re.compile(r"0*(?:\.0*)?\s*(?:px|pt|em|rem|%|in|cm|mm|ex)?")
_SHOWN_SIZE = re.compile(r"font(?:-size)?\s*:[^;]{0,80}?[1-9]", re.IGNORECASE)
_NO_MARGIN = re.compile(r"\bmso|\bmargin\s*:\s*0(?:px|in|cm|pt|em)?\s*(?:;|!|[\"']|$)", re.IGNORECASE)
_FILE_NAME = re.compile(r"[^\s.]{1,80}\.(?:png|jpe?g|gif|bmp|webp|svg)", re.IGNORECASE)  # no useful alternative text
_LINK = re.compile(r"(https?|mailto|tel):", re.IGNORECASE)
_BARE = re.compile(r"^(?:https?:)?/*(?:www\.)?|/+$|\s+")


def to_text(html: str) -> str:
    """html: a mail's HTML, complete or not, well formed or not. Lines end in "\\n". The text has no other control characters
    except "\\t" (between cells), no lone surrogates, and never two blank lines in a row. Never raises."""
    return text_lines.join(_Writer(html_tags.clean(html)).pieces())


class _Hidden:
    """An element that hides its content until it ends: by its own end tag, or by that of an enclosing element."""

    def __init__(self, tag: Tag, before: tuple[int, int, int, tuple[str, int]], is_by_size: bool) -> None:
        self.before = before  # the number of pieces, quotes and lists, and the open link
        self.is_by_size = is_by_size  # an element inside may be visible again
        self._open = [tag.name]
        self._counts = {tag.name: 1}

    def sees(self, tag: Tag) -> bool:
        """Processes a tag; returns whether the element ended with it, or before it."""
        if not tag.is_end:
            if len(self._open) == 1 and tag.name in _ENDS_BEFORE.get(self._open[0], ()):
                return True
            if tag.name and tag.name not in _VOID:
                self._open.append(tag.name)
                self._counts[tag.name] = self._counts.get(tag.name, 0) + 1
            return False
        if not self._counts.get(tag.name):
            return bool(tag.name) and tag.name not in _FORMATTING and tag.name not in ("p", "br")
        while True:
            closed = self._open.pop()
            self._counts[closed] -= 1
            if closed == tag.name:
                return not self._open

    @property
    def is_over(self) -> bool:
        return not self._open


class _Writer:
    def __init__(self, source: str) -> None:
        self._source = source
        self._pieces: list[str] = []
        self._quotes: list[bool] = []  # of each open blockquote: is it a quote, and not only an indent?
        self._lists: list[int | None] = []  # of each open list: the next number, or None
        self._preformatted = ("", 0)  # the element's name, and the number of open elements of that name since
        self._margin = PARAGRAPH  # of the last `<p>`
        self._link = ("", 0)  # its target, and its first piece
        self._hidden: _Hidden | None = None
        self._starts, self._ends = self._handlers()

    def _handlers(self) -> tuple[dict[str, Callable[[Tag], None]], dict[str, Callable[[Tag], None]]]:
        def put(mark: str) -> Callable[[Tag], None]:
            return lambda _: self._pieces.append(mark)

        both = {
            **dict.fromkeys(_BLOCKS, put(BLOCK)),
            **dict.fromkeys(_PARAGRAPHS | _PREFORMATTED, put(PARAGRAPH)),
            "tr": put(ROW),
            "table": put(TABLE),
        }
        cell = dict.fromkeys(("td", "th"), put(CELL))
        list_start, list_end = (
            dict.fromkeys(("ul", "ol"), self._list_start),
            dict.fromkeys(("ul", "ol"), self._list_end),
        )
        starts = {
            **both,
            **cell,
            **list_start,
            "p": self._paragraph,
            "div": self._division,
            "br": put(BREAK),
            "hr": self._rule,
            "li": self._item,
            "blockquote": self._quote_start,
            "a": self._link_start,
            "img": self._image,
        }
        ends = {
            **both,
            **list_end,
            "p": lambda _: self._pieces.append(self._margin),
            "br": put(BREAK),
            "li": put(PREFIX),
            "blockquote": self._quote_end,
            "a": lambda _: self._link_end(),
        }
        return starts, ends

    def pieces(self) -> list[str]:
        for tag in html_tags.scan(self._source):
            if tag.start > tag.text_start:
                self._text(self._source[tag.text_start : tag.start])
            if tag.name:
                self._tag(tag)
        self._link_end()
        return self._pieces

    def _tag(self, tag: Tag) -> None:
        if self._hidden and self._hidden.sees(tag):
            is_own_end = self._hidden.is_over
            self._end_hidden(self._hidden)
            if is_own_end:
                return
        name = tag.name
        preformatted, count = self._preformatted
        if count and preformatted == name:
            self._preformatted = (name, count + (-1 if tag.is_end else 1))
        elif not count and name in _PREFORMATTED and not tag.is_end:
            self._preformatted = (name, 1)
        if not tag.is_end and tag.attributes and name not in _VOID:
            self._look_at_style(tag)
        handler = (self._ends if tag.is_end else self._starts).get(name)
        if handler:
            handler(tag)

    # --- hidden content -----------------------------------------------------------------------------------------------

    def _look_at_style(self, tag: Tag) -> None:
        hidden = self._hidden
        if hidden and hidden.is_by_size and _SHOWN_SIZE.search(tag.attributes):
            hidden = self._hidden = None
        if _HINT.search(tag.attributes):
            attributes = attributes_of(tag.attributes)
            style = declarations(attributes.get("style", ""))
            hides, is_by_size = _hides(attributes, style)
            if not self._preformatted[1] and style.get("white-space", "").startswith(("pre", "break-spaces")):
                self._preformatted = (tag.name, 1)
        else:
            return
        if hides and (not hidden or (hidden.is_by_size and not is_by_size)):
            before = (len(self._pieces), len(self._quotes), len(self._lists), self._link)
            self._hidden = _Hidden(tag, before, is_by_size)

    def _end_hidden(self, hidden: _Hidden) -> None:
        self._hidden = None
        pieces, quotes, lists, self._link = hidden.before
        del self._pieces[pieces:], self._quotes[quotes:], self._lists[lists:]
        self._put_quotes()

    # --- text ---------------------------------------------------------------------------------------------------------

    def _text(self, text: str) -> None:
        text = html_tags.decode(text)
        if not text.isascii():
            text = _without_junk(text)
        if self._preformatted[1]:
            self._put_preformatted(text)
        elif text:
            self._pieces.append(_flowing(text))

    def _put_preformatted(self, text: str) -> None:
        for number, line in enumerate(text.replace("\r", "").split("\n")):
            if number:
                self._pieces.append(BREAK)
            if line:
                self._pieces.append(line.translate(_KEPT))

    def _image(self, tag: Tag) -> None:
        attributes = attributes_of(tag.attributes)
        alt = " ".join(_without_junk(attributes.get("alt", "")).split())
        is_tracker = attributes.get("width", "").strip() in ("0", "1") or attributes.get("height", "").strip() in (
            "0",
            "1",
        )
        if alt and not is_tracker and not _FILE_NAME.fullmatch(alt):
            is_emoji = len(alt) <= 8 and not any(character.isascii() for character in alt)
            self._pieces.append(alt if is_emoji else f"[{alt}]")

    def _rule(self, tag: Tag) -> None:
        # Above the headers of the answered mail, Outlook's HTML has a line. It becomes the line that Outlook writes in plain
        # text.
        is_outlooks = "98%" in tag.attributes and "inline-block" in tag.attributes
        self._pieces += [TABLE, _OUTLOOK_RULE if is_outlooks else _RULE, TABLE]

    def _paragraph(self, tag: Tag) -> None:
        # Outlook's paragraphs have no margin: a blank line is a paragraph with a blank.
        self._margin = BLOCK if _NO_MARGIN.search(tag.attributes) else PARAGRAPH
        self._pieces.append(self._margin)

    def _division(self, tag: Tag) -> None:
        # Outlook draws a line above the headers of the answered mail.
        self._pieces.append(PARAGRAPH if "border-top:solid" in tag.attributes else BLOCK)

    # --- lists and quotes ---------------------------------------------------------------------------------------------

    def _list_start(self, tag: Tag) -> None:
        self._pieces.append(BLOCK if self._lists else PARAGRAPH)
        start = attributes_of(tag.attributes).get("start", "").strip() if tag.attributes else ""
        first = int(start) if start.isascii() and start.isdigit() and len(start) < 6 else 1
        self._lists.append(first if tag.name == "ol" else None)

    def _list_end(self, _: Tag) -> None:
        if self._lists:
            self._lists.pop()
        self._pieces += [PREFIX, BLOCK if self._lists else PARAGRAPH]

    def _item(self, _: Tag) -> None:
        number = self._lists[-1] if self._lists else None
        sign = "-"
        if number is not None:
            sign = f"{number}."
            self._lists[-1] = number + 1
        indent = "  " * (min(len(self._lists), _MAX_INDENTS) - 1)
        self._pieces.append(f"{PREFIX}{indent}{sign} ")

    def _quote_start(self, tag: Tag) -> None:
        self._pieces.append(PARAGRAPH)
        self._quotes.append("indent" not in tag.attributes.lower())  # Apple's class for plain indentation
        self._put_quotes()

    def _quote_end(self, _: Tag) -> None:
        self._pieces.append(PARAGRAPH)
        if self._quotes:
            self._quotes.pop()
            self._put_quotes()

    def _put_quotes(self) -> None:
        self._pieces.append(f"{QUOTE}{min(sum(self._quotes[: MAX_QUOTES_SHOWN * 2]), MAX_QUOTES_SHOWN)}")

    # --- links --------------------------------------------------------------------------------------------------------

    def _link_start(self, tag: Tag) -> None:
        self._link_end()
        target = attributes_of(tag.attributes).get("href", "").strip()
        self._link = (target if _LINK.match(target) else "", len(self._pieces))

    def _link_end(self) -> None:
        (target, first), self._link = self._link, ("", 0)
        if not target:
            return
        text = " ".join(piece for piece in self._pieces[first:] if piece[0] > text_lines.LAST_MARK)
        shown = _shown_target(target, text)
        if shown:
            self._pieces.append(f" <{shown}>")


_KEPT = str.maketrans(
    {" ": text_lines.KEPT_BLANK, "\xa0": text_lines.KEPT_BLANK, "\t": text_lines.KEPT_TAB, "\x0c": None}
)


def _flowing(text: str) -> str:
    """text with each run of white space as one blank."""
    if text.isalnum():  # one word, the most frequent text between tags
        return text
    words = text.split()
    if not words:
        return FILLER if "\xa0" in text else " "
    return f"{' ' if text[0].isspace() else ''}{' '.join(words)}{' ' if text[-1].isspace() else ''}"


def _without_junk(text: str) -> str:
    if text.isascii():
        return text
    text = _MARK_RUN.sub(r"\1", _JUNK.sub("", text))
    return _LONE_JOINER.sub("", text) if "\u200c" in text or "\u200d" in text else text


def _hides(attributes: dict[str, str], style: dict[str, str]) -> tuple[bool, bool]:
    """Does the element hide its content? Does it hide it by size, visibility or opacity only, so that an inner element may be
    visible again?"""
    if style.get("display") == "none" or ("hidden" in attributes and "display" not in style):
        return True, False
    has_no_height = any(_is_zero(style.get(name)) for name in ("max-height", "height"))
    if has_no_height and style.get("overflow") == "hidden":
        return True, False
    return _is_zero(style.get("font-size")) or style.get("visibility") == "hidden" or _is_zero(
        style.get("opacity")
    ), True


def _is_zero(value: str | None) -> bool:
    return bool(value) and bool(_ZERO.fullmatch(value or "x"))


def _shown_target(target: str, text: str) -> str:
    """The text that shows a link's target; empty if the link's text already shows it, or there is nothing to show."""
    scheme, _, rest = target.partition(":")
    if not text.strip(" " + FILLER):
        return ""
    target = "".join(_without_junk(target).split())
    if scheme.lower() in ("mailto", "tel"):
        bare = unquote("".join(rest.partition("?")[0].split()))
        digits = "".join(filter(str.isalnum, bare)).lower()
        said = "".join(filter(str.isalnum, text)).lower()
        return "" if not digits or digits in said else _printable(bare)
    if _BARE.sub("", target).lower() in _BARE.sub("", text).lower():
        return ""
    if len(target) <= _MAX_URL_CHARS:
        return _printable(target)
    host = rest.lstrip("/").partition("/")[0].partition("?")[0]
    return _printable(f"{scheme}://{host}/…") if len(host) <= _MAX_URL_CHARS else ""


def _printable(target: str) -> str:
    if not (target.isascii() and target.isprintable()):
        target = _CONTROLS.sub("", _without_junk(target))
    return target.replace("<", "%3C").replace(">", "%3E")
