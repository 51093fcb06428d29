"""Words that make mail private: whole words, in any case and script. The time is linear in the subject's length."""

import pytest

from mailweir import visibility
from mailweir.errors import BadInput
from mailweir.visibility import Visibility
from tests.linear_time import GrowsLinearly

KEPT = visibility.cleaned("Private, streng  vertraulich,STRASSE,機密,ลับ,[intern],c++,İzmir")


def test_the_strictest_is_last_in_the_alphabet() -> None:
    assert sorted(Visibility) == list(Visibility)


@pytest.mark.parametrize(
    "subject",
    [
        "private",
        "Re: PRIVATE!",
        "x [Private] y",
        "ｐｒｉｖａｔｅ",
        "private/x",
        "(private)",
        "x Streng\tVertraulich",
        "Straße",
        "本件は機密です",
        "เอกสารลับมาก",
        "x[INTERN]y",
        "about C++.",
        "privateer private",
        "İzmir",
    ],
)
def test_words_that_are_found(subject: str) -> None:
    assert visibility.is_private(subject, KEPT)


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "privately",
        "semiprivate",
        "private1",
        "1private",
        "pri vate",
        "private\u0301",
        "streng",
        "機",
        "intern",
        "c+",
    ],
)
def test_words_that_are_not_found(subject: str) -> None:
    assert not visibility.is_private(subject, KEPT)


def test_no_words_find_nothing() -> None:
    assert not visibility.is_private("private", visibility.cleaned(" , ,"))


def test_words_are_kept_once_and_in_order() -> None:
    assert visibility.cleaned(" b ,a,, b") == "b,a"


@pytest.mark.parametrize("text", ["!", "a\x1bb", "a" * 101, ",".join(map(str, range(51)))])
def test_what_is_no_word_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        visibility.cleaned(text)


@pytest.mark.parametrize("text", ["a", "a ", " a", "\u0301", "機", "x\u200b"])
def test_a_long_subject_takes_linear_time(grows_linearly: GrowsLinearly, text: str) -> None:
    kept = visibility.cleaned("a" * 100 + ",aa,a a,機機")
    grows_linearly(lambda size: visibility.is_private(text * size, kept))
