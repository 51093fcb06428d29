"""vCards: versions 2.1 to 4.0, folding, groups, escapes, broken cards."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.contact_files import vcard
from mailweir.contact_files.rows import BadRow, Row

JANE = Row(1, "Jane", ("jane@client.example", "j@x.example"), "Client Ltd")


def _read(text: str | bytes) -> list[Row | BadRow]:
    return list(vcard.read(text.encode() if isinstance(text, str) else text))


def _card(*lines: str, version: str = "3.0", end: str = "\r\n") -> str:
    return end.join(("BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""))


@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_card_of_each_version_is_read(version: str, end: str) -> None:
    text = _card(
        "FN:Jane", "ORG:Client Ltd", "EMAIL:jane@client.example", "EMAIL:j@x.example", version=version, end=end
    )
    assert _read(text) == [JANE]
    assert _read(text.encode("utf-16")) == _read(text.encode("utf-8-sig")) == [JANE]


def test_groups_parameters_and_case() -> None:
    text = _card(
        "fn;LANGUAGE=en:Jane",
        "item1.EMAIL;type=INTERNET;type=pref:jane@client.example",
        "item1.X-ABLabel:_$!<Work>!$_",
        'Email;PREF=1;X-NOTE="a:b;c, d":j@x.example',
        'org;SORT-AS="Client":Client Ltd;Purchasing',
        'TEL;TYPE="voice,home";VALUE=uri:tel:+1-555-555-5555',
        version="4.0",
    )
    assert _read(text) == [JANE]


def test_folded_lines_are_unfolded() -> None:
    # RFC 6350 3.2: a line may be folded anywhere
    text = _card("F", " N:Ja", "\tn", " e", "EMAIL:jane@clie", " nt.example", "PHO", " TO:x", "EMAIL:j@x.example")
    assert _read(text.replace("PHO", "ORG:Client\r\n  Ltd\r\nPHO")) == [JANE]


def test_escapes_are_undone() -> None:
    text = _card(r"FN:Doe\, Jane\; \\n a\nb", "EMAIL:j@x.example", r"ORG:Client\; Sons\, Ltd;Sales\;x")
    assert _read(text) == [Row(1, r"Doe, Jane; \n a b", ("j@x.example",), "Client; Sons, Ltd")]


def test_a_name_is_composed_where_there_is_none() -> None:
    for names, name in (
        (("N:Doe;Jane;Q.;Dr.;MA",), "Jane Q. Doe"),
        (("FN:", "N:Doe;Jane"), "Jane Doe"),
        (("N:Doe",), "Doe"),
        (("FN:J. Doe", "N:Doe;Jane;;;"), "J. Doe"),
        (("FN;ALTID=1:", "FN:Second"), "Second"),
        ((), ""),
    ):
        assert _read(_card(*names, "EMAIL:j@x.example")) == [Row(1, name, ("j@x.example",), "")]


def test_quoted_printable_of_2_1_is_read() -> None:
    text = _card(
        "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=BCr=",
        "gen",
        "ORG;QUOTED-PRINTABLE;CHARSET=ISO-8859-1:M=FCller",
        "NOTE;ENCODING=QUOTED-PRINTABLE:Hello=0D=0A=",
        "END:VCARD=0D=0A=",
        "",
        "EMAIL;INTERNET:j@x.example",
        version="2.1",
    )
    assert _read(text) == [Row(1, "Jürgen Müller", ("j@x.example",), "Müller")]
    for line in (
        "FN;ENCODING=QUOTED-PRINTABLE:=FC",
        "FN;ENCODING=QUOTED-PRINTABLE;CHARSET=rot13:x",
        "FN;ENCODING=B:eA==",
    ):
        (bad,) = _read(_card(line, "EMAIL:j@x.example"))
        assert isinstance(bad, BadRow)
        assert "encoding of FN" in bad.reason


@pytest.mark.parametrize(
    ("charset", "value", "expected"),
    [
        ("windows-1252", "O=92Neill", "O’Neill"),
        ("ISO-8859-1", "O=92Neill", "O’Neill"),  # Outlook
        ("SHIFT_JIS", "=FB=FC=8B=B4", "髙橋"),  # a character of IBM's
        ("GB2312", "=96|=D3=EA", "東雨"),  # of GBK
        ("KS_C_5601-1987", "=8Cc=B0=A2", "똠각"),  # of cp949
        ("x-sjis", "=97=D1", "林"),
    ],
)
def test_a_charset_of_2_1_is_what_those_who_name_it_write(charset: str, value: str, expected: str) -> None:
    line = f"FN;CHARSET={charset};ENCODING=QUOTED-PRINTABLE:{value}"
    assert _read(_card(line, "EMAIL:j@x.example", version="2.1")) == [Row(1, expected, ("j@x.example",), "")]


@pytest.mark.parametrize(
    ("charset", "value"), [("shift_jis", "=81"), ("utf-7", "+2AA-"), ("no-such", "x"), ("zlib", "x")]
)
def test_what_a_charset_does_not_hold_is_told(charset: str, value: str) -> None:
    line = f"FN;CHARSET={charset};ENCODING=QUOTED-PRINTABLE:{value}"
    (bad,) = _read(_card(line, "EMAIL:j@x.example", version="2.1"))
    assert isinstance(bad, BadRow)
    assert "encoding of FN" in bad.reason


def test_an_equals_sign_ends_a_line_as_it_is() -> None:
    assert _read(_card("FN:x=", "EMAIL:j@x.example")) == [Row(1, "x=", ("j@x.example",), "")]


def test_several_cards_with_the_lines_of_their_begin() -> None:
    text = _card("FN:A", "EMAIL:a@x.example") + "\r\n" + _card("FN:B", "EMAIL:b@x.example")
    assert _read(text) == [Row(1, "A", ("a@x.example",), ""), Row(7, "B", ("b@x.example",), "")]


def test_a_broken_card_is_told_with_the_line_of_its_begin_and_the_others_are_read() -> None:
    text = (
        _card("FN:A", "EMAIL:a@x.example")  # 1 to 5
        + "BEGIN:VCARD\r\nFN:B\r\n"  # 6: never ends
        + _card("FN:C", "this is no property")  # 8
        + _card("FN:D", "EMAIL:d@x.example", version="9.0")  # 13
        + "stray\r\nstray:again\r\n"  # 18
        + _card('FN;X="open:E')  # 20
        + _card("FN:F", "EMAIL:f@x.example")  # 24
        + "BEGIN:VCARD\r\n"  # 29
    )
    found = _read(text)
    assert [row.line for row in found] == [1, 6, 8, 13, 18, 20, 24, 29]
    assert [row.line for row in found if isinstance(row, Row)] == [1, 24]
    reasons = {row.line: row.reason for row in found if isinstance(row, BadRow)}
    assert "no END:VCARD" in reasons[6]
    assert "no END:VCARD" in reasons[29]
    assert "line 11: 'this is no property' is not a property" in reasons[8]
    assert "version '9.0'" in reasons[13]
    assert "outside of any vCard" in reasons[18]


def test_a_picture_is_passed_over_and_a_huge_name_is_refused() -> None:
    picture = "PHOTO;ENCODING=b:" + "A" * 3_000_000
    folded = "PHOTO;ENCODING=BASE64:\r\n" + " AAAA\r\n" * 60_000
    card = _card(picture, folded, "FN:Jane", "ORG:Client Ltd", "EMAIL:jane@client.example", "EMAIL:j@x.example")
    assert _read(card) == [JANE]
    for name in ("x" * 3_000_000, "x\r\n" + " x\r\n" * 200_000):
        (bad, good) = _read(_card(f"FN:{name}", "EMAIL:j@x.example") + _card("FN:A", "EMAIL:a@x.example"))
        assert isinstance(good, Row)
        assert isinstance(bad, BadRow)
        assert (bad.line, "longer than" in bad.reason) == (1, True)


def test_what_holds_no_card() -> None:
    assert _read("") == _read("\r\n \r\n") == []
    assert [row.line for row in _read("name,address\nJane,jane@client.example\n" * 100)] == [1]


LINES = 'BEGIN:VCARD|END:VCARD|VERSION:4.0|FN:x|N:a;b\\|ORG:\\;;|EMAIL:a@x.example| folded|FN;ENCODING=QUOTED-PRINTABLE:=|=\0|:;"'


@given(st.binary() | st.lists(st.sampled_from(LINES.split("|"))).map(lambda lines: "\r\n".join(lines).encode()))
def test_no_bytes_raise(raw: bytes) -> None:
    for prefix in (b"", b"BEGIN:VCARD\n", b"BEGIN:VCARD\nFN;", b"\xff\xfe"):
        assert all(row.line >= 1 for row in vcard.read(prefix + raw))


def test_time_grows_with_the_size_only(grows_linearly: object) -> None:
    assert callable(grows_linearly)
    after_name = [
        (piece, "") for piece in (";", ';a="x"', "\\", "\\;", "a.", "BEGIN:VCARD\n", "FN:x\n", " x\n", "ORG:;\n")
    ]
    for piece, before in (*after_name, ('"', ";"), ("=", ";")):
        text = f"BEGIN:VCARD\nFN{before}"
        grows_linearly(lambda size, text=text, piece=piece: _read(text + piece * (size // len(piece))))
    grows_linearly(lambda size: _read("BEGIN:VCARD\nORG:" + ";" * size + "\nEND:VCARD"))


def test_damaged_files_never_raise() -> None:
    dice = random.Random(1)
    whole = "".join(vcard.write([("Jürgen; J", ('"a;b"@x.example', "j@x.example"), "Client")] * 20)).encode()
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        list(vcard.read(bytes(damaged)))


def test_what_is_written_is_a_card_of_version_3_0() -> None:
    (text,) = vcard.write([("Jane; D, " + "ü" * 60, ("j@x.example",), "")])
    lines = text.split("\r\n")
    assert lines[:2] == ["BEGIN:VCARD", "VERSION:3.0"]
    assert lines[2].startswith(r"FN:Jane\; D\, ü")
    assert all(len(line.encode()) <= 75 for line in lines)
    assert lines[-3:] == ["EMAIL:j@x.example", "END:VCARD", ""]
