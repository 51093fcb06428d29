"""Tables that the commands print: drawn on a terminal, aligned text for programs.

Separate from `output` because of its library, which would slow every start. Text in cells is made harmless as in `output`.
"""

import sys
from collections.abc import Sequence

import typer
from rich.cells import cell_len

from admin_cli import output
from mailweir.printable import printable

_LONGEST_UNBROKEN = 12  # words of up to this many characters are never broken
_BETWEEN = 2  # characters between two columns of a table


def show(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """A table; plain aligned text without a terminal, a list if the terminal is too narrow. `empty` is printed if there are no
    rows."""
    if not rows:
        output.remark(empty)
        return
    cells = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw(columns, cells)
    else:
        _align(columns, cells)


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    # imported only for a terminal: it takes a tenth of the CPU of a short command, and programs may run many commands
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
    """The narrowest width of a column that breaks only long words."""
    return max(min(cell_len(word), _LONGEST_UNBROKEN) for cell in cells for word in cell.split() or [""])


def _list(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A line for each cell that isn't empty, and an empty line between rows."""
    width = max(map(len, columns))
    for number, row in enumerate(rows):
        if number:
            typer.echo("")
        for column, cell in zip(columns, row, strict=True):
            if cell:
                typer.echo(f"{column.ljust(width)}  {cell}")


def _align(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [list(columns), *rows]
    widths = [max(cell_len(line[n]) for line in lines) for n in range(len(columns))]
    for line in lines:
        padded = [cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)]
        typer.echo("  ".join(padded).rstrip())
