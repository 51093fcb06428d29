"""A part's bytes as text: the charset shows in the bytes, or is taken from their label."""

import codecs
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir.reading import part_text

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly


@pytest.mark.parametrize(
    ("data", "label", "expected"),
    [
        ("für".encode(), "utf-8", "für"),
        ("für".encode(), "us-ascii", "für"),
        ("für".encode("cp1252"), "us-ascii", "für"),
        ("„für“".encode("cp1252"), "", "„für“"),
        ("für".encode(), "", "für"),
        ("für".encode("cp1252"), "utf-8", "für"),
        ("für €".encode() + b"\xff", "utf-8", "für €\ufffd"),
        ("„für“".encode("cp1252"), "iso-8859-1", "„für“"),
        ("für".encode(), "nonsense", "für"),
        ("für".encode("cp1252"), "nonsense", "für"),
        ("报价龥€".encode("gb18030"), "gb2312", "报价龥€"),
        ("报价".encode("gbk"), "x-gbk", "报价"),
        ("見積".encode("iso-2022-jp"), "iso-2022-jp", "見積"),
        ("見積".encode("iso-2022-jp"), "", "見積"),
        ("見積".encode("iso-2022-jp"), "us-ascii", "見積"),
        ("見積".encode("iso-2022-jp"), "utf-8", "見積"),
        (b"\x1b[31mred\x1b[0m", "us-ascii", "[31mred[0m"),
        (codecs.BOM_UTF8 + "für".encode(), "iso-8859-1", "für"),
        ("für".encode("utf-16"), "utf-16", "für"),
        ("für".encode("utf-16"), "utf-8", "für"),
        (codecs.BOM_UTF16_BE + "für".encode("utf-16-be"), "", "für"),
        ("a für".encode("utf-16-le"), "utf-16", "a für"),
        ("a für".encode("utf-16-be"), "utf-16", "a für"),
        ("a für".encode("utf-16-be"), "utf-16le", "a für"),
        ("a für".encode("utf-16-le"), "us-ascii", "a für"),
        ("für".encode(), "utf-16", "für"),
        (b"a\0b\0\0\0c", "utf-8", "abc"),
        (b"+AKM-1", "utf-7", "£1"),
        (b"a\r\nb\rc\nd\x0be\x0cf", "", "a\nb\nc\nd\ne\nf"),
        ("a\x85b\u2028c\u2029d\x9fe\x7ff\tg".encode(), "utf-8", "a\nb\nc\nde" + "f\tg"),
        ("עברית \u200f!".encode(), "utf-8", "עברית \u200f!"),
        (b"", "utf-8", ""),
    ],
)
def test_text_is_read_in_the_charset_that_it_is_in(data: bytes, label: str, expected: str) -> None:
    assert part_text.decode(data, label) == expected


@pytest.mark.parametrize(
    ("head", "label", "expected"),
    [
        (b'<meta charset="iso-8859-7">', "", "α"),
        (b'<META http-equiv="Content-Type" content="text/html; charset=iso-8859-7">', "nonsense", "α"),
        (b'<meta charset="utf-8">', "iso-8859-7", "α"),
    ],
)
def test_html_may_name_its_charset_where_the_header_does_not(head: bytes, label: str, expected: str) -> None:
    assert part_text.decode(head + b"\xe1", label, is_html=True).endswith(expected)


def test_plain_text_names_no_charset() -> None:
    assert part_text.decode(b"<meta charset=iso-8859-7>\xe1", "").endswith("á")


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(st.binary(max_size=80), st.text(max_size=40).map(lambda text: text.encode("utf-16", "surrogatepass"))),
    st.sampled_from(
        ["", "utf-8", "utf-16", "utf-7", "us-ascii", "gb2312", "iso-2022-jp", "big5", "utf-32", "x", "hz", "rot13"]
    ),
    st.booleans(),
)
def test_text_never_holds_what_a_database_or_a_terminal_cannot_take(data: bytes, label: str, is_html: bool) -> None:
    text = part_text.decode(data, label, is_html=is_html)
    assert {char for char in text if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")} <= {"\n", "\t"}


@pytest.mark.parametrize(
    "hostile",
    [
        lambda size: b"\0" * size,
        lambda size: b"\x1b$B" * (size // 3),
        lambda size: b"\x1b" * size,
        lambda size: b"\r" * size,
        lambda size: b"<meta " * (size // 6),
        lambda size: b"<meta " + b"charset" * (size // 7),
        lambda size: b"\xff" * size,
    ],
)
def test_time_grows_with_the_size_only(hostile: Callable[[int], bytes], grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: part_text.decode(hostile(size), "", is_html=True))
