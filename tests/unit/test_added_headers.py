"""The Message-ID and Date that the relay adds: their content, how they are recognised, and the key of such mail."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir import added_headers, dates, headers, identity, raw_message
from mailweir.added_headers import ContentId
from mailweir.headers import Header

KEY, LOGIN = b"k" * 32, "richard@demo.example.net"
LINES: list[Header] = [
    (b"From", b" Richard <richard@firm.example>"),
    (b"Subject", b" An offer"),
    (b"To", b" j@x.example"),
]
BODY = b"hello\r\n"
NOON = datetime(2026, 11, 24, 12, 0, 5, 999, tzinfo=UTC)


def _id(
    *, key: bytes = KEY, login: str = LOGIN, lines: Sequence[Header] = LINES, pieces: Sequence[bytes] = (BODY,)
) -> bytes:
    made = ContentId(key, login, lines)
    for piece in pieces:
        made.update(piece)
    return made.value("firm.example")


def test_a_message_id_stays_the_same_over_time() -> None:
    # A literal: if it changed, a retry after an upgrade would get another Message-ID.
    assert _id() == b" <mwr.f7opiehnm6z2ggmj5ronabomkbbisa4s@firm.example>"


@pytest.mark.parametrize(
    "other",
    [
        _id(key=b"l" * 32),
        _id(login="richard@other.example.org"),
        _id(pieces=[b"hell0\r\n"]),
        _id(pieces=[]),
        _id(lines=LINES[:2]),
        _id(lines=LINES[::-1]),
        _id(lines=[*LINES, (b"X-A", b" b")]),
        _id(lines=[*LINES[:2], (b"To", b"  j@x.example")]),
        _id(lines=[*LINES[:2], (b"T", b"o j@x.example")]),
        _id(lines=LINES[:2], pieces=[b"To", b" j@x.example", BODY]),
    ],
)
def test_key_login_headers_and_body_count(other: bytes) -> None:
    assert other != _id()


@given(st.binary(max_size=50), st.lists(st.integers(0, 50), max_size=5))
def test_how_the_body_comes_does_not_count(body: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(body)]
    pieces = [body[begin:end] for begin, end in itertools.pairwise(edges)]
    assert _id(pieces=pieces) == _id(pieces=[body])


def test_trace_headers_do_not_count() -> None:
    assert _id(lines=[(b"RECEIVED", b" from a by b"), (b"Return-Path", b" <x>"), *LINES]) == _id()


@given(st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=4)), max_size=3), st.binary(max_size=8))
def test_no_two_messages_make_one_text(lines: list[Header], body: bytes) -> None:
    """If text moves across a boundary, from a header to the next one or to the body, the message is another one."""
    *before, (name, value) = lines or [(b"", b"")]
    shifted = [*before, (name, value + body[:1])]
    assert not body[:1] or _id(lines=shifted, pieces=[body[1:]]) != _id(lines=lines, pieces=[body])


@pytest.mark.parametrize(
    ("lines", "lacks"),
    [
        ([], (b"Message-ID", b"Date")),
        (LINES, (b"Message-ID", b"Date")),
        ([(b"message-id", b"")], (b"Date",)),
        ([(b"MESSAGE-ID ", b" x"), (b"dAtE\t", b"")], ()),
        ([(b"Date", b" soon")], (b"Message-ID",)),
        (
            [(b"X-Date", b" x"), (b"Message", b" -ID: <x@y>"), (b"Resent-Message-ID", b" <x@y>")],
            (b"Message-ID", b"Date"),
        ),
    ],
)
def test_what_is_missing(lines: list[Header], lacks: tuple[bytes, ...]) -> None:
    assert added_headers.missing(lines) == lacks


def test_a_date_is_the_moment_in_utc() -> None:
    value = added_headers.date(NOON.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert value == b" Tue, 24 Nov 2026 12:00:05 +0000 (MWR)"
    assert dates.read(value.strip()) == NOON.replace(microsecond=0)


@pytest.mark.parametrize(
    ("message_id", "own"),
    [
        (_id().decode().strip(), True),
        ("<mwr.2ks3ltvrqixnsdq3jjz3iqrbipsadpq@firm.example>", False),
        ("<mwr.2ks3ltvrqixnsdq3jjz3iqrbipsadpq31@firm.example>", False),
        ("<mwr.2KS3LTVRQIXNSDQ3JJZ3IQRBIPSADPQ3@firm.example>", False),
        ("<amwr.2ks3ltvrqixnsdq3jjz3iqrbipsadpq3@firm.example>", False),
        ("<mwr.2ks3ltvrqixnsdq3jjz3iqrbipsadpq3@>", False),
        ("mwr.2ks3ltvrqixnsdq3jjz3iqrbipsadpq3@firm.example", False),
        ("<1@firm.example>", False),
        ("", False),
    ],
)
def test_our_message_ids_are_known_again(message_id: str, own: bool) -> None:
    assert added_headers.is_own_id(message_id) is own


@pytest.mark.parametrize(
    ("raw", "own"),
    [(b"Tue, 24 Nov 2026 12:00:05 +0000 (MWR)", True), (b"Tue, 24 Nov 2026 12:00:05 +0000", False), (b"", False)],
)
def test_our_dates_are_known_again(raw: bytes, own: bool) -> None:
    assert added_headers.is_own_date(raw) is own


# --- the key ----------------------------------------------------------------------------------------------------------


def _key(lines: Sequence[Header], body: bytes = BODY) -> bytes:
    digest = identity.BodyDigest()
    digest.update(body)
    return identity.key(headers.look(lines), digest.digest())


HAVE = {
    "nothing": [],
    "a Message-ID": [(b"Message-ID", b" <1@firm.example>")],
    "a Date": [(b"Date", b" Tue, 24 Nov 2026 03:12:55 +0000")],
}


@pytest.mark.parametrize("name", HAVE)
def test_what_went_out_has_the_key_of_what_was_submitted(name: str) -> None:
    submitted = [*LINES, *HAVE[name]]
    values = {b"Message-ID": _id(lines=submitted), b"Date": added_headers.date(NOON)}
    extra = [(one, values[one]) for one in added_headers.missing(submitted)]
    sent = [*submitted, *extra]
    assert added_headers.missing(sent) == ()
    assert _key(sent) == _key(submitted)
    raw = b"Received: by x\r\n" + b"".join(b"%s:%s\r\n" % line for line in sent) + b"\r\n" + BODY
    lines, body = raw_message.split(raw)  # as the sync finds it
    assert _key(lines, body) == _key(submitted)


def test_a_foreign_message_id_and_date_count_as_ever() -> None:
    whole = [*LINES, *HAVE["a Message-ID"], *HAVE["a Date"]]
    for change in ((b"Message-ID", b" <2@firm.example>"), (b"Date", b" Tue, 24 Nov 2026 03:12:56 +0000")):
        assert _key([line for line in whole if line[0] != change[0]] + [change]) != _key(whole)
