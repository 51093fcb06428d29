"""The commands' output except tables: sentences, JSON, times; one line on stderr for an error.

Never lets text from mail or logs (subjects, names, addresses) control the terminal, or hide in it: control characters and
invisible ones are shown, not sent (`printable`), and nothing is read as markup. Colours only on a terminal.
"""

import json
import sys
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

import typer

from mailweir.printable import printable, printable_lines
from mailweir.store.database.moments import rfc3339


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
    """Dictionaries and lists as JSON in ASCII, which can't affect a terminal."""
    typer.echo(json.dumps(value, indent=2))


def whole(content: bytes) -> None:
    """A message or a file on stdout: byte for byte; a terminal gets it as `printable` text. OSError."""
    if sys.stdout.isatty():
        sys.stdout.write(printable_lines(content.decode("utf-8", "backslashreplace")))
        sys.stdout.flush()
        return
    exact(content)


def exact(content: bytes) -> None:
    """Bytes on stdout, with any content: the caller has checked for a terminal. OSError."""
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


# Keys that appear only if they have a value other than this
_RARE = {
    **{"bcc": False, "author_doubt": None, "via": None, "consent_ends_at": None, "held_until": None, "named": ()},
    **{"forwarder": None, "original_author": None},
    **{"sender_verdict": None, "sender_verdict_reason": None, "sender_verdict_domain": None},
    **{"verdict_reason": None, "verdict_domain": None},
    **{"rule": None, "rule_user": None},
}


def plain(row: Any) -> dict[str, Any]:
    """A dataclass of the store as a dictionary for JSON. Rare facts have a key only in the rows that have them."""
    pairs = ((field.name, getattr(row, field.name)) for field in fields(row))
    return {key: json_value(value) for key, value in pairs if key not in _RARE or value != _RARE[key]}


def json_value(value: Any) -> Any:
    """A value of the store's as JSON has it; a time is RFC 3339 in UTC with microseconds, always 27 characters."""
    if isinstance(value, datetime):
        return rfc3339(value)
    if is_dataclass(value):
        return plain(value)
    return [json_value(one) for one in value] if isinstance(value, tuple) else value


def moment(time: datetime | None) -> str:
    """A time for people: `2026-11-24 03:12:55Z`; a dash if there is none."""
    return f"{rfc3339(time)[:19].replace('T', ' ')}Z" if time else "-"
