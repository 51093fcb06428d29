"""The TXT record that publishes a DKIM key (RFC 6376 3.6): written for the admin, and parsed from DNS.

Pure. Called by the command line, the checks of a domain, and `dkim_verifying`.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailweir.sentence import said

MAX_STRING_BYTES = 255  # RFC 1035 3.3
KINDS = frozenset({"rsa", "ed25519"})  # RFC 8463 adds the second
ED25519_BYTES = 32


@dataclass(frozen=True, slots=True)
class TxtRecord:
    """name: without the final dot. strings: the value in parts of at most 255 bytes, which are joined without a space."""

    name: str
    strings: tuple[str, ...]

    @property
    def value(self) -> str:
        """The value as one text, for DNS forms that split it themselves."""
        return "".join(self.strings)

    @property
    def quoted(self) -> str:
        """The value in a zone file's notation: no character in it needs an escape."""
        return "( " + " ".join(f'"{part}"' for part in self.strings) + " )"


def record(domain: str, selector: str, public_key_der: bytes) -> TxtRecord:
    """The record of a key. public_key_der: SubjectPublicKeyInfo."""
    text = f"v=DKIM1; k=rsa; p={base64.b64encode(public_key_der).decode('ascii')}"
    parts = tuple(text[at : at + MAX_STRING_BYTES] for at in range(0, len(text), MAX_STRING_BYTES))
    return TxtRecord(f"{selector}._domainkey.{domain}", parts)


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A key as DNS has it. kind: rsa or ed25519. data: DER for RSA, 32 bytes for Ed25519 (RFC 8463 4.2).

    hashes: those that signatures may use; None for all. flags: of t=. Unknown flags are ignored (RFC 6376 3.6.1).
    """

    kind: str
    data: bytes
    hashes: frozenset[str] | None = None
    flags: frozenset[str] = frozenset()

    @property
    def is_test(self) -> bool:
        """t=y: a signature by this key must be treated like no signature."""
        return "y" in self.flags

    @property
    def is_for_same_domain(self) -> bool:
        """t=s: i= may not name a subdomain of d=."""
        return "s" in self.flags

    @property
    def has_right_length(self) -> bool:
        """Is the length right? Any length is right for RSA, whose DER is checked when the key is loaded."""
        return self.kind != "ed25519" or len(self.data) == ED25519_BYTES

    def takes(self, algorithm: str) -> bool:
        """May it verify signatures with this a=, such as rsa-sha256 (RFC 6376 6.1.2 steps 5 and 6)?"""
        kind, _, digest = algorithm.partition("-")
        return kind == self.kind and self.has_right_length and (self.hashes is None or digest in self.hashes)


def fault_of(values: Sequence[bytes], public_key_der: bytes) -> str | None:
    """Why the DNS answer for a key is wrong, or None. values: of each TXT record at the name, with its strings joined."""
    published = published_key(values)
    if isinstance(published, str):
        return published
    if published.kind != "rsa":
        return said("the published key is of another kind (k={kind})", kind=published.kind)
    if published.data != public_key_der:
        return said("another key is published there")
    return unusable(published) or None


def unusable(key: PublishedKey) -> str:
    """Why receivers ignore signatures by this key, or "" (RFC 6376 3.6.1)."""
    if not key.has_right_length:
        return said(
            "the published p= is not an Ed25519 key: it has {number} bytes, and {ed25519_bytes} are right",
            number=len(key.data),
            ed25519_bytes=ED25519_BYTES,
        )
    if not key.takes(f"{key.kind}-sha256"):
        listed = ":".join(sorted(key.hashes or ()))
        return said("the record lets no signature with sha256 count (h={listed}): remove its h=", listed=listed)
    if key.is_test:
        return said(
            "the record is marked as a test (t=y), so receivers may treat signed mail as unsigned: remove the y"
        )
    return ""


def published_key(values: Sequence[bytes]) -> PublishedKey | str:
    """The published key at a key's name, or a text that says why there is no usable key. values: as for `fault_of`."""
    if not values:
        return said("it isn't published")
    if len(values) > 1:
        return said("there are {number} TXT records at its name, and there must be one", number=len(values))
    tags = _tags(values[0])
    if tags is None or "p" not in tags or not _is_of_version_1(tags):
        return said("the record published there is not a DKIM key")
    kind = tags.get("k", "rsa").lower()
    if kind not in KINDS:
        return said("the published key is of another kind (k={kind})", kind=kind)
    services = _listed(tags.get("s", "*"))
    if not services & {"*", "email"}:
        return said("the record is for another service than mail (s={s}): remove its s=", s=tags["s"])
    if not tags["p"]:
        return said("the published key is revoked (an empty p=)")
    try:
        data = base64.b64decode(re.sub(r"\s", "", tags["p"]), validate=True)
    except (binascii.Error, ValueError):
        return said("the published p= isn't base64: a part of it may be missing")
    return PublishedKey(kind, data, _listed(tags["h"]) if "h" in tags else None, _listed(tags.get("t", "")))


def is_revoked(value: bytes) -> bool:
    """Does a key's record say that the key is withdrawn (RFC 6376 3.6.1: an empty p=)?"""
    tags = _tags(value)
    return tags is not None and tags.get("p") == "" and _is_of_version_1(tags)


def _is_of_version_1(tags: Mapping[str, str]) -> bool:
    return "v" not in tags or (next(iter(tags)) == "v" and tags["v"] == "DKIM1")  # 3.6.1: v= stands first, if present


def _listed(value: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in value.split(":")) - {""}


def _tags(value: bytes) -> Mapping[str, str] | None:
    """The tag list of RFC 6376 3.2; None if the value isn't a tag list."""
    found: dict[str, str] = {}
    for part in value.decode("utf-8", "replace").split(";"):
        name, equals, text = part.partition("=")
        if not part.strip():
            continue
        if not equals or name.strip() in found:
            return None
        found[name.strip()] = text.strip()
    return found
