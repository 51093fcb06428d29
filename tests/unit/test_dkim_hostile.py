"""Verifying hostile mail takes little time and memory, and raises nothing."""

import base64
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admin_cli.demo.signing import SigningKey
from mailweir import dkim_message, dkim_tags
from tests.dkim_mail import by_hand, check
from tests.dkim_mail import key as key
from tests.dkim_mail import record as record

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly


_BODIES = st.lists(
    st.sampled_from([b" ", b"\t", b"\r\n", b"a", b".", b"\xff", b" \r\n", b"  ", b"\r", b"\n", b"\0"]), max_size=30
).map(b"".join)


# --- hostile input ----------------------------------------------------------------------------------------------------

_UNITS = [b" ", b"\t", b"\r\n", b"\n", b"\r", b" \r\n", b"a  ", b"\t \r\n", b"a\r\n", b"\0"]


@pytest.mark.parametrize("unit", _UNITS)
def test_the_time_grows_with_the_body(unit: bytes, grows_linearly: "GrowsLinearly") -> None:
    def work(size: int) -> None:
        message = dkim_message.read(b"A: b\r\n\r\n" + unit * (size // len(unit) * 10) + b"x")
        assert message
        message.body_digest(is_relaxed=True)
        message.body_digest(is_relaxed=False)

    grows_linearly(work)


@pytest.mark.parametrize("unit", [b" ", b"a: b\r\n", b"\r\n ", b"\r", b"a:", b":", b"From x\r\n", b"A:\r\n \r\n"])
def test_the_time_grows_with_the_headers(unit: bytes, grows_linearly: "GrowsLinearly") -> None:
    def work(size: int) -> None:
        message = dkim_message.read(b"From: a" + unit * (size // len(unit) * 5) + b"\r\n\r\nx")
        names = [b"from", b"a"] * 1_000
        assert message is None or message.signed_text(names, (b"X", b"y"), is_relaxed=True)

    grows_linearly(work)


@pytest.mark.parametrize("unit", [b" ", b";", b"b=;", b"a=b;", b"\r\n ", b"=", b"b=A ", b"h=x:", b"i=@"])
def test_a_signature_of_the_greatest_size_takes_no_time(unit: bytes) -> None:
    begun = time.thread_time()
    for _ in range(100):
        value = (unit * dkim_tags.MAX_SIGNATURE_BYTES)[: dkim_tags.MAX_SIGNATURE_BYTES]
        tags = dkim_tags.read(value)
        dkim_tags.unsigned(value)
        dkim_tags.is_well_formed({**tags, b"s": b"x"}, ())
        dkim_tags.proves_something(tags)
        dkim_tags.identity_domain(tags)
    assert time.thread_time() - begun < 2.0
    assert dkim_tags.read(b"a=b;" + b"c" * dkim_tags.MAX_SIGNATURE_BYTES) == {}


@pytest.mark.parametrize("unit", [b"\r\n", b" ", b"a  ", b"\n"])
def test_a_large_body_takes_little_memory_besides_its_own(unit: bytes) -> None:
    raw = b"A: b\r\n\r\nx" + unit * (25_000_000 // len(unit))
    tracemalloc.start()
    message = dkim_message.read(raw)
    assert message
    message.body_digest(is_relaxed=True)
    message.body_digest(is_relaxed=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 130_000_000


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300) | _BODIES, _BODIES)
def test_any_bytes_are_read_without_an_error(head: bytes, body: bytes) -> None:
    for raw in (head, b"DKIM-Signature: " + head + b"\r\nFrom: a\r\n\r\n" + body):
        assert check(raw, b"p=" + base64.b64encode(head)).is_good is not True


def test_a_body_is_digested_once_for_many_signatures(key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> None:
    message = dkim_message.read(by_hand(key))
    assert message
    first = message.body_digest(is_relaxed=True)
    monkeypatch.setattr(message, "body", b"other")
    assert message.body_digest(is_relaxed=True) == first
