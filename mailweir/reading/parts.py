"""The MIME parts of a raw message, by their offsets: where each begins, and what its header says.

Follows RFC 2045, 2046 and the practice of mailers: boundaries that are missing, wrong or a prefix of another, headers without an
empty line after them, unclosed parts. Nothing is decoded or copied here, and each byte is read at most once per level. Never
raises, on any bytes. Called by `body` for a message within a message, and by all readers of messages. Pure.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mailweir import encoded_words
from mailweir.reading import parameters, uuencode

MAX_PARTS = 1_000  # further ones are not listed
MAX_DEPTH = 50  # a deeper part stays one part with its parent
MAX_HEADER_BYTES = 1_000_000  # of one part; the rest counts as its content
MAX_WORK = 1_000_000_000  # bytes searched for boundaries, all levels together (50 levels of 20 MB): at most two seconds
_WORK_OF_A_FIND = 1_000  # bytes charged for each search, in addition to those that it reads

BASE64 = "base64"
QUOTED_PRINTABLE = "quoted-printable"
UUENCODE = "uuencode"
IDENTITY = "identity"  # 7bit, 8bit, binary, and any unknown encoding
_ENCODINGS = {
    **dict.fromkeys((b"base64", b"base-64", b"x-base64", b"b64"), BASE64),
    **dict.fromkeys((b"quoted-printable", b"quotedprintable", b"quoted printable", b"x-quoted-printable"), QUOTED_PRINTABLE),
    **dict.fromkeys((b"uuencode", b"x-uuencode", b"x-uue", b"uue"), UUENCODE),
}  # fmt: skip
_MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})

_BASE64_CHARS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_SAMPLE_BYTES, _MIN_SAMPLE_BYTES = 1_000, 40

# No group here has a possessive quantifier: Python up to 3.11.4 matches such groups wrongly (python/cpython#106052), and Debian
# 12 has 3.11.2. The patterns begin with the end of the previous line: searching for that byte is ten times as fast as searching
# for `^`.
_FOLDED = rb"[ \t]|(?:boundary|charset|name|filename)\*?="  # some mailers fold a header without a blank
_BEGINS_HEADER = re.compile(rb"[!-9;-~]++[ \t]*+:|[ \t]")
_LINE_THAT_IS_NO_HEADER = re.compile(rb"\n(?![!-9;-~]++[ \t]*+:|" + _FOLDED + rb")")
_CONTENT = (
    rb"[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-((?i:type|transfer-encoding|disposition|id))[ \t]*+:"
    rb"([^\n]*+(?:\n(?:" + _FOLDED + rb")[^\n]*+)*)"
)
_FIRST_LINE = re.compile(_CONTENT)
_OTHER_LINES = re.compile(rb"\n" + _CONTENT)
# If the line after a line that isn't a header begins like this, the header goes on: no body text has such a second line.
_HEADER_AGAIN = re.compile(rb"(?!--)[^\n]*+\n(?:content-|mime-version:|x-|received:|message-id:|dkim-)", re.I)
_MAILBOX_LINE = re.compile(rb"(?:\xef\xbb\xbf)?(?:>*+From [^\n]*+\n)*")
_MEDIA_TYPE = re.compile(rb"[!#$&^_.+\w-]{1,127}/[!#$&^_.+\w-]{1,127}")  # RFC 6838 4.2
_TOKEN = re.compile(rb"[!#$&^_.+\w-]{1,60}")
_DELIMITER_GUESS = re.compile(
    rb"^--([^\s-][^\r\n]{0,199}?|-[^\r\n]{1,199}?)[ \t]*+\r?\n(?=content-|\r?\n)", re.M | re.I
)
_HEADER = re.compile(rb"\s*+[A-Za-z][!-9;-~]*+[ \t]*+:")
# The rest of a boundary line. Some mailers write words there, which RFC 2046 says to ignore; a longer boundary continues without
# a blank.
_BEHIND_ONE = re.compile(rb"\r?\n|\r?\Z|[ \t][^\n]*+(?:\n|\Z)")
_BEHIND_LAST = re.compile(rb"(?![\w'()+,./:=?-])[^\n]*+(?:\n|\Z)")
_ANGLES = re.compile(r"[<>\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part. path: () of the message itself, (0,) of its first part, and so on; its length is the part's depth.

    media_type: in lower case, the default if unreadable. parameters: of Content-Type, names in lower case. disposition: `inline`,
    `attachment`, or any other value, in lower case. filename: as in the mail, decoded, and not yet safe. content_id: without its
    angle brackets. encoding: one of the four above. header_offset: the start of its header. offset, length: its content within
    raw, still encoded; of a multipart with all of its parts.
    """

    path: tuple[int, ...]
    media_type: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    disposition: str = ""
    filename: str = ""
    content_id: str = ""
    encoding: str = IDENTITY
    header_offset: int
    offset: int
    length: int

    @property
    def end(self) -> int:
        """The end of its content."""
        return self.offset + self.length

    @property
    def is_multipart(self) -> bool:
        """Does it consist of parts, at least as declared?"""
        return self.media_type.startswith("multipart/")

    @property
    def is_message(self) -> bool:
        """Is it a whole message (RFC 2046 5.2.1, RFC 6532 3.7)?"""
        return self.media_type in _MESSAGES


def walk(raw: bytes) -> tuple[Part, ...]:
    """All parts in the order of the document, the message itself first. A file within a text (uuencode) is a part below it."""
    if b"\n" not in raw and b"\r" in raw:
        raw = raw.replace(b"\r", b"\n")  # from Mac OS 9 and older; offsets stay
    walker = _Walker(raw)
    walker.add_message((), 0, len(raw))
    return tuple(walker.found)


class _Walker:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.found: list[Part] = []
        self._work_left = MAX_WORK

    def add_message(self, path: tuple[int, ...], begin: int, end: int) -> None:
        """Adds a whole message that begins there, possibly after an mbox separator line."""
        mailbox_line = _MAILBOX_LINE.match(self._raw, begin, end)
        self.add(path, mailbox_line.end() if mailbox_line else begin, end, "text/plain")

    def add(self, path: tuple[int, ...], begin: int, end: int, default: str) -> None:
        """Adds the part whose header begins there, and its parts."""
        if len(self.found) >= MAX_PARTS:
            return
        offset, header_end = _content_of(self._raw, begin, end)
        part, boundary = self._read_header(path, begin, header_end, offset, end, default)
        self.found.append(part)
        if len(path) >= MAX_DEPTH:
            return
        if part.is_multipart:
            self._add_parts(part, boundary)
        elif part.is_message:
            if part.encoding == IDENTITY:
                self.add_message((*path, 0), offset, end)
        elif part.media_type == "text/plain" and part.encoding == IDENTITY:
            self._add_files(part)

    def _read_header(
        self, path: tuple[int, ...], begin: int, header_end: int, offset: int, end: int, default: str
    ) -> tuple[Part, bytes]:
        values = _values(self._raw, begin, header_end)
        kind, given = parameters.split(values[b"type"]) if b"type" in values else (b"", {})
        boundary = given.get(b"boundary", b"").rstrip()
        media_type = _media_type(kind, default, has_boundary=bool(boundary))
        if not path and b"type" not in values and self._looks_like_parts(offset, end):
            media_type = "multipart/mixed"
        texts = parameters.as_text(given) if given else {}
        disposition, said = parameters.split(values[b"disposition"]) if b"disposition" in values else (b"", {})
        filename = parameters.as_text(said).get("filename", "") if said else ""
        part = Part(
            path=path,
            media_type=media_type,
            parameters=texts,
            disposition=disposition.decode() if _TOKEN.fullmatch(disposition) else "",
            filename=filename or texts.get("name", ""),
            content_id=_content_id(values[b"id"]) if b"id" in values else "",
            encoding=self._encoding(values.get(b"transfer-encoding", b""), media_type, offset, end),
            header_offset=begin,
            offset=offset,
            length=end - offset,
        )
        return part, boundary

    def _looks_like_parts(self, offset: int, end: int) -> bool:
        """For a message without Content-Type: does its content look like parts?"""
        if not self._raw.startswith((b"--", b"\r\n--", b"\n--"), offset, end):
            return False
        return _guessed_boundary(self._raw, offset, end) is not None

    def _encoding(self, value: bytes, media_type: str, offset: int, end: int) -> str:
        name = value.partition(b";")[0].partition(b"(")[0].strip(b" \t\r\n\"'").lower()
        encoding = _ENCODINGS.get(name, IDENTITY)
        # RFC 2046 5.2.1 forbids encodings here; a mailer that gives one may mean the content.
        composed = media_type in _MESSAGES or media_type.startswith("multipart/")
        if composed and encoding != IDENTITY and self._is_plain(media_type, offset, end):
            return IDENTITY
        if encoding == BASE64 and _is_words(self._raw[offset : min(offset + _SAMPLE_BYTES, end)]):
            return IDENTITY
        return encoding

    def _is_plain(self, media_type: str, offset: int, end: int) -> bool:
        if media_type in _MESSAGES:
            return _HEADER.match(self._raw, offset, min(end, offset + 1_000)) is not None
        return _DELIMITER_GUESS.search(self._raw, offset, end) is not None

    def _add_parts(self, parent: Part, boundary: bytes) -> None:
        default = "message/rfc822" if parent.media_type == "multipart/digest" else "text/plain"
        spans = self._spans(boundary, parent.offset, parent.end) if boundary else iter(())
        first = next(spans, None)
        if first is None:
            guessed = _guessed_boundary(self._raw, parent.offset, parent.end)
            if guessed is None:
                return
            spans = self._spans(guessed, parent.offset, parent.end)
            first = next(spans, None)
        number = 0
        while first is not None and len(self.found) < MAX_PARTS:
            begin, end = first
            self.add((*parent.path, number), begin, end, default)
            number += 1
            first = next(spans, None)

    def _spans(self, boundary: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The start and end of each part, with its header."""
        opened = None
        for start, behind, is_last in self._delimiters(boundary, begin, end):
            if opened is not None:
                yield opened, max(start, opened)
            if is_last:
                return
            opened = behind
        if opened is not None:
            yield opened, end

    def _delimiters(self, boundary: bytes, begin: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """Each delimiter line: its start (with the preceding line end), its end, and whether it is the last one.

        A line that only begins like the boundary doesn't count: it may belong to an inner part.
        """
        raw, mark = self._raw, b"--" + boundary
        at = begin
        while self._work_left > 0:
            found = raw.find(mark, at, end)
            self._work_left -= (found if found >= 0 else end) - at + _WORK_OF_A_FIND
            if found < 0:
                return
            at = behind = found + len(mark)
            if found > begin and raw[found - 1] != 0x0A:
                continue
            is_last = raw.startswith(b"--", behind, end)
            line_end = _BEHIND_LAST.match(raw, behind + 2, end) if is_last else _BEHIND_ONE.match(raw, behind, end)
            if line_end is not None:
                yield _before_line_end(raw, begin, found), line_end.end(), is_last
                at = max(line_end.end() - 1, behind)

    def _add_files(self, text: Part) -> None:
        for number, file in enumerate(uuencode.find(self._raw, text.offset, text.end)):
            if len(self.found) >= MAX_PARTS:
                return
            self.found.append(
                Part(
                    path=(*text.path, number),
                    media_type="application/octet-stream",
                    disposition="attachment",
                    filename=encoded_words.flatten(parameters.unlabelled(file.name)),
                    encoding=UUENCODE,
                    header_offset=file.start,
                    offset=file.start,
                    length=file.end - file.start,
                )
            )


def _is_words(sample: bytes) -> bool:
    """Is it plain text instead of the declared base64? Junk in base64 is rare; blanks and punctuation in words are not."""
    chars = sample.translate(None, b"\r\n")
    return len(chars) >= _MIN_SAMPLE_BYTES and len(chars.translate(None, _BASE64_CHARS)) * 8 > len(chars)


def _values(raw: bytes, begin: int, end: int) -> dict[bytes, bytes]:
    """The values of a part's Content- headers by `type` and so on; if a header occurs twice, the first one counts."""
    first = _FIRST_LINE.match(raw, begin, end)
    values = {first[1].lower(): first[2]} if first else {}
    for match in _OTHER_LINES.finditer(raw, begin, end):
        values.setdefault(match[1].lower(), match[2])
    return values


def _content_of(raw: bytes, begin: int, end: int) -> tuple[int, int]:
    """The start of a part's content, and the end of its header."""
    limit = min(end, begin + MAX_HEADER_BYTES)
    if begin >= limit or _BEGINS_HEADER.match(raw, begin, limit) is None:
        return _behind_empty(raw, begin, end), begin
    at = begin
    while line := _LINE_THAT_IS_NO_HEADER.search(raw, at, limit):
        at = line.end()
        behind = _behind_empty(raw, at, end)
        if behind > at or _HEADER_AGAIN.match(raw, at, limit) is None:
            return behind, at
    return limit, limit


def _behind_empty(raw: bytes, at: int, end: int) -> int:
    return min(at + (1 if raw.startswith(b"\n", at) else 2 if raw.startswith(b"\r\n", at) else 0), end)


def _media_type(kind: bytes, default: str, *, has_boundary: bool) -> str:
    if _MEDIA_TYPE.fullmatch(kind):
        return kind.decode("ascii", "replace")
    if has_boundary:
        return "multipart/mixed"
    return default if not kind else "text/html" if kind == b"html" else "text/plain"  # RFC 2045 5.2


def _content_id(value: bytes) -> str:
    return _ANGLES.sub("", encoded_words.flatten(parameters.unlabelled(value[: parameters.MAX_PARAMETER_CHARS])))


def _before_line_end(raw: bytes, begin: int, at: int) -> int:
    """The line end before a delimiter belongs to the delimiter (RFC 2046 5.1.1)."""
    if at == begin:
        return at
    return at - 2 if at - 2 >= begin and raw[at - 2] == 0x0D else at - 1


def _guessed_boundary(raw: bytes, begin: int, end: int) -> bytes | None:
    """The boundary as the content shows it, for a header whose boundary is missing or doesn't occur."""
    match = _DELIMITER_GUESS.search(raw, begin, end)
    return match[1] if match else None
