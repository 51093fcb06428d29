"""The reading of a whole message: all its parts together, the same each time, and passed on as bounded bytes."""

import contextlib
import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir.reading import frame, message
from mailweir.reading.folds import FoldKind
from mailweir.reading.html_view import View
from mailweir.reading.labels import Label
from mailweir.reading.reading import HTML_TOO_LARGE, TEXT_CUT
from tests.unit.reading import test_any_mail
from tests.unit.reading.mails import in_base64, multipart, part

_HEAD = b"From: Jane <jane@client.example>\r\nTo: richard@firm.example\r\nMessage-ID: <2@client.example>\r\n"
_REPLY = (
    _HEAD
    + b"Subject: =?utf-8?q?Re:_Gr=C3=B6=C3=9Fe?=\r\nIn-Reply-To: <1@firm.example>\r\nDate: Mon, 3 Jun 2024 10:00:00 +0200\r\n"
    + b"Content-Type: text/plain; charset=utf-8\r\n\r\nYes, please.\r\n\r\n"
    + b"On Mon, 3 Jun 2024 at 09:00, Richard <richard@firm.example> wrote:\r\n> Shall we?\r\n> Richard\r\n"
)
_CALENDAR = (
    "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:Kick-off\r\nDTSTART:20240603T080000Z\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)
_IMAGE = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def _of(head: bytes, content: bytes) -> bytes:
    return _HEAD + head + content


def _rich() -> bytes:
    html = '<p>Hello <img src="cid:logo"><img src="https://tracker.example/p.gif"></p>'
    inner = multipart(
        "mixed",
        part("text/html", html),
        in_base64('image/png; name="logo.png"', _IMAGE).replace(b"\r\n\r\n", b"\r\nContent-ID: <logo>\r\n\r\n", 1),
        part("text/calendar; method=REQUEST", _CALENDAR),
        boundary="x",
    )
    return _of(b"Subject: Offer\r\n", inner)


def test_a_reply_is_read() -> None:
    found = message.read(_REPLY)
    assert (found.subject, found.snippet) == ("Re: Größe", "Yes, please.")
    assert found.text.startswith("Yes, please.\n\nOn Mon, 3 Jun 2024")
    assert [one.kind for one in found.folds] == [FoldKind.QUOTE]
    assert found.thread_keys.is_reply
    assert len(found.thread_keys.in_reply_to) == 1
    assert (found.view, found.attachments, found.original, found.problems) == (None, (), None, ())


def test_what_stands_in_html_is_shown_with_its_images_and_none_from_afar() -> None:
    found = message.read(_rich())
    assert found.view is not None
    assert "attachments/1" in found.view.html
    assert "tracker.example" not in found.view.html
    assert found.view.remote_images == 1
    assert next((one.name, one.is_inline) for one in found.attachments) == ("logo.png", True)
    assert found.text.strip().startswith("Hello")


def test_an_invitation_is_read_and_labelled() -> None:
    found = message.read(_rich())
    assert Label.INVITATION in found.labels
    assert found.invitation is not None
    assert (found.invitation.summary, found.invitation.starts_at) == ("Kick-off", datetime(2024, 6, 3, 8, tzinfo=UTC))


def test_whom_a_forward_is_from_is_read_in_the_forwarders_zone() -> None:
    text = (
        "Please log.\r\n\r\n---------- Forwarded message ----------\r\nFrom: Mary <mary@client.example>\r\n"
        "Date: Monday, 3 June 2024 09:00\r\nSubject: Offer\r\nTo: richard@firm.example\r\n\r\nHello\r\n"
    )
    raw = _of(b"Subject: Fwd: Offer\r\nDate: Mon, 3 Jun 2024 10:00:00 +0200 (CEST)\r\n\r\n", text.encode())
    original = message.read(raw).original
    assert original is not None
    assert (original.author, original.date) == ("mary@client.example", datetime(2024, 6, 3, 7, tzinfo=UTC))


def test_an_automatic_answer_is_labelled_by_its_null_sender() -> None:
    raw = _of(b"Subject: Away\r\nAuto-Submitted: auto-generated\r\n\r\n", b"I am away")
    assert Label.AUTOMATIC not in message.read(raw).labels
    assert Label.AUTOMATIC in message.read(raw, envelope_sender="").labels


def test_text_that_was_cut_says_so() -> None:
    found = message.read(_of(b"Subject: Long\r\n\r\n", b"hello world\r\n" * 100_000))
    assert found.problems == (TEXT_CUT,)
    assert frame.unpack(frame.pack(found)) == found


@pytest.mark.parametrize("raw", [b"", b"\0", b"\r\n", b"x", b":", b"Subject\r\n\r\n", b"\xff" * 1000])
def test_next_to_nothing_is_read(raw: bytes) -> None:
    found = message.read(raw)
    assert frame.unpack(frame.pack(found)) == found


def test_a_snippet_of_quotes_alone_shows_them() -> None:
    found = message.read(_of(b"Subject: Re: x\r\n\r\n", b"> only\r\n> quotes\r\n"))
    assert found.snippet == "> only > quotes"


# --- as bytes ---------------------------------------------------------------------------------------------------------


def test_every_mail_of_the_corpus_is_read_twice_alike_and_carried_over(corpus: list[Path]) -> None:
    for path in corpus:
        raw = path.read_bytes()
        found = message.read(raw)
        assert message.read(raw) == found
        assert frame.unpack(frame.pack(found)) == found


def test_changed_mails_are_read_and_carried_over(corpus: list[Path]) -> None:
    chance = random.Random(2)
    small = [raw for raw in (path.read_bytes() for path in corpus) if len(raw) < 20_000]
    for _ in range(400):
        found = message.read(test_any_mail.mutated(chance.choice(small), chance))
        assert frame.unpack(frame.pack(found)) == found


def test_html_that_goes_into_no_frame_is_left_out_and_that_is_said() -> None:
    found = replace(message.read(_rich()), view=View(html="ä" * 6_000_000, remote_images=0))
    carried = frame.unpack(frame.pack(found))
    assert (carried.view, carried.problems) == (None, (HTML_TOO_LARGE,))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(min_value=0, max_value=3_000), st.randoms(use_true_random=False))
def test_no_bytes_of_a_child_raise_anything_else(junk: bytes, at: int, chance: random.Random) -> None:
    packed = frame.pack(message.read(_rich()))
    changed = packed[:at] + junk + packed[chance.randint(at, at + 20) :]
    for one in (junk, changed, packed[:at]):
        _unpacked_or_malformed(one)


def _unpacked_or_malformed(one: bytes) -> None:
    with contextlib.suppress(frame.Malformed):
        frame.unpack(one)


def _with(name: str, value: object) -> bytes:
    packed = frame.pack(message.read(_rich()))
    head_bytes = int.from_bytes(packed[:4])
    head = json.loads(packed[12 : 12 + head_bytes])
    head[name] = value
    changed = json.dumps(head).encode()
    return len(changed).to_bytes(4) + packed[4:12] + changed + packed[12 + head_bytes :]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subject", "a\0b"),
        ("subject", "\ud800"),
        ("subject", "x" * 10_001),
        ("subject", None),
        ("snippet", 1),
        ("remote_images", -1),
        ("remote_images", True),
        ("remote_images", 2**70),
        ("folds", [["quote", 5, 3]]),
        ("folds", [["quote", 0, 2], ["quote", 1, 3]]),
        ("folds", [["quote", 0, 100_000]]),
        ("folds", [["other", 0, 1]]),
        ("original", ["a@b.example", "", "2024-06-03T07:00:00", "", 0]),
        ("original", ["a@b.example", "", None, "", 10_000]),
        ("labels", ["secret"]),
        ("attachments", [["a", "b", 1, "00", False, "", 0, 1, "base64"]]),
        ("attachments", [["a", "b", 1, "00" * 32, False, "", 0, 1, "gzip"]]),
        ("attachments", [["a", "b", 1, "00" * 32, False, "", 0, 1, "base64"]] * 1_001),
        ("invitation", ["REQUEST"]),
        ("own", "0011"),
        ("references", ["00" * 16] * 201),
        ("problems", ["of my own"]),
        ("problems", [["a"]]),
    ],
)
def test_what_no_reading_has_is_malformed(name: str, value: object) -> None:
    with pytest.raises(frame.Malformed):
        frame.unpack(_with(name, value))


@pytest.mark.parametrize("change", [lambda one: one + b"x", lambda one: one[:-1], lambda one: one[:11], lambda _: b""])
def test_a_frame_of_another_length_is_malformed(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(frame.Malformed):
        frame.unpack(change(frame.pack(message.read(_REPLY))))
