"""A header such as Content-Type, with its parameters, as mailers really write them.

Reads RFC 2045 5.1, RFC 2231 (continuations in any order, charset, language), RFC 2047 words within quotes, raw bytes, backslash
paths, missing quotes and semicolons. Never raises, on any bytes, and its time is linear. Called by `parts`. Pure.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from mailweir import charsets, encoded_words

MAX_VALUE_BYTES = 16_000  # of a header; the rest isn't read
MAX_PARAMETERS = 200
MAX_PARAMETER_CHARS = 2_000

_MAX_REMEMBERED_BYTES = 60  # most mail has one of a few short values: `text/plain; charset=utf-8`

_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_PARAMETER = re.compile(
    rb"[;\s]*+([^\s=;\"]++)\s*+=\s*+"  # some mailers omit the semicolon
    rb'(?:"((?:[^"\\]++|\\.)*)(?:"|\\?\Z)|([^;"]*+))',
    re.DOTALL,
)
_WHITE = re.compile(rb"\s")
_NO_PARAMETER = re.compile(rb"[;\s]*+[^;]*+")
_ESCAPED = re.compile(rb'\\(["\\])')  # no other escapes: C:\temp\new.doc is a path
_SECTION = re.compile(rb"([!#-)+-.0-9A-Z^-~]{1,60})(?:\*(\d{1,3}))?(\*)?", re.IGNORECASE)  # RFC 2231 3, 4.1: name*2*
_COMMENT = re.compile(rb"(?<!\s)\s*+\(.*\Z", re.DOTALL)  # a run of blanks is tried once, from its start
_JAPANESE = re.compile(rb"\x1b[$(]")
_WORDY = frozenset({b"name", b"filename"})


def split(value: bytes) -> tuple[bytes, Mapping[bytes, bytes]]:
    """The text before the first semicolon, and the parameters as bytes: names in lower case; if a name occurs twice, the first
    one counts.

    A name of RFC 2231 keeps its asterisks here: `filename*0*`.
    """
    return _remembered(value) if len(value) <= _MAX_REMEMBERED_BYTES else _split(value)


def _split(value: bytes) -> tuple[bytes, Mapping[bytes, bytes]]:
    value = _FOLD.sub(b"", value[:MAX_VALUE_BYTES]).strip()
    head, semicolon, rest = value.partition(b";")
    if not semicolon and b"=" in head:  # `text/plain charset=utf-8`
        head, _, rest = _WHITE.sub(b" ", value).partition(b" ")
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(rest) and len(found) < MAX_PARAMETERS:
        match = _PARAMETER.match(rest, at)
        if match is None:
            passed = _NO_PARAMETER.match(rest, at)
            if passed is None or passed.end() == at:
                break
            at = passed.end()
            continue
        given = match[3].strip() if match[2] is None else _ESCAPED.sub(rb"\1", match[2])
        found.setdefault(match[1].lower(), given)
        at = match.end()
    return _COMMENT.sub(b"", head).strip().lower(), found


_remembered = lru_cache(maxsize=512)(_split)


def as_text(found: Mapping[bytes, bytes]) -> dict[str, str]:
    """Parameters as text, sections joined (RFC 2231). If there are `name` and `name*`, the one with a charset counts."""
    plain: dict[bytes, bytes] = {}
    sections: dict[bytes, dict[int, tuple[bytes, bool]]] = {}
    for key, value in found.items():
        match = _SECTION.fullmatch(key)
        if match is not None and b"*" not in key:
            plain[key] = value
            continue
        if match is not None:
            sections.setdefault(match[1], {})[int(match[2] or 0)] = value, bool(match[3])
    texts = {_name(key): _plain_text(key, value) for key, value in plain.items()}
    for key, pieces in sections.items():
        joined = _joined(key, [pieces[number] for number in sorted(pieces)])
        if joined:
            texts[_name(key)] = joined
    return texts


def _name(key: bytes) -> str:
    return key.decode("ascii")


def _plain_text(key: bytes, value: bytes) -> str:
    if key in _WORDY:
        return _words(value)
    return encoded_words.flatten(unlabelled(_COMMENT.sub(b"", value)))[:MAX_PARAMETER_CHARS]


def _words(value: bytes) -> str:
    """A file name as text: RFC 2047 words within quotes (which RFC 2047 5 forbids and many mailers write), or raw bytes."""
    if b"=?" in value:
        return encoded_words.decode(value, max_chars=MAX_PARAMETER_CHARS)
    return encoded_words.flatten(unlabelled(value))[:MAX_PARAMETER_CHARS]


def unlabelled(value: bytes) -> str:
    """Header bytes without a charset label: UTF-8, ISO-2022-JP, or windows-1252."""
    return charsets.decode(value, "iso-2022-jp" if _JAPANESE.search(value) else "us-ascii")


def _joined(key: bytes, pieces: list[tuple[bytes, bool]]) -> str:
    charset = b""
    first, is_encoded = pieces[0]
    if is_encoded and first.count(b"'") >= 2:
        charset, _, first = first.split(b"'", 2)
        pieces = [(first, True), *pieces[1:]]
    data = b"".join(unquote_to_bytes(value) if encoded else value for value, encoded in pieces)
    if not charset:
        return _plain_text(key, data)
    return encoded_words.flatten(charsets.decode(data, charset.decode("ascii", "replace")))[:MAX_PARAMETER_CHARS]
