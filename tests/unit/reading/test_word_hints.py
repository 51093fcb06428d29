"""Words that a text may contain, found by a table. The result is the same as that of a search for them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.reading.word_hints import Hints

KINDS = (r"secret|by mistake|unauthori[sz]ed", r"delete|löschen|刪除", r"\binform|isi ")
HINTS = Hints(KINDS)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("", 0),
        ("nothing of it", 0),
        ("It is SECRET.", 0b1),
        ("sent By Mistake", 0b1),
        ("by\nmistake", 0),
        ("(undeleted)", 0b10),
        ("請刪除它", 0b10),
        ("information", 0b100),
        ("misinformation", 0),
        ("Unauthorised; LÖSCHEN, isi x", 0b111),
        ("x" * 5_000 + "secret", 0b1),
    ],
)
def test_kinds_are_told_by_bits(text: str, kinds: int) -> None:
    assert HINTS.of(text) == HINTS.of(text) == kinds


@given(
    st.lists(st.sampled_from(["secret", "by", "mistake", "delete", "inform", "isi", "a", " ", "-", "é", "."])).map(
        "".join
    )
)
def test_they_are_what_a_search_finds(text: str) -> None:
    found = sum((re.search(kind, text, re.IGNORECASE) is not None) << place for place, kind in enumerate(KINDS))
    assert HINTS.of(text) == found
