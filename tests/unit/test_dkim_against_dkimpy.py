"""Our DKIM verification agrees with dkimpy's: on signed mail, on mutants of it, and on the corpus."""

import hashlib
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dkim
import dkim.canonicalization
from cryptography.hazmat.primitives import serialization
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from admin_cli.demo.signing import SigningKey
from mailweir import dkim_message, dkim_signing, dkim_tags
from mailweir.dkim_canonical import relaxed_digest
from tests.dkim_mail import DOMAIN, GOOD, HEADERS, SELECTOR, check, dkimpys
from tests.dkim_mail import key as key
from tests.dkim_mail import record as record

if TYPE_CHECKING:
    pass


# --- dkimpy's verdict -------------------------------------------------------------------------------------------------

_BODIES = st.lists(
    st.sampled_from([b" ", b"\t", b"\r\n", b"a", b".", b"\xff", b" \r\n", b"  ", b"\r", b"\n", b"\0"]), max_size=30
).map(b"".join)
_FORMS = st.tuples(st.sampled_from([b"relaxed", b"simple"]), st.sampled_from([b"relaxed", b"simple"]))
_COVERED = st.lists(
    st.sampled_from([b"from", b"to", b"subject", b"date", b"message-id", b"x-twice", b"received", b"reply-to"]),
    max_size=12,
).map(lambda names: [b"from", *names])
_PUT = st.sampled_from(
    [
        b" ",
        b"\t",
        b"\r\n",
        b"\r\n ",
        b"x",
        b"A",
        b";",
        b":",
        b"=",
        b"\n",
        b"\r",
        b"\0",
        b"\xff",
        b"X-New: y\r\n",
        b" b=QUJD",
    ]
)
# Position, number of bytes to remove, replacement.
_CHANGES = st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 1, 2]), _PUT), max_size=3)


def _changed(raw: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    for place, length, piece in changes:
        at = int(place * len(raw))
        raw = raw[:at] + piece + raw[at + length :]
    return raw


def _signed_by_dkimpy(key: SigningKey, raw: bytes, forms: tuple[bytes, bytes], covered: list[bytes]) -> bytes:
    made = dkim.DKIM(raw)
    made.should_not_sign = set()
    signature: bytes = made.sign(
        SELECTOR.encode(), DOMAIN.encode(), key.private_pem, canonicalize=forms, include_headers=covered
    )
    return signature + raw


def _ours_is_stricter(raw: bytes) -> bool:
    """The intended differences from dkimpy; each has a test below."""
    message = dkim_message.read(raw)
    if message is None or message.has_additions():
        return True
    tags = dkim_tags.read(message.named(b"dkim-signature")[0][1]) if message.named(b"dkim-signature") else {}
    return not dkim_tags.proves_something(tags)


@settings(max_examples=400, deadline=None)
@given(_FORMS, _COVERED, _BODIES, _CHANGES)
@example((b"relaxed", b"relaxed"), [b"from"], b"", [])
@example((b"simple", b"simple"), [b"from", b"x-twice", b"x-twice", b"x-twice"], b"\r\n\r\n", [])
@example((b"relaxed", b"relaxed"), [b"from"], b"a\r\n", [(1.0, 0, b"\r\n")])
def test_the_verdict_is_dkimpys_on_signed_mail_and_what_becomes_of_it(
    key: SigningKey,
    record: bytes,
    forms: tuple[bytes, bytes],
    covered: list[bytes],
    body: bytes,
    changes: list[tuple[float, int, bytes]],
) -> None:
    raw = b"\r\n".join(HEADERS) + b"\r\n\r\n" + body
    signed = _signed_by_dkimpy(key, raw, forms, covered)
    assert check(signed, record) == GOOD
    changed = _changed(signed, changes)
    expected = dkimpys(changed, record)
    assume(not (expected and _ours_is_stricter(changed)))
    assert check(changed, record, time.time()).is_good is True or not expected
    assert expected or not check(changed, record, time.time()).is_good


@settings(max_examples=100, deadline=None)
@given(_BODIES, _CHANGES)
def test_what_we_sign_is_verified_by_both(
    record: bytes, key: SigningKey, body: bytes, changes: list[tuple[float, int, bytes]]
) -> None:
    body = body.replace(b"\r", b"").replace(b"\n", b"\r\n")  # as Postfix hands it over
    private = serialization.load_pem_private_key(key.private_pem, None)
    der = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    headers = [(name, value) for name, _, value in (line.partition(b":") for line in HEADERS)]
    signer = dkim_signing.SigningKey(DOMAIN, SELECTOR, der)
    value = signer.signature(headers, relaxed_digest(body), datetime.now(UTC))
    raw = b"DKIM-Signature:" + value + b"\r\n" + b"\r\n".join(HEADERS) + b"\r\n\r\n" + body
    assert check(raw, record, time.time()) == GOOD
    assert dkimpys(raw, record)
    changed = _changed(raw, changes)
    expected = dkimpys(changed, record)
    assume(not (expected and _ours_is_stricter(changed)))
    assert bool(check(changed, record, time.time()).is_good) == expected


def test_the_corpus_is_read_as_dkimpy_reads_it(corpus: list[Path]) -> None:
    """Headers and bodies of real mail, in each form. dkimpy skips a line `From …` at any position."""
    raws = {path.name: path.read_bytes() for path in corpus}
    read = {name: found for name, raw in raws.items() if (found := dkim_message.read(raw))}
    for name, message in read.items():
        theirs = _parsed(raws[name])
        assert [(field, value + b"\r\n") for field, value in message.headers] == theirs.headers, name
        for form, is_relaxed in ((dkim.canonicalization.Relaxed, True), (dkim.canonicalization.Simple, False)):
            digest = hashlib.sha256(form.canonicalize_body(theirs.body)).digest()
            assert message.body_digest(is_relaxed=is_relaxed) == digest, name
    assert len(read) > len(raws) * 0.8


def _parsed(raw: bytes) -> Any:
    found = dkim.DKIM(raw)
    found.headers = [tuple(one) for one in found.headers]
    return found
