"""Decodes RFC 2047 encoded words to text.

Never raises, on any bytes; unreadable bytes become U+FFFD. Called by `headers`, `candidates`, `dates` and `identity`. Pure.
"""

import binascii
import re

from mailweir import charsets

# RFC 2047 2, with a language (RFC 2231 5). Mailers also write blanks into words, and raw question marks into Q words, even in
# front of an encoded byte (`?=20`). A Q word ends at any other `?=`, and can't contain `=?`, so it never extends into the next
# word. The search for its end stops at `=?` too, so many openings take no more time than one.
_Q_TEXT = r"[^?=]*(?:(?:=(?!\?(?!=))|\?(?!=))[^?=]*)*"
_WORD = re.compile(
    r"=\?([^?\s*]{1,40})(?:\*[^?\s]*)?\?(?:"
    rf"[qQ]\?({_Q_TEXT}(?:\?(?==[0-9A-Fa-f]{{2}}{_Q_TEXT}\?=){_Q_TEXT})*)|[bB]\?([^?]*))\?="
)
_BETWEEN = re.compile(r"[ \t\r\n]*")  # white space between two encoded words isn't part of the text (6.2)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


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
            out.append(charsets.decode(pending, pending_charset))
            pending = b""
        if not adjacent:
            out.append(gap)
        pending += _from_q(match[2]) if match[3] is None else _from_base64(match[3])
        pending_charset = charset
        position = match.end()
    out.append(charsets.decode(pending, pending_charset))
    out.append(text[position:])
    return "".join(out)


def _from_q(payload: str) -> bytes:
    return binascii.a2b_qp(payload.encode("utf-8", "replace"), header=True)


def _from_base64(payload: str) -> bytes:
    data = payload.encode("utf-8", "replace")
    try:
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        return b"\xff"  # becomes U+FFFD
