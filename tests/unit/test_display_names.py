"""The name of a contact that a mail makes: from the mail's headers, if it is harmless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir import display_names
from tests.linear_time import GrowsLinearly

JANE = "jane@client.example"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b" Jane Doe <jane@client.example>", "Jane Doe"),
        (b' "Doe, Jane" <Jane@Client.example>', "Doe, Jane"),
        (b" 'Jane Doe' <jane@client.example>", "Jane Doe"),
        (b" =?utf-8?q?J=C3=A4ne?=\r\n =?utf-8?q?_D=C3=B6?= <jane@client.example>", "J\u00e4ne D\u00f6"),
        (b" =?utf-8?b?5bGx55Sw5aSq6YOO?= <jane@client.example>", "\u5c71\u7530\u592a\u90ce"),
        (b' "Jane \\"JD\\" Doe" <jane@client.example>', 'Jane "JD" Doe'),
        (b' Joe <joe@client.example>, "Doe, Jane" <jane@client.example>', "Doe, Jane"),
        (b" Office: Jane <jane@client.example>;", "Jane"),
        ("\u202eJane\u200b  Doe\u2066 <jane@client.example>".encode(), "Jane Doe"),
        ("Jane\u2028Doe <jane@client.example>".encode(), "Jane Doe"),
    ],
)
def test_the_name_beside_the_address(value: bytes, name: str) -> None:
    assert display_names.of(JANE, [value]) == name


@pytest.mark.parametrize(
    "value",
    [
        b" jane@client.example",
        b" <jane@client.example>",
        b" Joe <joe@client.example>",
        b' "richard@firm.example" <jane@client.example>',
        "richard\uff20firm.example <jane@client.example>".encode(),
        b" richard (at) firm (dot) example at least <jane@client.example>",
        b" www.firm.example <jane@client.example>",
        b" firm.com Support <jane@client.example>",
        b" https://firm.example <jane@client.example>",
        b" =?utf-8?q?richard=40firm.example?= <jane@client.example>",
        "J\u0430ne <jane@client.example>".encode(),  # Cyrillic a
        b' =HYPERLINK("x") <jane@client.example>',
        b" ... <jane@client.example>",
        b" 12345 <jane@client.example>",
        b" \xff\xfeJane <jane@client.example>",
        b" " + b"J" * 90 + b" <jane@client.example>",
    ],
)
def test_what_could_mislead_is_no_name(value: bytes) -> None:
    assert display_names.of(JANE, [value]) == "jane"


@pytest.mark.parametrize(
    ("normal", "name"),
    [
        ("j.doe@client.example", "j.doe"),
        ("j.li@client.example", "j li"),
        ("paypal.com@client.example", "paypal com"),
        ("1234@client.example", "1234@client.example"),
        ('"=x"@client.example', '"=x"@client.example'),
    ],
)
def test_without_a_name_it_is_the_local_part(normal: str, name: str) -> None:
    assert display_names.of(normal, []) == name


def test_a_name_of_the_staff_is_none_of_a_contact() -> None:
    staff = ["Richard  Roe", "jane"]
    assert display_names.unless_taken("richard roe", "r@client.example", staff) == "r"
    assert display_names.unless_taken("\uff32ichard Roe", "r@client.example", staff) == "r"
    assert display_names.unless_taken("Richard Roe", JANE, staff) == JANE
    assert display_names.unless_taken("Jane Doe", JANE, staff) == "Jane Doe"


@given(st.binary(max_size=400), st.text(max_size=200))
def test_any_bytes_give_one_harmless_line(value: bytes, text: str) -> None:
    for found in (display_names.of(JANE, [value + b" <jane@client.example>"]), display_names.cleaned(text)):
        assert found.isprintable()
        assert len(found) <= display_names.MAX_NAME_CHARS
        assert "@" not in found


@pytest.mark.parametrize("char", ["<", ">", '"', "\\", "a", " ", "=?", "<a@b>", ".", "at "])
def test_the_time_grows_with_the_length_only(char: str, grows_linearly: GrowsLinearly) -> None:
    grows_linearly(lambda size: display_names.of(JANE, [(char * size).encode()]))
    grows_linearly(lambda size: display_names.cleaned(char * size))
    display_names.of(JANE, [(char * 1_000_000).encode()])
