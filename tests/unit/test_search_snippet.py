"""The text around search hits, and its marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.reading.search_query import parse
from mailweir.reading.search_snippet import around, cut
from tests.linear_time import GrowsLinearly


@pytest.mark.parametrize(
    ("text", "typed", "shown", "marked"),
    [
        ("Der Vertrag für die\n\n Große Straße 5", "strasse", "Der Vertrag für die Große Straße 5", ["Straße"]),
        ("ab cd ef cd", '"cd ef"', "ab cd ef cd", ["cd ef"]),
        ("運用回議", "用回", "運用回議", ["用回"]),
        ("Offers, offering, of", "offer*", "Offers, offering, of", ["Offers", "offering"]),
        (
            "write jane@client.example now",
            "jane@client.example",
            "write jane@client.example now",
            ["jane@client.example"],
        ),
        ("e\u0301te\u0301", "ete", "e\u0301te\u0301", ["e\u0301te\u0301"]),
        ("nothing of it", "boiler", "nothing of it", []),
        ("", "boiler", "", []),
        (
            "a b c " * 30 + "the boiler is old " + "d e f " * 30,
            "boiler",
            "… a b c the boiler is old d e f d e f d…",
            ["boiler"],
        ),
    ],
)
def test_what_was_found_is_shown_and_marked(text: str, typed: str, shown: str, marked: list[str]) -> None:
    found = around(text, parse(typed), 40)
    assert found.text == shown
    assert [found.text[start:end] for start, end in found.marks] == marked
    assert "".join(text for text, _ in found.pieces) == shown
    assert [text for text, is_marked in found.pieces if is_marked] == marked


@given(st.text(max_size=400), st.text(max_size=40), st.integers(10, 80))
def test_no_text_is_an_error_and_none_is_too_wide(text: str, typed: str, width: int) -> None:
    found = around(text, parse(typed), width)
    assert cut(found.text, width) == found.text
    assert "".join(piece for piece, _ in found.pieces) == found.text
    assert all(0 <= start < end <= len(found.text) for start, end in found.marks)


_PLAIN = st.characters(max_codepoint=127)


@given(st.text(_PLAIN, max_size=200), st.text(st.sampled_from('aA0 ."*-_'), max_size=12), st.integers(2, 60))
def test_plain_text_has_the_words_that_it_has_beside_other_signs(text: str, typed: str, width: int) -> None:
    """Plain text is read in a faster way."""
    terms = parse(typed)
    assert around(text, terms, 10_000).marks == around(f"{text} \u00b7", terms, 10_000).marks
    spaced = f"{typed} {text}"
    assert cut(spaced, width) == cut(spaced.replace("a", "\u00e4"), width).replace("\u00e4", "a")


def test_a_text_is_cut_by_its_columns() -> None:
    assert cut("運用回議", 8) == "運用回議"
    assert cut("運用回議", 7) == "運用回…"
    assert cut("abc def", 5) == "abc…"


@pytest.mark.parametrize("piece", ["a", "a ", "運", "\u0301", "aaa "])
def test_it_takes_linear_time(piece: str, grows_linearly: GrowsLinearly, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailweir.reading.search_snippet.MAX_CHARS", 10**9)
    grows_linearly(lambda size: around(piece * (size // len(piece)), parse('aaa* a "a a" 運'), 80))
