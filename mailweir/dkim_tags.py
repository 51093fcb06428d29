"""A signature's tags (RFC 6376 3.2, 3.5), and what they show without a key: the signing domain, the coverage, the validity
period.

Linear in their size. Pure. Called by `dkim_verifying`, `sender_auth` and `arc`.
"""

import base64
import binascii
import re
from collections.abc import Collection, Mapping

from mailweir import address

MAX_SIGNATURE_BYTES = 4_096  # Google's have 800
CLOCK_SLACK_SECONDS = 36_000  # tolerance for signers' clocks
ALGORITHMS = frozenset({b"rsa-sha256", b"ed25519-sha256"})  # RFC 8301 3.1: rsa-sha1 proves nothing
MUST_COVER = frozenset({b"from"})  # RFC 6376 5.4
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
_FORMS = {b"simple": False, b"relaxed": True}
_MAX_TIME_DIGITS = 12  # RFC 6376 3.5

Tags = Mapping[bytes, bytes]


def read(value: bytes) -> Tags:
    """A signature's tags; empty if it can't be parsed, has a tag twice (RFC 6376 3.2) or is too long."""
    if len(value) > MAX_SIGNATURE_BYTES:
        return {}
    specs = value.strip().split(b";")
    if not specs[-1]:
        specs.pop()
    tags: dict[bytes, bytes] = {}
    for spec in specs:
        name, equals, text = spec.partition(b"=")
        name = name.strip()
        if not equals or name in tags or not _NAME.fullmatch(name):
            return {}
        tags[name] = text.strip()
    return tags


def unsigned(value: bytes) -> bytes:
    """A signature's value as it was when signed: `b=` empty, without white space around it (RFC 6376 3.7). value: must be
    accepted by `read`, without its final CRLF."""
    specs = value.split(b";")
    for index, spec in enumerate(specs):
        name, _, _ = spec.partition(b"=")
        if name.strip() == b"b":
            specs[index] = name + b"="
    return b";".join(specs)


def domain(tags: Tags) -> str:
    """The domain that the signature claims, in normal form (A-labels: RFC 8616 4); "" if that isn't a domain."""
    return _domain(tags.get(b"d", b""))


def _domain(text: bytes) -> str:
    try:
        return address.normalise_domain(text.strip().decode()) or ""
    except UnicodeDecodeError:
        return ""


def identity_domain(tags: Tags) -> str | None:
    """The domain of `i=`: that of `d=` if there is no `i=`; None if `i=` is neither d= nor below it (RFC 6376 3.5)."""
    of_signer = domain(tags)
    if b"i" not in tags:
        return of_signer
    _, at, text = tags[b"i"].rpartition(b"@")
    found = _domain(text) if at else ""
    return found if found == of_signer or found.endswith(f".{of_signer}") else None


def covered(tags: Tags) -> list[bytes]:
    """The names in `h=`, in lower case and in their order."""
    return [name.strip().lower() for name in tags.get(b"h", b"").split(b":")]


def proves_something(tags: Tags, must_cover: frozenset[bytes] = MUST_COVER) -> bool:
    """Could the signature prove From, whatever the key: does it cover the whole body and these headers, by SHA-256?"""
    # RFC 6376 8.2: with l=, anybody can append text to the signed part
    return b"l" not in tags and tags.get(b"a") in ALGORITHMS and must_cover.issubset(covered(tags))


def is_timely(tags: Tags, now: float) -> bool:
    """Is the signature within its validity period now? A signature outside it isn't necessarily forged: the examination may be
    late, or a clock wrong (RFC 6376 3.5)."""
    expires_at, signed_at = seconds(tags, b"x"), seconds(tags, b"t")
    return (expires_at is None or expires_at >= now) and (signed_at is None or signed_at <= now + CLOCK_SLACK_SECONDS)


def seconds(tags: Tags, name: bytes) -> int | None:
    """A time among the tags, in seconds since 1970; None if it is absent or invalid."""
    value = tags.get(name, b"")
    return int(value) if value.isdigit() and len(value) <= _MAX_TIME_DIGITS else None


def forms(tags: Tags) -> tuple[bool, bool] | None:
    """Do headers and body use the relaxed form (RFC 6376 3.5, c=)? None if it names an unknown form."""
    head, slash, body = tags.get(b"c", b"simple/simple").partition(b"/")
    if not slash:
        body = b"simple"
    return (_FORMS[head], _FORMS[body]) if head in _FORMS and body in _FORMS else None


def decoded(tags: Tags, name: bytes) -> bytes:
    """The bytes of a base64 tag, folded or not; empty if invalid."""
    try:
        return base64.b64decode(b"".join(tags.get(name, b"").split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def is_well_formed(tags: Tags, mandatory: Collection[bytes]) -> bool:
    """Are these tags present, and are the tags that DKIM signatures and seals share valid?"""
    if not all(tags.get(name) for name in mandatory) or not decoded(tags, b"b") or forms(tags) is None:
        return False
    if b"q" in tags and b"dns/txt" not in [method.strip() for method in tags[b"q"].split(b":")]:
        return False
    if any(name in tags and seconds(tags, name) is None for name in (b"t", b"x")):
        return False
    expires_at, signed_at = seconds(tags, b"x"), seconds(tags, b"t")
    is_ordered = expires_at is None or signed_at is None or expires_at >= signed_at
    return is_ordered and tags.get(b"v", b"1") == b"1" and tags[b"s"].isascii()
