"""Charsets by their labels: the real meaning of a label in mail."""

import encodings
import pkgutil
import random
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir import charsets

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly

# Python's own names of those codecs that are charsets
KNOWN = sorted(
    name
    for name in {*encodings.aliases.aliases, *(module.name for module in pkgutil.iter_modules(encodings.__path__))}
    if charsets.is_known(name) and name.islower()  # Python knows no further ones
)
# The labels of the WHATWG Encoding Standard (4.2), by the Python codec that reads them
LABELS = {
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8",
    "ibm866": "866 cp866 csibm866 ibm866",
    "iso-8859-2": "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
    "iso-8859-3": "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3",
    "iso-8859-4": "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4",
    "iso-8859-5": "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988",
    "iso-8859-6": "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i"
    " iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987",
    "iso-8859-7": "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7"
    " iso_8859-7:1987 sun_eu_greek",
    "iso-8859-8": "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8"
    " iso_8859-8:1988 visual csiso88598i iso-8859-8-i logical",
    "iso-8859-10": "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6",
    "iso-8859-13": "iso-8859-13 iso8859-13 iso885913",
    "iso-8859-14": "iso-8859-14 iso8859-14 iso885914",
    "iso-8859-15": "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9",
    "iso-8859-16": "iso-8859-16",
    "koi8-r": "cskoi8r koi koi8 koi8-r koi8_r",
    "koi8-u": "koi8-ru koi8-u",
    "mac-roman": "csmacintosh mac macintosh x-mac-roman",
    "cp874": "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
    "cp1250": "cp1250 windows-1250 x-cp1250",
    "cp1251": "cp1251 windows-1251 x-cp1251",
    "cp1252": "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1"
    " iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252",
    "cp1253": "cp1253 windows-1253 x-cp1253",
    "cp1254": "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 windows-1254"
    " x-cp1254",
    "cp1255": "cp1255 windows-1255 x-cp1255",
    "cp1256": "cp1256 windows-1256 x-cp1256",
    "cp1257": "cp1257 windows-1257 x-cp1257",
    "cp1258": "cp1258 windows-1258 x-cp1258",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "gb18030": "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk gb18030",
    "big5-hkscs": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "euc-jp": "cseucpkdfmtjapanese euc-jp x-euc-jp",
    "iso2022-jp-ext": "csiso2022jp iso-2022-jp",
    "cp932": "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
    "cp949": "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949",
    "utf-16-be": "unicodefffe utf-16be",
    "utf-16-le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
    # labels that WHATWG replaces; Python reads both
    "iso2022-kr": "csiso2022kr iso-2022-kr",
    "hz": "hz-gb-2312",
}
# Texts that a narrower codec with that label can't read. The other codecs are tried on each byte.
TEXTS = {
    "cp874": "ราคา …",
    "cp1252": "it’s “5 €” – é",
    "cp1254": "“İğş” €",
    "gb18030": "朱镕基 東㐂 €",
    "big5-hkscs": "中文 裏 啫 ①",
    "cp932": "髙橋①～㈱",
    "cp949": "똠방각하 한국",
    "euc-jp": "日本語 ｶﾅ",
    "iso2022-jp-ext": "日本語 ｶﾅ",
    "iso2022-kr": "한국",
    "hz": "生日",
}
NO_CHARSETS = "iso-2022-cn iso-2022-cn-ext replacement x-user-defined"  # a label that Python doesn't know


_BYTES_OF = {
    "utf-8": ["Ж".encode()],
    "utf-16-be": [byte.to_bytes(2, "big") for byte in range(0xA0, 0x100)],
    "utf-16-le": [byte.to_bytes(2, "little") for byte in range(0xA0, 0x100)],
}
_EACH_BYTE = [bytes([byte]) for byte in range(0xA0, 0x100)]


@pytest.mark.parametrize(("encoding", "label"), [(name, label) for name in TEXTS for label in LABELS[name].split()])
def test_each_label_of_a_charset_of_many_bytes_is_decoded_as_it(encoding: str, label: str) -> None:
    assert charsets.decode(TEXTS[encoding].encode(encoding), label) == TEXTS[encoding]
    assert charsets.decode(TEXTS[encoding].encode(encoding), label.upper()) == TEXTS[encoding]


@pytest.mark.parametrize(
    ("encoding", "label"), [(name, label) for name in sorted({*LABELS} - {*TEXTS}) for label in LABELS[name].split()]
)
def test_each_label_of_the_encoding_standard_is_decoded_as_its_encoding(encoding: str, label: str) -> None:
    for data in _BYTES_OF.get(encoding, _EACH_BYTE):
        assert charsets.decode(data, label) == data.decode(encoding, "replace")


@pytest.mark.parametrize("label", NO_CHARSETS.split())
def test_what_python_has_no_codec_for_is_read_as_utf_8(label: str) -> None:
    assert not charsets.is_known(label)
    assert charsets.decode("Grüße".encode(), label) == "Grüße"


@pytest.mark.parametrize(
    ("label", "data", "expected"),
    [
        ("gb2312", b"\xd6\xec\xe9F\xbb\xf9", "朱镕基"),  # in GBK
        ("gb2312", b"\x81\x39\xef\x31", "㐂"),  # in GB18030
        ("gbk", b"5 \x80", "5 €"),  # Microsoft's code page 936
        ("hz-gb-2312", b"~{IzHU~}", "生日"),
        ("ks_c_5601-1987", b"\x8cc", "똠"),
        ("euc-kr", b"\x8cc", "똠"),
        ("iso-2022-kr", b"\x1b$)C\x0eGQ19\x0f", "한국"),
        ("big5", b"\xc6\xa1\xf9\xd6\xa3\xe1\xa1\xe3", "①碁€～"),
        ("big5-hkscs", b"\xa3\xe1", "€"),
        ("shift_jis", b"\xfb\xfc\x87\x40", "髙①"),
        ("x-sjis", b"\x81\x60", "～"),
        ("windows-31j", b"\x87\x40", "①"),
        ("euc-jp", b"\xad\xa1\xa4\xa2\xfc\xe2", "①あ髙"),
        ("euc-jp", b"\xa1\xc1\x8e\xb1\x8f\xb0\xa1", "～ｱ丂"),
        ("iso-2022-jp", b'a\x1b$B-!$"|b!A\x1b(Bb', "a①あ髙～b"),
        ("iso-2022-jp", b"\x1b(I12\x1b(B \x1b(J\\~\x1b(B", "ｱｲ ¥‾"),
        ("iso-2022-jp", b"\x1b$@-!\x1b(B", "①"),
        ("iso-8859-1", b"\x93it\x92s\x94 5\x80", "“it’s” 5€"),
        ("iso-8859-1", b"a\x81b", "a\x81b"),  # WHATWG 9
        ("iso-8859-9", b"\x80\xfd", "€ı"),
        ("iso-8859-11", b"\xa1\x80", "ก€"),
        ("windows-874", b"\xc3\xd2\xa4\xd2", "ราคา"),
        ("iso-8859-8-i", b"\xf9\xec\xe5\xed", "שלום"),
        ("iso-8859-8-e", b"\xf9\xec\xe5\xed", "שלום"),
        ("x-gbk", b"\xd6\xd0", "中"),
        ("us-ascii", "Grüße".encode(), "Grüße"),
        ("us-ascii", b"Gr\xfc\xdfe \x96", "Grüße –"),
        ("windows-950", b"\xa4\xa4", "中"),
        ("cp50220", b"\x1b$B-!\x1b(B", "①"),
        ("utf-8", b"\xef\xbb\xbfa", "a"),
        ("unicode", b"\xfe\xff\x00a", "a"),
        ("utf-7", b"+AOQ-", "ä"),
        ("no-such", b"\xc3\xa4\xff", "ä\ufffd"),
        # unreadable bytes don't affect the next ones
        ("iso-2022-jp", b'\x1b$B$"$\x1b(Bb', "あ\ufffdb"),
        ("iso-2022-jp", b"\x1b$B\x28\x7e", "\ufffd"),
        ("iso-2022-jp", b"\xb1", "\ufffd"),
        ("euc-jp", b"\xa4", "\ufffd"),
        ("euc-jp", b"\xa3\xa1a", "\ufffd\ufffda"),
        ("gb2312", b"\xffa", "\ufffda"),
        ("windows-1253", b"\xd2", "\ufffd"),
    ],
)
def test_labels_lie_as_everybody_lies(label: str, data: bytes, expected: str) -> None:
    assert charsets.decode(data, label) == expected


def test_codecs_that_are_no_charsets_are_not_known() -> None:
    assert len(KNOWN) > 250
    for label in KNOWN:
        assert isinstance(b"ab".decode(label, "ignore"), str), label  # LookupError for codecs that don't return text


def test_labels_leave_nothing_behind() -> None:
    """Python remembers forever each name that it didn't find, and anybody can write any label."""
    before = len(encodings._cache)
    tracemalloc.start()
    try:
        for _ in range(5_000):
            charsets.decode(b"a", f"x-{random.randrange(10**40)}")
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(encodings._cache) == before
    assert kept_bytes < 200_000


_BYTES = st.one_of(
    st.binary(max_size=40),
    st.lists(
        st.sampled_from(
            [b"\x1b$B", b"\x1b(", b"\x1b", b"-!", b"\x80", b"\x8f", b"\xa1", b"\xfc", b" ", b"~{", b"+2AA-"]
        )
    ).map(b"".join),
)


@settings(max_examples=600, deadline=None)
@given(_BYTES, st.one_of(st.sampled_from(KNOWN), st.text(max_size=10)))
def test_decoding_never_raises(data: bytes, label: str) -> None:
    assert len(charsets.decode(data, label)) <= 2 * len(data)


@pytest.mark.parametrize(
    ("label", "scrap"),
    [
        ("iso-8859-1", b"\x81"),
        ("windows-1253", b"\xd2"),
        ("gb2312", b"\x80"),
        ("gb2312", b"\xff"),
        ("big5", b"\xa3\xe1"),
        ("big5", b"\xff"),
        ("euc-jp", b"\xad\xa1"),
        ("euc-jp", b"\x8f"),
        ("iso-2022-jp", b"\x1b$B-!"),
        ("iso-2022-jp", b"\x1b$B\x1b"),
        ("iso-2022-jp", b"\x1b"),
        ("iso-2022-jp", b"\xff"),
        ("us-ascii", b"\x81"),
        ("utf-7", b"+2AA-"),
        ("hz-gb-2312", b"~{"),
    ],
)
def test_time_grows_with_the_length_only(label: str, scrap: bytes, grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: charsets.decode(scrap * (size // len(scrap)), label))
