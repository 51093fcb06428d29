"""text/enriched and text/richtext."""

from typing import TYPE_CHECKING

import pytest

from mailweir.reading import enriched

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<bold>Now</bold> is\nthe time\n\nfor it", "Now is the time\nfor it"),
        ("<color><param>red</param>red</color> <<tag> 1 < 2", "red <tag> 1 < 2"),
        ("", ""),
    ],
)
def test_enriched_text_is_its_words(text: str, expected: str) -> None:
    assert enriched.to_text(text) == expected


def test_richtext_is_its_words() -> None:
    assert enriched.to_text("<bold>Now</bold> is\nthe<nl>time <lt>tag>", is_richtext=True) == "Now is the\ntime <tag>"


@pytest.mark.parametrize("piece", ["<", "<param>", "<param>a", "\n", "<a", "<a>", "<<"])
def test_time_grows_with_the_size_only(piece: str, grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: enriched.to_text(piece * (size // len(piece))))
    grows_linearly(lambda size: enriched.to_text(piece * (size // len(piece)), is_richtext=True))
