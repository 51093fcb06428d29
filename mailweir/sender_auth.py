"""Is a message proven to be of the domain that it says: DKIM, with our own look-ups and a deadline.

Owns DNS for signatures. Never trusts an Authentication-Results header. Called by the filter for a likely forwarding confirmation
only, for DNS has no place on the path of every message, and by the digest for everything on the record. dkimpy, dnspython and the
list of public suffixes are imported when first needed: they cost a worker 18 MB.
"""

import enum
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mailweir import arc, dkim_record, dkim_tags, original_author
from mailweir.dkim_record import PublishedKey
from mailweir.errors import DnsUnavailable
from mailweir.headers import MAX_PROVABLE_HEADERS
from mailweir.settings import Dns

MAX_SIGNATURES = 2  # of the wanted domain; Google signs once
MAX_ALIGNED_SIGNATURES = 4  # of the author's organisation: its own servers', its mailing service's
MIN_RSA_BITS = 1024  # RFC 8301 3.2
_MUST_COVER = frozenset({b"from"})
_MAX_AT_ONCE = 4
_SPACES = re.compile(rb"[ \t]+")
# What dkimpy lets through besides its own exceptions where it stumbles over a malformed signature or key
_STUMBLES = (ValueError, LookupError, TypeError, ArithmeticError)


class Verdict(enum.StrEnum):
    """Was an author proven. fail: there are signatures of the author's organisation, and each of them is bad."""

    PASS = "pass"
    FAIL = "fail"
    NONE = "none"


class DkimProver:
    """Verifies DKIM signatures. One for each process; safe for its threads. keep_answers: keys count as long as DNS says."""

    def __init__(self, dns: Dns, *, keep_answers: bool = False) -> None:
        self._dns = dns
        self._places = threading.BoundedSemaphore(_MAX_AT_ONCE)
        self._keep_answers = keep_answers
        self._cache: Any = None
        self._suffixes: Any = None

    def load(self) -> None:
        """Imports and reads at once what is else had when it is needed, for children to share."""
        import dkim
        import dns.resolver
        from publicsuffixlist import PublicSuffixList

        assert dkim
        if self._keep_answers:
            self._cache = dns.resolver.LRUCache(10_000)
        self._suffixes = PublicSuffixList()

    def verdict(self, raw: bytes, author: str) -> Verdict:
        """Is the message (CRLF) proven to be of its author's organisation (RFC 7489 3.1.1, relaxed)? After `load`.

        author: in normal form. Errors: DnsUnavailable, as with `proves`.
        """
        domain = author.rpartition("@")[2]
        return self._examine(raw, lambda signer: self._is_aligned(signer, domain), MAX_ALIGNED_SIGNATURES)

    def verdict_through_group(self, raw: bytes, author: str, sealers: Collection[str]) -> Verdict:
        """The verdict on the original author of what a group passed on under its own address: `pass` or `none`. After `load`.

        The group changed From, and much else as a rule, so a bad signature proves nothing. Good is a signature of the author's
        organisation over the From that the group noted, or a seal (RFC 8617) of one of the sealers, who saw the mail before.
        Errors: DnsUnavailable, as with `verdict`.
        """
        restored = original_author.restored(raw)
        if restored is not None and self.verdict(restored, author) is Verdict.PASS:
            return Verdict.PASS
        domain = author.rpartition("@")[2]
        with self._turn() as txt:
            is_good = arc.vouches(raw, lambda found: self._is_aligned(found, domain), frozenset(sealers), txt)
        return Verdict.PASS if is_good else Verdict.NONE

    def _is_aligned(self, signer: str, domain: str) -> bool:
        # RFC 7489 3.2. A public suffix itself has no organisation above it: there only the same name counts.
        if signer == domain:
            return True
        organisation = self._suffixes.privatesuffix(domain)
        return organisation is not None and self._suffixes.privatesuffix(signer) == organisation

    def proves(self, raw: bytes, domain: str, *, covering: Collection[bytes] = ()) -> bool:
        """Has the message (CRLF) a signature by exactly `domain` that verifies and covers From and the whole body?

        covering: names of headers in lower case that it must cover, too; else anybody could replay it with others.
        Errors: DnsUnavailable where the key can't be had within the deadline: unknown, to be tried again.
        """
        must_cover = _MUST_COVER.union(covering)
        return self._examine(raw, lambda signer: signer == domain, MAX_SIGNATURES, must_cover) is Verdict.PASS

    def _examine(
        self,
        raw: bytes,
        is_wanted: Callable[[str], bool],
        max_signatures: int,
        must_cover: frozenset[bytes] = _MUST_COVER,
    ) -> Verdict:
        with self._turn() as txt:
            return _verify(raw, is_wanted, max_signatures, must_cover, txt)

    @contextmanager
    def _turn(self) -> Iterator[Callable[[str], bytes]]:
        """One of few places, and keys from DNS within its deadline. Errors: DnsUnavailable."""
        deadline = time.monotonic() + self._dns.timeout_seconds
        if not self._places.acquire(timeout=self._dns.timeout_seconds):
            raise DnsUnavailable("too many signatures are being checked at once")
        try:
            yield lambda name: self._txt(name, deadline)
        finally:
            self._places.release()

    def _txt(self, name: str, deadline: float) -> bytes:
        import dns.exception
        import dns.name
        import dns.resolver

        try:
            wanted = dns.name.from_text(name)
        except dns.exception.DNSException:
            return b""  # a selector that no name can hold: there is no such key, and a retry would find none
        left = deadline - time.monotonic()
        try:
            if left <= 0:
                raise DnsUnavailable(f"no answer for {name} in time")
            resolver = dns.resolver.Resolver(configure=not self._dns.nameserver)
            resolver.cache = self._cache
            if self._dns.nameserver:
                resolver.nameservers = [self._dns.nameserver]
                resolver.port = self._dns.port
            answer = resolver.resolve(wanted, "TXT", lifetime=left, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return b""
        except (dns.exception.DNSException, OSError) as error:
            raise DnsUnavailable(f"no answer for {name}: {error}") from error
        return b"".join(answer[0].strings) if len(answer) == 1 else b""  # RFC 6376 3.6.2.2: one record, or undefined


def _verify(
    raw: bytes,
    is_wanted: Callable[[str], bool],
    max_signatures: int,
    must_cover: frozenset[bytes],
    txt: Callable[[str], bytes],
) -> Verdict:
    """The verdict on signatures by the wanted domains. Errors: DnsUnavailable where none is good and one isn't known."""
    import dkim

    try:
        message = dkim.DKIM(raw, minkey=MIN_RSA_BITS)
    except (dkim.DKIMException, *_STUMBLES):
        return Verdict.NONE
    if len(message.headers) > MAX_PROVABLE_HEADERS or dkim_tags.has_additions(message.headers):
        return Verdict.NONE
    values = [value for name, value in message.headers if name.lower() == b"dkim-signature"]
    signatures = [(index, dkim_tags.read(value)) for index, value in enumerate(values)]
    wanted = [(index, tags) for index, tags in signatures if is_wanted(dkim_tags.domain(tags))]
    body = message.body
    found: list[bool | None] = []
    unknown: DnsUnavailable | None = None
    for index, tags in wanted[:max_signatures]:
        # dkimpy takes a run of spaces apart in quadratic time, and holds the interpreter meanwhile: 256 kB of them take minutes.
        # RFC 6376 3.4.4 makes one space of them anyway.
        message.body = _SPACES.sub(b" ", body) if dkim_tags.is_relaxed(tags) else body
        try:
            can_tell = dkim_tags.proves_something(tags, must_cover) and dkim_tags.is_timely(tags, time.time())
            found.append(_verify_one(message, index, txt) if can_tell else None)
        except DnsUnavailable as error:
            unknown = unknown or error
        if found and found[-1]:
            return Verdict.PASS
    if unknown:
        raise unknown
    all_bad = len(found) == len(wanted) > 0 and all(good is False for good in found)
    return Verdict.FAIL if all_bad else Verdict.NONE


def _verify_one(message: Any, index: int, txt: Callable[[str], bytes]) -> bool | None:
    """Is a signature good; None where there is no key to tell by: none at all, a revoked one, one that isn't for it."""
    import dkim

    try:
        tags, covered, headers = message.verify_headerprep(index)
        record = txt((tags[b"s"] + b"._domainkey." + tags[b"d"] + b".").decode("ascii"))
    except (dkim.DKIMException, *_STUMBLES):
        return False
    key = dkim_record.published_key([record] if record else [])
    # RFC 6376 6.1.2: a record that isn't for the signature is to be ignored
    if isinstance(key, str) or not key.takes(tags[b"a"].decode("ascii")):
        return None
    try:
        is_good = _fits(message, key, tags, covered, headers[index])
    except dkim.UnparsableKeyError:
        return None
    except (dkim.DKIMException, *_STUMBLES):
        is_good = False
    if key.is_for_same_domain and not _is_by_domain_itself(tags):
        is_good = False
    return is_good or (None if key.is_test else False)  # 3.6.1: a test that goes wrong isn't held against anybody


def _fits(message: Any, key: PublishedKey, tags: Any, covered: list[bytes], header: Any) -> bool:
    """Is a signature good by this key? By dkimpy, but for what it lacks: Ed25519 without PyNaCl."""
    import dkim

    message.seqtlsrpt, message.ktag = False, key.kind.encode()
    if key.kind == "rsa":
        message.pk = dkim.parse_public_key(key.data)
        message.keysize = dkim.bitsize(message.pk["modulus"])
        return bool(message.verify_sig_process(tags, covered, header, None))
    message.pk = _Ed25519(key.data)
    message.keysize = 8 * len(key.data)
    return bool(message.verify_sig_process(tags, covered, header, None)) and message.pk.is_good


class _Ed25519:
    """A key as dkimpy asks for it (RFC 8463 3). It would take an exception for PyNaCl's, which isn't there: `is_good` tells."""

    def __init__(self, data: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        self._key = Ed25519PublicKey.from_public_bytes(data)
        self.is_good = False

    def verify(self, digest: bytes, signature: bytes) -> None:
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, digest)
            self.is_good = True
        except InvalidSignature:
            self.is_good = False


def _is_by_domain_itself(tags: Mapping[bytes, bytes]) -> bool:
    """Is i= of exactly d= (RFC 6376 3.6.1, t=s)?"""
    return tags.get(b"i", b"@" + tags[b"d"]).rpartition(b"@")[2].strip().lower() == tags[b"d"].strip().lower()
