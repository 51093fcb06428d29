"""Contacts as vCard 3.0 (RFC 2426) and 4.0 (RFC 6350), with some of 2.1: bytes into rows, contacts into text.

Reads FN (or N), EMAIL and ORG of each card; all other properties are skipped, however long. An invalid card is a BadRow with the
line of its BEGIN. Never raises on any bytes. Pure. Called by the command line.
"""

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailweir import charsets
from mailweir.contact_files.lines import MAX_LINE_CHARS, Lines, encoding_of
from mailweir.contact_files.rows import BadRow, Row
from mailweir.sentence import said

MAX_PROPERTY_CHARS = MAX_LINE_CHARS

_WANTED = frozenset(("BEGIN", "END", "VERSION", "FN", "N", "ORG", "EMAIL"))
_VERSIONS = frozenset(("2.1", "3.0", "4.0"))
# RFC 6350 3.3: a group, the name, parameters whose quoted values may contain `:` and `;`.
_PROPERTY = re.compile(
    r'(?:[A-Za-z0-9_\-]+\.)?(?P<name>[A-Za-z0-9_\-]+)(?P<parameters>(?:;(?:[^";:]|"[^"]*")*)*):(?P<value>.*)', re.DOTALL
)
_NAME = re.compile(r"(?:[A-Za-z0-9_\-]+\.)?([A-Za-z0-9_\-]+)[;:]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_COMPONENT = re.compile(r"(?:[^\\;]|\\.|\\\Z)*", re.DOTALL)
_UNREADABLE = re.compile("[\ufffd\ud800-\udfff]")
_FOLD_OCTETS = 75  # RFC 6350 3.2


class _Property(NamedTuple):
    """A logical line, unfolded. problem: why it can't be read, or "". name: "" if it is unknown."""

    line: int
    name: str
    value: str
    problem: str


class _Card:
    """The data read from one card."""

    def __init__(self, line: int) -> None:
        self._line = line
        self._problem = ""
        self._values: dict[str, list[str]] = {name: [] for name in _WANTED}

    def take(self, found: _Property) -> None:
        if found.problem:
            self._problem = self._problem or said("line {line}: {problem}", line=found.line, problem=found.problem)
        elif found.name == "VERSION" and found.value.strip() not in _VERSIONS:
            self._problem = self._problem or said(
                "vCard version '{value}' isn't known: 3.0 and 4.0 are", value=found.value.strip()[:20]
            )
        else:
            self._values[found.name].append(found.value)

    def row(self) -> Row | BadRow:
        if self._problem:
            return BadRow(self._line, said("the card is broken: {problem}", problem=self._problem))
        names = (_one_line(_unescape(value)) for value in self._values["FN"])
        addresses = (_unescape(value).strip() for value in self._values["EMAIL"])
        return Row(
            self._line,
            next(filter(None, names), "") or self._composed_name(),
            tuple(filter(None, addresses)),
            next(filter(None, (_components(value)[0] for value in self._values["ORG"])), ""),
        )

    def _composed_name(self) -> str:
        """RFC 6350 6.2.2: family name; given names; additional names; prefixes; suffixes."""
        parts = _components((self._values["N"] or [""])[0])
        family, given, additional = [*parts, "", ""][:3]
        return _one_line(" ".join((given, additional, family)))


def read(raw: bytes) -> Iterator[Row | BadRow]:
    """The contacts of a file of cards, one after the other."""
    encoding = encoding_of(raw)
    if isinstance(encoding, BadRow):
        yield encoding
        return
    card: _Card | None = None
    begun_at, is_told = 0, False
    for found in _properties(Lines(raw, encoding)):
        if found.name == "BEGIN" and found.value.strip().upper() == "VCARD":
            if card:
                yield BadRow(begun_at, said("the card has no END:VCARD"))
            card, begun_at, is_told = _Card(found.line), found.line, False
        elif card is None:
            if not is_told:  # reported once, and not for each line of a file of another kind
                yield BadRow(found.line, said("this text is outside of any vCard"))
            is_told = True
        elif found.name == "END":
            yield card.row()
            card = None
        else:
            card.take(found)
    if card:
        yield BadRow(begun_at, said("the card has no END:VCARD"))


def _properties(lines: Lines) -> Iterator[_Property]:
    """The wanted properties, unfolded (RFC 6350 3.2), and the invalid lines."""
    number, parts, chars = 0, [""], 0
    kept = soft = quoted = False
    for line in lines:
        text = line.rstrip("\r\n")
        if soft or (text[:1] in (" ", "\t") and number):
            part = text if soft else text[1:]
            if kept and chars + len(part) <= MAX_PROPERTY_CHARS and lines.whole:
                parts.append(part)
            chars += len(part)
        else:
            if kept:
                yield from _property(number, "".join(parts), chars)
            name = _NAME.match(text)
            kept = bool(text) and (name is None or name[1].upper() in _WANTED)
            number, parts, chars = lines.number, [text if kept else ""], len(text)
            quoted = "QUOTED-PRINTABLE" in text.partition(":")[0].upper()
        chars += 0 if lines.whole else MAX_PROPERTY_CHARS
        # 2.1: `=` at the end of a quoted-printable line continues it on the next one.
        soft = quoted and text.endswith("=")
        if soft and kept:
            parts[-1] = parts[-1].removesuffix("=")
    if kept:
        yield from _property(number, "".join(parts), chars)


def _property(line: int, text: str, chars: int) -> Iterator[_Property]:
    match = _PROPERTY.fullmatch(text)
    name = match["name"].upper() if match else ""
    value = _decode(match["parameters"].upper(), match["value"]) if match else None
    if chars > MAX_PROPERTY_CHARS:
        yield _Property(line, name, "", said("longer than {most} characters", most=MAX_PROPERTY_CHARS))
    elif match is None:
        yield _Property(line, "", "", said("'{text}' is not a property", text=text[:60]))
    elif name in _WANTED:
        yield _Property(
            line,
            name,
            value or "",
            "" if value is not None else said("the encoding of {name} can't be read", name=name),
        )


def _decode(parameters: str, value: str) -> str | None:
    """Decodes 2.1's quoted-printable, or returns None if it is invalid or base64."""
    given = parameters.replace('"', "").split(";")
    encodings = {text.removeprefix("ENCODING=") for text in given} & {"QUOTED-PRINTABLE", "BASE64", "B"}
    if not encodings:
        return value
    charset = next((text.removeprefix("CHARSET=") for text in given if text.startswith("CHARSET=")), "UTF-8")
    if encodings != {"QUOTED-PRINTABLE"} or not charsets.is_known(charset):
        return None
    text = charsets.decode(binascii.a2b_qp(value.encode("utf-8")), charset)
    return None if _UNREADABLE.search(text) else text


def _components(value: str) -> list[str]:
    """The parts of a structured value, which `;` separates. Commas within a part stay."""
    parts = []
    position = 0
    while position <= len(value):
        match = _COMPONENT.match(value, position)
        assert match
        parts.append(_one_line(_unescape(match[0])))
        position = match.end() + 1
    return parts


def _unescape(value: str) -> str:
    """Unescapes by RFC 6350 3.4. A backslash before any other character stays, as in 2.1."""
    return _ESCAPED.sub(
        lambda match: "\n" if match[1] in "nN" else match[1] if match[1] in "\\,;:" else match[0], value
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def write(contacts: Iterable[tuple[str, tuple[str, ...], str]]) -> Iterator[str]:
    """Name, addresses and company of each contact as cards, which `read` reads back unchanged.

    Writes version 3.0, because all address books accept it. It requires N: the whole name becomes N's given name.
    """
    for name, addresses, company in contacts:
        properties = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{_escape(name)}", f"N:;{_escape(name)};;;"]
        properties += [f"ORG:{_escape(company)}"] if company else []
        properties += [f"EMAIL:{_escape(found)}" for found in addresses]
        yield "".join(f"{_fold(text)}\r\n" for text in (*properties, "END:VCARD"))


def _escape(text: str) -> str:
    return re.sub(r"([\\,;])", r"\\\1", text)


def _fold(text: str) -> str:
    if len(text.encode()) <= _FOLD_OCTETS:
        return text
    lines, octets = [""], 0
    for char in text:
        size = len(char.encode())
        if octets + size > _FOLD_OCTETS:
            lines.append(" ")
            octets = 1
        lines[-1] += char
        octets += size
    return "\r\n".join(lines)
