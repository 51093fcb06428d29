"""The TXT record by which a DKIM key is published (RFC 6376 3.6): written for the admin, and read from DNS again.

Opens nothing. Called by the command line. Standard library only.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_STRING_BYTES = 255  # RFC 1035 3.3


@dataclass(frozen=True, slots=True)
class TxtRecord:
    """name: without the final dot. strings: the value in parts of at most 255 bytes, which belong together without a space."""

    name: str
    strings: tuple[str, ...]

    @property
    def value(self) -> str:
        """The value as one text, for forms that split by themselves."""
        return "".join(self.strings)

    @property
    def zone_line(self) -> str:
        """The record as a line of a zone file."""
        return f"{self.name}. IN TXT {self.quoted}"

    @property
    def quoted(self) -> str:
        """The value as a zone file has it: no character in it needs an escape."""
        return "( " + " ".join(f'"{part}"' for part in self.strings) + " )"


def record(domain: str, selector: str, public_key_der: bytes) -> TxtRecord:
    """The record of a key. public_key_der: SubjectPublicKeyInfo."""
    text = f"v=DKIM1; k=rsa; p={base64.b64encode(public_key_der).decode('ascii')}"
    parts = tuple(text[at : at + MAX_STRING_BYTES] for at in range(0, len(text), MAX_STRING_BYTES))
    return TxtRecord(f"{selector}._domainkey.{domain}", parts)


def fault_of(values: Sequence[bytes], public_key_der: bytes) -> str | None:
    """What is wrong with what DNS has at a key's name, or None. values: of each TXT record there, its strings put together."""
    if not values:
        return "it isn't published"
    if len(values) > 1:
        return f"there are {len(values)} TXT records at its name, and there must be one"
    tags = _tags(values[0])
    if tags is None or tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        return "what is published there is no DKIM key"
    key_type = tags.get("k", "rsa")
    if key_type != "rsa":
        return f"the key that is published is of another kind (k={key_type})"
    if not tags["p"]:
        return "the key that is published is revoked (an empty p=)"
    try:
        published = base64.b64decode(re.sub(r"\s", "", tags["p"]), validate=True)
    except (binascii.Error, ValueError):
        return "the p= that is published isn't base64: a part of it may be missing"
    return None if published == public_key_der else "another key is published there"


def _tags(value: bytes) -> Mapping[str, str] | None:
    """RFC 6376 3.2's tag list; None where it is none."""
    found: dict[str, str] = {}
    for part in value.decode("utf-8", "replace").split(";"):
        name, equals, text = part.partition("=")
        if not part.strip():
            continue
        if not equals or name.strip() in found:
            return None
        found[name.strip()] = text.strip()
    return found
