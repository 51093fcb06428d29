"""The files of a message: names, types, digests, and positions."""

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mailweir.reading import attachments, body, parts
from mailweir.reading.attachments import Attachment
from tests.unit.reading.mails import ATTACHED, PNG, in_base64, multipart, part

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly

UUENCODED = b"begin 644 a.txt\r\n%:&5L;&\\\r\n`\r\nend\r\n"


def index(raw: bytes) -> tuple[Attachment, ...]:
    """The attachments of a whole message."""
    found = parts.walk(raw)
    return attachments.index(raw, found, body.read(raw, found).html)


def named(raw: bytes) -> list[tuple[str, str]]:
    """Name and type of each."""
    return [(one.name, one.media_type) for one in index(raw)]


def test_a_file_is_known_by_its_bytes_and_comes_out_of_its_slice() -> None:
    raw = multipart("mixed", part("text/plain", "hello"), in_base64('image/jpeg; name="a.png"', PNG, headers=ATTACHED))
    (found,) = index(raw)
    assert (found.name, found.media_type, found.size_bytes) == ("a.png", "image/png", len(PNG))
    assert found.sha256 == hashlib.sha256(PNG).digest()
    assert (found.is_inline, found.content_id, found.encoding) == (False, "", "base64")
    assert raw[found.offset : found.offset + found.length].strip() == base64.b64encode(PNG)
    alone = b"\0" * found.offset + raw[found.offset : found.offset + found.length]
    assert attachments.decode(alone, found) == PNG


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (part("text/plain", "hello"), []),
        (in_base64("image/png", PNG), [("attachment-1.png", "image/png")]),
        (part("text/plain; name=a.txt", "hello", headers=ATTACHED), [("a.txt", "text/plain")]),
        (multipart("mixed", part("text/plain", "hello"), part("text/csv; name=a.csv", "1")), [("a.csv", "text/csv")]),
        (
            multipart("mixed", part("text/plain", "hello"), part("text/html", "x", headers=ATTACHED)),
            [("attachment-1.html", "text/html")],
        ),
        (
            multipart("alternative", part("text/plain", "hello"), part("text/calendar", "BEGIN")),
            [("attachment-1.ics", "text/calendar")],
        ),
        (multipart("alternative", part("text/plain", "hello"), part("text/x-amp-html", "x")), []),
        (
            multipart("signed", part("text/plain", "x"), part("application/pgp-signature", "x")),
            [("attachment-1.asc", "application/pgp-signature")],
        ),
        (
            multipart("signed", part("text/plain", "x"), part("application/pkcs7-signature; name=smime.p7s", "x")),
            [("smime.p7s", "application/pkcs7-signature")],
        ),
        (in_base64("application/ms-tnef", b"\x78\x9f\x3e\x22\x01\0"), [("winmail.dat", "application/ms-tnef")]),
        (in_base64("application/octet-stream", b"\x78\x9f\x3e\x22\x01\0"), [("winmail.dat", "application/ms-tnef")]),
        (part("application/x; name=../../.profile", "x", headers=ATTACHED), [("profile", "application/x")]),
        (part("application/x; name=a.txt", "x", headers=f"{ATTACHED}; filename=b.txt"), [("b.txt", "application/x")]),
        (part("application/x; name=a.txt", "x", headers=f"{ATTACHED}; filename="), [("a.txt", "application/x")]),
        (part("text/plain", b"hello\r\n" + UUENCODED), [("a.txt", "application/octet-stream")]),
        (
            part("application/x; name=a.txt", UUENCODED, headers="Content-Transfer-Encoding: x-uuencode"),
            [("a.txt", "application/x")],
        ),
    ],
)
def test_files_are_named(raw: bytes, expected: list[tuple[str, str]]) -> None:
    assert named(raw) == expected


def test_uuencoded_files_are_decoded() -> None:
    (found,) = index(part("text/plain", b"hello\r\n" + UUENCODED + b"bye"))
    assert (found.size_bytes, found.sha256) == (5, hashlib.sha256(b"hello").digest())


@pytest.mark.parametrize("disposition", ["attachment", "inline", "x"])
def test_inline_is_what_the_html_shows(disposition: str) -> None:
    headers = f"Content-ID: <a%b@client.example>\r\nContent-Disposition: {disposition}"
    picture = in_base64("image/png", PNG, headers=headers)
    page = part("text/html", '<p>x<img src="CID:a%25b@client.example">')
    (shown,) = index(multipart("related", page, picture))
    assert (shown.is_inline, shown.content_id) == (True, "a%b@client.example")
    (not_shown,) = index(multipart("related", part("text/html", "<p>x"), picture))
    assert not not_shown.is_inline


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ("Subject: Our offer: 1/2", "Our offer_ 1_2.eml"),
        ("Subject: =?utf-8?q?f=C3=BCr?=", "für.eml"),
        ("X-Other: y", "attachment-1.eml"),
        ("Subject: " + "x" * 500, "x" * 150 + ".eml"),
        ("Subject: " + "日" * 500, "日" * 65 + ".eml"),
    ],
)
@pytest.mark.parametrize("make", [part, in_base64])
def test_a_message_within_is_named_by_its_subject(make: Callable[[str, bytes], bytes], headers: str, name: str) -> None:
    inner = part("text/plain", "hello", headers=headers)
    raw = multipart("mixed", part("text/plain", "see"), make("message/rfc822", inner))
    assert named(raw) == [(name, "message/rfc822")]
    assert attachments.decode(raw, index(raw)[0]) == inner


def test_files_of_a_message_within_are_listed_behind_it() -> None:
    inner = multipart(
        "mixed", part("text/plain", "hello"), in_base64("image/png; name=a.png", PNG), headers="Subject: x"
    )
    raw = multipart(
        "mixed", part("text/plain", "see"), part("message/rfc822", inner), in_base64("image/png; name=b.png", PNG)
    )
    assert [name for name, _ in named(raw)] == ["x.eml", "a.png", "b.png"]


def test_files_of_a_message_that_lies_encoded_are_a_part_of_it() -> None:
    inner = multipart(
        "mixed", part("text/plain", "hello"), in_base64("image/png; name=a.png", PNG), headers="Subject: x"
    )
    raw = multipart("mixed", part("text/plain", "see"), in_base64("message/rfc822", inner))
    assert [name for name, _ in named(raw)] == ["x.eml"]


def test_a_returned_message_is_one_file() -> None:
    inner = multipart(
        "mixed", part("text/plain", "hello"), in_base64("image/png; name=a.png", PNG), headers="Subject: x"
    )
    raw = multipart(
        "report", part("text/plain", "sorry"), part("message/delivery-status", "A: b"), part("message/rfc822", inner)
    )
    assert [name for name, _ in named(raw)] == ["attachment-1.txt", "x.eml"]


def test_messages_in_messages_end_somewhere() -> None:
    raw = part("text/plain", "hello")
    for _ in range(40):
        raw = part("message/rfc822", raw)
    assert len(index(raw)) == 4


def test_cids_are_counted_to_an_end() -> None:
    assert attachments.cids("x cid:a 'cid:b%20c' CID:d)") == {"a", "b c", "d"}
    assert len(attachments.cids(" ".join(f"cid:{number}" for number in range(9_000)))) == attachments.MAX_CIDS


@pytest.mark.parametrize(
    "hostile",
    [
        lambda size: part("text/html", b"cid:" * (size // 4)),
        lambda size: part("text/html", b"cid:%" * (size // 5)),
        lambda size: multipart("mixed", *[part("image/png", "x")] * (size // 100)),
        lambda size: in_base64("message/rfc822", b"Subject:" + b"\r\n " * (size // 3)),
        lambda size: in_base64("message/rfc822", b"Subject: =?utf-8?q?" * (size // 19)),
        lambda size: part("text/plain", b"begin 644 x\n" + b"!A\n" * (size // 3)),
    ],
)
def test_time_grows_with_the_size_only(hostile: Callable[[int], bytes], grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: index(hostile(size)))
