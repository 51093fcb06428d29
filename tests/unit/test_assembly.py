"""Assembly returns the same bytes, in whatever pieces they came."""

import io
import random
import tracemalloc

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from capture_milter import assembly
from capture_milter.assembly import Assembly
from mailweir.headers import Header
from mailweir.identity import BodyDigest

HEADERS = [
    (b"Received", b" from a\r\n\tby b"),
    (b"X-None", b""),
    (b"From", b" J\xe4ne <jane@client.example>"),
    (b"X-Tight", b"x"),
    (b"X-Trailing", b"\t x \t"),
    (b"Subject", b"\r\n An offer\r\n\t\r\n of mine"),
]


def _decompressed(frame: bytes) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(frame)).read()


def _check(headers: list[Header], chunks: list[bytes]) -> None:
    made = Assembly(headers)
    digest = BodyDigest()
    for chunk in chunks:
        made.add(chunk)
        digest.update(chunk)
    raw = assembly.join_headers(headers) + b"".join(chunks)
    assert made.size_bytes == len(raw)
    assert made.body_digest() == digest.digest()
    assert _decompressed(made.compressed()) == raw
    # one envelope may bring a message for two deployments
    assert made.compressed() == made.compressed()
    assert made.body_digest() == digest.digest()


def test_headers_come_back_with_their_white_space_and_folds() -> None:
    assert assembly.join_headers(HEADERS) == (
        b"Received: from a\r\n\tby b\r\nX-None:\r\nFrom: J\xe4ne <jane@client.example>\r\nX-Tight:x\r\nX-Trailing:\t x \t\r\n"
        b"Subject:\r\n An offer\r\n\t\r\n of mine\r\n\r\n"
    )
    assert assembly.join_headers([]) == b"\r\n"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.from_regex(rb"[!-9;-~]{1,8}", fullmatch=True), st.binary(max_size=40)), max_size=6),
    st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([b"", b"\r\n", b"\r", b"\n"])), max_size=12),
)
def test_a_small_message_comes_back(headers: list[Header], chunks: list[bytes]) -> None:
    _check(headers, chunks)


@pytest.mark.parametrize("size", [-1, 0, 1, 65_535, 65_536, 3_000_000])
@pytest.mark.parametrize("chunk_bytes", [1_021, 65_535, 10_000_000])
def test_a_message_about_the_size_from_which_it_is_streamed_comes_back(size: int, chunk_bytes: int) -> None:
    body_bytes = assembly.STREAM_ABOVE_BYTES - len(assembly.join_headers(HEADERS)) + size
    body = random.Random(size).randbytes(body_bytes // 2) + b"line\r\n" * (body_bytes // 12 + 1)
    body = body[:body_bytes]
    _check(HEADERS, [body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes)])


def test_large_headers_alone_come_back() -> None:
    headers = [(b"X-Large", b" " + b"x" * assembly.STREAM_ABOVE_BYTES)]
    _check(headers, [])
    _check(headers, [b"a", b"b\r\n"])


@pytest.mark.parametrize("line", [b"All work and no play makes a dull mail.\r\n", b"\r\n"])
def test_a_large_message_takes_little_memory(line: bytes) -> None:
    chunk = line * (60_000 // len(line))
    tracemalloc.start()
    made = Assembly(HEADERS)
    for _ in range(500):
        made.add(bytes(bytearray(chunk)))
    assert made.size_bytes > 29_000_000
    made.compressed()
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 3_000_000
