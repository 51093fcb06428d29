"""A reading as bytes, from the child that made it to the process that stores it: bounded, and parsed as hostile input.

Three lengths of 4 bytes, then a JSON head, the text and the HTML in UTF-8. No pickle. Pure; called by the digest.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from mailweir.reading import body, parts
from mailweir.reading.attachments import Attachment
from mailweir.reading.folds import Fold, FoldKind
from mailweir.reading.forwarded import Original
from mailweir.reading.html_view import View
from mailweir.reading.invitation import Invitation
from mailweir.reading.labels import Label
from mailweir.reading.reading import HTML_TOO_LARGE, PROBLEMS, Reading
from mailweir.reading.thread_keys import DIGEST_BYTES, ThreadKeys

MAX_BYTES = 16_000_000
_MAX_HEAD_BYTES = 3_000_000
_MAX_TEXT_CHARS = body.MAX_TEXT_BYTES + len(body.CUT_MARK)
_MAX_LINE_CHARS = 10_000
_MAX_HTML_BYTES = 11_000_000
_MAX_FOLDS = 50_000
_MAX_IDS = 200
_MAX_INT = 2**40
_LENGTH_BYTES = 4
_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False)
_NO_HTML = 2**32 - 1
_ENCODINGS = (parts.IDENTITY, parts.BASE64, parts.QUOTED_PRINTABLE, parts.UUENCODE)


class Malformed(ValueError):
    """The bytes aren't a valid reading."""


def pack(reading: Reading) -> bytes:
    """The frame, at most MAX_BYTES. HTML that doesn't fit is left out, and the reading notes it."""
    html = reading.view.html.encode() if reading.view else None
    if html is not None and len(html) > _MAX_HTML_BYTES:
        return pack(replace(reading, view=None, problems=(*reading.problems, HTML_TOO_LARGE)))
    head = _JSON.encode(_head(reading)).encode()
    text = reading.text.encode()
    lengths = (len(head), len(text), _NO_HTML if html is None else len(html))
    return b"".join((*(length.to_bytes(_LENGTH_BYTES) for length in lengths), head, text, html or b""))


def unpack(frame: bytes) -> Reading:
    """The packed reading. Errors: Malformed if the bytes aren't one."""
    try:
        return _unpacked(frame)
    except Malformed:
        raise
    except (ValueError, TypeError, KeyError, LookupError, RecursionError, OverflowError) as error:
        raise Malformed(type(error).__name__) from error


def _head(reading: Reading) -> dict[str, Any]:
    original, event, keys = reading.original, reading.invitation, reading.thread_keys
    return {
        "subject": reading.subject,
        "snippet": reading.snippet,
        "remote_images": reading.view.remote_images if reading.view else 0,
        "is_cut": reading.view.is_cut if reading.view else False,
        "sanitizer_version": reading.sanitizer_version,
        "folds": [[str(one.kind), one.start, one.end] for one in reading.folds],
        "original": original
        and [original.author, original.author_name, _iso(original.date), original.subject, original.start],
        "labels": sorted(map(str, reading.labels)),
        "attachments": [
            [
                *(one.name, one.media_type, one.size_bytes, one.sha256.hex(), one.is_inline, one.content_id),
                *(one.offset, one.length, one.encoding),
            ]
            for one in reading.attachments
        ],
        "invitation": event
        and [
            *(event.method, event.summary, event.location, _iso(event.starts_at), _iso(event.ends_at)),
            *(event.is_all_day, event.zone, event.repeats),
        ],
        "own": keys.own.hex() if keys.own is not None else None,
        "in_reply_to": [one.hex() for one in keys.in_reply_to],
        "references": [one.hex() for one in keys.references],
        "base_subject": keys.base_subject,
        "is_reply": keys.is_reply,
        "has_ids": keys.has_ids,
        "problems": list(reading.problems),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


# --- from a child that hostile mail may have taken over ---------------------------------------------------------------


def _unpacked(frame: bytes) -> Reading:
    if not 3 * _LENGTH_BYTES <= len(frame) <= MAX_BYTES:
        raise Malformed("size")
    head_bytes, text_bytes, html_bytes = (
        int.from_bytes(frame[at : at + _LENGTH_BYTES]) for at in range(0, 3 * _LENGTH_BYTES, _LENGTH_BYTES)
    )
    begin = 3 * _LENGTH_BYTES
    text_at = begin + head_bytes
    html_at = text_at + text_bytes
    has_html = html_bytes != _NO_HTML
    if html_at + (html_bytes if has_html else 0) != len(frame) or head_bytes > _MAX_HEAD_BYTES:
        raise Malformed("lengths")
    head = json.loads(frame[begin:text_at])
    if not isinstance(head, dict):
        raise Malformed("head")
    text = _text(str(frame[text_at:html_at], "utf-8"), _MAX_TEXT_CHARS)
    html = _text(str(frame[html_at:], "utf-8"), _MAX_HTML_BYTES) if has_html else None
    return Reading(
        subject=_line(head["subject"]),
        snippet=_line(head["snippet"]),
        text=text,
        view=None
        if html is None
        else View(html=html, remote_images=_integer(head["remote_images"]), is_cut=_flag(head["is_cut"])),
        sanitizer_version=_integer(head["sanitizer_version"]),
        folds=_folds(head["folds"], len(text)),
        original=_original(head["original"], len(text)),
        labels=frozenset(map(Label, _list(head["labels"], len(Label)))),
        attachments=tuple(map(_attachment, _list(head["attachments"], parts.MAX_PARTS))),
        invitation=_invitation(head["invitation"]),
        thread_keys=_thread_keys(head),
        problems=tuple(map(_problem, _list(head["problems"], len(PROBLEMS)))),
    )


def _list(value: Any, max_length: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > max_length:
        raise Malformed("list")
    return value


def _fields(value: Any, count: int) -> list[Any]:
    if not isinstance(value, list) or len(value) != count:
        raise Malformed("fields")
    return value


def _text(value: Any, max_chars: int) -> str:
    """Text that both databases accept: no NUL, no lone surrogate."""
    if not isinstance(value, str) or len(value) > max_chars or "\0" in value:
        raise Malformed("text")
    value.encode()
    return value


def _line(value: Any) -> str:
    return _text(value, _MAX_LINE_CHARS)


def _integer(value: Any, maximum: int = _MAX_INT) -> int:
    if type(value) is not int or not 0 <= value <= maximum:
        raise Malformed("integer")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Malformed("flag")
    return value


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(_line(value))
    if moment.tzinfo is None:
        raise Malformed("moment")
    return moment


def _bytes(value: Any, length: int) -> bytes:
    found = bytes.fromhex(_line(value))
    if len(found) != length:
        raise Malformed("bytes")
    return found


def _problem(value: Any) -> str:
    if value not in PROBLEMS:
        raise Malformed("problem")
    return str(value)


def _folds(value: Any, length: int) -> tuple[Fold, ...]:
    found: list[Fold] = []
    low = 0
    for one in _list(value, _MAX_FOLDS):
        kind, start, end = _fields(one, 3)
        if not low <= _integer(start, length) < _integer(end, length):
            raise Malformed("fold")
        found.append(Fold(kind=FoldKind(kind), start=start, end=end))
        low = end
    return tuple(found)


def _original(value: Any, length: int) -> Original | None:
    if value is None:
        return None
    author, name, date, subject, start = _fields(value, 5)
    return Original(
        author=None if author is None else _line(author),
        author_name=_line(name),
        date=_moment(date),
        subject=_line(subject),
        start=_integer(start, length),
    )


def _attachment(value: Any) -> Attachment:
    name, media_type, size, sha256, is_inline, content_id, offset, length, encoding = _fields(value, 9)
    if encoding not in _ENCODINGS:
        raise Malformed("encoding")
    return Attachment(
        name=_line(name),
        media_type=_line(media_type),
        size_bytes=_integer(size),
        sha256=_bytes(sha256, 32),
        is_inline=_flag(is_inline),
        content_id=_line(content_id),
        offset=_integer(offset),
        length=_integer(length),
        encoding=encoding,
    )


def _invitation(value: Any) -> Invitation | None:
    if value is None:
        return None
    method, summary, location, starts_at, ends_at, is_all_day, zone, repeats = _fields(value, 8)
    return Invitation(
        method=_line(method),
        summary=_line(summary),
        location=_line(location),
        starts_at=_moment(starts_at),
        ends_at=_moment(ends_at),
        is_all_day=_flag(is_all_day),
        zone=_line(zone),
        repeats=_flag(repeats),
    )


def _thread_keys(head: Mapping[str, Any]) -> ThreadKeys:
    own = head["own"]
    return ThreadKeys(
        own=None if own is None else _bytes(own, DIGEST_BYTES),
        in_reply_to=tuple(_bytes(one, DIGEST_BYTES) for one in _list(head["in_reply_to"], _MAX_IDS)),
        references=tuple(_bytes(one, DIGEST_BYTES) for one in _list(head["references"], _MAX_IDS)),
        base_subject=_line(head["base_subject"]),
        is_reply=_flag(head["is_reply"]),
        has_ids=_flag(head["has_ids"]),
    )
