"""The text of a DMARC record (RFC 7489 6.3, 6.4; RFC 9989 4.7, 4.8), and of TXT records that are nearly DMARC.

Pure: makes no queries. Called by `dmarc`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailweir.domains.typed_text import cleaned, decoded
from mailweir.sentence import said

POLICIES = ("none", "quarantine", "reject")
_MAX_SHOWN_CHARS = 120
# Both RFCs: "v" in any case, because ABNF strings are case-insensitive, and DMARC1 exactly (%x44 %x4d %x41 %x52 %x43 %x31).
_VERSION = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_NAME = re.compile(r"[A-Za-z]+\Z")
_NEAR = re.compile(
    r"d\s?(?:m\s?a|a\s?m|m)\s?(?:r\s?c|c\s?r|a\s?r\s?c)\s?[1il]?|\bp\s*[=:]\s*(?:none|quarantine|reject)\b",
    re.IGNORECASE,
)
_REPORTS_TO = re.compile(r"\s*mailto:[^@\s]+@[^@\s]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Record:
    """A record that receivers take for DMARC. tags: by name in lower case. faults: its unreadable parts, in words."""

    text: str
    tags: dict[str, str]
    faults: tuple[str, ...]

    def policy(self, *names: str) -> str:
        """The policy of the first of these tags that is present; `none` if it is unreadable, as both RFCs say."""
        found = next((self.tags[name] for name in names if name in self.tags), "none").lower()
        return found if found in POLICIES else "none"

    def has(self, name: str, value: str) -> bool:
        """Has a tag this value, such as t=y?"""
        return self.tags.get(name, "").lower() == value


def counts(value: str) -> bool:
    """Is a TXT value a DMARC record to receivers?"""
    return bool(_VERSION.match(value))


def parse(text: str) -> Record:
    """Parses a record for which `counts` is true."""
    tags: dict[str, str] = {}
    faults: list[str] = []
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        name = name.strip(" \t").lower()
        if not equals or not _NAME.match(name):
            if part.strip():
                faults.append(said("'{part}' is not a tag", part=_shown(part.strip())))
            continue
        if name in tags:
            faults.append(said("{name}= occurs twice", name=name))
        tags.setdefault(name, value.strip(" \t"))
    return Record(text, tags, (*faults, *_unreadable(tags)))


def _unreadable(tags: dict[str, str]) -> Sequence[str]:
    """Tags that receivers ignore, or for which they use p=none instead (RFC 7489 6.6.3, RFC 9989 4.10.1)."""
    found = []
    for name in ("p", "sp", "np"):
        if name in tags and tags[name].lower() not in POLICIES:
            found.append(
                said(
                    "its policy {name}={value} is unknown, so it doesn't count{missing}",
                    name=name,
                    value=_shown(tags[name]),
                    missing=_missing(tags[name]),
                )
            )
    if "p" not in tags:
        found.append(said("it has no policy (p=): to RFC 7489 it doesn't count, to RFC 9989 it is p=none"))
    for name, values in (("adkim", "rs"), ("aspf", "rs"), ("t", "yn"), ("psd", "ynu")):
        if name in tags and (len(tags[name]) != 1 or tags[name].lower() not in values):
            found.append(
                said(
                    "{name}={value} is left out by receivers{missing}",
                    name=name,
                    value=_shown(tags[name]),
                    missing=_missing(tags[name]),
                )
            )
    for name in ("rua", "ruf"):
        if name in tags and not all(map(_REPORTS_TO.match, tags[name].split(","))):
            found.append(
                said("{name}={value} holds something other than a mailto: address", name=name, value=_shown(tags[name]))
            )
    return found


def _missing(value: str) -> str:
    return said(": a ; seems to be missing in it") if re.search(r"[,\s\\:|]", value) else ""


def is_near(value: str) -> bool:
    """Is a TXT value at a _dmarc name nearly a DMARC record, and probably meant to be one?"""
    return not counts(value) and bool(_NEAR.search(cleaned(value[:1000])))


def why_not(value: str) -> str:
    """Why receivers don't take a value of `is_near` for a DMARC record, in words."""
    text, plain = decoded(value), cleaned(value)
    version = re.match(r"\W*v\s*=\s*(\w*)", plain, re.IGNORECASE)
    if "\\" in text:
        return said("it has backslashes, which belong into a zone file only")
    if re.match(r"\s*[\"']", text) or '"' in plain:
        return said("it has quotes in it")
    if text != plain:
        return said("it has characters in it that look like others (a no-break space, say) or can't be seen")
    if not version:
        return (
            said("v=DMARC1 is missing at its beginning")
            if not re.search(r"v\s*=\s*DMARC1", plain)
            else said("v=DMARC1 has to come first")
        )
    if version[1] != "DMARC1":
        return said("its version is '{version}', and DMARC1 is right, in capitals", version=_shown(version[1]))
    if text[0] not in "vV":
        return said("something precedes v=DMARC1, such as a blank")
    return said("no ; follows v=DMARC1")


def shown(value: str) -> str:
    """A TXT value as a sentence quotes it, cut if it is long."""
    return _shown(decoded(value))


def _shown(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN_CHARS else text[:_MAX_SHOWN_CHARS] + "…"
