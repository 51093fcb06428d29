"""Addresses: one form for each."""

import re
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir import address

if TYPE_CHECKING:
    pass

# --- one address ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jane@client.example", "jane@client.example"),
        ("Jane.Doe+News@Client.EXAMPLE", "jane.doe+news@client.example"),
        ("jane@client.example.", "jane@client.example"),
        ('"richard"@Demo.example.net.', "richard@demo.example.net"),
        (r'"ri\chard"@demo.example.net', "richard@demo.example.net"),
        ('"jane doe"@client.example', '"jane doe"@client.example'),
        (r'"jane \"d\" doe"@client.example', r'"jane \"d\" doe"@client.example'),
        ('"a@b"@client.example', '"a@b"@client.example'),
        ("o'neil@client.example", "o'neil@client.example"),
        ("a=b+caf_=c@client.example", "a=b+caf_=c@client.example"),
        # Japanese mobile carriers assigned these
        ("jane..doe.@client.example", "jane..doe.@client.example"),
        ("jane@[192.0.2.1]", "jane@[192.0.2.1]"),
        ("jane@[IPv6:2001:DB8::1]", "jane@[ipv6:2001:db8::1]"),
        ("jane@localhost", "jane@localhost"),
        ("jane@sub_domain.client.example", "jane@sub_domain.client.example"),
        ("j" * 64 + "@client.example", "j" * 64 + "@client.example"),
        # RFC 6532: composed and decomposed forms are one address
        ("Jos\u00c9@client.example", "jos\u00e9@client.example"),
        ("jose\u0301@client.example", "jos\u00e9@client.example"),
    ],
)
def test_an_address_has_one_form(text: str, expected: str) -> None:
    assert address.normalise(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "jane",
        "jane@",
        "@client.example",
        "jane@.example",
        "jane@client..example",
        "jane@client.example..",
        "jane@-client.example",
        "jane@client-.example",
        "jane doe@client.example",
        "jane@client .example",
        " jane@client.example",
        "jane@client.example\n",
        "jane@client.example\x00",
        "jane\x00@client.example",
        "jane\x0b@client.example",
        "a@b@client.example",
        "<jane@client.example>",
        "jane@client.example,joe@client.example",
        "jane@client.example;",
        "jane(x)@client.example",
        '""@client.example',
        '"jane@client.example',
        '"jane\r\n doe"@client.example',
        '"jane"doe@client.example',
        "jane@[192.0.2.1",
        "jane@[192.0.2.1]x",
        "jane@[a@b]",
        "jane@" + "a" * 64 + ".example",
        "jane@" + "a." * 130 + "example",
        "j" * 321 + "@client.example",
        "\udcff@client.example",
        "jane@\udcff.example",
        "\xa0jane@client.example",
        "jane\u202e@client.example",
        '"jane\u2028doe"@client.example',
        # NFC turns the Greek question mark into a `;`
        "jane\u037e@client.example",
    ],
)
def test_what_is_no_address_has_none(text: str) -> None:
    assert address.normalise(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m\u00fcnchen.example", "xn--mnchen-3ya.example"),
        ("M\u00dcNCHEN.Example.", "xn--mnchen-3ya.example"),
        ("mu\u0308nchen.example", "xn--mnchen-3ya.example"),
        ("XN--Mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("\u4f8b\u3048.example", "xn--r8jz45g.example"),
        ("\u043f\u0440\u0438\u043c\u0435\u0440.example", "xn--e1afmkfd.example"),
        # RFC 5894 7.2: Python's idna codec reads these as strasse.example, which is somebody else's domain
        ("stra\u00dfe.example", "xn--strae-oqa.example"),
        ("STRA\u1e9eE.example", "xn--strae-oqa.example"),
        ("\u03bf\u03b4\u03cc\u03c2.example", "xn--pxavk3b.example"),
    ],
)
def test_a_domain_in_another_script_is_its_a_label(text: str, expected: str) -> None:
    assert address.normalise_domain(text) == expected
    assert address.normalise(f"jane@{text}") == f"jane@{expected}"


@pytest.mark.parametrize(
    "text",
    [
        "\uff43lient.example",  # a full-width c
        "client\u3002example",  # an ideographic full stop
        "evil\u2024client.example",  # a one dot leader, which NFKC makes a full stop
        "cli\u200dent.example",  # a joiner
        "cli\u00adent.example",  # a soft hyphen
        "client\u2060.example",
        "\u2100client.example",  # NFKC: a/c
        "jane\uff20client.example",  # NFKC: @
        "\u0301client.example",  # a mark without its letter
        "cli\u202eent.example",
        "\u2615.example",
        "cli ent.ex\u00e4mple",
    ],
)
def test_a_domain_that_passes_for_another_is_none(text: str) -> None:
    assert address.normalise_domain(text) is None


def test_every_character_has_one_form() -> None:
    # all scripts in use; the rest are ideographs, each of which maps to itself
    for point in (*range(0x80, 0x3400), *range(0xA000, 0xAC00), *range(0xF900, 0x10000), *range(0x1E900, 0x1E960)):
        for text in (f"{chr(point)}@x.example", f'"{chr(point)} "@x.example', f"a@{chr(point)}b.example"):
            normal = address.normalise(text)
            assert normal is None or address.normalise(normal) == normal, ascii(text)


_SCRAPS = st.sampled_from(
    [
        "jane@client.example",
        "eve@evil.example",
        "jane",
        "@",
        "<",
        ">",
        ",",
        ";",
        ":",
        "(",
        ")",
        '"',
        "\\",
        " ",
        "\r\n ",
        "[",
        "]",
        ".",
        "\x00",
        "\x0b",
        "\xa0",
        "\u00e9",
        "e\u0301",
        "\u212a",
        "\u00df",
        "\u3002",
        "\udcff",
        "=?utf-8?q?",
        "eve=40evil.example?=",
        "client.example",
        "JANE",
        "x" * 70,
        "[192.0.2.1]",
        "@relay.example:",
        "a:",
        "\u037e",
    ]
)
_NASTY = st.lists(_SCRAPS, max_size=14).map("".join)
_ANY = st.one_of(_NASTY, st.text(max_size=60), st.characters().map(lambda char: f"{char}@{char}.example"))


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(_ANY)
def test_the_normal_form_is_its_own_normal_form(text: str) -> None:
    for normal in filter(None, (address.normalise(text), address.normalise_path(text))):
        assert address.normalise(normal) == normal
        assert address.normalise_path(normal) == normal
        assert address.normalise_path(f"<{normal}>") == normal
        assert unicodedata.is_normalized("NFC", normal)
        assert not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", normal)
        local, domain = address.split(normal)
        assert f"{local}@{domain}" == normal
        assert domain.isascii()
    domain_form = address.normalise_domain(text)
    assert domain_form is None or address.normalise_domain(domain_form) == domain_form


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("<richard@demo.example.net>", "richard@demo.example.net"),
        ("richard@demo.example.net", "richard@demo.example.net"),
        ('<"richard"@Demo.example.net.>', "richard@demo.example.net"),
        ("<@relay.example:richard@demo.example.net>", "richard@demo.example.net"),
        ("<@a.example,@b.example:richard@demo.example.net>", "richard@demo.example.net"),
        ("<>", ""),
        ("", ""),
        (" <richard@demo.example.net> ", "richard@demo.example.net"),
        ("<postmaster>", None),
        ("<richard@demo.example.net", None),
        ("<@relay.example>", None),
        ("<richard@demo.example.net> SIZE=5", None),
    ],
)
def test_an_envelope_address_is_read_as_typed(typed: str, expected: str | None) -> None:
    assert address.normalise_path(typed) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Richard", "richard"),
        ("richard.m_2-x", "richard.m_2-x"),
        ("r", "r"),
        ("r" * 64, "r" * 64),
        ("r" * 65, None),
        ("", None),
        (".richard", None),
        ("richard.", None),
        ("rich ard", None),
        ("richard+x", None),
        ("rich@rd", None),
        ("rich\u00e4rd", None),
        ("richard\n", None),
        *[(name, None) for name in ("log", "LOG", "postmaster", "abuse", "mailer-daemon", "bounce", "Bounce")],
    ],
)
def test_a_username_is_plain_and_not_reserved(text: str, expected: str | None) -> None:
    assert address.normalise_username(text) == expected


_ORDINARY_SCRAPS = st.sampled_from(["jane@client.example", "client.example.", "jane"]) | st.sampled_from(
    [*" <>\"@.,-a'1:[_\t\xe4\xa0\udce4", "\r\n ", "x" * 63]
)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(st.one_of(_ANY, st.lists(_ORDINARY_SCRAPS, max_size=8).map("".join)))
def test_the_shortcut_answers_as_the_full_reading_does(text: str) -> None:
    short = address.normalise(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(address, "MAX_ORDINARY_CHARS", -1)
        assert address.normalise(text) == short


@pytest.mark.parametrize("text", ["a" * 300_000, "@" * 300_000, '"' * 300_000, "a@" + "\u00e9." * 150_000])
def test_one_address_is_bounded(text: str) -> None:
    assert address.normalise(text) is None
    assert address.normalise_path(text) is None
    assert address.normalise_domain(text) is None
