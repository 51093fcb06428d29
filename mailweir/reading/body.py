"""The text of a message as its reader sees it, and its HTML as sent.

If a text has a plain and an HTML alternative, the plain one counts, unless it is a stub. Texts between files keep their order.
Attached messages follow, each below lines that name its author. Never raises, on any bytes. Called by readers of messages. Pure.
"""

import html as markup
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailweir import encoded_words
from mailweir.reading import enriched, flowed, html_text, layout, part_text, parts, transfer
from mailweir.reading.layout import Layout, Passage
from mailweir.reading.parts import IDENTITY, UUENCODE, Part

MAX_TEXT_BYTES = 1_000_000  # of UTF-8
MAX_HTML_CHARS = 3_000_000
MAX_PLAIN_BYTES = 2_000_000  # of one text after transfer decoding; the rest isn't read
MAX_HTML_BYTES = 3_000_000
MAX_READ_BYTES = 4_000_000  # of all texts together
MAX_OPENED_BYTES = 8_000_000  # of an encoded message within the message
MAX_OPENED = 20
CUT_MARK = "\n[The text is longer, and was cut here.]\n"

# A plain alternative this short, with HTML that says this much more, is a stub: "see the HTML", or the start of a truncated text.
STUB_LINES = 3
STUB_CHARS = 600  # letters and digits
STUB_RATIO = 4
_WORDS = re.compile(r"\w+")
_LOOKS_LIKE_HTML = re.compile(r"\s*+<(?:!doctype\b|html\b|head\b|body\b|table\b|div\b|meta\b|style\b)", re.IGNORECASE)
_SHOWN_HEADERS = ("From", "Date", "Subject", "To", "Cc")
_HEADER_LINE = re.compile(
    rb"^(From|Date|Subject|To|Cc)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*)", re.IGNORECASE | re.MULTILINE
)
_MAX_SHOWN_CHARS = 500
_MAX_HEAD_BYTES = 64_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """text: the whole text that a reader sees, at most MAX_TEXT_BYTES, followed by CUT_MARK if it was longer.

    html: as sent, decoded, never safe; None if there is none. is_from_html: some of the text was made from HTML.
    """

    text: str
    html: str | None
    is_from_html: bool


def read(raw: bytes, parts: Sequence[Part]) -> Body:
    """The body of a message; `parts` is the result of `parts.walk`."""
    reader = _Reader()
    reader.add(raw, layout.of(parts), messages_deep=0)
    html = "\n".join(reader.html)[:MAX_HTML_CHARS] if reader.has_html else None
    return Body(
        text=_limited("\n\n".join(reader.texts), is_cut=reader.is_cut), html=html, is_from_html=reader.is_from_html
    )


class _Reader:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.html: list[str] = []
        self.has_html = False
        self.is_from_html = False
        self.is_cut = False
        self._opened = 0
        self._bytes_left = MAX_TEXT_BYTES + 1
        self._bytes_to_read = MAX_READ_BYTES

    def add(self, raw: bytes, found: Layout, messages_deep: int) -> None:
        """Adds the texts of a message, then those of the messages in it."""
        source = _Source(raw, tuple(file for file in found.files if file.encoding == UUENCODE), self._bytes_to_read)
        for passage in found.shown:
            self._add_passage(source, passage, is_outer=messages_deep == 0)
        self._bytes_to_read = source.bytes_left
        self.is_cut = self.is_cut or source.is_cut
        for part, inner in found.messages:
            self._add_message(raw, part, inner, messages_deep + 1)

    def _add_passage(self, source: "_Source", passage: Passage, *, is_outer: bool) -> None:
        if self._bytes_left <= 0:
            return
        plain = _joined(source.plain(part) for part in passage.plain)
        html = [source.html(part) for part in passage.html]
        text = plain
        if html:
            made = _better(plain, html)
            if made is not None:
                text, self.is_from_html = made, True
        if is_outer:
            self.has_html = self.has_html or bool(html)
            self.html += html or [_as_html(plain)]
        self._add_text(text)

    def _add_text(self, text: str) -> None:
        text = text.strip("\n")
        if text.strip():
            self.texts.append(text)
            self._bytes_left -= len(text)

    def _add_message(self, raw: bytes, part: Part, inner: Layout, messages_deep: int) -> None:
        if messages_deep > layout.MAX_MESSAGES_DEEP or self._bytes_left <= 0:
            return
        if part.encoding == IDENTITY:
            self._add_head(raw[part.offset : min(part.end, part.offset + _MAX_HEAD_BYTES)])
            self.add(raw, inner, messages_deep)
        elif self._opened < MAX_OPENED:
            self._opened += 1
            opened = _opened(raw, part)
            self.is_cut = self.is_cut or len(opened) >= MAX_OPENED_BYTES
            if part.is_message:
                self._add_head(opened[:_MAX_HEAD_BYTES])
            self.add(opened, layout.of(parts.walk(opened)), messages_deep)

    def _add_head(self, head: bytes) -> None:
        """Adds the header lines that mail programs put above a forwarded message."""
        values: dict[str, str] = {}
        for name, value in _HEADER_LINE.findall(head.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0]):
            values.setdefault(name.decode().capitalize(), encoded_words.decode(value, max_chars=_MAX_SHOWN_CHARS))
        lines = [f"{name}: {values[name]}" for name in _SHOWN_HEADERS if values.get(name)]
        if lines:
            self._add_text("\n".join(("---------- Forwarded message ----------", *lines)))


def _opened(raw: bytes, part: Part) -> bytes:
    """Decodes an attached message, or a multipart, that has a transfer encoding. The result is read like a raw message."""
    data = transfer.decode(raw, part, max_bytes=MAX_OPENED_BYTES)
    if part.is_message:
        return data
    boundary = part.parameters.get("boundary", "")
    return f'Content-Type: {part.media_type}; boundary="{boundary}"\n\n'.encode("utf-8", "replace") + data


class _Source:
    """A message, and the files within its texts. bytes_left: how much of it may still be read. is_cut: there was more."""

    def __init__(self, raw: bytes, uuencoded: tuple[Part, ...], bytes_left: int) -> None:
        self.bytes_left = bytes_left
        self.is_cut = False
        self._raw = raw
        self._uuencoded = uuencoded

    def plain(self, part: Part) -> str:
        """A part's text, in its plain form or converted from another form."""
        text = self._text(part)
        if part.media_type in ("text/enriched", "text/richtext"):
            return enriched.to_text(text, is_richtext=part.media_type == "text/richtext")
        if part.parameters.get("format", "").lower() == "flowed":
            return flowed.unflow(text, del_sp=part.parameters.get("delsp", "").lower() == "yes")
        return text

    def html(self, part: Part) -> str:
        """A part's HTML; for a plain part, such as a list's footer, HTML that shows it."""
        return self._text(part) if part.media_type == "text/html" else _as_html(self.plain(part))

    def _text(self, part: Part) -> str:
        limit = MAX_HTML_BYTES if part.media_type == "text/html" else MAX_PLAIN_BYTES
        limit = min(limit, self.bytes_left)
        data = transfer.decode(self._raw, part, max_bytes=limit + 1)
        self.is_cut = self.is_cut or len(data) > limit
        data = data[:limit]
        self.bytes_left -= len(data)
        if part.encoding == IDENTITY:
            data = self._without_files(part, data)
        return part_text.decode(data, part.parameters.get("charset", ""), is_html=part.media_type == "text/html")

    def _without_files(self, part: Part, data: bytes) -> bytes:
        kept: list[bytes] = []
        at = 0
        for file in self._uuencoded:
            if part.offset <= file.offset < part.offset + len(data):
                kept.append(data[at : file.offset - part.offset])
                at = file.end - part.offset
        return b"".join((*kept, data[at:])) if kept else data


def _as_html(text: str) -> str:
    return f'<pre style="white-space: pre-wrap">{markup.escape(text)}</pre>'


def _better(plain: str, html: list[str]) -> str | None:
    """The HTML's text if the plain form is empty or a stub; None if the plain form is the text."""
    is_markup = _LOOKS_LIKE_HTML.match(plain) is not None
    if _words_in(plain[: 2 * STUB_CHARS]) > STUB_CHARS and not is_markup:
        return None
    size = _words_in(plain)
    if size and not is_markup and not _is_short(plain, size):
        return None
    made = part_text.clean(_joined(html_text.to_text(one[:MAX_HTML_CHARS]) for one in html))
    if size and not is_markup and _words_in(made) < STUB_RATIO * size:
        return None
    return made if made.strip() else None


def _words_in(text: str) -> int:
    """Counts letters and digits; in a long text only those at its beginning."""
    return sum(map(len, _WORDS.findall(text[: STUB_CHARS * STUB_RATIO * 5])))


def _is_short(text: str, size: int) -> bool:
    return size <= STUB_CHARS and sum(1 for line in text.split("\n") if line.strip()) <= STUB_LINES


def _joined(texts: Iterator[str]) -> str:
    return "\n\n".join(text.strip("\n") for text in texts if text.strip())


def _limited(text: str, *, is_cut: bool) -> str:
    if len(text) * 4 > MAX_TEXT_BYTES:
        data = text.encode()
        if len(data) > MAX_TEXT_BYTES:
            return data[:MAX_TEXT_BYTES].decode("utf-8", "ignore") + CUT_MARK
    return text + CUT_MARK if is_cut else text
