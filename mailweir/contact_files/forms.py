"""The forms of a file of contacts, with the reader and writer of each. Pure. Called by the command line."""

import enum
from collections.abc import Iterable, Iterator

from mailweir.contact_files import csv_file, vcard
from mailweir.contact_files.rows import BadRow, Row


class Form(enum.StrEnum):
    """The form of a file."""

    CSV = "csv"
    VCARD = "vcard"


_ENDINGS = {"csv": Form.CSV, "tsv": Form.CSV, "vcf": Form.VCARD, "vcard": Form.VCARD}


def form_of(name: str) -> Form | None:
    """The form that a file's name indicates; None if it indicates none."""
    stem, _, ending = name.lower().rpartition(".")
    return _ENDINGS.get(ending) if stem else None


def read(form: Form, raw: bytes, *, exact: bool) -> Iterator[Row | BadRow]:
    """A file's rows, in its order. exact: CSV that was written with exact, see `csv_file.read`."""
    return vcard.read(raw) if form is Form.VCARD else csv_file.read(raw, exact=exact)


def write(form: Form, contacts: Iterable[tuple[str, tuple[str, ...], str]], *, exact: bool) -> Iterator[str]:
    """A file's text, in parts. contacts: name, addresses, company. exact: CSV for programs, see `csv_file.write`."""
    return vcard.write(contacts) if form is Form.VCARD else csv_file.write(contacts, exact=exact)
