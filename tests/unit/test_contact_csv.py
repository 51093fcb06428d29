"""CSV files of contacts: encodings, delimiters, headers of other programs, odd files. Written files are read back unchanged."""

import csv
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.contact_files import csv_file, formulas
from mailweir.contact_files.lines import MAX_LINE_CHARS
from mailweir.contact_files.rows import BadRow, Row

JANE = Row(2, "Jane", ("jane@client.example", "j@x.example"), "Client Ltd")


def _read(text: str | bytes) -> list[Row | BadRow]:
    return list(csv_file.read(text.encode() if isinstance(text, str) else text))


def _lines(found: list[Row | BadRow]) -> list[int]:
    assert all(isinstance(row, BadRow) for row in found)
    return [row.line for row in found]


TEXT = "name,address,company\r\nJürgen,j@client.example,Müller GmbH\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("cp1252"),
        TEXT.replace("\r\n", "\n").encode(),
        TEXT.replace("\r\n", "\r").encode(),
        TEXT.rstrip().encode(),
    ],
)
def test_each_encoding_and_line_end_is_read(raw: bytes) -> None:
    assert _read(raw) == [Row(2, "Jürgen", ("j@client.example",), "Müller GmbH")]


@pytest.mark.parametrize("delimiter", list(",;\t|"))
@pytest.mark.parametrize("header", ["Name{0}E-Mail{0}Company\n", "name{0}address{0}company\n", "\n"])
def test_each_delimiter_is_found(delimiter: str, header: str) -> None:
    body = f'Jane{delimiter}"jane@client.example; j@x.example"{delimiter}Client Ltd\n'
    assert _read(header.format(delimiter) + body) == [JANE]


def test_the_delimiter_that_excel_names_is_taken() -> None:
    assert _read('sep=;\nname;address;company\nJane;"jane@client.example;j@x.example";Client Ltd\n') == [
        JANE._replace(line=3)
    ]
    assert _read("sep=|\nDoe, Jane|jane@client.example\n") == [Row(2, "Doe, Jane", ("jane@client.example",), "")]


def test_an_addresses_semicolon_is_no_delimiter() -> None:
    assert _read("Jane,jane@client.example;j@x.example,Client Ltd\n") == [JANE._replace(line=1)]
    assert _read("Jane,jane@client.example;j@x.example\n") == [JANE._replace(line=1, company="")]
    # it is ambiguous here; without quotes, the second address would be the company
    for text in ("name;address;company\nJane;jane@client.example;j@x.example\n", "\nJane;a@x.example;b@x.example\n"):
        (bad,) = _read(text)
        assert isinstance(bad, BadRow)
        assert "looks like an address" in bad.reason


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("COMPANY,Address,nAmE", "Client Ltd,jane@client.example;j@x.example,Jane"),
        (
            "Notes,Full Name,E-mail 2 Address,Company,E-mail Address",
            "x,Jane,jane@client.example,Client Ltd,j@x.example",
        ),
        (
            "Title,First Name,Middle Name,Last Name,Company,Home Address,E-mail Address,E-mail Type,E-mail Display Name,"
            "E-mail 2 Address",
            ",Jane,,,Client Ltd,1 High Street,jane@client.example,SMTP,Jane (j@y.example),j@x.example",
        ),
        (
            "Name,Given Name,Family Name,E-mail 1 - Type,E-mail 1 - Value,E-mail 2 - Type,E-mail 2 - Value,"
            "Organization 1 - Name",
            "Jane,J.,D.,* Work,jane@client.example,Home,j@x.example,Client Ltd",
        ),
        (
            "First Name,Last Name,Organization Name,Organization Title,E-mail 1 - Label,E-mail 1 - Value",
            "Jane,,Client Ltd,Buyer,* Work,jane@client.example ::: j@x.example",
        ),
        ("Vorname,Nachname,Firma,E-Mail-Adresse,E-Mail 2: Adresse", "Jane,,Client Ltd,jane@client.example,j@x.example"),
        ("Display Name,Primary Email,Secondary Email,Organization", "Jane,jane@client.example,j@x.example,Client Ltd"),
        ("name, address, company", 'Jane, "jane@client.example; j@x.example", "Client Ltd"'),
        ("Email,Name,Organisation", '"jane@client.example\nj@x.example",Jane,Client Ltd'),
        ("Name,Address,Email,Company", 'Jane,1 High Street,"jane@client.example, j@x.example",Client Ltd'),
    ],
)
def test_headers_are_known_in_any_order(header: str, row: str) -> None:
    assert _read(f"{header}\n{row}\n") == [JANE]


def test_a_name_is_composed_of_its_parts() -> None:
    text = "Last Name,First Name,Name,Email\nDoe,Jane,,j@x.example\nDoe,Jane,J. D.,j@x.example\n"
    assert [row.name for row in _read(text) if isinstance(row, Row)] == ["Jane Doe", "J. D."]


def test_a_quoted_local_part_may_hold_the_separators() -> None:
    found = _read('name,address\nJane,"""a;b, c""@x.example;j@x.example"\n')
    assert found == [Row(2, "Jane", ('"a;b, c"@x.example', "j@x.example"), "")]


def test_quoted_line_ends_keep_the_line_numbers_right() -> None:
    text = 'name,notes,address\n"A",x,a@x.example\nB,"1\n2\r\n3",b@x.example\n\n , ,\nC,x,c@x.example\n"D\nE",,d@x.example\n'
    assert _read(text) == [
        Row(2, "A", ("a@x.example",), ""),
        Row(3, "B", ("b@x.example",), ""),
        Row(8, "C", ("c@x.example",), ""),
        Row(9, "D E", ("d@x.example",), ""),
    ]


def test_a_bad_row_is_told_with_its_line_and_the_others_are_read() -> None:
    text = 'name,address\nA,a@x.example\nDoe, Jane,j@x.example\n"B"b,b@x.example\nC,c@x.example,,\nD\n'
    found = _read(text)
    assert [row.line for row in found] == [2, 3, 4, 5, 6]
    assert [type(row) for row in found] == [Row, BadRow, BadRow, Row, Row]
    assert "3 cells where 2 are expected" in found[1][1]
    assert "quotes" in found[2][1]
    assert found[4] == Row(6, "D", (), "")


def test_an_open_quote_ends_the_reading() -> None:
    assert _lines(_read('name,address\nA,"a@x.example\n')) == [2]
    found = _read('name,address\nA,a@x.example\nB,"b@x.example\n' + "C,c@x.example\n" * 20_000)
    assert found[0] == Row(2, "A", ("a@x.example",), "")
    assert _lines(found[1:]) == [3]
    assert "the rest was not read" in found[1][1]


def test_a_huge_line_is_refused_with_its_number() -> None:
    text = f"name,address\nA,a@x.example\n{'x' * 500_000},b@x.example\nC,c@x.example\n"
    found = _read(text)
    assert [type(row) for row in found] == [Row, BadRow, Row]
    assert [row.line for row in found] == [2, 3, 4]
    assert f"longer than {MAX_LINE_CHARS}" in found[1][1]
    assert _read("," * 10_000_000)[0].line == 1


def test_bytes_of_no_encoding_are_told_with_their_line() -> None:
    rows = TEXT.encode() * 3
    for raw, line in (
        (rows + b"J\xfcrgen,j@x.example\n", 7),
        (b"\xef\xbb\xbf" + TEXT.encode("cp1252"), 2),
        (b"name,address\nJ\x81,j@x.example\n", 2),
        (TEXT.encode("utf-16")[:-1], 1),
        (TEXT.encode("utf-16-le"), 1),
    ):
        (bad,) = _read(raw)
        assert isinstance(bad, BadRow)
        assert bad.line == line


def test_windows_1252_is_not_taken_for_broken_utf_8() -> None:
    # `É’` would be one character in UTF-8
    text = "name,address\nCAFÉ’S GRÜßE à la française,j@x.example\n"
    assert _read(text.encode("cp1252"))[0][1] == "CAFÉ’S GRÜßE à la française"


def test_a_broken_character_is_found_wherever_it_lies() -> None:
    # also at the boundary between two pieces that are decoded separately
    for size in range(1024 * 1024 - 30, 1024 * 1024 + 4):
        raw = b"name,address\n" + b"x" * (size - 14) + b"\n" + "ü,j@x.example\n".encode() * 2
        found = [row for row in _read(raw) if isinstance(row, Row)]
        assert [row.name for row in found] == ["ü", "ü"], size


def test_what_is_no_csv_of_contacts_is_one_bad_row() -> None:
    for text in ("hello\nworld\n", "a,b,c\n1,2,3\n", "name\nJane\n", "Email\nj@x.example\n", "\x01\x02\x03\x04"):
        assert _lines(_read(text)) == [1]
    assert _read("") == _read("\n\n") == _read("name,address\n") == _read(b"\xef\xbb\xbf") == []


@given(st.binary() | st.text(st.sampled_from(',;\t|"\n\r \0a@x.=:üé’')).map(str.encode))
def test_no_bytes_raise(raw: bytes) -> None:
    for prefix in (b"", b"name,address\n", b"\xff\xfe", b"\xef\xbb\xbf", b"sep=;\n"):
        assert all(row.line >= 1 for row in csv_file.read(prefix + raw))


def test_time_grows_with_the_size_only(grows_linearly: object) -> None:
    assert callable(grows_linearly)
    for piece in ('"', ",", '"\n', "a@x.example;", " ::: ", '\\"', "ü"):
        grows_linearly(lambda size, piece=piece: _read("name,address\nA," + piece * (size // len(piece))))
    line = '"' + "x" * 60 + "\n"
    grows_linearly(lambda size: _read("name,address\n" + line * (size // len(line)) * 20))


BEGINS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"  # OWASP, "CSV Injection"


def _as_a_spreadsheet(text: str, delimiter: str) -> list[str]:
    """The cells that a program sees with this delimiter, whatever the file's delimiter is. It trims cells, as some programs
    do."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [cell.strip(" \u00a0\u200b\ufeff\0") for cells in lines for cell in cells]


@pytest.mark.parametrize("delimiter", list(",;\t|"))
@pytest.mark.parametrize("lead", ["", " ", "\u00a0", "\u200b", "\ufeff", "\0", "x;", "x,", "x\n", "x|", 'x";', "x; "])
@pytest.mark.parametrize("begin", list(BEGINS))
def test_no_cell_is_a_formula_to_a_spreadsheet_with_whatever_delimiter(delimiter: str, lead: str, begin: str) -> None:
    cell = f"{lead}{begin}1+1"
    for contact in ((cell, ("j@x.example",), "Client"), ("Jane", (cell,), "Client"), ("Jane", ("j@x.example",), cell)):
        text = "".join(csv_file.write([contact]))
        assert [
            one for one in _as_a_spreadsheet(text, delimiter) if one and one[0] in "=+-@\uff1d\uff0b\uff0d\uff20"
        ] == []
        exact = "".join(csv_file.write([contact], exact=True))
        assert exact == text.replace("'", "")
        # the control
        assert begin not in "=+-@" or [one for one in _as_a_spreadsheet(exact, delimiter) if begin in one]


def test_the_apostrophe_stands_where_a_formula_begins_and_nowhere_else() -> None:
    contacts = [
        ("+44 20 7946 0000", ("-a@x.example", "b@x.example"), "@Work"),
        ("O'Neil - x", ("a+b@x.example",), "'90s"),
    ]
    assert "".join(csv_file.write(contacts)).split("\r\n")[1:3] == [
        "'+44 20 7946 0000,'-a@x.example;b@x.example,'@Work",
        "O'Neil - x,a+b@x.example,'90s",
    ]


_WORDS = st.text(st.sampled_from("'=+-@;,|\"\\x \u00a0\uff1d\u200bü") | st.characters(codec="utf-8"), max_size=12)
_NAMES = _WORDS.map(lambda text: " ".join(text.split())).filter(bool)
_LOCAL = st.text(st.sampled_from("'=+-x"), min_size=1, max_size=6) | st.text(
    st.sampled_from("'=+-@;, |x"), min_size=1
).map(lambda text: f'"{text}"')
_CONTACTS = st.tuples(
    _NAMES,
    st.lists(_LOCAL.map("{}@x.example".format), min_size=1, max_size=3).map(tuple),
    st.just("") | _NAMES,
)


@given(st.lists(_CONTACTS, max_size=4), st.booleans())
def test_any_contact_is_read_as_it_was_written(contacts: list[tuple[str, tuple[str, ...], str]], exact: bool) -> None:
    raw = "".join(csv_file.write(contacts, exact=exact)).encode()
    found = [row for row in csv_file.read(raw, exact=exact)]
    assert [(row[1], row[2], row[3]) for row in found if isinstance(row, Row)] == contacts


@given(st.text(st.sampled_from("'=+-@;,|\t\r\n x\u00a0\uff1d")) | st.text())
def test_any_cell_is_the_same_again(cell: str) -> None:
    assert formulas.as_it_was(formulas.shown_as_text(cell)) == cell
    assert formulas.shown_as_text(cell).count("'") - cell.count("'") == len(formulas.shown_as_text(cell)) - len(cell)


def test_damaged_files_never_raise() -> None:
    dice = random.Random(1)
    raw = csv_file.write([('Jürgen, "J"', ('"a;b"@x.example', "j@x.example"), "=1+1")] * 20)
    whole = "".join(raw).encode()
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        list(csv_file.read(bytes(damaged)))
