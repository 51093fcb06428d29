"""Our DKIM verification: the test vectors of the RFCs, tags and keys, and the differences from dkimpy."""

import base64
import hashlib
import time
from typing import TYPE_CHECKING

import dkim
import dkim.canonicalization
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from admin_cli.demo.signing import SigningKey
from mailweir import dkim_message, dkim_tags, dkim_verifying
from mailweir.dkim_verifying import Finding
from mailweir.sender_verdict import VerdictReason
from tests.dkim_mail import DOMAIN, GOOD, NOW, RAW, SELECTOR, by_hand, check, dkimpys
from tests.dkim_mail import key as key
from tests.dkim_mail import record as record

if TYPE_CHECKING:
    pass


# --- the vectors of the RFCs ------------------------------------------------------------------------------------------

_REST = (
    "From: Joe SixPack <joe@football.example.com>\nTo: Suzie Q <suzie@shopping.example.net>\nSubject: Is dinner ready?\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\nMessage-ID: <20030712040037.46341.5F8J@football.example.com>\n\n"
    "Hi.\n\nWe lost the game.{} Are you hungry yet?\n\nJoe.\n"
)
# RFC 6376 A.2, its body as the erratum has it; the key is that of its appendix C
RFC6376_MESSAGE = (
    "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\n      c=simple/simple; q=dns/txt;"
    " i=joe@football.example.com;\n      h=Received : From : To : Subject : Date : Message-ID;\n"
    "      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\n"
    "        4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\n        KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\n"
    "        4bmp/YzhwvcubU4=;\nReceived: from client1.football.example.com  [192.0.2.1]\n"
    "      by submitserver.example.com with SUBMISSION;\n      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\n"
    + _REST.format("")
)
RFC6376_KEY = (
    "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631u"
    "BItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
)
# RFC 8463 A.3: one signature by each key
_ED25519_SIGNATURE = (
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\n d=football.example.com; i=@football.example.com;\n"
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\n subject : date : message-id : from : subject : date;\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\n"
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\n"
)
_RSA_SIGNATURE = (
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\n d=football.example.com; i=@football.example.com;\n q=dns/txt;"
    " s=test; t=1528637909; h=from : to : subject :\n date : message-id : from : subject : date;\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\n"
    " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\n dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\n"
)
ED25519_KEY = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
RFC8463_RSA_KEY = (
    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/by"
    "YzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
)


@pytest.mark.parametrize(
    ("message", "published"),
    [
        (RFC6376_MESSAGE, RFC6376_KEY),
        (_ED25519_SIGNATURE + _RSA_SIGNATURE + _REST.format(" "), ED25519_KEY),
        (_RSA_SIGNATURE + _ED25519_SIGNATURE + _REST.format(" "), RFC8463_RSA_KEY),
    ],
    ids=["RFC 6376 A.2", "RFC 8463 A.3 Ed25519", "RFC 8463 A.3 RSA"],
)
def test_the_vectors_of_the_rfcs_verify(message: str, published: str) -> None:
    raw = message.replace("\n", "\r\n").encode()
    assert check(raw, published.encode()) == GOOD
    assert check(message.encode(), published.encode()) == GOOD  # bare LF
    assert check(raw.replace(b"hungry", b"angry"), published.encode()) == Finding(False, VerdictReason.BODY_CHANGED)
    assert check(raw.replace(b"dinner", b"supper"), published.encode()) == Finding(False, VerdictReason.HEADERS_CHANGED)
    others = {RFC6376_KEY, RFC8463_RSA_KEY, ED25519_KEY} - {published}
    assert not any(check(raw, other.encode()).is_good for other in others)


# --- intended differences from dkimpy --------------------------------------------------------------------------------


def test_white_space_around_b_is_no_part_of_what_is_signed(key: SigningKey, record: bytes) -> None:
    """RFC 6376 3.7. dkimpy leaves it in before a `;`."""
    raw = by_hand(key, template=" v=1; b= {b} ; {tags}".replace("v=1; ", ""))
    assert check(raw, record) == GOOD
    assert not dkimpys(raw, record)


@pytest.mark.parametrize(
    ("tags", "ours", "theirs"),
    [
        ({}, GOOD, True),
        ({"q": "dns/txt:x"}, GOOD, False),  # RFC 6376 3.5: a list; one known entry is enough
        ({"q": "dns/other"}, Finding(False, VerdictReason.MALFORMED), False),
        ({"i": "jane@mail.client.example"}, GOOD, True),
        ({"i": "mail.client.example"}, Finding(False, VerdictReason.MALFORMED), True),  # no @
        ({"i": "jane@notclient.example"}, Finding(False, VerdictReason.MALFORMED), False),
        ({"i": "@client.example@evil.example"}, Finding(False, VerdictReason.MALFORMED), False),
        ({"x": str(int(time.time()) - 5)}, Finding(None, VerdictReason.NOT_TIMELY), True),  # dkimpy grants ten hours
        ({"x": "a"}, Finding(False, VerdictReason.MALFORMED), False),
        ({"t": "9" * 13}, Finding(False, VerdictReason.MALFORMED), False),
        ({"t": "10", "x": "9"}, Finding(None, VerdictReason.NOT_TIMELY), False),
        ({"v": "2"}, Finding(False, VerdictReason.MALFORMED), False),
        ({"c": "other/relaxed"}, Finding(False, VerdictReason.MALFORMED), False),
        ({"l": "7"}, Finding(None, VerdictReason.COVERS_TOO_LITTLE), True),
        ({"h": "to:subject"}, Finding(None, VerdictReason.COVERS_TOO_LITTLE), True),
        ({"h": "from:from:to:reply-to"}, GOOD, True),
        ({"a": "rsa-sha1"}, Finding(None, VerdictReason.COVERS_TOO_LITTLE), False),
        ({"a": "ed25519-sha256"}, Finding(None, VerdictReason.KEY_UNUSABLE), True),  # the key is RSA's
        ({"bh": "AAAA"}, Finding(False, VerdictReason.BODY_CHANGED), False),
        ({"Z9_": "x"}, GOOD, True),
        ({"d ": DOMAIN, "s\t": SELECTOR}, Finding(None, VerdictReason.COVERS_TOO_LITTLE), False),  # each twice
        (
            {"s": "\u00fc"},
            Finding(False, VerdictReason.MALFORMED),
            True,
        ),  # no valid DNS name, which dkimpy notices only in DNS
    ],
)
def test_what_is_made_of_tags(
    key: SigningKey, record: bytes, tags: dict[str, str], ours: Finding, theirs: bool
) -> None:
    raw = by_hand(key, RAW, "", **tags)
    assert check(raw, record, time.time()) == ours
    assert dkimpys(raw, record) is theirs


def test_junk_in_the_body_digest_is_no_base64(key: SigningKey, record: bytes) -> None:
    raw = by_hand(key)
    at = raw.index(b"bh=") + 5
    raw = by_hand(key, bh=(raw[at - 2 : at] + b"!!!!" + raw[at : raw.index(b";", at)]).decode())
    assert check(raw, record) == Finding(False, VerdictReason.BODY_CHANGED)
    assert dkimpys(raw, record)


def test_a_signature_has_the_length_of_its_key(key: SigningKey, record: bytes) -> None:
    """RFC 8017 8.2.2. dkimpy accepts a signature without its leading zero."""
    made = (by_hand(key, t=str(number)) for number in range(5_000))
    raw = next(one for one in made if base64.b64decode(one.partition(b"\r\n")[0].rpartition(b" b=")[2])[0] == 0)
    head, _, rest = raw.partition(b"\r\n")
    kept, _, signature = head.rpartition(b" b=")
    shorter = base64.b64encode(base64.b64decode(signature)[1:])
    cut = kept + b" b=" + shorter + b"\r\n" + rest
    assert check(raw, record) == GOOD
    assert check(cut, record) == Finding(False, VerdictReason.HEADERS_CHANGED)
    assert dkimpys(cut, record)


def test_a_domain_in_another_script_is_its_a_label(key: SigningKey, record: bytes) -> None:
    """RFC 8616 4. dkimpy queries the unchanged name."""
    raw = by_hand(key, d="b\u00fccher.example")
    message = dkim_message.read(raw)
    assert message
    signature = dkim_verifying.read(message.named(b"dkim-signature")[0])
    asked: list[str] = []
    dkim_verifying.check(message, signature, lambda name: bytes(asked.append(name) or record), NOW)  # type: ignore[func-returns-value]
    assert asked == ["sel._domainkey.xn--bcher-kva.example."]


@pytest.mark.parametrize(
    "raw",
    [
        RAW.replace(b"From:", b"From :"),
        RAW.replace(b"X-Twice: one", b"no header"),
        RAW.replace(b"X-Twice: one", b"From nobody"),
        b" x\r\n" + RAW,
        RAW.replace(b"X-Twice: one", b"X-\xff: one"),
        RAW.replace(b"X-Twice: one", b": one"),
    ],
)
def test_a_line_that_is_no_header_makes_the_whole_unreadable(raw: bytes) -> None:
    assert dkim_message.read(raw) is None


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n", b"\n", b"From x y\r\n", b"A: b", b"A: b\r\n", b"\r\n\r\n", b"A: b\r\n\r\n\r\nx"]
)
def test_messages_without_a_part_are_split_where_dkimpy_splits_them(raw: bytes) -> None:
    message, theirs = dkim_message.read(raw), dkim.DKIM(raw or b"\r\n")
    assert message
    assert [name for name, _ in message.headers] == [name for name, _ in theirs.headers]
    assert message.body == theirs.body


# --- keys -------------------------------------------------------------------------------------------------------------


def _with_key(bits: int, form: serialization.PublicFormat) -> tuple[SigningKey, bytes]:
    private = rsa.generate_private_key(public_exponent=65_537, key_size=bits)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = base64.b64encode(private.public_key().public_bytes(serialization.Encoding.DER, form))
    return SigningKey(pem, public.decode()), b"p=" + public


@pytest.mark.parametrize("form", [serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1])
@pytest.mark.parametrize("bits", [1024, 1536, 4096])
def test_keys_of_each_usual_size_and_form(bits: int, form: serialization.PublicFormat) -> None:
    key, published = _with_key(bits, form)
    assert check(by_hand(key), published) == GOOD


def test_a_short_key_proves_nothing(key: SigningKey, record: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dkim_verifying, "MIN_RSA_BITS", 2049)
    assert check(by_hand(key), record) == Finding(False, VerdictReason.KEY_TOO_SHORT)


def _der(modulus: int, exponent: int) -> bytes:
    def integer(number: int) -> bytes:
        data = number.to_bytes(number.bit_length() // 8 + 1, "big")
        return b"\x02\x82" + len(data).to_bytes(2, "big") + data

    content = integer(modulus) + integer(exponent)
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


_KEYS = {
    "even": (2**2047 + 2, 3),
    "even exponent": (2**2047 + 1, 2),
    "exponent 1": (2**2047 + 1, 1),
    "exponent 0": (2**2047 + 1, 0),
    "long exponent": (2**2047 + 1, 2**2046 + 1),
    "nothing": (0, 3),
    "one": (1, 1),
    "20,000 bits": (2**20_000 + 1, 65_537),
    "200,000 bits": (2**200_000 + 1, 2**200_000 - 1),
}


@pytest.mark.parametrize("name", _KEYS)
def test_a_key_that_is_none_raises_nothing_and_takes_no_time(key: SigningKey, name: str) -> None:
    raw, published = by_hand(key), b"p=" + base64.b64encode(_der(*_KEYS[name]))
    begun = time.thread_time()
    found = check(raw, published)
    assert found.is_good is not True
    assert time.thread_time() - begun < 1.0


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (b"", Finding(None, VerdictReason.KEY_MISSING)),
        (b"v=DKIM1; p=", Finding(None, VerdictReason.KEY_REVOKED)),
        (b"v=spf1 -all", Finding(None, VerdictReason.KEY_UNUSABLE)),
        (b"v=DKIM1; h=sha1; p=KEY", Finding(None, VerdictReason.KEY_UNUSABLE)),
        (b"v=DKIM1; s=tlsrpt; p=KEY", Finding(None, VerdictReason.KEY_UNUSABLE)),
        (b"v=DKIM1; k=ed25519; p=KEY", Finding(None, VerdictReason.KEY_UNUSABLE)),
        (b"v=DKIM1; p=AAAA", Finding(None, VerdictReason.KEY_UNUSABLE)),
        (b"v=DKIM1; p=KEY; p=KEY", Finding(None, VerdictReason.KEY_UNUSABLE)),
        (b"v=DKIM1; t=s; p=KEY", Finding(False, VerdictReason.WRONG_IDENTITY)),
        (b"v=DKIM1; t=y; p=KEY", GOOD),
        (b"v=DKIM1; t=y:s; p=KEY", Finding(None, VerdictReason.WRONG_IDENTITY)),
        (b"k=rsa; h=sha256:sha1; s=email; n=x; g=*; p=KEY", GOOD),
    ],
)
def test_what_a_record_says_is_obeyed(key: SigningKey, published: bytes, expected: Finding) -> None:
    raw = by_hand(key, i="jane@mail.client.example")
    assert check(raw, published.replace(b"KEY", key.public.encode())) == expected


def test_a_test_key_holds_nothing_against_anybody(key: SigningKey, record: bytes) -> None:
    changed = by_hand(key).replace(b"hello", b"hallo")
    assert check(changed, record) == Finding(False, VerdictReason.BODY_CHANGED)
    assert check(changed, record.replace(b"k=rsa", b"t=y")) == Finding(None, VerdictReason.BODY_CHANGED)


def test_ed25519_signs_the_digest(key: SigningKey) -> None:
    """RFC 8463 3: a signature over the text itself isn't valid."""
    private = ed25519.Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    published = b"k=ed25519; p=" + base64.b64encode(public)
    raw = by_hand(key, a="ed25519-sha256")
    message = dkim_message.read(raw)
    assert message
    header = message.named(b"dkim-signature")[0]
    emptied = (header[0], dkim_tags.unsigned(header[1]))
    text = message.signed_text([b"from", b"to"], emptied, is_relaxed=True)
    of_text, of_digest = private.sign(text), private.sign(hashlib.sha256(text).digest())
    for made, good in ((of_text, False), (of_digest, True), (of_digest[:-1], False), (b"", False)):
        at = raw.index(b" b=") + 3
        resigned = raw[:at] + (base64.b64encode(made) or b"AA==") + raw[raw.index(b"\r\n", at) :]
        assert check(resigned, published).is_good is good
