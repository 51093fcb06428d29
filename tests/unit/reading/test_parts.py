"""The MIME walk: the parts of a message, and their positions, in real-world mail."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mailweir.reading import parts
from mailweir.reading.parts import Part

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly


def shapes(raw: bytes) -> list[tuple[tuple[int, ...], str, bytes]]:
    """Path, type and content of each leaf."""
    return [(part.path, part.media_type, content(raw, part)) for part in leaves(raw)]


def leaves(raw: bytes) -> list[Part]:
    """The parts without parts of their own."""
    found = parts.walk(raw)
    parents = {part.path[:-1] for part in found if part.path}
    return [part for part in found if part.path not in parents]


def content(raw: bytes, part: Part) -> bytes:
    """Its bytes in raw."""
    return raw[part.offset : part.end]


def mixed(*bodies: bytes, kind: bytes = b"mixed", boundary: bytes = b"x", close: bytes = b"--x--\r\n") -> bytes:
    """A multipart message of parts with their headers."""
    head = b"Content-Type: multipart/" + kind + b'; boundary="' + boundary + b'"\r\n\r\n'
    return head + b"".join(b"--" + boundary + b"\r\n" + body + b"\r\n" for body in bodies) + close


def test_a_message_without_mime_is_one_plain_part() -> None:
    raw = b"Subject: x\r\n\r\nhello\r\n"
    assert shapes(raw) == [((), "text/plain", b"hello\r\n")]
    (part,) = parts.walk(raw)
    assert (part.header_offset, part.encoding, part.disposition, part.filename, part.content_id) == (
        0,
        "identity",
        "",
        "",
        "",
    )


def test_parts_come_in_the_order_of_the_document_with_their_parents_in_front() -> None:
    head = b"Content-Type: multipart/alternative; boundary=y\r\n\r\n"
    inner = head + b"--y\r\n\r\na\r\n--y\r\nContent-Type: text/html\r\n\r\nb\r\n--y--"
    raw = mixed(inner, b"Content-Type: image/png\r\n\r\nc")
    assert [(part.path, part.media_type) for part in parts.walk(raw)] == [
        ((), "multipart/mixed"),
        ((0,), "multipart/alternative"),
        ((0, 0), "text/plain"),
        ((0, 1), "text/html"),
        ((1,), "image/png"),
    ]
    assert [content(raw, part) for part in leaves(raw)] == [b"a", b"b", b"c"]


def test_what_the_header_says_is_read() -> None:
    raw = (
        b"CONTENT-TYPE: Text/Plain; Charset=UTF-8; name=a.txt\r\nContent-Disposition: Attachment;\r\n filename=b.txt\r\n"
        b"Content-Id: <1@client.example>\r\nContent-Transfer-Encoding: Base64 \r\n\r\nYQ==\r\n"
    )
    (part,) = parts.walk(raw)
    assert (part.media_type, part.parameters) == ("text/plain", {"charset": "UTF-8", "name": "a.txt"})
    assert (part.disposition, part.filename, part.content_id) == ("attachment", "b.txt", "1@client.example")
    assert part.encoding == parts.BASE64


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_of_each_kind_end_lines(line_end: bytes) -> None:
    raw = mixed(b"\r\nhi\r\nyou", b"Content-Type: image/png\r\n\r\nc").replace(b"\r\n", line_end)
    assert shapes(raw) == [((0,), "text/plain", b"hi" + line_end + b"you"), ((1,), "image/png", b"c")]


def test_line_ends_may_be_mixed() -> None:
    raw = (
        b"Content-Type: multipart/mixed;\n boundary=x\r\n\n--x\r\n\nhi\n--x\nContent-Type: image/png\r\n\r\nc\r\n--x--"
    )
    assert shapes(raw) == [((0,), "text/plain", b"hi"), ((1,), "image/png", b"c")]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (mixed(b"\r\na", b"\r\nb", close=b""), [b"a", b"b\r\n"]),
        (mixed(b"\r\na", close=b"--x--"), [b"a"]),
        (mixed(b"\r\na", close=b"--x-- \t\r\nepilogue"), [b"a"]),
        (mixed(b"\r\na", close=b"--x--y\r\n--x\r\n\r\nb\r\n--x--"), [b"a\r\n--x--y", b"b"]),
        (mixed(b"\r\na\r\n--xy\r\nb"), [b"a\r\n--xy\r\nb"]),
        (mixed(b"\r\na --x\r\nb"), [b"a --x\r\nb"]),
        (mixed(b"\r\na\r\n--x  ", b"\r\nb"), [b"a", b"", b"b"]),
        (mixed(b"\r\na", close=b"--x-->\r\nepilogue"), [b"a"]),
        (mixed(b"\r\na", close=b"--x-- and so on\r\nepilogue"), [b"a"]),
        (mixed(b"\r\na\r\n--x and so on", b"\r\nb"), [b"a", b"", b"b"]),
        (mixed(), [b"--x--\r\n"]),
        (b"Content-Type: multipart/mixed; boundary=x\r\n--x\r\n\r\na\r\n--x--", [b"a"]),
        (b"Content-Type: multipart/mixed; boundary=x\r\n\r\npreamble\r\n--x\r\n\r\na\r\n--x--", [b"a"]),
        (b"Content-Type: multipart/mixed; boundary=x\r\n\r\nno parts", [b"no parts"]),
        (b"Content-Type: multipart/mixed; boundary=x", [b""]),
    ],
)  # fmt: skip
def test_delimiters_are_whole_lines(raw: bytes, expected: list[bytes]) -> None:
    assert [content(raw, part) for part in leaves(raw)] == expected


def test_a_boundary_may_begin_like_another_one() -> None:
    inner = b'Content-Type: multipart/mixed; boundary="x-1"\r\n\r\n--x-1\r\n\r\na\r\n--x-1\r\n\r\nb\r\n--x-1--'
    raw = mixed(inner, b"\r\nc")
    assert shapes(raw) == [((0, 0), "text/plain", b"a"), ((0, 1), "text/plain", b"b"), ((1,), "text/plain", b"c")]


def test_an_inner_part_that_nobody_closed_ends_with_the_outer_one() -> None:
    raw = mixed(b"Content-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\na", b"\r\nb")
    assert shapes(raw) == [((0, 0), "text/plain", b"a"), ((1,), "text/plain", b"b")]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: multipart/mixed\r\n",
        b"Content-Type: multipart/mixed; boundary=\r\n",
        b'Content-Type: multipart/mixed; boundary=""\r\n',
        b"Content-Type: multipart/mixed; boundary=other\r\n",
        b"Subject: no type at all\r\n",
    ],
)
def test_a_boundary_that_the_header_does_not_name_is_guessed(head: bytes) -> None:
    raw = head + b"\r\n--=_1\r\n\r\na\r\n--=_1\r\nContent-Type: image/png\r\n\r\nb\r\n--=_1--\r\n"
    assert shapes(raw) == [((0,), "text/plain", b"a"), ((1,), "image/png", b"b")]


@pytest.mark.parametrize(
    "text", [b"hi\r\n-- \r\nJane\r\n", b"-- \r\nJane\r\n", b"--x\r\ny\r\n", b"hi\r\n---\r\n\r\nJane\r\n--\r\n\r\n"]
)
def test_a_signature_is_no_boundary(text: bytes) -> None:
    raw = b"Subject: x\r\n\r\n" + text
    assert shapes(raw) == [((), "text/plain", text)]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"Content-Type: multipart/mixed\r\n\tboundary=x\r\n", "multipart/mixed"),
        (b"Content-Type: multipart/mixed;\r\nboundary=x\r\nMIME-Version: 1.0\r\n", "multipart/mixed"),
        (b"Content-Type: multipart/mixed; boundary=x\r\nof two lines\r\nMIME-Version: 1.0\r\n", "multipart/mixed"),
        (b"Content-Type: multipart/mixed; boundary=x\r\nContent-Type: text/plain\r\n", "multipart/mixed"),
        (b"Content-Type: ; boundary=x\r\n", "multipart/mixed"),
        (b"X-Other: y\r\nContent-Type : multipart/mixed; boundary=x (a comment)\r\n", "multipart/mixed"),
        (b"Content-Type: multipart/mixed (a comment); boundary = x\r\n", "multipart/mixed"),
    ],
)
def test_headers_are_read_as_they_are_written(head: bytes, expected: str) -> None:
    raw = head + b"\r\n--x\r\n\r\na\r\n--x--"
    assert parts.walk(raw)[0].media_type == expected
    assert shapes(raw) == [((0,), "text/plain", b"a")]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (b"", "text/plain"),
        (b"text", "text/plain"),
        (b"/", "text/plain"),
        (b"TEXT/HTML", "text/html"),
        (b"html", "text/html"),
        (b"text/plain/x", "text/plain"),
        (b"\xff/\xff", "text/plain"),
        (b"application/vnd.x+json", "application/vnd.x+json"),
    ],
)
def test_a_type_that_cannot_be_read_is_plain_text(kind: bytes, expected: str) -> None:
    assert parts.walk(b"Content-Type: " + kind + b"\r\n\r\nhi")[0].media_type == expected


def test_what_is_said_holds_nothing_that_a_database_cannot_take() -> None:
    raw = (
        b'Content-Type: text/plain; a\0b=c; charset="\xff\0\x1b"\r\nContent-ID: <\0\xff>\r\nContent-Disposition: \xff\r\n\r\n'
        b"begin 644 \x1b\0a\n%:&5L;&\\\n"
    )
    text, file = parts.walk(raw)
    assert (dict(text.parameters), text.content_id, text.disposition) == ({"charset": "\xff"}, "\xff", "")
    assert file.filename == "a"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", b""),
        (b"\r\n\r\nhi", b"\r\nhi"),
        (b"Subject: x", b""),
        (b"Subject: x\r\n", b""),
        (b"hi there\r\nyou", b"hi there\r\nyou"),
        (b"Subject: x\r\nhi there\r\nyou", b"hi there\r\nyou"),
        (b"Subject: x\r\n y\r\nFrom nobody\r\n\r\nyou", b"From nobody\r\n\r\nyou"),
        (b"From jane Mon Nov 24 03:12:55 2026\r\nSubject: x\r\n\r\nhi", b"hi"),
        (b">From jane Mon Nov 24 03:12:55 2026\nSubject: x\n\nhi", b"hi"),
        (b"\xef\xbb\xbfSubject: x\r\n\r\nhi", b"hi"),
        (b"\0\0\0", b"\0\0\0"),
    ],
)
def test_the_content_begins_where_the_header_ends(raw: bytes, expected: bytes) -> None:
    (part,) = parts.walk(raw)
    assert content(raw, part) == expected


def test_a_byte_order_mark_hides_no_header() -> None:
    assert parts.walk(b"\xef\xbb\xbfContent-Type: text/html\r\n\r\nhi")[0].media_type == "text/html"


def test_parts_of_a_digest_are_messages_unless_they_say_otherwise() -> None:
    raw = mixed(b"\r\nSubject: x\r\n\r\nhi", b"Content-Type: text/plain\r\n\r\nyou", kind=b"digest")
    assert shapes(raw) == [((0, 0), "text/plain", b"hi"), ((1,), "text/plain", b"you")]
    assert parts.walk(raw)[1].media_type == "message/rfc822"


@pytest.mark.parametrize("encoding", [b"7bit", b"base64", b"quoted-printable"])
def test_a_message_within_is_walked_where_it_is_readable(encoding: bytes) -> None:
    head = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: " + encoding
    raw = mixed(head + b"\r\n\r\nSubject: x\r\nContent-Type: text/html\r\n\r\nhi")
    assert shapes(raw) == [((0, 0), "text/html", b"hi")]


def test_a_message_within_that_is_encoded_stays_one_part() -> None:
    raw = mixed(b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0KDQpoaQ==")
    assert shapes(raw) == [((0,), "message/rfc822", b"U3ViamVjdDogeA0KDQpoaQ==")]
    assert leaves(raw)[0].encoding == parts.BASE64


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"base64", "base64"),
        (b'"base64"', "base64"),
        (b"BASE64 (RFC 2045)", "base64"),
        (b"quoted-printable;", "quoted-printable"),
        (b"quoted printable", "quoted-printable"),
        (b"x-uuencode", "uuencode"),
        (b"8bit", "identity"),
        (b"7-bit", "identity"),
        (b"text/html", "identity"),
        (b"", "identity"),
    ],
)
def test_a_transfer_encoding_is_one_of_four(value: bytes, expected: str) -> None:
    assert parts.walk(b"Content-Transfer-Encoding: " + value + b"\r\n\r\nhi")[0].encoding == expected


def test_words_are_no_base64_whatever_the_header_says() -> None:
    words = b"Content-Transfer-Encoding: base64\r\n\r\nThe prices of our offer hold to the end of the month.\r\n"
    assert parts.walk(words)[0].encoding == parts.IDENTITY
    junk = b"Content-Transfer-Encoding: base64\r\n\r\n" + b"!aGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8g\r\n" * 3
    assert parts.walk(junk)[0].encoding == parts.BASE64


def test_a_message_within_may_begin_with_a_mailbox_line() -> None:
    raw = mixed(b"Content-Type: message/rfc822\r\n\r\nFrom jane Mon Nov 24 03:12:55 2026\r\nSubject: x\r\n\r\nhi")
    assert shapes(raw) == [((0, 0), "text/plain", b"hi")]


def test_an_uuencoded_file_is_a_part_below_its_text() -> None:
    file = b"begin 644 a.txt\r\n%:&5L;&\\\r\n`\r\nend\r\n"
    raw = b"Subject: x\r\n\r\nhi\r\n" + file + b"bye\r\n"
    text, found = parts.walk(raw)
    assert (found.path, found.filename, found.encoding) == ((0,), "a.txt", parts.UUENCODE)
    assert content(raw, found) == file
    assert content(raw, text) == b"hi\r\n" + file + b"bye\r\n"


def test_what_is_too_deep_stays_one_part() -> None:
    raw = (
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(3_000))
        + b"\r\nhi"
    )
    found = parts.walk(raw)
    assert [len(part.path) for part in found] == list(range(parts.MAX_DEPTH + 1))
    assert content(raw, found[-1]).endswith(b"hi")


def test_messages_within_messages_end_somewhere_too() -> None:
    assert len(parts.walk(b"Content-Type: message/rfc822\r\n\r\n" * 3_000)) == parts.MAX_DEPTH + 1


def test_no_more_parts_are_listed_than_are_allowed() -> None:
    assert len(parts.walk(mixed(*[b"\r\na"] * 3_000))) == parts.MAX_PARTS
    assert len(parts.walk(b"\r\n" + b"begin 644 x\n#ABCD\n" * 3_000)) == parts.MAX_PARTS


def test_what_boundaries_may_cost_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MAX_WORK", 10_000)
    raw = mixed(*[b"\r\na"] * 100)
    assert 2 < len(parts.walk(raw)) < 20
    assert sum(part.length for part in leaves(raw)) > len(raw) * 3 // 4


@pytest.mark.parametrize(
    "hostile",
    [
        lambda size: b"\r\n" * (size // 2),
        lambda size: b"a" * size,
        lambda size: b"a\n" * (size // 2),
        lambda size: b"A: b\r\n" * (size // 6),
        lambda size: b"A: b\n" + b"junk\nx-a: b\n" * (size // 12),
        lambda size: b"Content-Type: a" + b"\r\n " * (size // 3),
        lambda size: b"Content-Type: a;" + b"\r\nname=" * (size // 7),
        lambda size: b"Content-Type: " + b"a" * size,
        lambda size: b"Content-Type: " + b"(" * size,
        lambda size: b"Content-Type: a; " + b" " * size,
        lambda size: b"From " + b" 12" * (size // 3),
        lambda size: b">" * size,
        lambda size: b"From x 12:00\n" * (size // 13),
        lambda size: mixed(b"-" * size),
        lambda size: mixed(b"--x" * (size // 3)),
        lambda size: mixed(b"--xy\n" * (size // 5)),
        lambda size: mixed(b"--x" + b" " * size),
        lambda size: mixed(b"-" * size, boundary=b"-" * 60),
        lambda size: b"Content-Type: multipart/mixed\r\n\r\n" + b"--a\n" * (size // 4),
        lambda size: b"Content-Type: multipart/mixed\r\n\r\n--" + b"a" * size,
        lambda size: b"Content-Type: multipart/mixed\r\n\r\n" + (b"--" + b" " * 200) * (size // 202),
        lambda size: b"\r\n" + b"begin 644 x\n" * (size // 12),
        lambda size: b"\r\nbegin 644 x\n" + b"!A\n" * (size // 3),
    ],
)
def test_time_grows_with_the_size_only(hostile: Callable[[int], bytes], grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: parts.walk(hostile(size)))
