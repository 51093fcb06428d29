"""Headers with parameters, as mailers write them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mailweir.reading import parameters

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly


def read(value: bytes) -> dict[str, str]:
    """The parameters as text."""
    return parameters.as_text(parameters.split(value)[1])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"attachment; filename=a.txt", "a.txt"),
        (b'attachment; filename="a b.txt"', "a b.txt"),
        (b"attachment; filename=My offer.pdf; size=3", "My offer.pdf"),
        (b'attachment; filename="a.txt', "a.txt"),
        (b'attachment; filename=""', ""),
        (b"attachment; filename=", ""),
        (b'attachment; FileName = "a.txt" size=3', "a.txt"),
        (b'attachment; x; ; =; filename="a.txt"', "a.txt"),
        (b'attachment; filename="a.txt"; filename="b.txt"', "a.txt"),
        (rb'attachment; filename="C:\temp\new.doc"', r"C:\temp\new.doc"),
        (rb'attachment; filename="a \"b\" \\c.txt"', r'a "b" \c.txt'),
        (b'attachment; filename="a;b.txt"', "a;b.txt"),
        (b'attachment; filename="a\r\n b.txt"', "a b.txt"),
        (b'attachment; filename="=?utf-8?q?f=C3=BCr.txt?="', "für.txt"),
        (b'attachment; filename="=?utf-8?B?ZsO8?=\r\n =?utf-8?B?ci50eHQ=?="', "für.txt"),
        (b"attachment; filename==?iso-8859-1?q?f=FCr.txt?=", "für.txt"),
        ('attachment; filename="für.txt"'.encode(), "für.txt"),
        ('attachment; filename="für.txt"'.encode("latin-1"), "für.txt"),
        ('attachment; filename="見積.txt"'.encode("iso-2022-jp"), "見積.txt"),
        (b"attachment; filename*=utf-8''f%C3%BCr.txt", "für.txt"),
        (b"attachment; filename*=iso-8859-1'de'f%FCr.txt; filename=other.txt", "für.txt"),
        (b"attachment; filename=other.txt; filename*=utf-8''f%C3%BCr.txt", "für.txt"),
        (b"attachment; filename*=\"utf-8''f%C3%BCr.txt\"", "für.txt"),
        (b"attachment; filename*0*=utf-8''f%C3; filename*1*=%BCr; filename*2=.txt", "für.txt"),
        (b"attachment; filename*2=\".txt\"; filename*1*=%BCr; filename*0*=utf-8''f%C3", "für.txt"),
        (b'attachment; filename*0="100%"; filename*1=".txt"', "100%.txt"),
        (b'attachment; filename*0="=?utf-8?q?f=C3=BCr"; filename*1=".txt?="', "für.txt"),
        (b"attachment; filename*=x-gbk''%B1%A8.txt", "报.txt"),
        (b"attachment; filename*=nonsense''f%C3%BCr.txt", "für.txt"),
        (b"attachment; filename*=''a%20b.txt", "a b.txt"),
        (b"attachment; filename*=a.txt", "a.txt"),
        (b"attachment; filename*=; filename=a.txt", "a.txt"),
        (b'attachment; filename="a\0\x1b[31m.txt"', "a [31m.txt"),
    ],
)
def test_a_file_name_is_read(value: bytes, expected: str) -> None:
    assert read(value).get("filename", "") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"text/plain; charset=utf-8", (b"text/plain", "utf-8")),
        (b"text/plain charset=utf-8", (b"text/plain", "utf-8")),
        (b"text/plain;charset=us-ascii (Plain text)", (b"text/plain", "us-ascii")),
        (b"TEXT/plain (that is); charset=x", (b"text/plain", "x")),
        (b"text/plain; charset*=us-ascii'en'utf-8", (b"text/plain", "utf-8")),
        (b";charset=x", (b"", "x")),
    ],
)
def test_what_stands_in_front_is_told_from_the_parameters(value: bytes, expected: tuple[bytes, str]) -> None:
    head, found = parameters.split(value)
    assert (head, parameters.as_text(found)["charset"]) == expected


def test_there_is_an_end_to_parameters_and_their_length() -> None:
    assert len(read(b"a" + b"".join(b"; p%d=1" % n for n in range(5_000)))) == parameters.MAX_PARAMETERS
    assert len(read(b"a; filename=" + b"x" * 100_000)["filename"]) <= parameters.MAX_PARAMETER_CHARS
    assert read(b"a; filename*999999999999=x; filename*1=y; filename*0=x")["filename"] == "xy"


@pytest.mark.parametrize(
    "hostile",
    [
        lambda size: b"a;" + b'"' * size,
        lambda size: b'a; b="' + b"\\" * size,
        lambda size: b'a; b="' + b'\\"' * (size // 2),
        lambda size: b"a;" + b";" * size,
        lambda size: b"a;" + b"=" * size,
        lambda size: b"a; " + b"b" * size,
        lambda size: b"a;" + b"b=c;" * (size // 4),
        lambda size: b"a; " + b" " * size + b"b",
        lambda size: b"a; b=" + b" " * size + b"(",
        lambda size: b"a" + b"\r\n " * (size // 3),
        lambda size: b"a; b=" + b" (" * (size // 2),
        lambda size: b"a; name*=" + b"'" * size,
        lambda size: b"a; name=" + b"=?utf-8?q?" * (size // 10),
    ],
)
def test_time_grows_with_the_size_only(
    hostile: Callable[[int], bytes], grows_linearly: "GrowsLinearly", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameters, "MAX_VALUE_BYTES", 1_000_000)
    grows_linearly(lambda size: read(hostile(size)))
