"""Law 2's key: two sightings of one message have the same key; two messages have different keys."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir import headers, identity

BASE = {
    "From": "Jane <jane@client.example>",
    "Date": "Tue, 24 Nov 2026 03:12:55 +0000",
    "Message-ID": "<1@client.example>",
    "Subject": "An offer",
    "To": "richard@firm.example",
}
DIGEST = hashlib.sha256(b"hello").digest()
OTHER_DIGEST = hashlib.sha256(b"hell0").digest()


def _key(digest: bytes = DIGEST, author: str = "jane@client.example", **changes: str | None) -> bytes:
    values = BASE | {"From": author} | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [(name.encode(), b" " + value.encode()) for name, value in values.items() if value is not None]
    return identity.key(headers.look(lines), digest)


@pytest.mark.parametrize(
    "written",
    [
        "<1@client.example>",
        "<1@client .example>",
        "<1@\r\n client.example>",
        "<1\t@client.example> (a comment)",
        "=?utf-8?q?=3C1=40client=2Eexample=3E?=",
        "=?utf-8?b?PDFAY2xpZW50LmV4YW1wbGU+?=",
    ],
)
def test_a_message_id_is_the_same_however_it_is_folded_or_encoded(written: str) -> None:
    assert _key(Message_ID=written) == _key()


def test_all_candidates_count_in_one_order() -> None:
    one = _key(author="jane@client.example <jane@home.example>")
    assert one == _key(author="jane@home.example <jane@client.example>")
    assert one not in (_key(), _key(author="jane@home.example"))


def test_a_key_is_32_bytes_and_stays_the_same_over_time() -> None:
    assert len(_key()) == 32
    # A literal: if it changed, Mailweir would take every earlier message for a new one.
    assert _key().hex() == "88c798a6702cd0eccfa2288c37e9414f8fcc3c839a7db7546492e94aafc43037"
    assert _key(Message_ID=None).hex() == "e985f8c2eea87a89b40c2179abd5d44de4f36d0dc46dd9e86a5d21861014b334"


@pytest.mark.parametrize(
    ("date", "with_id", "without"),
    [
        ("Tue, 24 Nov 2026 04:12:55 +0100 (CET)", "88c798a6702cd0ec", "e985f8c2eea87a89"),
        ("Mon,\r\n 23 Nov 2026 22:12:55\r\n -0500", "88c798a6702cd0ec", "e985f8c2eea87a89"),
        ("Tue,24 Nov 2026 03:12:55 UT", "88c798a6702cd0ec", "e985f8c2eea87a89"),
        ("24 Nov 2026 03:12 GMT", "3ab53ddaf0353569", "b0719e1657dbd3d2"),
        ("Sat, 1 Jan 2000 00:30:00 +0530", "c6bdd094925a8d58", "5e3f458679836600"),
        ("Thu, 31 Dec 1998 23:59:59 -0000", "7ed638f26f5764fb", "16d96564dc80eaaa"),
        ("Tue, 24 Nov 97 09:55:06 GMT", "d3c4fb47c3c8b193", "3184c6edd6761bfc"),
        ("Wed, 29 Feb 2028 12:00:00 EDT", "163762e3c488945d", "8e5ae21508a958e6"),
        ("soon", "9fd541f2827e4929", "f452198cdbec4ad9"),
        ("", "ee5641c4aeb804b6", "44c815faf4b7e4b1"),
    ],
)
def test_the_keys_of_plain_dates_stay_the_same_over_time(date: str, with_id: str, without: str) -> None:
    assert (_key(Date=date).hex()[:16], _key(Date=date, Message_ID=None).hex()[:16]) == (with_id, without)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Tue, 24 Nov 2026 04:12:55 GMT+0100", "Tue, 24 Nov 2026 03:12:55 +0000"),
        ("2026-11-24T03:12:55.123Z", "Tue, 24 Nov 2026 03:12:55 +0000"),
        ("Mon, 23 Nov 2026 10:12:55 PM -0500", "Tue, 24 Nov 2026 03:12:55 +0000"),
        # the same words, but no date that can be parsed
        ("Tue, 24 Nov 2026 03:12:55", "Tue,\r\n 24  Nov 2026 03:12:55"),
        ("Tue, 24 Nov 2026 03:12:55 (Mitteleurop\u00e4ische (x) Zeit)", "Tue, 24 Nov 2026 03:12:55"),
        ("Tue, 24 Nov 2026 03:12:55 IST (India)", "Tue, 24 Nov 2026 03:12:55 IST"),
    ],
)
def test_a_date_that_was_normalised_on_one_route_is_the_same(one: str, other: str) -> None:
    assert _key(Date=one) == _key(Date=other)
    assert _key(Date=one, Message_ID=None) == _key(Date=other, Message_ID=None)


def test_a_moment_in_another_zone_is_another_message() -> None:
    """If both were silently read as UTC, these two would be one message."""
    assert _key(Date="Tue, 24 Nov 2026 03:12:55 GMT+0100") != _key(Date="Tue, 24 Nov 2026 03:12:55 +0000")
    assert _key(Date="Tue, 24 Nov 2026 03:12:55 IST") != _key(Date="Tue, 24 Nov 2026 03:12:55 BST")


@pytest.mark.parametrize(
    "changes",
    [
        {"To": "mary@firm.example"},
        {"Cc": "log@demo.example.net"},
        {"Subject": "[List] An offer"},
        {"From": "jane@client.example (Jane)"},
        {"Received": "from forwarder.example"},
        {"X_Forwarded_To": "richard@demo.example.net"},
        {"Date": "Tue, 24 Nov 2026 04:12:55 +0100"},
        {"Date": "24 Nov 2026 03:12:55 GMT"},
        {"Message_ID": "\r\n\t<1@client.example>"},
        {"DKIM_Signature": "v=1"},
    ],
)
def test_what_forwarders_change_does_not_count(changes: dict[str, str]) -> None:
    assert _key(**changes) == _key()  # type: ignore[arg-type]


def test_a_reencoded_body_is_the_same_message_where_there_is_a_message_id() -> None:
    assert _key(OTHER_DIGEST) == _key()


@pytest.mark.parametrize(
    "changes",
    [
        {"Message_ID": "<2@client.example>"},
        {"Message_ID": None},
        {"Message_ID": "<1@CLIENT.example>"},
        {"Date": "Tue, 24 Nov 2026 03:12:56 +0000"},
        {"Date": None},
        {"Date": "soon"},
        {"author": "joe@client.example"},
    ],
)
def test_another_message_id_author_or_date_is_another_message(changes: dict[str, str | None]) -> None:
    assert _key(**changes) != _key()  # type: ignore[arg-type]


@pytest.mark.parametrize("no_id", [None, "", "<>", " \x01"])
def test_without_a_message_id_the_content_counts(no_id: str | None) -> None:
    key = _key(Message_ID=no_id)
    assert key == _key(Message_ID=None)
    assert key == _key(Message_ID=None, To="mary@firm.example", Subject="An\r\n offer")
    assert key != _key(OTHER_DIGEST, Message_ID=None)
    assert key != _key(Message_ID=None, Subject="Another offer")
    assert key != _key(Message_ID=None, author="joe@client.example")
    assert key != _key(Message_ID=None, Date=None)


def test_an_unreadable_date_counts_as_it_stands() -> None:
    assert _key(Date="soon") == _key(Date="soon")
    assert _key(Date="soon") != _key(Date="later")


def test_parts_do_not_run_into_each_other() -> None:
    assert _key(Message_ID="<a>", Date="b c", author="d@e") != _key(Message_ID="<a> b", Date="c", author="d@e")
    assert _key(Message_ID=None, Date="x", Subject="y z") != _key(Message_ID=None, Date="x y", Subject="z")


def _digest(chunks: list[bytes]) -> bytes:
    digest = identity.BodyDigest()
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest()


SIGNED = [
    (b"DKIM-Signature", b" v=1; d=client.example; h=From:To :\r\n Reply-To; b=abc"),
    (b"From", b" Jane <jane@client.example>"),
    (b"To", b" richard@firm.example"),
    (b"Subject", b" An offer"),
    (b"Received", b" from mx.client.example"),
]


@pytest.mark.parametrize(
    ("at", "header"),
    [
        (0, (b"DKIM-Signature", b" v=1; d=client.example; h=From:To:Reply-To; b=abd")),
        (0, (b"X-Signature", b" none")),
        (1, (b"From", b" The boss <jane@client.example>")),
        (2, (b"to", b" mary@firm.example")),
        (3, (b"Subject", b" Anoffer")),
        (3, (b"Subject", b"  An offer")),  # with "simple" (RFC 6376 3.4.1) this breaks a signature
        (3, (b"Subject", b" Another offer")),
        (4, (b"Reply-to", b" forger@elsewhere.example")),
    ],
)
def test_what_a_signature_proves_makes_a_version(at: int, header: headers.Header) -> None:
    changed = [*SIGNED[:at], header, *SIGNED[at + 1 :]]
    assert identity.version(changed, DIGEST) != identity.version(SIGNED, DIGEST)
    assert identity.version(SIGNED, OTHER_DIGEST) != identity.version(SIGNED, DIGEST)


def test_what_forwarders_add_and_move_makes_no_version() -> None:
    added = [(b"Received", b" from forwarder.example"), (b"X-Forwarded-To", b" a@b.example"), (b"ARC-Seal", b" i=1")]
    assert identity.version([*added, *SIGNED[1:4], SIGNED[0]], DIGEST) == identity.version(SIGNED, DIGEST)
    many = [(b"X-J", b" 1")] * headers.MAX_PROVABLE_HEADERS
    assert identity.version([*many, *SIGNED], DIGEST) != identity.version(SIGNED, DIGEST)


@pytest.mark.parametrize(
    ("signer", "counts"),
    [
        (b"client.example", False),
        (b"CLIENT.example", False),
        (b"mail.client.example", False),
        (b"clientexample.onmicrosoft.com", True),
        (b"notclient.example", True),
        (b"", True),
    ],
)
def test_seals_make_a_version_where_the_authors_domain_signed_nothing(signer: bytes, counts: bool) -> None:
    """There the verdict depends on them: a copy without seals, sent first, would replace the copy that can be proven."""
    lines = [(b"DKIM-Signature", b" v=1; d=" + signer + b"; h=From; b=abc"), *SIGNED[1:]]
    for name in (b"ARC-Seal", b"ARC-Message-Signature", b"arc-authentication-results"):
        sealed = [(name, b" i=1; b=x"), *lines]
        jane = identity.version(lines, DIGEST, author="jane@client.example")
        assert (identity.version(sealed, DIGEST, author="jane@client.example") != jane) is counts
        assert jane == identity.version(lines, DIGEST), "without a seal nothing changes"
        assert identity.version(sealed, DIGEST) == identity.version(lines, DIGEST)


def test_what_makes_signatures_worthless_makes_a_version() -> None:
    """Otherwise such a copy, sent first, would replace the copy that can be proven."""
    worthless = [
        *SIGNED[1:4],
        (b"Reply-To", b" x@elsewhere.example"),
        (b"Content-Type", b" text/html"),
        (b"Sender", b" x@y.example"),
    ]
    for line in worthless:
        assert identity.version([*SIGNED, line], DIGEST) != identity.version(SIGNED, DIGEST)


_LINES = st.lists(
    st.sampled_from([b"a", b"\r\n", b"\n", b"\r", b" ", b"hello\r\n", b"", b"\r\n\r\n"]), max_size=30
).map(b"".join)


@given(
    _LINES, st.lists(st.integers(0, 120), max_size=10), st.lists(st.sampled_from([b"\r\n", b"\n", b"\r"]), max_size=5)
)
def test_a_body_digest_depends_neither_on_chunks_nor_on_empty_lines_at_the_end(
    body: bytes, cuts: list[int], ends: list[bytes]
) -> None:
    edges = [0, *sorted(cuts), len(body)]
    chunks = [body[start:end] for start, end in pairwise(edges)]
    assert _digest(chunks) == _digest([body])
    assert _digest([*chunks, *ends]) == _digest([body])
    assert _digest([body]) == hashlib.sha256(body.rstrip(b"\r\n")).digest()


def test_a_body_digest_sees_every_other_change() -> None:
    bodies = [b"a", b"b", b"a b", b"a\r\nb", b"a\r\n\r\nb", b"a\nb", b"\r\na", b" a", b"a ", b"a\r\n ", b"a\0"]
    assert len({_digest([body]) for body in bodies}) == len(bodies)


def test_a_body_digest_can_be_asked_for_in_between() -> None:
    digest = identity.BodyDigest()
    digest.update(b"a\r\n")
    assert digest.digest() == _digest([b"a"])
    digest.update(b"b")
    assert digest.digest() == _digest([b"a\r\nb"])
