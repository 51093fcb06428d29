"""Decoding of transfer encodings, with any faults in them."""

import base64
import quopri
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir.reading import transfer

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly


@dataclass
class Slice:
    """Encoded data within raw."""

    offset: int
    length: int
    encoding: str


def decode(data: bytes, encoding: str, max_bytes: int | None = None) -> bytes:
    """Decodes data that is surrounded by other bytes."""
    return transfer.decode(b"QUJD=\r\n" + data + b"REVG", Slice(7, len(data), encoding), max_bytes=max_bytes)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", b""),
        (b"aGVsbG8=", b"hello"),
        (b"aGVs\r\nbG8=\r\n", b"hello"),
        (b"aGVsbG8", b"hello"),
        (b"aGVsbG8==", b"hello"),
        (b"a*G V!s\0b\xffG8=", b"hello"),
        (b"aGVsbG8=IHlvdQ==", b"hello you"),
        (b"aGVsbG8=\r\n=\r\n=IHlvdQ", b"hello you"),
        (b"aGVsbG8=Y", b"hello"),
        (b"aGVsbG8=\r\n-- \r\nThis list is kept by Jane\r\n\r\n  IHlvdQ==  \r\n", b"hello you"),
        (b"aGVsbG8= and so on\r\n", b"hello"),
        (b"Y", b""),
        (b"=", b""),
        (b"====", b""),
        (b"YWI=YWI=", b"abab"),
    ],
)
def test_base64_is_read_between_its_padding_and_without_foreign_bytes(data: bytes, expected: bytes) -> None:
    assert decode(data, "base64") == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"f=FCr", b"f\xfcr"),
        (b"f=fcr=20", b"f\xfcr "),
        (b"a=\r\nb", b"ab"),
        (b"a=\nb", b"ab"),
        (b"a=\rb", b"ab"),
        (b"a= \t\r\nb", b"ab"),
        (b"a=b=\r\n", b"a=b"),
        (b"1 = 2 == 3", b"1 = 2 = 3"),
        (b"100%=", b"100%"),
        (b"a \r\nb\r\n", b"a \r\nb\r\n"),
        (b"=G0=0G", b"=G0=0G"),
    ],
)
def test_quoted_printable_is_read_with_bare_signs(data: bytes, expected: bytes) -> None:
    assert decode(data, "quoted-printable") == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"begin 644 a.txt\r\n%:&5L;&\\\r\n`\r\nend\r\n", b"hello"),
        (b"begin 644 a.txt\n%:&5L;&\\\n", b"hello"),
        (b"\nsaid so\nbegin 644 a.txt\n%:&5L;&\\\n \nend\n", b"hello"),
        (b"%:&5L;&\\\n%:&5L;&\\", b"hellohello"),
        (b"%:&5L;&\\`EXTRA\n", b"hello"),
        (b"begin 644 a.txt\nend\n", b""),
        (b"\xff\xfe\0", b""),
    ],
)
def test_uuencode_is_read_to_its_end_or_as_far_as_its_lines_go(data: bytes, expected: bytes) -> None:
    assert decode(data, "uuencode") == expected


@pytest.mark.parametrize("encoding", ["identity", "8bit", "", "nonsense"])
def test_what_is_not_encoded_stays(encoding: str) -> None:
    assert decode(b"a=3D\0\xff", encoding) == b"a=3D\0\xff"


@pytest.mark.parametrize("encoding", ["identity", "base64", "quoted-printable", "uuencode"])
def test_nothing_behind_the_end_of_raw_is_asked_for(encoding: str) -> None:
    assert transfer.decode(b"", Slice(0, 10, encoding)) == b""
    assert transfer.decode(b"QUJD", Slice(9, 10, encoding)) == b""


@pytest.mark.parametrize("encoding", ["identity", "base64", "quoted-printable"])
def test_the_beginning_alone_can_be_asked_for(encoding: str) -> None:
    assert decode(b"QUJD" * 1_000_000, encoding, max_bytes=5) == decode(b"QUJD" * 1_000_000, encoding)[:5]
    assert decode(b"QUJD", encoding, max_bytes=0) == b""


def test_padding_in_the_midst_without_end_is_a_foreign_byte() -> None:
    assert decode(b"QQ=" * 2_000, "base64").startswith(b"A" * 1_000)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 7_000))
def test_pieces_are_cut_at_no_wrong_place(piece: bytes, times: int) -> None:
    data = piece * times
    assert decode(base64.encodebytes(data), "base64") == data
    assert decode(base64.b64encode(data), "base64") == data
    assert decode(quopri.encodestring(data, quotetabs=True), "quoted-printable") == data
    assert decode("".join(f"={byte:02X}" for byte in data).encode(), "quoted-printable") == data
    assert decode(data, "identity") == data


@pytest.mark.parametrize("offset", range(5))
def test_quoted_printable_is_cut_within_no_sign(offset: int) -> None:
    assert decode(b" " * offset + b"=41" * 200_000, "quoted-printable") == b" " * offset + b"A" * 200_000
    assert decode(b" " * offset + b"ab=\r\n" * 100_000, "quoted-printable") == b" " * offset + b"ab" * 100_000


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["identity", "base64", "quoted-printable", "uuencode"]))
def test_no_bytes_raise(data: bytes, encoding: str) -> None:
    assert len(decode(data, encoding)) <= max(len(data), 45 * data.count(b"\n") + 63)


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "uuencode"])
@pytest.mark.parametrize(
    "piece", [b"=", b"= ", b"=\r", b"=\n", b"QQ=", b" ", b"\n", b"!A\n", b"begin 644 x\n", b"\xff", b"M"]
)
def test_time_grows_with_the_size_only(encoding: str, piece: bytes, grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: decode(piece * (size * 10 // len(piece)), encoding))


def test_pieces_are_bounded() -> None:
    raw = b"QUJD" * 2_000_000
    for encoding in ("identity", "base64", "quoted-printable"):
        assert max(map(len, transfer.pieces(raw, Slice(0, len(raw), encoding)))) <= 256 * 1024
