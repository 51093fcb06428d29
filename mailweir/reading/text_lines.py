"""Lines of text from pieces and marks: line breaks, prefixes of lines, and the distance between cells.

`html_text` appends pieces as it reads, and may remove the last ones. This module turns them into lines. As in browsers, a break
is made only when text follows it: the line breaks once, however many blocks begin and end there. Pure. Standard library only.
Called by `html_text`.
"""

from collections.abc import Iterable

# Marks. The source has no control characters, so no text can be a mark.
BREAK = "\x01"  # ends the line, even if it is empty
BLOCK = "\x02"  # ends the line if it isn't empty
PARAGRAPH = "\x03"  # like BLOCK, with a blank line
CELL = "\x04"  # separated from the previous cell of this row
ROW = "\x05"  # a row begins or ends
TABLE = "\x06"  # a table begins or ends
QUOTE = "\x07"  # with a number: how many quotes are open from here on
PREFIX = "\x08"  # with a text: the prefix of the next line, such as a list item's
LAST_MARK = "\x08"
# In preformatted text: white space that keeps its number of characters.
KEPT_BLANK, KEPT_TAB = "\x0e", "\x0f"
FILLER = "\x10"  # a blank that makes a line on its own: `<p>&nbsp;</p>`
_KEPT = str.maketrans({KEPT_BLANK: " ", KEPT_TAB: "\t"})

_NOTHING, _CELL, _BLOCK, _PARAGRAPH = 0, 1, 2, 3
_SOFT = {BLOCK: _BLOCK, PARAGRAPH: _PARAGRAPH}


def join(pieces: Iterable[str]) -> str:
    """The text of the pieces: no line ends in a blank, no two blank lines follow each other, and the text has none at its
    beginning or end."""
    lines = _Lines()
    for piece in pieces:
        if piece[0] > LAST_MARK:
            lines.add(piece)
        else:
            lines.mark(piece)
    return lines.text()


class _Lines:
    def __init__(self) -> None:
        self._done: list[str] = []
        self._line: list[str] = []
        self._pending = _NOTHING
        self._quotes = 0
        self._line_quotes = 0
        self._prefix = ""
        self._is_blank_before = True
        self._is_row_broken = False
        self._is_cell_start = False
        self._is_row_start = True  # none of its cells has begun
        self._has_words = False  # in the current line

    def add(self, piece: str) -> None:
        if (piece == " " and (self._pending or not self._line)) or (piece == FILLER and self._is_cell_start):
            return
        if self._pending:
            self._settle()
        if not self._line:
            self._line_quotes = self._quotes
        self._line.append(piece)
        self._has_words = self._has_words or piece != FILLER

    def _settle(self) -> None:
        pending, self._pending = self._pending, _NOTHING
        begins_row, self._is_cell_start = self._is_cell_start, False
        if pending == _CELL:
            if self._has_words:
                self._line.append(KEPT_TAB)
            return
        self._is_row_broken = self._is_row_broken or not begins_row
        self._end_line()
        if pending == _PARAGRAPH:
            self._blank_line()

    def mark(self, mark: str) -> None:
        kind = mark[0]
        if kind in _SOFT:
            if not self._is_cell_start:
                self._pending = max(self._pending, _SOFT[kind])
        elif kind == BREAK:
            self._break()
        elif kind == CELL:
            self._cell()
        elif kind == ROW:
            self._end_cell()
            self._is_row_broken = False
        elif kind == TABLE:
            self._end_cell()
            self._is_row_broken = True
        elif kind == QUOTE:
            self._pending, self._is_cell_start = max(self._pending, _BLOCK), False
            self._quotes = int(mark[1:])
        else:
            self._settle_block()
            self._prefix = mark[1:]

    def _end_cell(self) -> None:
        # The space below a cell's last paragraph stays in the cell.
        self._pending = max(self._pending, _BLOCK) if self._is_row_start else _BLOCK
        self._is_cell_start, self._is_row_start = False, True

    def _cell(self) -> None:
        if self._is_row_start:
            self._is_row_start, self._is_cell_start = False, True
        elif self._is_row_broken:
            self._pending = max(self._pending, _BLOCK)
        else:
            self._pending, self._is_cell_start = _CELL, True

    def _break(self) -> None:
        if self._pending:
            self._settle()
        self._is_row_broken = True
        if self._line:
            self._end_line()
        else:
            self._line_quotes = self._quotes
            self._blank_line()

    def _settle_block(self) -> None:
        self._pending = max(self._pending, _BLOCK)
        self._settle()

    def _end_line(self) -> None:
        if not self._line:
            return
        line = "".join(self._line)
        if line.isprintable() and "  " not in line:  # nothing to replace in it
            text = line.strip()
        else:
            words = " ".join(filter(None, line.replace(FILLER, " ").split(" ")))
            text = words.replace(f" {KEPT_TAB}", KEPT_TAB).replace(f"{KEPT_TAB} ", KEPT_TAB)
            text = text.translate(_KEPT).rstrip()
        self._line.clear()
        self._has_words = False
        if not text:
            self._blank_line()
            return
        self._done.append("> " * self._line_quotes + self._prefix + text)
        self._prefix = ""
        self._is_blank_before = False

    def _blank_line(self) -> None:
        if not self._is_blank_before:
            self._done.append(("> " * min(self._quotes, self._line_quotes)).rstrip())
            self._is_blank_before = True

    def text(self) -> str:
        self._end_line()
        if self._done and self._is_blank_before:
            self._done.pop()
        return "\n".join(self._done)
