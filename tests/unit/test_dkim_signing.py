"""DKIM signatures: the canonical forms are dkimpy's for any bytes and pieces, and nothing can be added to signed mail."""

import hashlib
import tracemalloc
from datetime import UTC, datetime

import dkim
import dkim.canonicalization
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailweir import dkim_canonical, dkim_record, dkim_signing
from mailweir.dkim_canonical import RelaxedBody
from mailweir.dkim_signing import SigningKey
from mailweir.headers import MAX_WHOLE_BYTES, Header

NOW = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)
DOMAIN, SELECTOR = "firm.example", "mw1"
HEADERS = [
    (b"Received", b" from a by b"),
    (b"From", b' "J\xc3\xb6rg" <richard@firm.example>'),
    (b"To", b" jane@client.example,\r\n\tjoe@client.example"),
    (b"Subject", b"   An \t  offer  "),
    (b"Message-ID", b" <1@firm.example>"),
    (b"Date", b" Tue, 24 Nov 2026 03:12:55 +0000"),
    (b"Content-Type", b" text/plain; charset=utf-8"),
    (b"X-Other", b" not signed"),
]
BODY = b"hello \t world  \r\n\r\n. dot\r\n\r\n\r\n"


@pytest.fixture(scope="module")
def pair() -> tuple[bytes, bytes]:
    """A private and a public key."""
    return dkim_signing.generate()


def _digest(*pieces: bytes) -> bytes:
    body = RelaxedBody()
    for piece in pieces:
        body.update(piece)
    return body.digest()


def _expected(body: bytes) -> bytes:
    canonical = dkim.canonicalization.Relaxed.canonicalize_body(body)
    return hashlib.sha256(canonical).digest()


def _raw(headers: list[Header], body: bytes, signature: bytes = b"") -> bytes:
    lines = ([(b"DKIM-Signature", signature)] if signature else []) + headers
    return b"".join(b"%s:%s\r\n" % line for line in lines) + b"\r\n" + body


def _verifies(raw: bytes, public: bytes) -> bool:
    record = dkim_record.record(DOMAIN, SELECTOR, public)

    def look_up(name: bytes, timeout: int = 5) -> bytes:
        assert name.decode().rstrip(".") == record.name
        return record.value.encode()

    return bool(dkim.verify(raw, dnsfunc=look_up))


def _sign(pair: tuple[bytes, bytes], headers: list[Header], body: bytes) -> bytes:
    return SigningKey(DOMAIN, SELECTOR, pair[0]).signature(headers, _digest(body), NOW)


# --- the body ---------------------------------------------------------------------------------------------------------

_TRICKY = st.lists(st.sampled_from([b" ", b"\t", b"\r", b"\n", b"\r\n", b"a", b".", b"\xff", b"\0"])).map(b"".join)
_BODIES = _TRICKY | st.binary(max_size=200)
# Postfix passes on no bare CR and no bare LF; verifiers may change those before they begin.
_LINES = st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b".", b"\xff", b" \r\n"])).map(b"".join)


@given(st.lists(_BODIES))
@example([])
@example([b""])
@example([b"\r\n"])
@example([b"\r", b"\n"])
@example([b" ", b"\r", b"\n", b" "])
@example([b"a ", b" \r", b"\n\r\n", b"b"])
@example([b"a", b"\r", b"\r\n"])
def test_the_body_in_any_pieces_is_what_dkimpy_makes_of_the_whole(pieces: list[bytes]) -> None:
    assert _digest(*pieces) == _expected(b"".join(pieces))


@given(_TRICKY, st.integers(1, 5))
def test_pieces_of_any_size_give_the_same(body: bytes, size: int) -> None:
    assert _digest(*[body[at : at + size] for at in range(0, len(body), size)]) == _digest(body)


@pytest.mark.parametrize("line", [b"\r\n", b" ", pytest.param(b"\t \r\n", marks=pytest.mark.slow), b"\r", b"x" * 64])
def test_a_large_body_takes_no_memory_whatever_it_is_made_of(line: bytes) -> None:
    piece = line * (65_536 // len(line))
    body = RelaxedBody()
    body.update(b"a")
    tracemalloc.start()
    for _ in range(160):  # 10 MB
        body.update(piece)
    body.update(b"b")
    body.digest()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000  # a piece and its processed form


@pytest.mark.parametrize("unit", [b" ", b"\t", b"\r\n", b"\r", b" \r", b"a ", b"\n"])
def test_the_work_grows_with_the_body_and_no_faster(unit: bytes, grows_linearly: object) -> None:
    def work(size: int) -> None:
        _digest(unit * (size // len(unit) * 10) + b"x")

    grows_linearly(work)  # type: ignore[operator]


# --- the headers ------------------------------------------------------------------------------------------------------

_VALUES = st.lists(st.sampled_from([b" ", b"\t", b"\r\n ", b"\r\n\t", b"a", b"\xe9", b":", b"\x0c"])).map(b"".join)
_NAMES = st.sampled_from([b"From", b"SUBJECT", b"to", b"List-Id", b"X-Y"])


@given(_NAMES, _VALUES)
def test_a_header_is_what_dkimpy_makes_of_it(name: bytes, value: bytes) -> None:
    ((expected_name, expected),) = dkim.canonicalization.Relaxed.canonicalize_headers([(name, value)])
    assert dkim_canonical.relaxed_header(name.lower(), value) == expected_name + b":" + expected


@given(st.lists(st.tuples(_NAMES, _VALUES.map(lambda value: b" " + value + b"x")), max_size=8), _LINES)
def test_what_is_signed_verifies(pair: tuple[bytes, bytes], more: list[Header], body: bytes) -> None:
    headers = [(b"From", b" richard@firm.example"), *more]
    assert _verifies(_raw(headers, body, _sign(pair, headers, body)), pair[1])


@pytest.mark.parametrize("body", [BODY, b"", b"\r\n", b"\r\n\r\n", b"no end", b"x" * 5_000 + b"\r\n", b"\xff\xfe \r\n"])
def test_bodies_verify(pair: tuple[bytes, bytes], body: bytes) -> None:
    raw = _raw(HEADERS, body, _sign(pair, HEADERS, body))
    assert _verifies(raw, pair[1])
    assert not _verifies(raw + b"x\r\n", pair[1])


def test_the_signature_says_what_it_covers(pair: tuple[bytes, bytes]) -> None:
    value = _sign(pair, HEADERS, BODY)
    tags = dkim.util.parse_tag_value(value)
    assert {name: tags[name] for name in (b"v", b"a", b"c", b"d", b"s", b"t")} == {
        b"v": b"1",
        b"a": b"rsa-sha256",
        b"c": b"relaxed/relaxed",
        b"d": b"firm.example",
        b"s": b"mw1",
        b"t": b"%d" % NOW.timestamp(),
    }
    assert set(tags) == {b"v", b"a", b"c", b"d", b"s", b"t", b"h", b"bh", b"b"}  # no l=
    assert value.startswith(b" ")
    assert all(len(line) <= 78 for line in (b"DKIM-Signature:" + value).split(b"\r\n")[1:])


@pytest.mark.parametrize(
    "added",
    [
        *[name.title() for name in dkim_signing.OVERSIGNED],
        b"List-Unsubscribe",
        b"List-Id",
    ],
)
def test_no_header_that_matters_can_be_added(pair: tuple[bytes, bytes], added: bytes) -> None:
    headers = [*HEADERS, (b"List-Unsubscribe", b" <https://firm.example/u>"), (b"List-Id", b" <l.firm.example>")]
    signature = _sign(pair, headers, BODY)
    assert _verifies(_raw(headers, BODY, signature), pair[1])
    forged = (added, b" another@evil.example")
    assert not _verifies(_raw([forged, *headers], BODY, signature), pair[1])
    assert not _verifies(_raw([*headers, forged], BODY, signature), pair[1])


def test_a_mailing_list_may_add_its_own_headers(pair: tuple[bytes, bytes]) -> None:
    signature = _sign(pair, HEADERS, BODY)
    headers = [(b"List-Id", b" <l.example>"), (b"Received", b" from c by d"), *HEADERS]
    assert _verifies(_raw(headers, BODY, signature), pair[1])


@pytest.mark.parametrize("name", [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Content-Type"])
def test_no_header_that_matters_can_be_changed_or_taken_away(pair: tuple[bytes, bytes], name: bytes) -> None:
    signature = _sign(pair, HEADERS, BODY)
    changed = [(key, value + b"x" * (key == name)) for key, value in HEADERS]
    assert not _verifies(_raw(changed, BODY, signature), pair[1])
    without = [header for header in HEADERS if header[0] != name]
    assert not _verifies(_raw(without, BODY, signature), pair[1])


def test_headers_that_stand_twice_are_taken_from_the_lowest(pair: tuple[bytes, bytes]) -> None:
    headers = [*HEADERS, (b"To", b" second@client.example"), (b"to", b" third@client.example")]
    signature = _sign(pair, headers, BODY)
    assert dkim_signing.signed_names(headers).count(b"to") == 4
    assert _verifies(_raw(headers, BODY, signature), pair[1])


def test_a_header_that_may_have_been_cut_is_left_out(pair: tuple[bytes, bytes]) -> None:
    long = b" a@client.example," * (MAX_WHOLE_BYTES // 18 + 1)
    signature = _sign(pair, [*HEADERS, (b"Cc", long)], BODY)
    assert b"cc" not in dkim_signing.signed_names([*HEADERS, (b"Cc", long)])
    assert _verifies(_raw([*HEADERS, (b"Cc", long + b" b@client.example")], BODY, signature), pair[1])


def test_many_headers_make_no_endless_signature(pair: tuple[bytes, bytes]) -> None:
    headers = [*HEADERS, *[(b"References", b" <x>")] * 5_000]
    signature = _sign(pair, headers, BODY)
    assert len(signature) < 5_000
    assert _verifies(_raw(headers, BODY, signature), pair[1])


def test_the_key_has_the_length_that_is_wanted(pair: tuple[bytes, bytes]) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    key = load_der_public_key(pair[1])
    assert isinstance(key, rsa.RSAPublicKey)
    assert (key.key_size, key.public_numbers().e) == (2048, 65_537)
