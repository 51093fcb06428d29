"""The search entry of a version: its words under its deployment, and PostgreSQL's limits for both databases."""

import pytest

from mailweir.reading import search_entry
from mailweir.reading.search_entry import LEFT_OUT, MAX_BYTES, MAX_REPEATS, MAX_WORDS, Entry
from tests.linear_time import GrowsLinearly


def _made(text: str = "", subject: str = "", names: tuple[str, ...] = (), file_names: tuple[str, ...] = ()) -> Entry:
    return search_entry.make(raw_id=5, deployment_id=7, text=text, subject=subject, names=names, file_names=file_names)


def test_names_are_indexed_by_themselves_and_with_the_rest() -> None:
    entry = _made("Hello", "An offer", ("Jane", "jane@x.example"), ("a.pdf",))
    stream = search_entry.indexed(entry, "x").split(" ")
    assert stream == [
        *("7njane", "x", "7njane", "7nx", "7nexample", "x"),
        *("7djane", "x", "7djane", "7dx", "7dexample", "x"),
        *("7dan", "7doffer", "x", "7da", "7dpdf", "x", "7dhello"),
    ]
    assert len(stream) == entry.size


def test_a_message_has_no_more_words_than_postgresql_has_places() -> None:
    many = " ".join(f"w{number}" for number in range(40_000))
    entry = _made(many, many, (many,) * 3)
    assert entry.size == MAX_WORDS < 16_383
    assert len(entry.names) == search_entry.MAX_NAME_WORDS


def test_words_take_no_more_bytes_than_a_tsvector_holds() -> None:
    entry = _made(" ".join(f"{'𐐨' * 60}{number}" for number in range(16_000)))
    assert sum(len(word.encode()) for word in entry.others) <= MAX_BYTES


def test_what_stands_too_often_keeps_its_first_places() -> None:
    entry = _made("offer " * (MAX_REPEATS + 50) + "end")
    words = [word for word in entry.others if word != LEFT_OUT]
    assert words.count("offer") == MAX_REPEATS
    assert entry.others[-1] == "end"


def test_an_empty_message_has_no_words() -> None:
    assert set(_made().others) == {LEFT_OUT}


@pytest.mark.parametrize("piece", ["a", "a ", "運", "\u0301", "-", "ß "])
def test_reading_a_text_takes_linear_time(piece: str, grows_linearly: GrowsLinearly) -> None:
    grows_linearly(lambda size: _made(piece * (size // len(piece))))
