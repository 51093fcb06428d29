"""A part's bytes as text: its real charset, and the characters that a text may contain.

The label is followed as in `charsets`, except when the bytes show otherwise: a byte order mark, UTF-16 by its NULs, ISO-2022-JP
by its escapes, and a label of UTF-8 on bytes that aren't UTF-8. Never raises, on any bytes. Called by `body`. Pure.
"""

import codecs
import re

from mailweir import charsets

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ESCAPES = re.compile(rb"\x1b[$(][@BDIJ(]")
_META = re.compile(rb"<meta\s[^>]{0,300}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w.:-]{1,40})", re.IGNORECASE)
_META_WITHIN = 4_096
_MANY_NULS_WITHIN = 1_000
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_FINE = re.compile("[\t\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\U0010ffff]*")
_UNSAFE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]+")


def decode(data: bytes, label: str, *, is_html: bool = False) -> str:
    """Text with LF as its line ends, without control characters (but tabs) and surrogates. label: of Content-Type, or ''."""
    return clean(charsets.decode(data, _charset(data, label, is_html=is_html)))


def clean(text: str) -> str:
    """Text that a database and a page can store, with LF as line ends. Form feeds end a line."""
    if text.isprintable():
        return text
    with_line_feeds = text.replace("\r\n", "\n") if "\r" in text else text
    if _FINE.fullmatch(with_line_feeds):  # several times as fast as searching for the bad characters
        return with_line_feeds
    return _UNSAFE.sub("", _LINE_ENDS.sub("\n", text))


def _charset(data: bytes, label: str, *, is_html: bool) -> str:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    wide = _wide(data[:_MANY_NULS_WITHIN])
    if wide:
        return wide
    if is_html and not charsets.is_known(label):
        meta = _META.search(data, 0, _META_WITHIN)
        label = meta[1].decode("ascii", "replace") if meta else label
    if not charsets.is_known(label):
        label = "us-ascii"
    bare = label.lower().replace("_", "-")
    if bare in ("us-ascii", "ascii", "utf-8", "utf8") and b"\x1b" in data and _ESCAPES.search(data):
        return "iso-2022-jp"
    if bare.startswith(("utf-16", "utf16", "utf-32", "utf32", "ucs", "iso-10646", "unicode")) and b"\0" not in data:
        return "us-ascii"  # the label is old: from before a conversion in transit, or from a page's <meta>
    if bare in ("utf-8", "utf8") and _is_no_utf_8(data):
        return "windows-1252"
    return label


def _wide(head: bytes) -> str:
    """UTF-16 without a byte order mark, by the positions of its NULs in ASCII."""
    if head.count(0) * 3 < len(head) or len(head) < 4:
        return ""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if even >= 10 * odd and even:
        return "utf-16-be"
    return "utf-16-le" if odd >= 10 * even else ""


def _is_no_utf_8(data: bytes) -> bool:
    """Has the data non-ASCII bytes, but no valid non-ASCII character of UTF-8?"""
    if data.isascii():
        return False
    return all(char == "\ufffd" or char < "\x80" for char in set(data.decode("utf-8", "replace")))
