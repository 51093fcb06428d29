"""Postfix's changes to a message before the filter gets it, as named rules; docs/admin/known-issues.md lists each of them.

A rule takes a message as sent (lines end in CRLF) and returns the next rule's input; together they give the recorded message. The
order is Postfix's: smtpd's, cleanup's, the milter protocol's. Measured on Postfix 3.7.11 and 3.10.13. If they differ, a rule says
since or until which version it holds.
"""

import re
from collections.abc import Callable

Rule = Callable[[bytes], bytes]
Version = tuple[int, ...]

MAX_HEADER_BYTES = 60_000  # name and all; a fold counts as one byte
_FROM_LINE = re.compile(rb">*From [^\r\n]*\r\n")
_HEADER_LINE = re.compile(rb"[!-9;-~]+[ \t]*:")
_MAX_LINE_BYTES = 2_048  # line_length_limit: a longer line comes in pieces; a header's colon must be in the first


def bare_lf(raw: bytes) -> bytes:
    """smtpd: a bare LF as a line's end is CRLF."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", raw)


def bare_cr(raw: bytes) -> bytes:
    """smtpd: a bare CR, in a header or in the body, is a space."""
    return re.sub(rb"\r(?!\n)", b" ", raw)


def nul(raw: bytes) -> bytes:
    """cleanup: NUL is removed."""
    return raw.replace(b"\0", b"")


def from_lines_in_front(raw: bytes) -> bytes:
    """smtpd before 3.10.13: lines `From …` and `>From …` in front of the headers get the name X-Mailbox-Line."""
    done = b""
    while match := _FROM_LINE.match(raw):
        done += b"X-Mailbox-Line: " + match[0]
        raw = raw[match.end() :]
        if len(match[0]) > _MAX_LINE_BYTES + 2:  # the text after its first piece isn't such a line, and ends them
            break
    return done + raw


def white_space_behind_from_lines(raw: bytes) -> bytes:
    """smtpd before 3.10.13: the same if a line of white space is the first after `X-Mailbox-Line`s."""
    front = re.match(rb"(?:X-Mailbox-Line: >*From [^\r\n]*\r\n)+", raw)
    return raw[: front.end()] + white_space_in_front(raw[front.end() :]) if front else raw


def from_line_in_front(raw: bytes) -> bytes:
    """smtpd: a first line `From …` or `>From …` gets the name X-Mailbox-Line; white space behind it continues it."""
    return b"X-Mailbox-Line: " + raw if _FROM_LINE.match(raw) else raw


def white_space_in_front(raw: bytes) -> bytes:
    """smtpd: a first line that begins with white space would continue Postfix's own Received, so it becomes part of the body."""
    return b"\r\n" + raw if raw.startswith((b" ", b"\t")) else raw


def line_that_is_no_header(raw: bytes) -> bytes:
    """cleanup: an invalid line among the headers ends them. An empty line is put before it, and the rest is body."""
    position = 0
    while position < len(raw):
        end = raw.index(b"\r\n", position) + 2
        line = raw[position:end]
        if line == b"\r\n":
            return raw
        if not (line.startswith((b" ", b"\t")) and position) and not _is_header(line):
            return raw[:position] + b"\r\n" + raw[position:]
        position = end
    return raw


def _is_header(line: bytes) -> bool:
    match = _HEADER_LINE.match(line)
    return bool(match) and match.end() <= _MAX_LINE_BYTES if match else False


def no_empty_line(raw: bytes) -> bytes:
    """The filter: if a message ends with its headers, the empty line after them is added."""
    return raw if raw.startswith(b"\r\n") or b"\r\n\r\n" in raw else raw + b"\r\n"


def white_space_before_colon(raw: bytes) -> bytes:
    """The milter protocol: white space between a header's name and its colon is gone."""
    head, body = split(raw)
    return b"".join(re.sub(rb"\A([!-9;-~]+)[ \t]+:", rb"\1:", field) for field in fields(head)) + body


def long_header(raw: bytes) -> bytes:
    """The milter protocol: a header is cut after 60,000 bytes; a folded line that doesn't fit is left out whole."""
    head, body = split(raw)
    return b"".join(_cut(field) for field in fields(head)) + body


def _cut(field: bytes) -> bytes:
    kept = b""
    for number, line in enumerate(field[:-2].split(b"\r\n")):
        grown = kept + b"\n" * bool(number) + line
        if len(grown) > MAX_HEADER_BYTES:
            kept = grown[:MAX_HEADER_BYTES] if not number or len(line) > _MAX_LINE_BYTES else kept
            break
        kept = grown
    return kept.replace(b"\n", b"\r\n") + b"\r\n"


_ONE_FROM_LINE_SINCE = (3, 10, 13)


def version_of(text: str) -> Version:
    """Postfix's version in numbers: "3.7.11", as `postconf -d mail_version` has it; a snapshot's date is left out."""
    return tuple(int(part) for part in text.partition("-")[0].split("."))


def rules(version: Version) -> tuple[Rule, ...]:
    """The rules of this version of Postfix, in order."""
    in_front: tuple[Rule, ...] = (from_line_in_front, white_space_in_front)
    if version < _ONE_FROM_LINE_SINCE:
        in_front = (from_lines_in_front, white_space_behind_from_lines, white_space_in_front)
    return (
        bare_lf,
        bare_cr,
        *in_front,
        nul,
        line_that_is_no_header,
        no_empty_line,
        white_space_before_colon,
        long_header,
    )


def split(raw: bytes) -> tuple[bytes, bytes]:
    """The headers, and the rest, which begins with the empty line."""
    if raw.startswith(b"\r\n"):
        return b"", raw
    head, end, body = raw.partition(b"\r\n\r\n")
    return (head + b"\r\n", b"\r\n" + body) if end else (raw, b"")


def fields(head: bytes) -> list[bytes]:
    """Headers one by one, with their folds and final CRLF."""
    return [field for field in re.split(rb"(?<=\r\n)(?![ \t])", head) if field]


def recorded(lined: bytes, version: Version) -> tuple[bytes, set[str]]:
    """The recorded form of a message sent to this Postfix, and the names of the rules that changed it."""
    used = set()
    for rule in rules(version):
        after = rule(lined)
        if after != lined:
            used.add(rule.__name__)
        lined = after
    return lined, used
