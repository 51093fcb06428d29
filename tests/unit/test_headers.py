"""The bounded parsing of header bytes: its results. No input makes it raise or take long."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir import headers

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly
    from tests.unit.conftest import SplitHeaders

ORDINARY = [
    (b"Received", b" from mx.client.example\r\n\tby mail.example.net; Tue, 24 Nov 2026 03:12:55 +0000"),
    (b"From", b" Jane Doe <Jane@Client.example>"),
    (b"To", b' "Firm, Richard" <richard@firm.example>,\r\n Mary <mary@firm.example>'),
    (b"Cc", b" joe@client.example, RICHARD@firm.example"),
    (b"Subject", b" An\r\n offer"),
    (b"Date", b" Tue, 24 Nov 2026 04:12:55 +0100"),
    (b"Message-ID", b" <1@client.example>"),
]


def test_an_ordinary_message_is_read() -> None:
    view = headers.look(ORDINARY)
    assert view.author == "jane@client.example"
    assert view.recipients == ("richard@firm.example", "mary@firm.example", "joe@client.example")
    assert view.message_id == "<1@client.example>"
    assert view.subject == "An  offer"
    assert view.sent_at == datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)
    assert view.loop_tokens == ()
    assert not view.marked_confirmation
    assert view.transfer_encoding == b""


def test_names_count_in_any_case_and_values_with_or_without_white_space() -> None:
    view = headers.look([(b"FROM", b"jane@client.example"), (b"message-Id", b"<1@x>"), (b"sUBJECT", b"\tx ")])
    assert (view.author, view.message_id, view.subject) == ("jane@client.example", "<1@x>", "x")


def test_no_headers_say_nothing() -> None:
    view = headers.look([])
    assert (view.author, view.recipients, view.message_id, view.subject, view.sent_at) == (None, (), None, "", None)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [b" "],
        [b" <>"],
        [b" jane@client.example", b" eve@evil.example"],
        [b" jane@client.example", b" jane@client.example"],
        [b" jane@client.example", b""],
        [b" eve@evil.example", b" \r\n"],
        [b" jane@client.example, eve@evil.example"],
        [b" jane@client.example <eve@evil.example>"],
        [b" jane@cli\xffent.example"],
        [b" jane@client.example" + b" " * 60_000],
        [b" " + b"<jane@client.example>," * 15_000],
        [b' "' + b"x" * 300_000 + b'" <jane@client.example>'],
    ],
)
def test_without_one_from_that_reads_one_way_there_is_no_author(values: list[bytes]) -> None:
    assert headers.look([(b"From", value) for value in values]).author is None


@pytest.mark.parametrize(
    "value",
    [
        b" jane@client.example",
        b"\r\n jane@client.example",
        b" =?utf-8?q?J=C3=A4ne?=\r\n =?utf-8?q?_Doe?=\r\n <jane@client.example>",
        b" J\xc3\xa4ne <jane@client.example>",
        b" J\xe4ne <jane@client.example>",
        b" \xff\xfe\x80 <jane@client.example>",
        b' "' + b"x" * 49_000 + b'" <jane@client.example>',
    ],
)
def test_a_from_in_any_script_and_fold_has_its_author(value: bytes) -> None:
    assert headers.look([(b"From", value)]).author == "jane@client.example"


def test_sender_and_resent_from_are_no_from() -> None:
    view = headers.look([(b"Sender", b" jane@client.example"), (b"Resent-From", b" jane@client.example")])
    assert view.author is None


def test_to_and_cc_are_one_list_however_often_they_stand_there() -> None:
    view = headers.look(
        [(b"To", b" a@x.example, b@x.example"), (b"Cc", b" c@x.example"), (b"To", b" A@x.example, d@x.example")]
    )
    assert view.recipients == ("a@x.example", "b@x.example", "d@x.example", "c@x.example")


def test_bcc_and_resent_to_are_no_header_recipients() -> None:
    assert headers.look([(b"Bcc", b" a@x.example"), (b"Resent-To", b" b@x.example")]).recipients == ()


def test_recipients_are_bounded_and_the_cut_makes_no_other_address() -> None:
    filler = b"," * (headers.MAX_RECIPIENT_BYTES - len(b" a@x.example") - len(b"joe@client.example"))
    view = headers.look(
        [(b"To", b" a@x.example" + filler + b"joe@client.example.evil.example"), (b"Cc", b" b@x.example")]
    )
    assert view.recipients == ("a@x.example",)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" <1@x.example>", "<1@x.example>"),
        (b"\r\n <1@x.example>\r\n", "<1@x.example>"),
        (b" <1@x.example> (a comment)", "<1@x.example>"),
        (b" see <1@x.example> and <2@x.example>", "<1@x.example>"),
        (b" 1@x.example", "1@x.example"),
        (b" <1 2\x00\t3@x.example>", "<1 2 3@x.example>"),
        (b" <1\xff@x.example>", "<1\ufffd@x.example>"),
        (b" <" + b"1" * 2_000 + b">", "<" + "1" * 997),
        (b"", None),
        (b" \r\n ", None),
        (b" <>", None),
        (b" \x00\x01", None),
    ],
)
def test_a_message_id_is_what_stands_in_brackets(value: bytes, expected: str | None) -> None:
    assert headers.look([(b"Message-ID", value)]).message_id == expected


def test_of_several_the_first_speaks() -> None:
    twice = [(b"Message-ID", b" <1@x>"), (b"Message-ID", b" <2@x>"), (b"Subject", b" a"), (b"Subject", b" b")]
    view = headers.look(twice)
    assert (view.message_id, view.subject) == ("<1@x>", "a")


def test_marks_are_found() -> None:
    view = headers.look(
        [
            (b"x-mailweir-loop", b" " + b"0a" * 16 + b" " + b"1b" * 16 + b" redirected-confirmation"),
            (b"X-GOOGLE-Address-Confirmation", b" x"),
            (b"Content-Transfer-Encoding", b" Base64 "),
        ]
    )
    assert view.loop_tokens == ("0a" * 16, "1b" * 16)
    assert view.marked_confirmation
    assert view.transfer_encoding == b"base64"


_NAMES = st.sampled_from(
    [b"From", b"To", b"Cc", b"Date", b"Subject", b"Message-ID", b"content-transfer-encoding", b"X-Y"]
)
_SCRAPS = st.sampled_from(
    [
        b"jane@client.example",
        b"<",
        b">",
        b",",
        b":",
        b";",
        b"(",
        b")",
        b'"',
        b"\\",
        b"@",
        b"[",
        b"]",
        b" ",
        b"\r\n ",
        b"\x00",
        b"=?utf-8?q?",
        b"=?utf-8?b?4pyT?=",
        b"=?",
        b"?=",
        b"?",
        b"=41",
        b"\xff",
        b"\xc3\xa4",
        b"\xed\xa0\x80",
        b"24 Nov 2026",
        b" 03:12:55 ",
        b"+0100",
        b"-9999",
        b"99999999999",
        b"Tue, ",
        b"=?idna?q?xn--?=",
        b"=?\x00?q?a?=",
        b"=?zlib?b?eJw=?=",
    ]
)
_VALUES = st.one_of(st.binary(max_size=80), st.lists(_SCRAPS, max_size=12).map(b"".join))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.one_of(_NAMES, st.binary(max_size=12)), _VALUES), max_size=6))
def test_reading_headers_never_raises(lines: list[headers.Header]) -> None:
    _read_all_of(headers.look(lines))


def _read_all_of(view: headers.HeaderView) -> None:
    assert view.sent_at is None or view.sent_at.tzinfo is UTC
    for text in (view.subject, view.message_id or "", view.author or "", *view.recipients):
        # acceptable to a database, a log line and a terminal
        text.encode("utf-8")
        assert "\x00" not in text
        assert len(text.splitlines()) <= 1
    assert len(view.subject) <= headers.MAX_SUBJECT_CHARS


def test_reading_the_corpus_never_raises(corpus: list[Path], split_headers: "SplitHeaders") -> None:
    said, read = 0, 0
    for path in corpus:
        lines = split_headers(path.read_bytes())
        view = headers.look(lines)
        _read_all_of(view)
        said += [b"@" in value for name, value in lines if name.lower() == b"from"] == [True]
        read += view.author is not None
    assert read > said * 0.95, f"{read} of {said}"


@pytest.mark.parametrize(
    "scrap",
    [b"(", b"<", b'"', b",", b":", b"@", b"\\", b"\r\n x", b"=?utf-8?q?a?= ", b"=?", b"a@b,", b"\xff", b"<1", b"24 "],
)
def test_time_grows_with_the_length_only(scrap: bytes, grows_linearly: "GrowsLinearly") -> None:
    def work(size: int) -> None:
        value = scrap * (size // len(scrap))
        view = headers.look([(name, value) for name in (b"To", b"Subject", b"Date", b"Message-ID")])
        assert view.subject is not None
        assert view.sent_at is None

    grows_linearly(work)


def test_a_from_of_300_kb_is_not_read_at_all(grows_linearly: "GrowsLinearly") -> None:
    value = b"<jane@client.example>," * 15_000
    assert len(value) > 300_000
    grows_linearly(lambda _: headers.look([(b"From", value)]))
    assert headers.look([(b"From", value[: headers.MAX_AUTHOR_BYTES])]).author is None


def test_an_author_whom_postfix_may_have_cut_is_not_read() -> None:
    # sent: `(…) jane@client.example.evil.example`; the filter gets 60,000 bytes of the header and can't know that there was more
    address = b" jane@client.example"
    value = b" (" + b"x" * (59_998 - len(address) - 3) + b")" + address
    assert len(value) == 59_998
    assert headers.look([(b"From", value)]).author is None
    folded = value.replace(b"xxxx", b"x\r\n x")
    assert headers.look([(b"From", folded)]).author is None
    assert headers.look([(b"From", b" (" + b"x" * 40_000 + b")" + address)]).author == "jane@client.example"


@pytest.mark.parametrize("name", [b"To", b"Cc"])
def test_a_recipient_whom_postfix_may_have_cut_is_not_read(name: bytes) -> None:
    address = b" jane@client.example"
    value = b" joe@client.example, (" + b"x" * (59_998 - len(address) - 23) + b")" + address
    assert len(value) == 59_998
    assert headers.look([(name, value)]).recipients == ("joe@client.example",)
    assert headers.look([(name, value.replace(b"xx", b"x"))]).recipients == (
        "joe@client.example",
        "jane@client.example",
    )


def test_many_headers_take_time_that_grows_with_their_number(grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: headers.look([(b"To", b"a@x.example"), (b"X", b"y"), (b"From", b"z")] * (size // 30)))
