"""What the commands print: tables, sentences, JSON; one line on stderr for an error.

Never lets what came by mail or stands in a log (subjects, names, addresses) speak to the terminal, or hide in it: control
characters and what can't be seen are shown, not sent (`printable`), and nothing is read as markup. Colours only on a terminal.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer

from admin_cli.printable import printable, printable_lines

_LONGEST_UNBROKEN = 12  # characters of a word that a column of a table isn't made narrower than
_BETWEEN = 2  # characters between two columns of a table


def say(text: str) -> None:
    """One line on stdout."""
    typer.echo(printable(text))


def remark(text: str) -> None:
    """One line for a person, beside the output of a program."""
    typer.echo(printable(text), err=True)


def complain(text: str) -> None:
    """The one line of an error."""
    typer.echo(f"mailweir: {printable(text)}", err=True)


def show_json(value: Any) -> None:
    """Dictionaries and lists as JSON in ASCII, which no terminal can take amiss."""
    typer.echo(json.dumps(value, indent=2))


def whole(content: bytes) -> None:
    """A message or a file on stdout: byte for byte, but for a terminal, which gets it as `printable` text. OSError."""
    if sys.stdout.isatty():
        sys.stdout.write(printable_lines(content.decode("utf-8", "backslashreplace")))
        sys.stdout.flush()
        return
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


# What is said only where it is so
_RARE = {"bcc": False, "author_doubt": None, "via": None, "consent_ends_at": None, "held_until": None, "named": ()}


def plain(row: Any) -> dict[str, Any]:
    """A dataclass of the store as a dictionary for JSON. What holds for few rows has a key in those alone."""
    return asdict(
        row,
        dict_factory=lambda pairs: {key: value for key, value in pairs if key not in _RARE or value != _RARE[key]},
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """A table; plain aligned text where it isn't for a terminal, a list where the terminal is too narrow. `empty` is said where
    there are no rows."""
    if not rows:
        remark(empty)
        return
    cells = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw(columns, cells)
    else:
        _align(columns, cells)


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    least = [_least_width([column, *(row[n] for row in rows)]) for n, column in enumerate(columns)]
    if sum(least) + _BETWEEN * (len(columns) - 1) > console.width:
        _list(columns, rows)
        return
    drawn = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, _BETWEEN - 1, 0, 0))
    for column, width in zip(columns, least, strict=True):
        drawn.add_column(column, overflow="fold", min_width=width)
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))  # Text: brackets in a subject are no markup
    console.print(drawn)


def _least_width(cells: Sequence[str]) -> int:
    """So narrow a column can be without breaking words that aren't long."""
    from rich.cells import cell_len

    return max(min(cell_len(word), _LONGEST_UNBROKEN) for cell in cells for word in cell.split() or [""])


def _list(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A line for each cell that isn't empty, and a space between rows."""
    width = max(map(len, columns))
    for number, row in enumerate(rows):
        if number:
            typer.echo("")
        for column, cell in zip(columns, row, strict=True):
            if cell:
                typer.echo(f"{column.ljust(width)}  {cell}")


def _align(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.cells import cell_len

    lines = [list(columns), *rows]
    widths = [max(cell_len(line[n]) for line in lines) for n in range(len(columns))]
    for line in lines:
        padded = [cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)]
        typer.echo("  ".join(padded).rstrip())


def moment(text: str | None) -> str:
    """A stored time as people read it: `2026-11-24 03:12:55Z`."""
    return f"{text[:19].replace('T', ' ')}Z" if text else "-"
