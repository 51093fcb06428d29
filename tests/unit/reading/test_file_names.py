"""Harmless names for attachments."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir.reading import file_names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("offer.pdf", "offer.pdf"),
        ("Our offer (2).pdf", "Our offer (2).pdf"),
        ("見積.pdf", "見積.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\new.doc", "new.doc"),
        ("/", ""),
        ("folder/", "folder"),
        ("..", ""),
        (".bashrc", "bashrc"),
        (". . .x", "x"),
        ("offer.pdf. . ", "offer.pdf"),
        ("a\r\nb\tc\0d\x1be\x85f.txt", "a b cdef.txt"),
        ("exe\u202efdp.scr", "exefdp.scr"),
        ("a\u200b\ufeff\u2028b.txt", "ab.txt"),
        ('a"b<c>d:e|f?g*h.txt', "a_b_c_d_e_f_g_h.txt"),
        ("con", "_con"),
        ("CON.txt", "_CON.txt"),
        ("nul .tar.gz", "_nul .tar.gz"),
        ("com1.pdf", "_com1.pdf"),
        ("lpt¹", "_lpt¹"),
        ("contract.pdf", "contract.pdf"),
        ("com10.pdf", "com10.pdf"),
        ("u\u0308.txt", "ü.txt"),
        ("\ud800a.txt", "a.txt"),
        ("", ""),
        (" \t ", ""),
        ("ａ．．／b.txt", "ａ．．／b.txt"),
    ],
)
def test_a_name_is_made_safe(name: str, expected: str) -> None:
    assert file_names.safe(name) == expected


def test_a_long_name_keeps_its_extension() -> None:
    name = file_names.safe("ü" * 300 + ".tar.gz")
    assert name.endswith("ü.gz")
    assert 195 <= len(name.encode()) <= file_names.MAX_NAME_BYTES
    assert file_names.safe("a" * 300) == "a" * file_names.MAX_NAME_BYTES
    assert file_names.safe("a" * 10_000_000 + ".pdf").endswith("a.pdf")
    assert len(file_names.safe("a." + "b" * 300).encode()) <= file_names.MAX_NAME_BYTES


@pytest.mark.parametrize(
    "name", ["con.." + "a" * 250, "con." + "a" * 195, "con." + "a" * 196, "con" + " ." * 150, "a" * 200, "a" * 201]
)
def test_a_safe_name_is_safe_again_at_the_limit(name: str) -> None:
    found = file_names.safe(name)
    assert len(found.encode()) <= file_names.MAX_NAME_BYTES
    assert file_names.safe(found) == found


_NASTY = st.sampled_from(
    ["..", "/", "\\", ".", " ", "con", "\u202e", "\0", "\r\n", '"', "a" * 250, "ü" * 90, "\u0308", "\ufdfa", ":", "~"]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(_NASTY, st.text(max_size=6)), max_size=8).map("".join))
def test_no_name_is_unsafe(given_name: str) -> None:
    name = file_names.safe(given_name)
    assert len(name.encode()) <= file_names.MAX_NAME_BYTES
    assert not {unicodedata.category(char) for char in name} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not set(name) & set('<>:"/\\|?*')
    assert name == unicodedata.normalize("NFC", name)
    assert name == name.strip(". ")
    assert file_names.safe(name) == name
