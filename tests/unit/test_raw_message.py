"""A raw message has the same headers and body as Postfix passes to the filter, whatever its bytes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from capture_milter.assembly import Assembly, join_headers
from mailweir import headers, identity, raw_message
from mailweir.headers import Header
from tests.integration import postfix_changes, wire

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly

# Differences of later versions concern lines `From …` before the headers. A Gmail mailbox doesn't contain such lines.
_RULES = postfix_changes.rules((3, 7, 11))
_UNCUT = tuple(rule for rule in _RULES if rule is not postfix_changes.long_header)
HEADERS = [(b"From", b" Jane <jane@client.example>"), (b"Subject", b" An\r\n\toffer")]


def _by_the_filter(raw: bytes) -> tuple[list[Header], bytes]:
    """Headers and body as the filter gets them over SMTP, by the rules that were measured on a real Postfix."""
    for rule in _UNCUT:
        raw = rule(raw)
    head, rest = postfix_changes.split(raw)
    parts = (field.removesuffix(b"\r\n").partition(b":") for field in postfix_changes.fields(head))
    return [(name, value) for name, _, value in parts], rest.removeprefix(b"\r\n")


def _digests(lines: list[Header], body: bytes) -> tuple[bytes, bytes, bytes]:
    digest = identity.BodyDigest()
    digest.update(body)
    view = headers.look(lines)
    return (
        digest.digest(),
        identity.version(lines, digest.digest()),
        identity.key(view, digest.digest()),
    )


def _check_like_the_filter(raw: bytes) -> None:
    lines, body = raw_message.split(raw)
    expected = _by_the_filter(wire.lines_of(raw))
    assert lines == expected[0]
    assert body.rstrip(b"\r\n") == expected[1].rstrip(b"\r\n")
    made = Assembly(expected[0])
    made.add(expected[1])
    assert _digests(lines, body) == _digests(*expected)
    assert _digests(lines, body)[:2] == (
        made.body_digest(),
        identity.version(made.as_bytes().headers, made.body_digest()),
    )


@pytest.mark.parametrize(
    ("raw", "names", "body"),
    [
        (b"", [], b""),
        (b"\r\n", [], b""),
        (b"\r\n\r\n", [], b"\r\n"),
        (b"\r\nA: b\r\n\r\nhi\r\n", [], b"A: b\r\n\r\nhi\r\n"),
        (b"\n\nhi", [], b"\r\nhi"),
        (b"A: b", [b"A"], b""),
        (b"A: b\r\n", [b"A"], b""),
        (b"A: b\r\n\r\n", [b"A"], b""),
        (b"A: b\n\nhi\nho", [b"A"], b"hi\r\nho"),
        (b"A: b\r\n\nhi\r\n", [b"A"], b"hi\r\n"),
        (b"A: b\r\n \r\n\r\nhi\r\n", [b"A"], b"hi\r\n"),
        (b"A: b\r\n\r\n x\r\n", [b"A"], b" x\r\n"),
        (b"A: b\r\nno header\r\nB: c\r\n\r\nhi", [b"A"], b"no header\r\nB: c\r\n\r\nhi"),
        (b"A: b\r\n>From c\r\nB: c\r\n\r\nhi", [b"A"], b">From c\r\nB: c\r\n\r\nhi"),
        (b"no header", [], b"no header"),
        (b" A: b\r\nB: c\r\n\r\nhi", [], b" A: b\r\nB: c\r\n\r\nhi"),
        (b"\xef\xbb\xbfA: b\r\n\r\nhi", [], b"\xef\xbb\xbfA: b\r\n\r\nhi"),
        (b"A: b\r\nB\xe4: c\r\n\r\nhi", [b"A"], b"B\xe4: c\r\n\r\nhi"),
        (b"A: b\r\n: c\r\n\r\nhi", [b"A"], b": c\r\n\r\nhi"),
        (b"A : b\r\nB\t: c\r\n\r\nhi", [b"A", b"B"], b"hi"),
        (b"A b: c\r\n\r\nhi", [], b"A b: c\r\n\r\nhi"),
        (b"From a@b.example Mon\r\n>From c\r\nA: b\r\n\r\nhi", [b"X-Mailbox-Line", b"X-Mailbox-Line", b"A"], b"hi"),
        (b"From a@b.example", [b"X-Mailbox-Line"], b""),
        (b"From: a@b.example\r\n\r\nFrom c\r\n", [b"From"], b"From c\r\n"),
        (b"A\0: b\0c\r\n\r\nh\0i", [b"A"], b"hi"),
        (b"A: b\r\n\r\nhi\rho\r\r\n", [b"A"], b"hi ho \r\n"),
        (b"A: b\rB: c\r\n\r\nhi", [b"A"], b"hi"),
        (b"From a\r\n b: c\r\nA: b\r\n\r\nhi", [b"X-Mailbox-Line"], b" b: c\r\nA: b\r\n\r\nhi"),
        (b"\0From a\r\nA: b\r\n\r\nhi", [], b"From a\r\nA: b\r\n\r\nhi"),
        (b"X" * 2_047 + b": a\r\n\r\nhi", [b"X" * 2_047], b"hi"),
        (b"X" * 2_048 + b": a\r\n\r\nhi", [], b"X" * 2_048 + b": a\r\n\r\nhi"),
    ],
)
def test_a_message_of_any_shape_falls_into_headers_and_body(raw: bytes, names: list[bytes], body: bytes) -> None:
    lines, rest = raw_message.split(raw)
    assert ([name for name, _ in lines], rest) == (names, body)
    _check_like_the_filter(raw)


def test_values_keep_their_white_space_and_folds() -> None:
    assert raw_message.split(join_headers(HEADERS) + b"hi\r\n") == (HEADERS, b"hi\r\n")
    lines, _ = raw_message.split(b"A:b\nB: \t c \t\nC:\n d\n\t e\nD:\n\nhi")
    assert lines == [(b"A", b"b"), (b"B", b" \t c \t"), (b"C", b"\r\n d\r\n\t e"), (b"D", b"")]


def test_a_from_behind_a_line_that_is_no_header_is_no_author() -> None:
    """Otherwise the author of such a line would be one author here and another one at the filter."""
    lines, _ = raw_message.split(b"Subject: x\r\nno header\r\nFrom: jane@client.example\r\n\r\nhi\r\n")
    assert headers.look(lines).author is None


_PIECES = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b" ", b"\t", b"\0", b":", b"From ", b">From ", b">"),
        *(b"From: jane@client.example\r\n", b"Subject: x", b"Message-ID: <1@x>\r\n", b"To:", b"X : y\r\n", b"\xe4"),
        *(b"DKIM-Signature: h=From:To; b=x\r\n", b"\r\n folded", b"\r\n\t", b"word", b"."),
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.lists(_PIECES, max_size=25).map(b"".join), st.binary(max_size=60)))
@example(b"From x\r\n y: z\r\n\r\nhi")
@example(b"From x\r\n\r\nhi")
@example(b"A: b\r\n\0\r\nhi")
@example(b"A: b\r\n\0 c: d\r\nhi")
@example(b"A: b\r\n\r\0\nhi")
def test_one_message_is_one_by_whatever_route_it_comes(raw: bytes) -> None:
    assume(not re.match(rb"(?:>*From [^\n]*\n)+\0", raw))  # a fold that NUL hides from smtpd
    _check_like_the_filter(raw)


def test_every_mail_of_the_corpus_is_one_by_whatever_route_it_comes(corpus: list[Path]) -> None:
    for path in corpus:
        raw = path.read_bytes()
        _check_like_the_filter(raw)
        _check_like_the_filter(wire.lines_of(raw))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.from_regex(rb"[!-9;-~]{1,8}", fullmatch=True), st.just(b" x y")), max_size=6),
    st.lists(st.sampled_from([b"a", b"\r\n", b" ", b"From ", b"A: b\r\n"]), max_size=8).map(b"".join),
)
def test_what_is_joined_falls_apart_again(lines: list[Header], body: bytes) -> None:
    assert raw_message.split(join_headers(lines) + body) == (lines, body)


@pytest.mark.parametrize(
    "hostile",
    [
        lambda size: b"\r" * size,
        lambda size: b"\n" * size,
        lambda size: b"\r\n" * (size // 2),
        lambda size: b"\0" * size,
        lambda size: b" " * size,
        lambda size: b"a" * size,
        lambda size: b"a:" + b"\r\n " * (size // 3),
        lambda size: b"a:" + b"\n\t" * (size // 2),
        lambda size: b"a:\r\n" * (size // 4),
        lambda size: b"a" + b" " * size,
        lambda size: b"From " * (size // 5),
        lambda size: b"From \r\n" * (size // 7),
        lambda size: b">" * size,
        lambda size: b"A: b\r\n\r\n" + b"\r\r\n" * (size // 3),
    ],
)
def test_time_grows_with_the_size_only(hostile: Callable[[int], bytes], grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: raw_message.split(hostile(size)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ()),
        ([b""], ()),
        ([b" Joe@Client.example"], ("joe@client.example",)),
        ([b" joe@x.example, Jane <jane@x.example>", b" JOE@x.example"], ("joe@x.example", "jane@x.example")),
        ([b" undisclosed-recipients:;"], ()),
        ([b" \xff, joe@client.example"], ("joe@client.example",)),
        ([b" joe@client.example" + b"," * headers.MAX_RECIPIENT_BYTES], ()),
        ([b" joe@client.example" + b"," * 200_000, b" jane@client.example" + b"," * 200_000], ("joe@client.example",)),
    ],
)  # fmt: skip
def test_bcc_is_read_as_the_senders_copy_has_it(values: list[bytes], expected: tuple[str, ...]) -> None:
    lines = [(b"BCC", value) for value in values]
    assert raw_message.bcc([(b"To", b" x@y.example"), (b"Resent-Bcc", b" z@y.example"), *lines]) == expected


@pytest.mark.parametrize("piece", [b"a@b.example,", b"(", b'"', b"<", b",", b"\\"])
def test_reading_bcc_takes_no_longer_than_its_size(piece: bytes, grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: raw_message.bcc([(b"Bcc", piece * (size // len(piece)))]))
