"""What a file of contacts holds, whatever its form. Pure; used by the readers and by `store/people/contact_import`."""

from typing import NamedTuple


class Row(NamedTuple):
    """One contact as the file says it; nothing is checked yet. line: where it begins. company: empty for none."""

    line: int
    name: str
    addresses: tuple[str, ...]
    company: str


class BadRow(NamedTuple):
    """What can't be taken, and why."""

    line: int
    reason: str
