"""A signature's tags (RFC 6376 3.5), and what can be told by them alone: whose it is, what it covers, whether it is timely.

Called by `sender_auth` and `arc`. dkimpy is imported when first needed: it costs a process some megabytes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from mailweir.headers import ONCE

MAX_SIGNATURE_BYTES = 4_096  # dkimpy's time grows with the square of it; Google's have 800
CLOCK_SLACK_SECONDS = 36_000  # dkimpy's own
_MUST_COVER = frozenset({b"from"})  # 5.4; dkimpy doesn't insist


def has_additions(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """RFC 6376 8.15: a header put on top of a signed one of its name isn't covered, and would be read in its place."""
    times = Counter(name.strip().lower() for name, _ in headers)
    return any(times[name] > 1 for name in ONCE)


def read(value: bytes) -> Mapping[bytes, bytes]:
    """A signature's tags (RFC 6376 3.5); none where it can't be read or isn't worth reading."""
    import dkim.util  # when it is needed, as in `sender_auth`

    if len(value) > MAX_SIGNATURE_BYTES:
        return {}
    try:
        tags: dict[bytes, bytes] = dkim.util.parse_tag_value(value)
    except dkim.util.InvalidTagValueList:
        return {}
    return tags


def domain(tags: Mapping[bytes, bytes]) -> str:
    """Whose signature it says that it is."""
    return tags.get(b"d", b"").strip().lower().decode("ascii", "replace")


def proves_something(tags: Mapping[bytes, bytes], must_cover: frozenset[bytes] = _MUST_COVER) -> bool:
    """Could the signature prove From, whatever the key says: does it cover the whole body and these headers, by SHA-256?"""
    # RFC 6376 8.2: with l=, anybody can add text below what is signed. RFC 8301 3.1: rsa-sha1 proves nothing.
    whole = b"l" not in tags and tags.get(b"a") in (b"rsa-sha256", b"ed25519-sha256")
    return whole and must_cover.issubset(name.strip().lower() for name in tags.get(b"h", b"").split(b":"))


def is_timely(tags: Mapping[bytes, bytes], now: float) -> bool:
    """Can it be told by now? What is examined late, or by a clock that is behind, isn't forged for that (RFC 6376 3.5)."""
    expires_at, signed_at = _seconds(tags, b"x"), _seconds(tags, b"t")
    return (expires_at is None or expires_at >= now) and (signed_at is None or signed_at <= now + CLOCK_SLACK_SECONDS)


def _seconds(tags: Mapping[bytes, bytes], name: bytes) -> int | None:
    value = tags.get(name, b"").strip()
    return int(value) if value.isdigit() and len(value) <= 12 else None


def is_relaxed(tags: Mapping[bytes, bytes]) -> bool:
    """Does the signature take the body in its relaxed form?"""
    return tags.get(b"c", b"").partition(b"/")[2] == b"relaxed"
