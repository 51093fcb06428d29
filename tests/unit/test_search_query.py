"""Typed searches as terms: words, phrases, prefixes. No input is an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.reading import search_query
from mailweir.reading.search_query import MAX_WORD_CHARS, MAX_WORDS, Term, parse
from tests.linear_time import GrowsLinearly


def _terms(*terms: str) -> tuple[Term, ...]:
    """The words of each term, with a star at the end of a prefix."""
    return tuple(Term(words=tuple(one.rstrip("*").split()), is_prefix=one.endswith("*")) for one in terms)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("boiler offer", ("boiler", "offer")),
        ('"fixed  price" Boiler', ("fixed price", "boiler")),
        ("offer*", ("offer*",)),
        ("ab*", ("ab",)),  # half of the index begins like that
        ("*", ()),
        ("off*er", ("off er",)),
        ('"offer*"', ("offer",)),
        ("jane@client.example", ("jane client example",)),
        ("Jane@Client.exam*", ("jane client exam*",)),
        ("Straße ÉTÉ", ("strasse", "ete")),
        ("運用", ("運 用",)),
        ("offer-2026.pdf", ("offer 2026 pdf",)),
        ("a OR b AND NOT c NEAR d", ("a", "or", "b", "and", "not", "c", "near", "d")),
        ('(a) -b {c} : ^d "', ("a", "b", "c", "d")),
        ('5" pipe', ("5", "pipe")),
        ('""', ()),
        ("", ()),
        ("-- … !", ()),
        ("words: x' OR 1=1 --", ("words", "x", "or", "1 1")),
        ("a\0b \ud800", ("a b",)),
    ],
)
def test_what_is_typed_becomes_terms(typed: str, expected: tuple[str, ...]) -> None:
    assert parse(typed) == _terms(*expected)


def test_a_query_ends_at_a_hundred_words() -> None:
    assert sum(len(term.words) for term in parse("word " * 200)) == MAX_WORDS
    assert [len(term.words) for term in parse(f'a "{"b " * 200}" c')] == [1, MAX_WORDS - 1]


def test_a_word_ends_somewhere() -> None:
    assert max(map(len, parse("x" * 5_000)[0].words)) <= MAX_WORD_CHARS


@given(st.text(max_size=300))
def test_no_text_is_an_error_and_no_word_holds_syntax(typed: str) -> None:
    for term in parse(typed):
        assert term.words
        assert all(word.isprintable() and not set(word) & set(" '\"\\*:&|!<>()-_%") for word in term.words)


@given(st.text(max_size=100))
def test_what_is_folded_is_found_by_itself(text: str) -> None:
    """Otherwise no query could find some word of the index."""
    words = search_query.words(text)
    assert search_query.words(" ".join(words)) == words


@pytest.mark.parametrize("piece", ["a", '"', '" ', '"a', "*", "運", "a*", "\u0301"])
def test_reading_a_query_takes_linear_time(
    piece: str, grows_linearly: GrowsLinearly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_query, "MAX_TYPED_CHARS", 10**9)
    grows_linearly(lambda size: parse(piece * (size // len(piece))))
