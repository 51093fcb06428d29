"""Contacts as CSV (RFC 4180 and real-world variants): bytes into rows, contacts into text.

Accepts `,` `;` `|` and tabs as separators, a header in any order or none (`columns`), and line ends in quotes. Strict about
quotes: an ambiguous row is a BadRow. Never raises on any bytes; memory is bounded by a row, not by the file. Cells that a
spreadsheet would take for a formula are written as text, and read back unchanged (`formulas`). Pure. Called by the command line.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailweir.contact_files import columns, formulas
from mailweir.contact_files.columns import Columns
from mailweir.contact_files.lines import MAX_LINE_CHARS, Lines, encoding_of
from mailweir.contact_files.rows import BadRow, Row
from mailweir.sentence import said

MAX_ROW_CHARS = MAX_LINE_CHARS

_DELIMITERS = ",;\t|"
_EXCEL_HINT = re.compile(r"sep=([,;\t|])")  # a first line by which Excel names the separator


class _RowTooLong(Exception):
    """A line or a quoted cell that doesn't end within the limit."""


@dataclass(frozen=True, slots=True)
class _Layout:
    encoding: str
    delimiter: str
    columns: Columns
    header_line: int  # 0 if there is none, so that the rows begin at once
    hint_lines: int


def read(raw: bytes, *, exact: bool = False) -> Iterator[Row | BadRow]:
    """The contacts of a file. Empty rows are left out. exact: keeps apostrophes before formulas, because they are content,
    too."""
    layout = _layout(raw)
    if isinstance(layout, BadRow):
        yield layout
        return
    for line, cells in _records(raw, layout.encoding, layout.delimiter, layout.hint_lines):
        if isinstance(cells, str):
            yield BadRow(line, cells)
        elif line > layout.header_line and any(cell.strip() for cell in cells):
            yield _row(layout, line, cells if exact else [formulas.as_it_was(cell) for cell in cells])


def write(contacts: Iterable[tuple[str, tuple[str, ...], str]], *, exact: bool = False) -> Iterator[str]:
    """Name, addresses and company of each contact as lines, which `read` reads back unchanged. exact: leaves formulas as they
    are; not for spreadsheets."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)  # RFC 4180: commas and CRLF
    writer.writerow(("name", "address", "company"))
    for name, addresses, company in contacts:
        cells = (name, ";".join(addresses), company)
        writer.writerow(cells if exact else map(formulas.shown_as_text, cells))
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _layout(raw: bytes) -> _Layout | BadRow:
    encoding = encoding_of(raw)
    if isinstance(encoding, BadRow):
        return encoding
    hint = _EXCEL_HINT.fullmatch(next(Lines(raw, encoding), "").rstrip("\r\n"))
    found = [
        layout
        for delimiter in (hint[1] if hint else _DELIMITERS)
        if (layout := _with_delimiter(raw, encoding, delimiter, 1 if hint else 0))
    ]
    if not found:
        return BadRow(
            1,
            said(
                "no header names a column for the name and one for the address, and the second column is no mail "
                "address"
            ),
        )
    # A layout with a header wins, then the one with more known columns. Of equals, max takes the first: the more usual delimiter.
    return max(found, key=lambda layout: (layout.header_line > 0, layout.columns.known))


def _with_delimiter(raw: bytes, encoding: str, delimiter: str, hint_lines: int) -> _Layout | None:
    for line, cells in _records(raw, encoding, delimiter, hint_lines):
        if isinstance(cells, str):
            return None
        if any(cell.strip() for cell in cells):
            if columns.is_row(cells):
                return _Layout(encoding, delimiter, columns.WITHOUT_HEADER, 0, hint_lines)
            found = columns.by_header(cells)
            return _Layout(encoding, delimiter, found, line, hint_lines) if found else None
    return _Layout(encoding, delimiter, columns.WITHOUT_HEADER, 0, hint_lines)  # nothing in it


def _records(raw: bytes, encoding: str, delimiter: str, skip_lines: int) -> Iterator[tuple[int, list[str] | str]]:
    """The first line of each record, and its cells or an error text."""
    source = _Source(Lines(raw, encoding))
    for _ in range(skip_lines):
        next(source, None)
    reader = csv.reader(source, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        first = source.begin_row()
        try:
            yield first, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            up_to = said(" (up to line {line})", line=source.line) if source.line > first else ""
            yield first, said("its quotes can't be read{up_to}: {error}", up_to=up_to, error=error)
        except _RowTooLong:
            if source.line > first:
                # It isn't known whether the following text is inside or outside the quotes.
                yield (
                    first,
                    said(
                        "a quoted cell begins that doesn't end within {most} characters; the rest was not read",
                        most=MAX_ROW_CHARS,
                    ),
                )
                return
            yield first, said("the line is longer than {most} characters", most=MAX_ROW_CHARS)


class _Source(Iterator[str]):
    """Gives lines to csv's reader, which takes further lines while a quote is open."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._chars = 0

    @property
    def line(self) -> int:
        return self._lines.number

    def begin_row(self) -> int:
        self._chars = 0
        return self._lines.number + 1

    def __next__(self) -> str:
        text = next(self._lines)
        self._chars += len(text)
        if self._chars > MAX_ROW_CHARS or not self._lines.whole:
            raise _RowTooLong
        return text


def _row(layout: _Layout, line: int, cells: list[str]) -> Row | BadRow:
    where = layout.columns
    if any(cell.strip() for cell in cells[where.width :]):
        return BadRow(
            line,
            said(
                "it has {number} cells where {width} are expected; put cells that hold a delimiter into quotes",
                number=len(cells),
                width=where.width,
            ),
        )
    company = " ".join(where.company(cells).split())
    # `jane;jane@a.example;jane@b.example`: the `;` between two addresses was taken for a column separator.
    if layout.delimiter == ";" and "@" in company:
        return BadRow(
            line,
            said(
                "the company '{company}' looks like an address; put a cell with several addresses into quotes",
                company=company,
            ),
        )
    return Row(line, " ".join(where.name(cells).split()), where.all_addresses(cells), company)
