"""Reads what somebody who misses a mail typed or copied: an address with its name, a header, a queue id from a log.

Never raises, on any text. Pure. Called by `missing_mail` and `mailweir why`.
"""

import enum
import ipaddress
import re
from dataclasses import dataclass

from mailweir import address

_MAX_CHARS = 1_000  # a longer text is searched for unchanged
_PREFIX = re.compile(r"(?:mailto|message-id|from|to|cc):\s*(?=\S)", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"[^<>]+<([^<>\s]+@[^<>\s]+)>")
_COPIED_ID = re.compile(r"([0-9A-Za-z]+):")
_CLIENT = re.compile(r"(?:[\w.-]+)?\[([0-9A-Fa-f.:]+)\](?::\d+)?")
_NO_QUEUE_ID = "NOQUEUE"
_LEAST_LABELS = 2


class NoKey(enum.Enum):
    """Texts by which no decision can be found. Decisions are found by ids, whole addresses and words."""

    NO_QUEUE_ID = enum.auto()
    HOST = enum.auto()
    DOMAIN = enum.auto()


@dataclass(frozen=True, slots=True)
class Asked:
    """text: the text to search for. kind: None if decisions can be found by it. NoKey.DOMAIN: a domain, or a host's name."""

    text: str
    kind: NoKey | None = None


def read(typed: str) -> Asked:
    """The text to search for, without a header's name, a display name or punctuation around it."""
    text = typed.strip()
    if len(text) > _MAX_CHARS or not text.isprintable():
        return Asked(text)
    text = _bare(text)
    if text.upper() == _NO_QUEUE_ID:
        return Asked(_NO_QUEUE_ID, NoKey.NO_QUEUE_ID)
    if host := _ip(text):
        return Asked(host, NoKey.HOST)
    return Asked(text.removeprefix("@"), NoKey.DOMAIN) if _is_domain(text) else Asked(text)


def untagged(text: str) -> str | None:
    """`jane@client.example` for `jane+news@client.example`; None for a text that isn't an address with a tag."""
    found = address.normalise_path(text) or address.typed(text)
    local, domain = address.split(found) if found else ("", "")
    plain, plus, _ = local.partition("+")
    return f"{plain}@{domain}" if plus and plain else None


def _bare(text: str) -> str:
    """The address or id alone, if a header's name, a display name or punctuation surrounds it."""
    prefix = _PREFIX.match(text)
    rest = text[prefix.end() :] if prefix else text
    if prefix and "@" not in rest:  # words of a subject, as in `to: do`
        return text
    if named := _IN_BRACKETS.fullmatch(rest):
        return named[1]
    if copied := _COPIED_ID.fullmatch(rest):
        return copied[1]
    trimmed = rest.strip("\"',; ")
    return trimmed if address.typed(trimmed) and not address.typed(rest) else rest


def _ip(text: str) -> str | None:
    """The IP address of a host, also in the form of Postfix's log: `mail.client.example[192.0.2.7]`."""
    client = _CLIENT.fullmatch(text)
    try:
        return str(ipaddress.ip_address(client[1] if client else text.removeprefix("IPv6:")))
    except ValueError:
        return None


def _is_domain(text: str) -> bool:
    """Is it several labels, the last of which begins with a letter? An @ may be in front."""
    found = address.typed_domain(text.removeprefix("@"))
    labels = found.split(".") if found else []
    return len(labels) >= _LEAST_LABELS and labels[-1][0].isalpha()
