"""Folds and forwarded messages in linear time, for any text."""

import time

import pytest

from mailweir.reading import folds, forwarded
from mailweir.reading.folds import FoldKind
from tests.linear_time import GrowsLinearly

PIECES = [
    *(
        " ",
        "\n",
        " \n",
        "\t",
        ">",
        "> ",
        ">\n",
        "> a\n",
        "»",
        "|",
        "| a\n",
        "JD> a\n",
        ":",
        "a:\n",
        "：\n",
        "-",
        "--\n",
        "-- \n",
        "---\n",
        "_",
        "=",
        "*",
    ),
    *(
        "<",
        "<\n",
        "@",
        "a@b",
        "a@b.example ",
        "1",
        "1/",
        "1.",
        "12:00 ",
        "a",
        "A ",
        "(",
        "[",
        '"',
        "\u200b",
        "\u200b\n",
        "年",
        "```\n",
        "www.",
        "+1 ",
    ),
    *(
        "On Mon, Jan 1, 2024 ",
        "On Mon, Jan 1, 2024 \n",
        "Jane wrote:\n",
        "2024-01-01 12:00 GMT+01:00 x\n",
        "> On Mon wrote:\n",
        "Sent from my iPhone\n\n",
    ),
    *(
        "From: a@b.example\n",
        "From: a\nDate: b\n",
        "From: a\nDate: b\n\n",
        "> From: a@b.example\n> Date: b\n> To: c\nx\n",
        "Xan: a@b.example\n",
    ),
    *(
        "----- Original Message -----\n",
        "----- a ",
        "----- Forwarded message ----- From: a@b.exampleTo: x",
        "Regards,\nJane\n+1 555 1234567\na@b.example\n",
    ),
    *(
        ">>> a 10:00 >>>\n",
        ">>> a ",
        "Message du 1/1/24 10:00\n",
        "| From | a@b.example |\n",
        "--- Original Message ---\nFrom a\n",
        "a ---01/01/2024 10:00---",
        "10시 ",
        "1 thg 1, ",
        "P.S. a?\n\n",
        "\u2010\u2010\u2010 a ",
        "Sent via A ( http://a ) ",
    ),
    *(
        "confidential recipient delete " * 5 + "\n\n",
        "confidential ",
        "> " + "a " * 30 + "\nb\n",
        "<a",
        "http://",
        "[a](",
        "a,",
    ),
]


def text_of(piece: str, size: int) -> str:
    return (piece * (size // len(piece) + 1))[:size]


@pytest.mark.parametrize("piece", PIECES)
def test_time_grows_with_the_text(piece: str, grows_linearly: GrowsLinearly) -> None:
    grows_linearly(lambda size: folds.find("Hello.\n\n" + text_of(piece, size)))
    grows_linearly(lambda size: forwarded.find(text_of(piece, size), "Fwd: x"))


@pytest.mark.slow  # a megabyte of each
def test_a_megabyte_of_anything_takes_under_two_seconds() -> None:
    begun = time.thread_time()
    slowest = 0.0
    for piece in PIECES:
        folds.find("Hello.\n\n" + text_of(piece, 1_000_000))
        begun, taken = time.thread_time(), time.thread_time() - begun
        slowest = max(slowest, taken)
    assert slowest < 2


def test_a_quote_of_very_many_lines_is_folded_to_the_end() -> None:
    text = "Yes.\n\nFrom: Jane <jane@client.example>\nSent: Monday\nTo: Bob\nSubject: X\n\n" + "a line\n" * 50_000
    (fold,) = folds.find(text, "Re: X")
    assert (fold.kind, text[: fold.start], fold.end) == (FoldKind.QUOTE, "Yes.\n\n", len(text))
