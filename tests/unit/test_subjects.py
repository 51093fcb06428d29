"""Which subjects may belong to one mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir import subjects

LONG = "Angebot für die Lieferung von zwölf Pumpen nach Hamburg im kommenden Frühjahr, zweite Fassung"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("An offer", "An offer"),
        ("An offer", "an  OFFER "),
        ("An offer", "Re: An offer"),
        ("An offer", "AW: Re[2]: WG: FWD: An offer"),
        ("An offer", "Re (3): An offer"),
        ("An offer", "回复：An offer"),
        ("An offer", "[clients] An offer"),
        ("An offer", "Re: [clients] Re: [EXT] An offer"),
        ("An offer", "An offer [clients]"),
        ("An offer", "*** SPAM *** An offer"),
        ("An offer", "An offer (fwd)"),
        ("An offer", ""),
        ("", "Re:"),
        ("R\ufffdne's offer", "René's offer, encoded anew"),
        ("ﬁrst", "first"),
        (LONG, LONG[:60]),
        (LONG, f"{LONG[:70]}..."),
        (LONG, f"[clients] {LONG[:55]} …"),
    ],
)
def test_what_is_put_in_front_and_what_is_cut_off_doesnt_count(one: str, other: str) -> None:
    assert subjects.same(one, other)
    assert subjects.same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Invoice 1", "Invoice 2"),
        ("Invoice 1", "Invoice 10"),
        ("Invoice 1", "Re: Invoice 2"),
        ("[clients] Invoice 1", "[clients] Invoice 2"),
        ("An offer", "Another offer"),
        ("Report: sales", "sales"),
        (LONG, LONG[:40]),
    ],
)
def test_two_mails_have_two_subjects(one: str, other: str) -> None:
    assert not subjects.same(one, other)
    assert subjects.core(one) != subjects.core(other)


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_two_texts_compare_both_ways_alike(one: str, other: str) -> None:
    assert subjects.same(one, one)
    assert subjects.same(one, other) == subjects.same(other, one)
