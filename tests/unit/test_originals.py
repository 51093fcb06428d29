"""Originals in a mail, for any bytes; and the child's answer, which is bounded and never trusted."""

import base64
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir import sender_verdict
from mailweir.digest import held_frame
from mailweir.digest.held_frame import Malformed, Said
from mailweir.reading import originals
from mailweir.reading.originals import Originals
from mailweir.sender_verdict import VerdictReason
from tests.forwarded_mail import JANE, SUBJECT, attached, inline, original
from tests.linear_time import GrowsLinearly

VERDICT = sender_verdict.none(VerdictReason.NO_SIGNATURE)


def _many(count: int) -> bytes:
    return attached(*(original(message_id=f"<{number}@client.example>") for number in range(count)))


def _nested(depth: int) -> bytes:
    raw = original()
    for number in range(depth):
        raw = attached(raw).replace(b"b1", b"c%d" % number)
    return raw


def _depth(found: Originals) -> int:
    return 1 + max((_depth(one.inner) for one in found.attached), default=0)


def test_what_is_found_comes_back_from_a_frame() -> None:
    for raw in (inline("gmail en"), _many(3), _nested(2), b""):
        found = originals.find(raw, is_meant=True)
        assert held_frame.unpack(held_frame.pack(Said(VERDICT, found))) == Said(VERDICT, found)


def test_number_depth_and_bytes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(originals.find(_many(80), is_meant=True).attached) == originals.MAX_ATTACHED
    assert _depth(originals.find(_nested(9), is_meant=True)) == originals.MAX_DEPTH + 1
    monkeypatch.setattr(originals, "MAX_BYTES", 2 * len(original()))
    assert len(originals.find(_many(3), is_meant=True).attached) == 2


def test_a_file_that_is_named_as_a_message_is_one() -> None:
    head = b"Content-Type: application/octet-stream; name=a.eml\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    raw = attached(original()).replace(
        b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n" + original(),
        head + base64.encodebytes(original().replace(b"\r\n", b"\n")),
    )
    (found,) = originals.find(raw, is_meant=True).attached
    assert found.kept == original()
    assert dict(found.headers)[b"Subject"].strip() == SUBJECT.encode()
    assert JANE.encode() in dict(found.headers)[b"From"]


@given(st.binary(max_size=300), st.integers(0, 2_000), st.booleans())
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise(junk: bytes, at: int, is_meant: bool) -> None:
    for raw in (_nested(2), inline("outlook de")):
        place = at % len(raw)
        originals.find(raw[:place] + junk + raw[place:], is_meant=is_meant)


def test_no_mail_of_the_corpus_raises(corpus: list[Path]) -> None:
    for path in corpus:
        originals.find(path.read_bytes(), is_meant=True)


@given(st.binary(max_size=40), st.integers(0, 5_000))
@settings(max_examples=300, deadline=None)
def test_a_changed_frame_is_malformed_or_a_frame(junk: bytes, at: int) -> None:
    frame = held_frame.pack(Said(VERDICT, originals.find(_many(2), is_meant=True)))
    place = at % len(frame)
    for changed in (frame[:place] + junk + frame[place + len(junk) :], frame[:place], frame + b"x" + junk):
        with suppress(Malformed):
            held_frame.unpack(changed)


@pytest.mark.parametrize("char", [b"a", b">", b"-", b"\r\n", b"--b1\r\n", b"From: a\r\n"])
def test_time_grows_with_the_mail(grows_linearly: GrowsLinearly, char: bytes) -> None:
    head = attached(original()).partition(b"--b1")[0]
    grows_linearly(lambda size: originals.find(head + b"--b1\r\n\r\n" + char * (size // len(char)), is_meant=True))
