"""A question is read as it was typed or copied, whatever stands around an address or an id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.explain import asked
from mailweir.explain.asked import Asked, NoKey


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (" jane@client.example ", "jane@client.example"),
        ("Jane Doe <jane@client.example>", "jane@client.example"),
        ('"Doe, Jane" <jane@client.example>', "jane@client.example"),
        ("From: Jane <jane@client.example>", "jane@client.example"),
        ("mailto:jane@client.example", "jane@client.example"),
        ("'jane@client.example',", "jane@client.example"),
        ("<jane@client.example>", "<jane@client.example>"),
        ("<1.a@client.example>", "<1.a@client.example>"),
        ("Message-ID: <1.a@client.example>", "<1.a@client.example>"),
        ("4XyZ0t1Kz8z9:", "4XyZ0t1Kz8z9"),
        ("4XyZ0t1Kz8z9", "4XyZ0t1Kz8z9"),
        ("From: the desk", "From: the desk"),
        ("Re: 2 < 3", "Re: 2 < 3"),
        ("ÄRGER", "ÄRGER"),
        ("10.000", "10.000"),
        ("v1.2", "v1.2"),
        ("", ""),
        ("@", "@"),
        ("\x00", "\x00"),
    ],
)
def test_what_decisions_are_found_by(typed: str, text: str) -> None:
    assert asked.read(typed) == Asked(text)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("NOQUEUE", Asked("NOQUEUE", NoKey.NO_QUEUE_ID)),
        ("noqueue:", Asked("NOQUEUE", NoKey.NO_QUEUE_ID)),
        ("192.0.2.7", Asked("192.0.2.7", NoKey.HOST)),
        ("[192.0.2.7]", Asked("192.0.2.7", NoKey.HOST)),
        ("mx.client.example[192.0.2.7]:25", Asked("192.0.2.7", NoKey.HOST)),
        ("2001:DB8::0:1", Asked("2001:db8::1", NoKey.HOST)),
        ("IPv6:2001:db8::1", Asked("2001:db8::1", NoKey.HOST)),
        ("mx.client.example", Asked("mx.client.example", NoKey.DOMAIN)),
        ("@client.example", Asked("client.example", NoKey.DOMAIN)),
        ("straße.example", Asked("straße.example", NoKey.DOMAIN)),
    ],
)
def test_what_decisions_are_not_found_by(typed: str, expected: Asked) -> None:
    assert asked.read(typed) == expected


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("jane+news@client.example", "jane@client.example"),
        ("<Jane+a+b@client.example>", "jane@client.example"),
        ("jane@client.example", None),
        ("+jane@client.example", None),
        ("1 + 1", None),
    ],
)
def test_an_address_without_its_tag(text: str, plain: str | None) -> None:
    assert asked.untagged(text) == plain


@given(st.text())
def test_any_text_is_read(typed: str) -> None:
    assert asked.read(asked.read(typed).text).text is not None
    assert asked.untagged(typed) is None or "@" in typed
