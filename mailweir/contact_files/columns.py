"""The columns of a CSV file: by its header line, in any order and from any exporter, or by the default order.

Knows the headers of Google Contacts, Outlook (English and German) and Thunderbird. Pure; called by `csv_file`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailweir import address

_NAME = frozenset(("name", "full name", "display name", "contact", "contact name", "anzeigename"))
_FIRST = frozenset(("first name", "given name", "forename", "vorname"))
_MIDDLE = frozenset(("middle name", "additional name", "weitere vornamen"))
_LAST = frozenset(("last name", "family name", "surname", "nachname"))
_COMPANY = re.compile(r"(?:company|organi[sz]ation|firm)(?: \d+)?(?: name)?|firma|unternehmen")
# "E-mail 1 - Value", "E-mail 2 Address", "E-Mail-Adresse", "Primary Email"; never "E-mail 1 - Type" or "E-mail Display Name"
_MAIL = re.compile(
    r"(?:(?:primary|secondary|work|home|business|personal|other) )?"
    r"(?:e ?mail|mail|mailbox)(?: address(?:es)?| adresse)?(?: \d+)?(?: value| address| adresse)?|e ?mails"
)
_ADDRESS = re.compile(r"address(?:es)?(?: \d+)?|adressen?")  # a postal address, if another column is for mail

# Separators of several addresses in a cell: `;`, `,`, a line end, or Google's ` ::: `. A quoted local part may contain any of
# them.
_SEPARATOR = re.compile(r"\s:::\s|[;,\r\n]")
_STEP = re.compile(rf"""{_SEPARATOR.pattern}|\\.|"|[^\\";,\s]+|.""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Columns:
    """The positions of cells in a row, by their meaning. name_parts: in the order in which they make up the name. width: the
    header's number of cells."""

    names: tuple[int, ...]
    name_parts: tuple[int, ...]
    addresses: tuple[int, ...]
    companies: tuple[int, ...]
    width: int

    @property
    def known(self) -> int:
        """The number of columns with a meaning."""
        return len(self.names) + len(self.name_parts) + len(self.addresses) + len(self.companies)

    def name(self, cells: Sequence[str]) -> str:
        """The name in a row; made from its parts if there is no whole name."""
        return _first(cells, self.names) or " ".join(_present(cells, self.name_parts))

    def all_addresses(self, cells: Sequence[str]) -> tuple[str, ...]:
        """The addresses in a row, as written."""
        return tuple(found for cell in _present(cells, self.addresses) for found in split_addresses(cell))

    def company(self, cells: Sequence[str]) -> str:
        """The company in a row, or an empty string."""
        return _first(cells, self.companies)


WITHOUT_HEADER = Columns(names=(0,), name_parts=(), addresses=(1,), companies=(2,), width=3)


def by_header(cells: Sequence[str]) -> Columns | None:
    """The columns of a header line; None if it lacks a column for the name or for the address."""
    titles = [" ".join(re.findall(r"[^\W_]+", cell.casefold())) for cell in cells]
    addresses = _where(titles, _MAIL.fullmatch) or _where(titles, _ADDRESS.fullmatch)
    first, middle, last = (_where(titles, known.__contains__) for known in (_FIRST, _MIDDLE, _LAST))
    companies = _where(titles, _COMPANY.fullmatch)
    found = Columns(_where(titles, _NAME.__contains__), first + middle + last, addresses, companies, len(cells))
    return found if found.addresses and (found.names or found.name_parts) else None


def is_row(cells: Sequence[str]) -> bool:
    """Does a file's first line look like name and addresses, so that the file has no header?"""
    found = split_addresses(cells[1]) if len(cells) > 1 else []
    return bool(found) and all(address.typed(text) for text in found)


def split_addresses(cell: str) -> list[str]:
    """The addresses of one cell."""
    parts = _SEPARATOR.split(cell) if '"' not in cell else _split_outside_quotes(cell)
    return [part.strip() for part in parts if part.strip()]


def _split_outside_quotes(cell: str) -> list[str]:
    parts: list[list[str]] = [[]]
    quoted = False
    for step in _STEP.finditer(cell):
        quoted ^= step[0] == '"'
        if not quoted and _SEPARATOR.fullmatch(step[0]):
            parts.append([])
        else:
            parts[-1].append(step[0])
    return ["".join(part) for part in parts]


def _where(titles: Sequence[str], is_meant: Callable[[str], object]) -> tuple[int, ...]:
    return tuple(number for number, title in enumerate(titles) if is_meant(title))


def _present(cells: Sequence[str], numbers: Sequence[int]) -> list[str]:
    return [cells[number].strip() for number in numbers if number < len(cells) and cells[number].strip()]


def _first(cells: Sequence[str], numbers: Sequence[int]) -> str:
    return next(iter(_present(cells, numbers)), "")
