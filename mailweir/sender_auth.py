"""Is a message proven to be from its stated author: by DKIM, else by a trusted sealer (ARC), with a deadline for DNS?

Makes the DNS queries for signatures. Never trusts an unsealed Authentication-Results header. Called by the filter for a likely
forwarding confirmation only, because not every message may wait for DNS, and by the digest for everything on the record.
dnspython, `cryptography` and the list of public suffixes are imported when first needed: they cost a worker 18 MB.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

from mailweir import arc, dkim_message, dkim_tags, dkim_verifying, original_author, sender_verdict
from mailweir.dkim_message import Message
from mailweir.dkim_verifying import Finding, Signature, Txt
from mailweir.errors import DnsUnavailable
from mailweir.headers import MAX_PROVABLE_HEADERS
from mailweir.sender_verdict import SenderVerdict, Verdict, VerdictReason
from mailweir.sentence import said
from mailweir.settings import Dns

MAX_SIGNATURES = 2  # of the wanted domain; Google signs once
NAMES_A_CONVERSATION = (b"message-id", b"subject", b"in-reply-to", b"references", b"x-forwarded-message-id")
MAX_ALIGNED_SIGNATURES = 4  # of the author's organisation: of its own servers and its mailing service
_MAX_AT_ONCE = 4
_LEAST_DNS_SECONDS = 0.001  # enough for cached answers
_ORGANISATIONS = 4_096
_KEPT_ANSWERS = 4_096

# Each tenant of these mailbox providers signs with a subdomain of its own, and the list of public suffixes lacks these domains.
_SHARED = ("mail.onmicrosoft.com", "onmicrosoft.com", "onmicrosoft.us", "partner.onmschina.cn", "gappssmtp.com")

IsWanted = Callable[[str], bool]
Organisation = Callable[[str], str | None]


class DkimProver:
    """Verifies signatures and seals. One for each process; thread-safe. keep_answers: keys are cached for their TTL in DNS."""

    def __init__(self, dns: Dns, *, keep_answers: bool = False) -> None:
        self._dns = dns
        self._places = threading.BoundedSemaphore(_MAX_AT_ONCE)
        self._keep_answers = keep_answers
        self._cache: Any = None  # dnspython's: a lookup in it takes a tenth of a millisecond
        self._kept: dict[str, tuple[float, bytes]] = {}
        self._organisation: Organisation = lambda _: None

    def load(self) -> None:
        """Imports and reads everything now that would otherwise load on first use, so that children share it."""
        import dns.resolver
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
        from publicsuffixlist import PublicSuffixList

        assert all((hashes, ed25519, padding, rsa))
        if self._keep_answers:
            self._cache = dns.resolver.LRUCache(10_000)
        self._organisation = lru_cache(_ORGANISATIONS)(_below_shared(PublicSuffixList().privatesuffix))

    def verdict(
        self, raw: bytes, author: str, sealers: Collection[str] = (), seen_at: datetime | None = None
    ) -> SenderVerdict:
        """The verdict on the author of a message (CRLF): `pass` by a signature of the author's organisation (RFC 7489 3.1.1,
        relaxed), or by the seal (RFC 8617) of one of the sealers that saw a proof. Call `load` first.

        author: in normal form. sealers: domains. seen_at: when the mail came; its signatures must not have expired at that time;
        None: now. Errors: DnsUnavailable if a required answer isn't available in time.
        """
        domain, now = author.rpartition("@")[2], _moment(seen_at)
        message = _provable(raw)
        if isinstance(message, VerdictReason):
            return sender_verdict.none(message)
        with self._turn() as txt:
            found = _by_signature(message, self._aligned_with(domain), MAX_ALIGNED_SIGNATURES, txt, now)
            if isinstance(found, SenderVerdict) and found.is_pass:
                return found
            sealed = arc.vouched(message, domain, self._aligned_with(domain), frozenset(sealers), txt, now)
        if sealed and sealed.is_pass:
            return sealed
        if isinstance(found, DnsUnavailable):
            raise found
        return _more_telling(found, sealed)

    def verdict_through_group(
        self, raw: bytes, author: str, sealers: Collection[str], seen_at: datetime | None = None
    ) -> SenderVerdict:
        """The verdict on the original author of mail that a group passed on under its own address: `pass` or `none`. Call `load`
        first.

        The group changed From, and usually much else, so a bad signature proves nothing. Proofs are a signature of the author's
        organisation over the From that the group noted, and the seal (RFC 8617) of one of the sealers that saw the mail before
        the change. Errors: DnsUnavailable, as with `verdict`.
        """
        is_aligned, now = self._aligned_with(author.rpartition("@")[2]), _moment(seen_at)
        restored = original_author.restored(raw)
        noted = _provable(restored) if restored is not None else VerdictReason.THROUGH_GROUP
        message = _provable(raw)
        found: SenderVerdict | DnsUnavailable | None = None
        sealed: SenderVerdict | None = None
        with self._turn() as txt:
            if isinstance(noted, Message):
                found = _by_signature(noted, is_aligned, MAX_ALIGNED_SIGNATURES, txt, now)
                if isinstance(found, SenderVerdict) and found.is_pass:
                    return found
            if isinstance(message, Message):
                sealed = arc.vouched_for_group(message, is_aligned, frozenset(sealers), txt, now)
        if isinstance(found, DnsUnavailable) and not (sealed and sealed.is_pass):
            raise found
        return sealed or sender_verdict.none(
            message if isinstance(message, VerdictReason) else VerdictReason.THROUGH_GROUP
        )

    def proves(self, raw: bytes, domain: str, *, covering: Collection[bytes] = ()) -> bool:
        """Does the message (CRLF) have a signature by exactly `domain` that verifies and covers From and the whole body?

        covering: names of headers in lower case that the signature must cover, too; otherwise anybody could replay the message
        with other values of them. Errors: DnsUnavailable if the key isn't available within the deadline: the result is unknown,
        so try again.
        """
        message = _provable(raw)
        if isinstance(message, VerdictReason):
            return False
        must_cover = dkim_tags.MUST_COVER.union(covering)
        with self._turn() as txt:
            found = _by_signature(
                message, lambda signer: signer == domain, MAX_SIGNATURES, txt, time.time(), must_cover
            )
        if isinstance(found, DnsUnavailable):
            raise found
        return found.is_pass

    def _aligned_with(self, domain: str) -> IsWanted:
        # RFC 7489 3.2. A public suffix itself has no organisational domain above it: only the same name is aligned.
        def is_aligned(signer: str) -> bool:
            if not signer or signer == domain:
                return bool(signer)
            organisation = self._organisation(domain)
            return organisation is not None and self._organisation(signer) == organisation

        return is_aligned

    @contextmanager
    def _turn(self) -> Iterator[Txt]:
        """Takes one of a limited number of places, and yields a key look-up in DNS with a deadline. Errors: DnsUnavailable."""
        deadline = time.monotonic() + self._dns.timeout_seconds
        if not self._places.acquire(timeout=self._dns.timeout_seconds):
            raise DnsUnavailable(said("too many signatures are being checked at once"))
        try:
            yield lru_cache(lambda name: self._txt(name, deadline))
        finally:
            self._places.release()

    def _txt(self, name: str, deadline: float) -> bytes:
        """The DNS record at a name, or b"". Cached answers count for their TTL."""
        until, kept = self._kept.get(name, (0.0, b""))
        if time.time() < until:
            return kept
        until, found = self._asked(name, deadline)
        if self._keep_answers and found:
            if len(self._kept) >= _KEPT_ANSWERS:
                self._kept.clear()
            self._kept[name] = until, found
        return found

    def _asked(self, name: str, deadline: float) -> tuple[float, bytes]:
        """The record, and its expiry as of `time.time`."""
        import dns.exception
        import dns.name
        import dns.resolver

        try:
            wanted = dns.name.from_text(name)
        except dns.exception.DNSException:
            return 0.0, b""  # an impossible DNS name as selector: there is no such key, and a retry would find none
        left = max(deadline - time.monotonic(), _LEAST_DNS_SECONDS)
        try:
            resolver = dns.resolver.Resolver(configure=not self._dns.nameserver)
            resolver.cache = self._cache
            if self._dns.nameserver:
                resolver.nameservers = [self._dns.nameserver]
                resolver.port = self._dns.port
            answer = resolver.resolve(wanted, "TXT", lifetime=left, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return 0.0, b""
        except (dns.exception.DNSException, OSError) as error:
            raise DnsUnavailable(said("no answer for {name}: {error}", name=name, error=error)) from error
        # RFC 6376 3.6.2.2: the result of more than one record is undefined.
        return answer.expiration, b"".join(answer[0].strings) if len(answer) == 1 else b""


def _below_shared(organisation: Organisation) -> Organisation:
    """Treats the providers' shared domains as if they were in the list of public suffixes. organisation: by that list."""

    def found(domain: str) -> str | None:
        for shared in _SHARED:
            if domain == shared:
                return None
            if domain.endswith(f".{shared}"):
                return f"{domain.removesuffix(f'.{shared}').rpartition('.')[2]}.{shared}"
        return organisation(domain)

    return found


def _moment(seen_at: datetime | None) -> float:
    return seen_at.timestamp() if seen_at else time.time()


def _provable(raw: bytes) -> Message | VerdictReason:
    """A message whose signatures are worth checking, or why they aren't."""
    message = dkim_message.read(raw)
    if message is None:
        return VerdictReason.UNREADABLE_HEADERS
    if len(message.headers) > MAX_PROVABLE_HEADERS:
        return VerdictReason.TOO_MANY_HEADERS
    return VerdictReason.DOUBLED_HEADERS if message.has_additions() else message


def _by_signature(
    message: Message,
    is_wanted: IsWanted,
    max_signatures: int,
    txt: Txt,
    now: float,
    must_cover: frozenset[bytes] = dkim_tags.MUST_COVER,
) -> SenderVerdict | DnsUnavailable:
    """The verdict on signatures by the wanted domains; the error if none is good and one is unknown."""
    signatures = [dkim_verifying.read(one) for one in message.named(b"dkim-signature")]
    wanted = [one for one in signatures if is_wanted(one.domain)]
    if not wanted:
        return _unsigned(signatures)
    found: list[Finding] = []
    unknown: DnsUnavailable | None = None
    for number, one in enumerate(wanted[:max_signatures], 1):
        try:
            found.append(dkim_verifying.check(message, one, txt, now, must_cover))
        except DnsUnavailable as error:
            unknown = unknown or error
        if found and found[-1].is_good:
            others = wanted[number:max_signatures]
            covers_ids = _covers_ids(message, one) or _is_good_over_ids(message, others, txt, now, must_cover)
            return SenderVerdict(Verdict.PASS, VerdictReason.DKIM, one.domain, covers_ids)
    if unknown:
        return unknown
    all_bad = len(found) == len(wanted) and all(one.is_good is False for one in found)
    return SenderVerdict(Verdict.FAIL if all_bad else Verdict.NONE, found[0].reason, wanted[0].domain)


def _covers_ids(message: Message, signature: Signature) -> bool:
    """Does a signature cover all headers that name the message's conversation? If such a header occurs twice, it has to cover
    both (RFC 6376 5.4.2). A header that is absent needn't be covered: if somebody adds it later, this check fails."""
    covered = dkim_tags.covered(signature.tags)
    return all(covered.count(name) >= len(message.named(name)) for name in NAMES_A_CONVERSATION)


def _is_good_over_ids(
    message: Message, signatures: Collection[Signature], txt: Txt, now: float, must_cover: frozenset[bytes]
) -> bool:
    """Does one of these signatures verify and cover those headers? A signature whose key isn't available now doesn't count: the
    author is proven anyway."""
    for one in signatures:
        if _covers_ids(message, one):
            with suppress(DnsUnavailable):
                if dkim_verifying.check(message, one, txt, now, must_cover).is_good:
                    return True
    return False


def _unsigned(signatures: Collection[Signature]) -> SenderVerdict:
    """The verdict if the author's organisation made no signature."""
    signer = next((one.domain for one in signatures if one.domain), "")
    if signer:
        return sender_verdict.none(VerdictReason.OTHER_DOMAIN, signer)
    return sender_verdict.none(VerdictReason.MALFORMED if signatures else VerdictReason.NO_SIGNATURE)


def _more_telling(by_signature: SenderVerdict, sealed: SenderVerdict | None) -> SenderVerdict:
    """The more informative of two verdicts, neither of which proves the author: a signature of the organisation says more than a
    seal, which says more than the absence of one."""
    is_signed = by_signature.reason not in (
        VerdictReason.NO_SIGNATURE,
        VerdictReason.OTHER_DOMAIN,
        VerdictReason.MALFORMED,
    )
    return by_signature if is_signed or by_signature.value is Verdict.FAIL or sealed is None else sealed
