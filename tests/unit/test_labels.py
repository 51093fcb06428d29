"""The labels of a mail, from programs' marks; and people's mail that looks similar."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir import headers
from mailweir.reading import labels
from mailweir.reading.labels import Label
from tests.linear_time import GrowsLinearly

Lines = list[tuple[str, str]]


@dataclass(frozen=True)
class Part:
    """The properties of a part that labels use."""

    path: tuple[int, ...]
    media_type: str
    parameters: dict[str, str] = field(default_factory=dict)


def _view(lines: Lines) -> headers.HeaderView:
    return headers.look([(name.encode(), f" {value}".encode()) for name, value in lines])


def _of_headers(lines: Lines, envelope_sender: str | None = None) -> set[str]:
    return set(labels.of_headers(_view(lines), envelope_sender))


def _of(*parts: Part, text: str = "", method: str | None = None) -> set[str]:
    return set(labels.of(_view([]), parts, None, text=text, method=method))


MICROSOFTS = ("Auto-Submitted", "auto-generated")
SUPPRESSES = ("X-Auto-Response-Suppress", "All")


@pytest.mark.parametrize(
    ("lines", "envelope_sender"),
    [
        ([("Auto-Submitted", "auto-replied")], None),
        ([("Auto-Submitted", "(of a robot (a nice one)) Auto-Replied (yes)")], "jane@client.example"),
        ([("Auto-Submitted", 'auto-replied; owner-email="no@client.example"')], None),
        ([("Auto-Submitted", "no"), ("Auto-Submitted", "auto-replied")], None),
        ([("X-Autoreply", "yes")], None),
        ([("X-Autorespond", "Re: An offer")], None),
        ([MICROSOFTS], ""),
        ([MICROSOFTS, ("Return-Path", "<>")], None),
        ([MICROSOFTS, ("Return-Path", "< >"), ("Return-Path", "<jane@client.example>")], None),
        ([MICROSOFTS, SUPPRESSES, ("In-Reply-To", "<1@firm.example>")], "jane@client.example"),
        ([("Auto-Submitted", "auto-notified; owner-email=x")], ""),
        ([("Auto-Submitted", "auto-something-new")], ""),
    ],
)
def test_what_a_program_answered_is_automatic(lines: Lines, envelope_sender: str | None) -> None:
    assert _of_headers(lines, envelope_sender) == {"automatic"}


@pytest.mark.parametrize(
    ("lines", "envelope_sender"),
    [
        ([("Auto-Submitted", "no")], ""),
        ([("Auto-Submitted", "NO (a person)")], ""),
        ([("Auto-Submitted", "no"), ("X-Autoreply", "yes")], None),
        ([("Auto-Submitted", "")], ""),
        ([("Auto-Submitted", "(auto-replied)")], ""),
        ([MICROSOFTS], "jane@client.example"),
        ([MICROSOFTS], None),
        ([MICROSOFTS, ("Return-Path", "<jane@client.example>"), ("Return-Path", "<>")], None),
        ([MICROSOFTS, ("Return-Path", "<>")], "jane@client.example"),
        ([SUPPRESSES], ""),
        ([SUPPRESSES, ("In-Reply-To", "<1@firm.example>")], ""),
        ([], ""),
        ([("Subject", "Automatic reply: An offer")], None),
    ],
)
def test_what_a_person_wrote_is_not(lines: Lines, envelope_sender: str | None) -> None:
    assert _of_headers(lines, envelope_sender) == set()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([("List-Id", "Clients <clients.lists.example>")], {"list"}),
        ([("List-Post", "NO")], {"list"}),
        ([("List-Id", " ")], set()),
        ([("List-Unsubscribe", "<https://client.example/u>")], {"bulk"}),
        ([("Precedence", "Bulk")], {"bulk"}),
        ([("Precedence", "list"), ("List-Id", "<a.b>")], {"bulk", "list"}),
        ([("Precedence", "first-class")], set()),
        ([("Content-Type", 'Multipart/Report; boundary=x;\r\n report-type="Delivery-Status"')], {"bounce"}),
        ([("Content-Type", "multipart/report; report-type=disposition-notification")], {"receipt"}),
        ([("Content-Type", "multipart/report; report-type=feedback-report")], set()),
        ([("Content-Type", "multipart/mixed; report-type=delivery-status")], set()),
        ([("Content-Type", 'multipart/encrypted; protocol="application/pgp-encrypted"')], {"encrypted"}),
        ([("Content-Type", "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m")], {"encrypted"}),
        ([("Content-Type", "application/x-pkcs7-mime; smime-type=authEnveloped-data")], {"encrypted"}),
        ([("Content-Type", "application/pkcs7-mime; name=smime.p7m")], {"encrypted"}),
        ([("Content-Type", "application/pkcs7-mime; smime-type=signed-data")], {"signed"}),
        ([("Content-Type", "application/pkcs7-mime; smime-type=certs-only")], set()),
        ([("Content-Type", "multipart/signed; micalg=pgp-sha256")], {"signed"}),
        ([("Content-Type", "text/calendar; method=REPLY")], set()),
    ],
)
def test_what_else_headers_say(lines: Lines, expected: set[str]) -> None:
    assert _of_headers(lines) == expected


REPORT = Part((), "multipart/report")
WITHIN = Part((1,), "message/rfc822")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((REPORT, Part((0,), "text/plain"), Part((1,), "message/delivery-status")), {"bounce"}),
        ((REPORT, Part((1,), "message/global-delivery-status")), {"bounce"}),
        ((REPORT, Part((0,), "text/plain"), Part((1,), "message/disposition-notification")), {"receipt"}),
        ((Part((), "multipart/mixed"), Part((1,), "message/disposition-notification")), {"receipt"}),
        ((Part((), "message/disposition-notification"),), {"receipt"}),
        ((Part((), "multipart/mixed"), Part((0,), "multipart/signed"), Part((1,), "text/plain")), {"signed"}),
        ((Part((), "multipart/mixed"), Part((0,), "application/pgp-encrypted")), {"encrypted"}),
        ((Part((), "multipart/mixed"), Part((0,), "application/pkcs7-mime", {"smime-type": "enveloped-data"})), {"encrypted"}),
        ((Part((), "text/calendar", {"method": "request"}),), {"invitation"}),
        ((Part((), "text/calendar"),), {"invitation"}),
        ((Part((), "text/calendar", {"method": "Reply"}),), set()),
        ((Part((), "text/calendar", {"method": "CANCEL"}),), set()),
    ],
)  # fmt: skip
def test_what_parts_say(parts: tuple[Part, ...], expected: set[str]) -> None:
    assert _of(*parts) == expected


def test_the_calendars_own_method_counts_before_the_parts() -> None:
    assert _of(Part((), "text/calendar", {"method": "REQUEST"}), method="REPLY") == set()
    assert _of(Part((), "text/calendar", {"method": "REPLY"}), method="REQUEST") == {"invitation"}


@pytest.mark.parametrize(
    "inner",
    [
        (Part((1, 0), "multipart/report"), Part((1, 0, 1), "message/delivery-status")),
        (Part((1, 0), "message/disposition-notification"),),
        (Part((1, 0), "multipart/signed"),),
        (Part((1, 0), "multipart/encrypted"), Part((1, 0, 0), "application/pgp-encrypted")),
        (Part((1, 0), "text/calendar"),),
    ],
)
def test_what_lies_within_a_message_within_the_message_says_nothing_of_it(inner: tuple[Part, ...]) -> None:
    assert _of(Part((), "multipart/mixed"), Part((0,), "text/plain"), WITHIN, *inner) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-----BEGIN PGP MESSAGE-----\n\nabc\n-----END PGP MESSAGE-----\n", {"encrypted"}),
        ("Hello\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n", {"signed"}),
        ("> -----BEGIN PGP MESSAGE-----\n", set()),
        ("It begins with -----BEGIN PGP MESSAGE-----\n", set()),
    ],
)
def test_pgp_within_the_text(text: str, expected: set[str]) -> None:
    assert _of(Part((), "text/plain"), text=text) == expected


def test_parts_add_to_what_the_headers_say() -> None:
    view = _view([("List-Id", "<a.b>"), MICROSOFTS])
    assert labels.of(view, [Part((), "multipart/signed")], "") == {Label.LIST, Label.AUTOMATIC, Label.SIGNED}


# --- in the record ----------------------------------------------------------------------------------------------------


def test_each_label_keeps_its_bit() -> None:
    """People's databases contain the numbers."""
    assert {label.value: labels.to_bits([label]) for label in Label} == {
        "automatic": 1,
        "list": 2,
        "bulk": 4,
        "bounce": 8,
        "receipt": 16,
        "invitation": 32,
        "encrypted": 64,
        "signed": 128,
    }


@given(st.frozensets(st.sampled_from(list(Label))))
def test_labels_come_back_from_the_record(some: frozenset[Label]) -> None:
    assert labels.from_bits(labels.to_bits(some)) == some
    assert set(labels.in_order(some)) == {label.value for label in some}


def test_what_was_recorded_before_or_by_a_newer_version_is_read_all_the_same() -> None:
    assert labels.from_bits(None) == frozenset()
    assert labels.from_bits(1 << 40 | 1) == {Label.AUTOMATIC}
    assert labels.in_order([Label.SIGNED, Label.AUTOMATIC]) == ["automatic", "signed"]


# --- hostile ----------------------------------------------------------------------------------------------------------

_NAMES = [
    "auto-submitted", "return-path", "list-id", "precedence", "content-type", "x-autoreply", "x-auto-response-suppress"
]  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(_NAMES), st.binary(max_size=60)), max_size=6), st.sampled_from([None, "", "a@b"])
)
def test_any_bytes_have_labels(lines: list[tuple[str, bytes]], envelope_sender: str | None) -> None:
    view = headers.look([(name.encode(), value) for name, value in lines])
    assert labels.of(view, [], envelope_sender) >= labels.of_headers(view, envelope_sender)


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("unit", [b"(", b")", b"\\", b";", b'"', b"a=", b';a="', b"<", b" ", b"x"])
def test_a_long_value_takes_no_time(grows_linearly: GrowsLinearly, name: str, unit: bytes) -> None:
    grows_linearly(lambda size: labels.of_headers(headers.look([(name.encode(), unit * size)]), None))


@pytest.mark.parametrize("unit", ["-----BEGIN PGP MESSAGE----", "\n-----BEGIN PGP", "-", "\n"])
def test_a_long_text_takes_no_time(grows_linearly: GrowsLinearly, unit: str) -> None:
    grows_linearly(lambda size: _of(Part((), "text/plain"), text=unit * size))
