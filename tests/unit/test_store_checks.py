"""Acceptable names, addresses and domains, as typed."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir import address
from mailweir.errors import BadInput
from mailweir.store.people import checks


@pytest.mark.parametrize("text", ["", "  ", "a\x1b[31m", "a\nb", "a\x9bb", "a\u202eb", "a\udc80", "x" * 201])
def test_a_name_that_is_empty_too_long_or_holds_control_characters_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        checks.clean_name(text, "contact's")


def test_a_name_has_one_form() -> None:
    assert checks.clean_name("  Jose\u0301   Ortega ", "contact's") == "José Ortega"


@pytest.mark.parametrize("text", ["log", "LOG", "postmaster", "abuse", "mailer-daemon", "Bounce"])
def test_a_reserved_username_is_refused_as_such(text: str) -> None:
    with pytest.raises(BadInput, match="is reserved"):
        checks.clean_username(text)


@pytest.mark.parametrize("text", ["", "a b", "a@b", "-a", "a+b", "ü", "a" * 65, "a\n"])
def test_what_is_no_username_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="can't be a username"):
        checks.clean_username(text)


@pytest.mark.parametrize("text", ["", "Demo", "a_b", "-a", "a-", "a b", "a" * 64, "démo", "a\n"])
def test_what_is_no_deployment_name_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        checks.clean_deployment_name(text)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("Demo.Example.net.", "demo.example.net"),
        (" b\u00fccher.example ", "xn--bcher-kva.example"),
        ("a-1.example", "a-1.example"),
    ],
)
def test_a_domain_is_normalised(text: str, domain: str) -> None:
    assert checks.clean_domain(text) == domain


@pytest.mark.parametrize(
    "text", ["", ".", "localhost", "192.0.2.1", "a..example", "-a.example", "a b.example", "a@b.example"]
)
def test_what_is_no_full_domain_name_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        checks.clean_domain(text)


@pytest.mark.parametrize(
    "text", ["", "jane", "@client.example", "jane@", "a b@client.example", "a@b@c.example", "j\x9b@x.example"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="not a mail address"):
        checks.clean_address(text)


def _taken(check: Callable[[str], str], text: str) -> list[str]:
    """The clean form; None if the text is refused."""
    try:
        return [check(text)]
    except BadInput:
        return []


@given(st.text())
def test_a_checked_text_is_clean_or_refused(text: str) -> None:
    for check in (
        checks.clean_address,
        checks.clean_domain,
        checks.clean_username,
        lambda t: checks.clean_name(t, "user's"),
    ):
        for clean in _taken(check, text):
            assert clean.isprintable() or not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in clean)
            assert check(clean) == clean, "cleaning the clean form changes nothing"


@given(st.emails())
def test_an_address_comes_out_in_the_form_that_mail_is_matched_with(text: str) -> None:
    assert checks.clean_address(text) == address.normalise(text)
