"""The TXT record of a DKIM key: how it is written, and what is said of what DNS has."""

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
    assert record.zone_line.startswith('mw1._domainkey.client.example. IN TXT ( "v=DKIM1; ')
    assert '"' not in record.value


@pytest.mark.parametrize(
    "value",
    [
        b"v=DKIM1; k=rsa; p=" + _p(KEY),
        b"p=" + _p(KEY),
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
        ([b"v=spf1 -all"], "no DKIM key"),
        ([b"v=DKIM2; p=" + _p(KEY)], "no DKIM key"),
        ([b"p=" + _p(KEY) + b"; p=" + _p(KEY)], "no DKIM key"),
        ([b"\xff\xfe"], "no DKIM key"),
    ],
)
def test_what_is_wrong_is_said(values: list[bytes], says: str) -> None:
    assert says in (dkim_record.fault_of(values, KEY) or "")
