"""The places where a text may be cut: after a word, or between two user-perceived characters."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.reading.search_query import parse
from mailweir.reading.search_snippet import around, cut_behind_word
from mailweir.reading.word_ends import LONGEST_WORD, shortened, word_end

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
WAVE = "\U0001f44b\U0001f3fd"
FLAGS = "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7"


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("The boiler costs 100.", 30, "The boiler costs 100."),
        ("The boiler costs 100.", 21, "The boiler costs 100."),
        ("The boiler costs 100.", 20, "The boiler costs…"),
        ("The boiler costs 100.", 17, "The boiler costs…"),
        ("The boiler costs 100.", 16, "The boiler…"),
        ("The boiler costs 100.", 12, "The boiler…"),
        ("運用回議運用回議", 5, "運用回議…"),
        ("お見積りの件 boiler", 9, "お見積りの件…"),
        ("ราคาหม้อไอน้ำ", 8, "ราคาหม้…"),
        ("보일러 가격은 백 유로", 9, "보일러 가격은…"),
        ("-" * 60, 50, "-" * 49 + "…"),
        ("a " + "x" * 60, 50, "a " + "x" * 47 + "…"),
    ],
)
def test_no_word_is_cut_into(text: str, most: int, shown: str) -> None:
    assert shortened(text, most) == shown


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("漢e\u0301\u0323漢", "e\u0301\u0323"),
        (f"漢{FAMILY}漢", FAMILY),
        (f"漢{WAVE}漢", WAVE),
        (f"漢{FLAGS}漢", FLAGS[:2]),
        ("漢\u1112\u1161\u11ab漢", "\u1112\u1161\u11ab"),
        ("漢क\u094dषि漢", "क\u094dषि"),
        ("漢葛\U000e0100漢", "葛\U000e0100"),
        ("漢❤\ufe0f漢", "❤\ufe0f"),
    ],
)
def test_what_is_one_character_to_people_stays_whole(text: str, whole: str) -> None:
    within = range(2, 1 + len(whole))
    assert [word_end(text, place) for place in within] == [1] * len(within)
    assert word_end(text, 1 + len(whole)) == 1 + len(whole)


@given(st.text(max_size=300), st.integers(1, 310))
def test_any_text_is_cut_within_its_bounds(text: str, most: int) -> None:
    found = shortened(text, most)
    kept = found.removesuffix("…")
    assert len(found) <= most
    assert text.startswith(kept)
    assert not unicodedata.combining(text[len(kept) :][:1] or " ") or len(text) > LONGEST_WORD


@given(st.lists(st.sampled_from(["boiler", "costs", "a", "Straße"]), min_size=1, max_size=60), st.integers(10, 200))
def test_words_of_a_text_with_spaces_stay_whole(words: list[str], most: int) -> None:
    text = " ".join(words)
    for found in (shortened(text, most), cut_behind_word(text, most)):
        assert found.removesuffix("…").split() == words[: len(found.removesuffix("…").split())]


def test_what_was_searched_for_is_cut_behind_a_word_but_never_away() -> None:
    text = "alpha beta gamma delta epsilon zeta eta theta"
    assert around(text, parse("gamma"), 26).text == "… beta gamma delta…"
    long = around("see " + "x" * 30 + " end", parse("x" * 30), 20)
    assert (long.text, long.marks) == ("see " + "x" * 15 + "…", ((4, 19),))
