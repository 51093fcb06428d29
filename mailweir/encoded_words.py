"""RFC 2047 encoded words as text: for display and search only, never for matching.

Never raises, on any bytes; what can't be read is U+FFFD. Called by `headers`. Standard library only.
"""

import binascii
import codecs
import encodings
import pkgutil
import re
from encodings.aliases import aliases

# RFC 2047 2; white space between two encoded words isn't part of the text (6.2)
_WORD = re.compile(r"=\?([^?\s*]{1,40})(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_BETWEEN = re.compile(r"[ \t\r\n]*")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
# Python would try to import a module for any other name, and remember for ever that there is none
_KNOWN = frozenset(aliases) | {module.name for module in pkgutil.iter_modules(encodings.__path__)}
_NO_TEXT = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"})


def decode(raw: bytes, *, max_chars: int) -> str:
    """A header value as one line of text of at most `max_chars`, without control characters."""
    text = raw[: max_chars * 12].decode("utf-8", "replace")
    return flatten(_decode_words(text))[:max_chars]


def flatten(text: str) -> str:
    """Text as one line without control characters and surrogates, which a database or a terminal can't take."""
    return _UNSAFE.sub(" ", text).strip()


def _decode_words(text: str) -> str:
    if "=?" not in text:
        return text
    out: list[str] = []
    position = 0
    pending, pending_charset = b"", ""  # a character may be split between two words of one charset
    for match in _WORD.finditer(text):
        gap = text[position : match.start()]
        adjacent = bool(pending_charset) and _BETWEEN.fullmatch(gap) is not None
        charset = match[1].lower()
        if not adjacent or charset != pending_charset:
            out.append(_to_text(pending, pending_charset))
            pending = b""
        if not adjacent:
            out.append(gap)
        pending += _to_bytes(match[2], match[3])
        pending_charset = charset
        position = match.end()
    out.append(_to_text(pending, pending_charset))
    out.append(text[position:])
    return "".join(out)


def _to_bytes(encoding: str, payload: str) -> bytes:
    data = payload.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(data, header=True)
    try:
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        return b"\xff"  # becomes U+FFFD


def _to_text(data: bytes, charset: str) -> str:
    if not data:
        return ""
    try:
        if re.sub(r"[^a-z0-9]+", "_", charset) not in _KNOWN:
            raise LookupError(charset)
        codec = codecs.lookup(charset)
        # codecs such as zlib or rot13 aren't charsets, and some raise whatever they like
        if not codec._is_text_encoding or codec.name in _NO_TEXT:
            raise LookupError(charset)
        return data.decode(codec.name, "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")
