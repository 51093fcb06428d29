"""A message as its reader sees it: its text in order, and its HTML."""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mailweir.reading import body, parts
from mailweir.reading.body import Body
from tests.unit.reading.mails import ATTACHED, PNG, in_base64, multipart, part

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly

LONG_HTML = "<p>" + "Our offer of today, with all prices. " * 20


def read(raw: bytes) -> Body:
    """The body of a whole message."""
    return body.read(raw, parts.walk(raw))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (part("text/plain", "hello\r\nyou\r\n"), "hello\nyou"),
        (b"Subject: x\r\n\r\nhello", "hello"),
        (part("text/plain; charset=us-ascii", "für".encode("cp1252")), "für"),
        (
            part("text/plain; charset=utf-8", "f=C3=BCr=\r\n!", headers="Content-Transfer-Encoding: quoted-printable"),
            "für!",
        ),
        (in_base64("text/plain; charset=gb2312", "报价".encode("gb18030")), "报价"),
        (part("text/plain; format=flowed", "one \r\ntwo\r\n> three \r\n> four\r\n"), "one two\n> three four"),
        (part("text/plain; format=flowed; delsp=yes", "on \r\ne\r\n"), "one"),
        (part("text/enriched", "<bold>hello</bold> <<you"), "hello <you"),
        (part("text/markdown", "# hello"), "# hello"),
        (part("image/png", PNG), ""),
        (part("text/calendar", "BEGIN:VCALENDAR"), ""),
        (part("text/plain", "hello", headers=ATTACHED), ""),
        (part("text/plain; name=a.txt", "hello", headers="Content-Disposition: inline"), "hello"),
        (part("multipart/mixed; boundary=x", "no parts at all"), "no parts at all"),
        (b"", ""),
    ],
)
def test_plain_text_is_shown(raw: bytes, expected: str) -> None:
    assert read(raw) == Body(text=expected, html=None, is_from_html=False)


def test_mail_in_html_alone_is_shown_as_text() -> None:
    html = "<html><body><p>hello</p><blockquote>you</blockquote></body></html>"
    found = read(part("text/html; charset=utf-8", html))
    assert (found.html, found.is_from_html) == (html, True)
    assert found.text.split("\n")[0] == "hello"
    assert "> you" in found.text


def test_of_two_forms_the_plain_one_is_the_text() -> None:
    raw = multipart("alternative", part("text/plain", "hello"), part("text/html", "<p>hello"))
    assert read(raw) == Body(text="hello", html="<p>hello", is_from_html=False)


@pytest.mark.parametrize(
    "plain",
    [
        "",
        " \r\n\r\n",
        "Your program shows no HTML.",
        "Look at this in a browser:\r\n\r\nhttps://client.example/1\r\n",
        "<html><body><p>hello",
        "\r\n<!DOCTYPE html><p>hello",
    ],
)
def test_a_plain_form_that_says_nothing_does_not_count(plain: str) -> None:
    found = read(multipart("alternative", part("text/plain", plain), part("text/html", LONG_HTML)))
    assert found.text.startswith("Our offer of today")
    assert found.is_from_html


@pytest.mark.parametrize(
    ("plain", "html"),
    [
        ("Yes.", "<p>Yes."),
        ("Yes.", "<p></p>"),
        ("Our offer.\r\n\r\nThe price.\r\n\r\nRegards,\r\nJane", LONG_HTML),
        ("Our offer of today, with all prices. " * 6, LONG_HTML),
    ],
)
def test_a_plain_form_that_says_something_counts(plain: str, html: str) -> None:
    found = read(multipart("alternative", part("text/plain", plain), part("text/html", html)))
    assert found.text.startswith(plain.partition("\r")[0])
    assert not found.is_from_html


def test_texts_between_files_stand_in_their_order() -> None:
    picture = in_base64("image/png; name=a.png", PNG, headers="Content-Disposition: inline")
    raw = multipart(
        "mixed",
        part("text/plain", "one\r\n"),
        picture,
        part("text/plain", "two\r\n"),
        picture,
        part("text/plain", "three"),
    )
    assert read(raw).text == "one\n\ntwo\n\nthree"


def test_html_between_files_stands_in_its_order_too() -> None:
    rest = multipart(
        "mixed", part("text/html", "<p>one"), part("application/pdf; name=a.pdf", "%PDF"), part("text/html", "<p>two")
    )
    found = read(multipart("alternative", part("text/plain", "one\r\ntwo"), rest))
    assert (found.text, found.html) == ("one\ntwo", "<p>one\n<p>two")


def test_a_lists_footer_is_shown_in_both_forms() -> None:
    letter = multipart("alternative", part("text/plain", "hello"), part("text/html", "<p>hello"))
    found = read(multipart("mixed", letter, part("text/plain", "list <footer>")))
    assert found.text == "hello\n\nlist <footer>"
    assert found.html == '<p>hello\n<pre style="white-space: pre-wrap">list &lt;footer&gt;</pre>'


def test_a_page_with_its_pictures_is_html() -> None:
    page = multipart(
        "related", part("text/html", "<p>hello<img src=cid:1>"), in_base64("image/png", PNG, headers="Content-ID: <1>")
    )
    assert read(multipart("alternative", part("text/plain", "hello"), page)).html == "<p>hello<img src=cid:1>"
    assert read(page).text.startswith("hello")


def test_a_page_may_stand_behind_its_pictures() -> None:
    raw = multipart("related", in_base64("image/png", PNG, headers="Content-ID: <1>"), part("text/html", "<p>hello"))
    assert read(raw).html == "<p>hello"


@pytest.mark.parametrize(
    "raw",
    [
        multipart("mixed", part("text/plain", "hello"), part("text/plain; name=a.txt", "file")),
        multipart("mixed", part("text/plain", "hello"), part("text/plain", "file", headers=ATTACHED)),
        multipart("mixed", part("text/plain", "hello"), part("text/html", "<p>file", headers=ATTACHED)),
        multipart("mixed", part("text/plain", "hello"), part("text/csv", "a;b")),
        multipart("alternative", part("text/plain", "hello"), part("text/x-amp-html", "<p>file")),
        multipart("alternative", part("text/plain", "hello"), part("text/enriched", "file")),
        multipart("alternative", part("text/plain", "hello"), part("text/calendar", "BEGIN:VCALENDAR")),
        multipart("signed", part("text/plain", "hello"), part("application/pgp-signature", "-----")),
        multipart(
            "report",
            part("text/plain", "hello"),
            part("message/delivery-status", "A: b"),
            part("text/rfc822-headers", "C: d"),
        ),
        multipart("report", part("text/plain", "hello"), part("message/rfc822", "Subject: x\r\n\r\nreturned")),
        multipart("appledouble", part("application/applefile", "x"), part("text/plain", "hello")),
        multipart(
            "unknown",
            part("text/plain", "hello"),
            part("message/external-body; access-type=url", "Content-Type: text/plain"),
        ),
    ],
)
def test_files_are_no_text(raw: bytes) -> None:
    assert read(raw).text == "hello"


def test_what_is_encrypted_is_no_text() -> None:
    raw = multipart(
        "encrypted", part("application/pgp-encrypted", "Version: 1"), part("application/octet-stream", "-----BEGIN PGP")
    )
    assert read(raw) == Body(text="", html=None, is_from_html=False)


@pytest.mark.parametrize("kind", ["plain", "base64"])
def test_a_message_within_follows_under_the_lines_that_say_whose_it_is(kind: str) -> None:
    inner = (
        "From: Jane <jane@client.example>\r\nSubject: =?utf-8?q?f=C3=BCr?=\r\n"
        + "Date: Tue, 24 Nov 2026 03:12:55 +0000\r\n"
    )
    message = inner.encode() + part("text/html", "<p>our offer")
    made = {"plain": part("message/rfc822", message), "base64": in_base64("message/rfc822", message)}
    found = read(multipart("mixed", part("text/plain", "see below"), made[kind]))
    assert found.text.split("\n") == [
        "see below",
        "",
        "---------- Forwarded message ----------",
        "From: Jane <jane@client.example>",
        "Date: Tue, 24 Nov 2026 03:12:55 +0000",
        "Subject: für",
        "",
        "our offer",
    ]
    assert found.html is None


def test_parts_that_lie_encoded_are_opened() -> None:
    inner = b"--y\r\n\r\nhello\r\n--y\r\nContent-Type: text/html\r\n\r\n<p>hello\r\n--y--\r\n"
    assert read(in_base64("multipart/alternative; boundary=y", inner)).text == "hello"


def test_messages_in_messages_are_opened_so_far_and_no_further() -> None:
    raw = part("text/plain", "the innermost")
    for number in range(6):
        raw = in_base64("message/rfc822", raw, headers=f"Subject: {number}")
    text = read(raw).text
    assert "Subject: 2" in text
    assert "innermost" not in text


def test_an_uuencoded_file_is_cut_out_of_the_text() -> None:
    file = b"begin 644 a.txt\r\n%:&5L;&\\\r\n`\r\nend\r\n"
    assert read(part("text/plain", b"one\r\n" + file + b"two\r\n" + file + b"three")).text == "one\ntwo\nthree"


def test_text_has_an_end_and_says_so() -> None:
    assert read(part("text/plain", b"a" * 1_000_000)).text == "a" * 1_000_000
    found = read(part("text/plain; charset=utf-8", "ü".encode() * 600_000)).text
    assert found == "ü" * 500_000 + body.CUT_MARK
    many = read(multipart("mixed", *[part("text/plain", b"a" * 900_000)] * 4)).text
    assert len(many) == body.MAX_TEXT_BYTES + len(body.CUT_MARK)


@pytest.mark.parametrize(
    "raw",
    [
        part("text/html", b"<p>hello<img src='data:" + b"A" * 5_000_000 + b"'><p>you"),
        part("text/plain; charset=utf-16", "a".encode("utf-16-le") * 1_000_001),
        multipart("mixed", *[part("text/html", b"<p>hello<!--" + b"A" * 1_000_000 + b"-->")] * 6),
        in_base64("message/rfc822", part("text/plain", b"hello" + b" " * 9_000_000 + b"you")),
    ],
    ids=["picture in HTML", "UTF-16", "many parts", "message in base64"],
)
def test_what_was_not_read_is_said_too(raw: bytes) -> None:
    assert read(raw).text.endswith(body.CUT_MARK)


def test_what_fits_is_not_called_cut() -> None:
    assert body.CUT_MARK not in read(part("text/html", b"<p>hello<!--" + b"A" * 2_900_000 + b"-->")).text


def test_html_has_an_end() -> None:
    found = read(multipart("mixed", *[part("text/html", b"<p>" + b"a" * 1_500_000)] * 6))
    assert len(found.html or "") <= body.MAX_HTML_CHARS
    assert found.text.endswith(body.CUT_MARK)


@pytest.mark.parametrize(
    "hostile",
    [
        lambda size: multipart("mixed", *[part("text/html", "<p>")] * (size // 100)),
        lambda size: part("text/html", b"<" * size),
        lambda size: part("text/plain", b"<" * size),
        lambda size: part("message/rfc822", b"From:" + b"\r\n " * (size // 3)),
        lambda size: part("message/rfc822", b"From: a\r\n" * (size // 9)),
        lambda size: part("message/rfc822", b"a" * size),
        lambda size: multipart("alternative", part("text/plain", b" " * size), part("text/html", b"&" * size)),
        lambda size: b"\r\n" + b"begin 644 x\n#ABCD\n" * (size // 18),
        lambda size: in_base64("message/rfc822", base64.b64encode(b"\0" * size)),
    ],
)
def test_time_grows_with_the_size_only(hostile: Callable[[int], bytes], grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: read(hostile(size)))
