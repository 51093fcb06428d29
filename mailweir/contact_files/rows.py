"""The rows of a contact file, in any form. Pure; used by the readers and by `store/people/contact_import`."""

from typing import NamedTuple


class Row(NamedTuple):
    """One contact as in the file; nothing is checked yet. line: where it begins. company: empty for none."""

    line: int
    name: str
    addresses: tuple[str, ...]
    company: str


class BadRow(NamedTuple):
    """A row that can't be imported, and why."""

    line: int
    reason: str
