"""The words of the search: the same in both databases, and for typed text."""

import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailweir.reading import search_words
from mailweir.reading.search_words import fold, terms
from mailweir.store.database.connection import Database
from tests.linear_time import GrowsLinearly


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("An Offer", "an offer"),
        ("jane@client.example", "jane client example"),
        ("Invoice_2026-11.final.PDF", "invoice 2026 11 final pdf"),
        ("don't", "don t"),
        ("Straße STRASSE strasse", "strasse strasse strasse"),
        ("Ёлка елка", "елка елка"),
        ("Grüße, Élan, Ångström, naïve", "grusse elan angstrom naive"),
        ("Øre æble łódź đak Þór œuvre", "ore aeble lodz dak thor oeuvre"),
        ("İstanbul ISPARTA ısı", "istanbul isparta isi"),
        ("ΟΔΟΣ οδός", "οδοσ οδοσ"),
        ("運用会議", "運 用 会 議"),
        ("회의를", "회 의 를"),
        ("ひらがな カタカナ ｶﾀｶﾅ", "ひ ら か な カ タ カ ナ カ タ カ ナ"),
        ("が ガ ｶﾞ", "か カ カ"),
        ("東京2026年", "東 京 2026 年"),
        ("สวัสดี", "ส ว ส ด"),
        ("שָׁלוֹם", "שלום"),
        ("العَرَبِيَّة العـــربية", "العربيه العربيه"),
        ("آ أ إ ا", "ا ا ا ا"),
        ("کتاب كتاب", "كتاب كتاب"),
        ("ｆｕｌｌ－ｗｉｄｔｈ １２", "full width 12"),
        ("ﬁrst ﬂag ﬆ", "first flag st"),
        ("½ x² Ⅳ ١٢", "1 2 x2 iv 12"),
        ("🎉party🎉 👩‍👩‍👧", "party"),
        ("soft\u00adhyphen zero\u200bwidth join\u200der", "softhyphen zero width joiner"),
        ("", ""),
        ("... --- !!!", ""),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert fold(text) == expected
    assert fold(fold(text)) == expected


@pytest.mark.parametrize("text", ["회의를", "Ångström", "が", "Élan", "й", "Tiếng Việt"])
def test_it_is_all_one_how_a_text_is_composed(text: str) -> None:
    forms = {fold(unicodedata.normalize(form, text)) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    assert len(forms) == 1


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("an offer", (("an",), ("offer",))),
        ("jane@client.example", (("jane", "client", "example"),)),
        ("運用 offer", (("運", "用"), ("offer",))),
        ("offer - offer", (("offer",),)),
        (" ", ()),
    ],
)
def test_terms_of_what_is_typed(typed: str, expected: tuple[tuple[str, ...], ...]) -> None:
    assert terms(typed) == expected


def test_so_many_terms_and_no_more() -> None:
    assert len(terms(" ".join(map(str, range(100))))) == search_words.MAX_TERMS


def test_a_long_word_is_found_by_its_beginning() -> None:
    assert fold("x" * 500) == "x" * search_words.MAX_WORD_CHARS


# --- in the databases -------------------------------------------------------------------------------------------------

_TEXTS = (
    "An Offer to jane@client.example and Invoice_2026-11.final.PDF, 1e5 0x1f 3.14 -7 12abc abc12 v1.2.3",
    "https://client.example/a/b?c=d&e=%20 file:///etc/passwd C:\\x a/b/c www.client.example x-y_z don't",
    "Straße Ёлка Øre 運用会議 회의를 สวัสดี שָׁלוֹם العَرَبِيَّة हिन्दी ａｂｃ ﬁrst 🎉party",
    "<b>bold</b> &amp; &#39; a@b@c .. a--b 1.000,00 00:11 +49-123 #tag @jane $100 50% 1st 2nd",
)


@pytest.fixture(scope="module")
def sqlite_words() -> Iterator[sqlite3.Connection]:
    """A database with only a test's rows in it."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE found USING fts5 (body, tokenize = 'ascii')")
        connection.execute("CREATE VIRTUAL TABLE words USING fts5vocab (found, 'instance')")
        yield connection


@pytest.mark.parametrize("text", _TEXTS)
def test_sqlite_splits_at_blanks_and_nowhere_else(sqlite_words: sqlite3.Connection, text: str) -> None:
    sqlite_words.execute("DELETE FROM found")
    sqlite_words.execute("INSERT INTO found (body) VALUES (?)", (fold(text),))
    words = [row[0] for row in sqlite_words.execute('SELECT term FROM words ORDER BY "offset"').fetchall()]
    assert words == fold(text).split()


@pytest.mark.parametrize("text", _TEXTS)
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_splits_at_blanks_and_nowhere_else(database: Database, text: str) -> None:
    sql = "SELECT lexeme, unnest(positions) AS place FROM unnest(to_tsvector('simple', CAST(? AS text))) ORDER BY place"
    words = [row[0] for row in database.execute(sql, (fold(text),)).fetchall()]
    assert words == fold(text).split()


# --- hostile ----------------------------------------------------------------------------------------------------------


@given(st.text(max_size=200))
@example("\u1100" * 3 + "\u1161")
@example("\ufdfa\u0344\u1e9e\u0149")
def test_any_text_becomes_words_with_one_blank_between_them(text: str) -> None:
    folded = fold(text)
    assert folded == " ".join(folded.split())
    assert all(char == " " or unicodedata.category(char)[0] in "LN" for char in folded)
    assert fold(folded) == folded


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        " ",
        "ß",
        "\u0301\u0316",
        "\ufdfa",
        "\u1100\u1161",
        "\u1100",
        "\U0001f600",
        "運",
        "a ",
        "\u0e33",
        "\uff9e\u3099",
    ],
)
def test_a_long_text_takes_no_time(grows_linearly: GrowsLinearly, unit: str) -> None:
    grows_linearly(lambda size: fold(unit * (size // len(unit))))
    assert len(fold(unit * 1_000_000)) <= search_words.MAX_CHARS


def test_a_text_of_all_characters_is_remembered_in_bounds() -> None:
    everything = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    for begin in range(0, len(everything), 100_000):
        fold(everything[begin : begin + 100_000])
    assert fold("運用") == "運 用"
