"""format=flowed (RFC 3676)."""

from typing import TYPE_CHECKING

import pytest

from mailweir.reading import flowed

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("one \ntwo \nthree\nfour\n", "one two three\nfour\n"),
        ("one\n\ntwo", "one\n\ntwo"),
        ("one \n", "one "),
        ("one ", "one "),
        (" stuffed\n  indented\n >no quote\n From jane", "stuffed\n indented\n>no quote\nFrom jane"),
        ("> one \n> two\nme", "> one two\nme"),
        (">> one \n> two \nme", ">> one\n> two\nme"),
        (">one \n>two", "> one two"),
        ("> \n>\n> a", ">\n>\n> a"),
        ("text \n-- \nJane", "text \n-- \nJane"),
        ("> text \n> -- \n> Jane", "> text\n> --\n> Jane"),
    ],
)
def test_paragraphs_are_one_line_each(text: str, expected: str) -> None:
    assert flowed.unflow(text, del_sp=False) == expected


def test_with_delsp_the_blank_in_front_of_a_soft_end_goes() -> None:
    assert flowed.unflow("運用 \nの \n話\nan  \noffer", del_sp=True) == "運用の話\nan offer"


@pytest.mark.parametrize("piece", [">", " ", "a \n", "> \n", "> a \n>> a \n", "-- \n", "\n"])
def test_time_grows_with_the_size_only(piece: str, grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: flowed.unflow(piece * (size // len(piece)), del_sp=False))
