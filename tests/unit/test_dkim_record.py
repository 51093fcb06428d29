"""The TXT record of a DKIM key: its form, and the report on a DNS answer."""

import base64

import pytest

from mailweir import dkim_record

KEY = bytes(range(256)) + b"x" * 38  # as long as RSA-2048's
OTHER = KEY[:-1] + b"y"


def _p(key: bytes) -> bytes:
    return base64.b64encode(key)


def test_the_record_is_split_as_dns_wants_it() -> None:
    record = dkim_record.record("client.example", "mw1", KEY)
    assert record.name == "mw1._domainkey.client.example"
    assert [len(part) for part in record.strings] == [255, len(record.value) - 255]
    assert record.value == "v=DKIM1; k=rsa; p=" + _p(KEY).decode()
    assert record.quoted.startswith('( "v=DKIM1; ')
    assert '"' not in record.value


@pytest.mark.parametrize(
    "value",
    [
        b"v=DKIM1; k=rsa; p=" + _p(KEY),
        b"p=" + _p(KEY),
        b"v=DKIM1; k=RSA; h=sha1:SHA256; s=tlsrpt:email; t=s:x; n=t=y; p=" + _p(KEY),
        b"s=*; h=sha256; t=; p=" + _p(KEY),
        b"v=DKIM1;k=rsa;t=s;p=" + _p(KEY)[:50] + b" " + _p(KEY)[50:] + b";",
    ],
)
def test_the_same_key_is_fine_however_it_is_written(value: bytes) -> None:
    assert dkim_record.fault_of([value], KEY) is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([], "isn't published"),
        ([b"p=" + _p(KEY)] * 2, "2 TXT records"),
        ([b"v=DKIM1; k=rsa; p=" + _p(OTHER)], "another key"),
        ([b"v=DKIM1; k=rsa; p="], "revoked"),
        ([b"v=DKIM1; k=rsa; p=" + _p(KEY)[:255]], "isn't base64"),
        ([b"v=DKIM1; k=ed25519; p=" + _p(KEY)], "k=ed25519"),
        ([b"v=spf1 -all"], "is not a DKIM key"),
        ([b"v=DKIM2; p=" + _p(KEY)], "is not a DKIM key"),
        ([b"p=" + _p(KEY) + b"; p=" + _p(KEY)], "is not a DKIM key"),
        ([b"\xff\xfe"], "is not a DKIM key"),
        ([b"k=rsa; v=DKIM1; p=" + _p(KEY)], "is not a DKIM key"),  # RFC 6376 3.6.1: v= comes first
        ([b"h=sha1; p=" + _p(KEY)], "no signature with sha256"),
        ([b"h=sha512 : sha1; p=" + _p(KEY)], "h=sha1:sha512"),
        ([b"s=tlsrpt; p=" + _p(KEY)], "another service"),
        ([b"s=; p=" + _p(KEY)], "another service"),
        ([b"t=y; p=" + _p(KEY)], "t=y"),
        ([b"t=s : y; p=" + _p(KEY)], "t=y"),
        # several faults: it names the first to be settled
        ([b"h=sha1; t=y; s=x; p=" + _p(OTHER)], "another service"),
        ([b"h=sha1; t=y; p=" + _p(OTHER)], "another key"),
    ],
)
def test_what_is_wrong_is_said(values: list[bytes], says: str) -> None:
    assert says in (dkim_record.fault_of(values, KEY) or "")


def test_an_ed25519_key_is_one_by_its_length() -> None:
    for length, fault in ((32, ""), (31, "31 bytes"), (44, "44 bytes")):
        key = dkim_record.published_key([b"k=ed25519; p=" + _p(bytes(length))])
        assert isinstance(key, dkim_record.PublishedKey)
        assert key.takes("ed25519-sha256") is (length == 32)
        assert not key.takes("rsa-sha256")
        assert fault in dkim_record.unusable(key)
