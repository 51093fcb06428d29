"""RFC 2047 encoded words as text for display."""

import base64
import encodings
import random
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir import charsets, encoded_words

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly


def _decode(text: str | bytes) -> str:
    return encoded_words.decode(text if isinstance(text, bytes) else text.encode(), max_chars=200)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("An offer", "An offer"),
        ("", ""),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("=?utf-8*de?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),  # RFC 2231 5
        ("=?iso-8859-1?q?Gr=FC=DFe_aus_K=F6ln?=", "Grüße aus Köln"),
        ("=?windows-1252?q?=80_5?=", "€ 5"),
        ("=?koi8-r?b?8NLJ18XU?=", "Привет"),
        ("=?iso-2022-jp?b?GyRCRnxLXDhsGyhC?=", "日本語"),
        ("=?gb2312?b?yfrI1Q==?=", "生日"),
        ("=?ks_c_5601-1987?b?x9GxuQ==?=", "한국"),
        ("=?big5?b?pKSk5Q==?=", "中文"),
        ("=?us-ascii?q?a_b?=", "a b"),
        ("Re: =?utf-8?q?Gr=C3=BC=C3=9Fe?= to you", "Re: Grüße to you"),
        ("(=?utf-8?q?a?=)", "(a)"),
        # labels as programs use them: see test_charsets
        ("=?gb2312?b?1uzpRrv5?=", "朱镕基"),
        ("=?x-gbk?q?=D6=D0?=", "中"),
        ("=?ks_c_5601-1987?b?jGM=?=", "똠"),
        ("=?shift_jis?b?+/yHQA==?=", "髙①"),
        ("=?iso-2022-jp?b?GyRCLSEbKEI=?=", "①"),
        ("=?iso-2022-jp?q?=1B$B-!=1B(B?=", "①"),
        ("=?windows-31j?b?h0A=?=", "①"),
        ("=?iso-8859-1?q?=93it=92s=94_5=80?=", "“it’s” 5€"),
        ("=?iso-8859-1?q?a=81b?=", "a b"),
        ("=?us-ascii?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?us-ascii?q?Gr=FC=DFe?=", "Grüße"),
        ("=?windows-874?q?=C3=D2=A4=D2?=", "ราคา"),
        ("=?iso-8859-8-i?q?=F9=EC=E5=ED?=", "שלום"),
        ("=?gb2312?q?=96?= =?gb2312?q?|?=", "東"),  # one character in two words
        # Q words with raw question marks and blanks
        ("=?utf-8?Q?What now? yes?=", "What now? yes"),
        ("=?utf-8?Q?What now??=", "What now?"),
        ("=?utf-8?Q??=", ""),
        ("=?utf-8?Q????=", "??"),
        ("=?utf-8?Q?Qu=C3=A9?=20no??=", "Qué? no?"),
        ("=?utf-8?Q?a=3D=?=", "a="),
        ("Re:=?utf-8*en?Q?a?b?=c", "Re:a?bc"),
        ("=?utf-8?Q?a? b?= =?utf-8?Q?c? d?=", "a? bc? d"),
        ("=?utf-8?Q?a?==?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?= and? =?utf-8?Q?b?=", "a and? b"),
        ("=?utf-8?Q?a?=20 and =?utf-8?Q?b?=", "a20 and b"),  # text that only looks like a byte
        ("=?utf-8?Q?a?b =?utf-8?Q?c?=", "=?utf-8?Q?a?b c"),
        ("=?utf-8?B?YQ==?b?=", "=?utf-8?B?YQ==?b?="),
        # RFC 2047 8: white space between encoded words isn't part of the text
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=\r\n\t=?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a_?= =?utf-8?q?b?=", "a b"),
        ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        ("=?utf-8?q?a?= =?iso-8859-1?q?=FC?=", "aü"),
        # a character split between two words, as some clients do
        ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),
        ("=?utf-8?b?w7w=?= =?utf-8?b?w7w?=", "üü"),  # without its padding
        # not encoded words
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?a", "=?utf-8?q?a"),
        ("=?utf-8?q?a b", "=?utf-8?q?a b"),
        ("=??q?a?=", "=??q?a?="),
        ("50 =? 5", "50 =? 5"),
        # unreadable bytes become U+FFFD; they are never dropped silently
        ("=?utf-8?q?=FF?=", "\ufffd"),
        ("=?utf-8?b?!?=", ""),
        ("=?utf-8?b?A?=", "\ufffd"),
        ("=?no-such-charset?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"Gr\xfc\xdfe", "Gr\ufffd\ufffde"),
        (b"Gr\xc3\xbc\xc3\x9fe", "Grüße"),
        # one line, without characters that a terminal or a database can't handle
        ("a\r\n b\x00c\x1b[31md", "a  b c [31md"),
        ("=?utf-8?q?a=0D=0Ab=00c=1B=5B31m?=", "a b c [31m"),
        ("=?utf-8?q?a=E2=80=A8b?=", "a b"),
        ("=?utf-16?b?/v8YADgAMAA=?=", "᠀㠀\u3000".strip()),
        ("=?utf-7?q?+2AA-?=", ""),  # half of a surrogate pair
        ("=?utf-7?q?+3/8-?=", ""),  # the other half
    ],
)
def test_a_value_is_decoded(raw: str | bytes, expected: str) -> None:
    assert _decode(raw) == expected


@pytest.mark.parametrize(
    "charset",
    [
        "zlib",
        "bz2",
        "rot13",
        "hex",
        "base64",
        "uu",
        "quopri",
        "idna",
        "punycode",
        "undefined",
        "unicode_escape",
        "unicode-escape",
        "raw_unicode_escape",
        "mbcs",
        "oem",
        "string-escape",
        "aliases",
        "..",
        "os",
        "\x00",
        "\u00fc",
        "\ufffd",
    ],
)
def test_what_is_no_charset_is_read_as_utf_8(charset: str) -> None:
    assert _decode(f"=?{charset}?q?a=5Cx41=C3=BC?=") == "a\\x41ü"


def test_every_charset_of_python_is_known() -> None:
    names = {name for name in encodings.aliases.aliases.values() if charsets.is_known(name)}
    assert len(names) > 80
    for name in names:
        word = f"=?{name.replace('_', '-')}?b?{base64.b64encode('abc'.encode(name)).decode()}?="
        assert _decode(word) == "abc", name


def test_a_charset_that_python_does_not_know_leaves_nothing_behind() -> None:
    """Python remembers forever each name that it didn't find. Anybody's mail would fill a worker's memory."""
    before = len(encodings._cache)
    words = "".join(f"=?x-{random.randrange(10**9)}?q?a?= " for _ in range(50))
    assert _decode(words).startswith("aaa")
    assert len(encodings._cache) == before


def test_a_long_value_is_cut() -> None:
    assert encoded_words.decode(b"x" * 100_000, max_chars=998) == "x" * 998
    assert encoded_words.decode(b"=?utf-8?q?" + b"=C3=BC" * 10_000 + b"?=", max_chars=998)[:5] == "=?utf"
    assert encoded_words.decode(b"=?utf-8?q?=C3=BC?= " * 5_000, max_chars=100).startswith("ü" * (1200 // 19))


_SCRAPS = st.sampled_from(
    [
        "=?utf-8?q?",
        "=?utf-8?b?",
        "=?utf-7?q?",
        "=?utf-16?b?",
        "=?hz?q?",
        "=?iso-2022-jp?b?",
        "=?punycode?q?",
        "=?idna?q?",
        "=?undefined?q?",
        "?=",
        "=?",
        "?",
        "=",
        "=41",
        "=ZZ",
        "_",
        " ",
        "\r\n ",
        "w7w=",
        "+2AA-",
        "\x00",
        "\u00fc",
        "~{",
        "!!!",
        "*de?",
        "\x1b$B",
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.lists(_SCRAPS, max_size=16).map(lambda scraps: "".join(scraps).encode())))
def test_decoding_never_raises_and_gives_one_clean_line(raw: bytes) -> None:
    text = encoded_words.decode(raw, max_chars=50)
    assert len(text) <= 50
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", text)


@pytest.mark.parametrize(
    "scrap",
    [
        *("=?", "=?utf-8?q?a?= ", "=?utf-8?q?", "=?a*", "=?utf-8?b?=", "?", "=?utf-8?q?a?=\r\n ", "=?x?q?a?= "),
        *(
            "?=20",
            "?=20=",
            "=?=",
            "?=?",
            "? ",
            "=",
            "=?utf-8?q?a?=20",
            "=?utf-8?q??",
            "=?gb2312?q?=80?=",
            "=?l1?q?=81?=",
        ),
    ],
)
@pytest.mark.parametrize("start", ["", "=?utf-8?q?"])
def test_time_grows_with_the_length_only(start: str, scrap: str, grows_linearly: "GrowsLinearly") -> None:
    raw, first = scrap.encode(), start.encode()
    grows_linearly(lambda size: encoded_words.decode(first + raw * (size // len(raw)), max_chars=size))
