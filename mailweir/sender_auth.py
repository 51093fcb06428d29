"""Is a message proven to be of the domain that it says: DKIM, with our own look-ups and a deadline.

Owns DNS for signatures. Never trusts an Authentication-Results header. Called by the filter for a likely forwarding confirmation
only, for DNS has no place on the path of every message. dkimpy and dnspython are imported when first needed: they cost a
worker 18 MB.
"""

import threading
import time
from collections.abc import Callable

from mailweir.errors import DnsUnavailable
from mailweir.settings import Dns

MAX_SIGNATURES = 2  # of the wanted domain; Google signs once
MIN_RSA_BITS = 1024  # RFC 8301 3.2
_MAX_AT_ONCE = 4


class DkimProver:
    """Verifies DKIM signatures of one domain. One for each process; safe for its threads."""

    def __init__(self, dns: Dns) -> None:
        self._dns = dns
        self._places = threading.BoundedSemaphore(_MAX_AT_ONCE)

    def proves(self, raw: bytes, domain: str) -> bool:
        """Has the message (CRLF) a signature by exactly `domain` that verifies and covers From and the whole body?

        Errors: DnsUnavailable where the key can't be had within the deadline: unknown, to be tried again.
        """
        deadline = time.monotonic() + self._dns.timeout_seconds
        if not self._places.acquire(timeout=self._dns.timeout_seconds):
            raise DnsUnavailable("too many signatures are being checked at once")
        try:
            return _verify(raw, domain, lambda name: self._txt(name, deadline))
        finally:
            self._places.release()

    def _txt(self, name: str, deadline: float) -> bytes:
        import dns.exception
        import dns.resolver

        resolver = dns.resolver.Resolver(configure=not self._dns.nameserver)
        if self._dns.nameserver:
            resolver.nameservers = [self._dns.nameserver]
            resolver.port = self._dns.port
        left = deadline - time.monotonic()
        try:
            if left <= 0:
                raise DnsUnavailable(f"no answer for {name} in time")
            answer = resolver.resolve(name, "TXT", lifetime=left, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return b""
        except (dns.exception.DNSException, OSError) as error:
            raise DnsUnavailable(f"no answer for {name}: {error}") from error
        return b"".join(answer[0].strings) if len(answer) == 1 else b""  # RFC 6376 3.6.2.2: one record, or undefined


def _verify(raw: bytes, domain: str, txt: Callable[[str], bytes]) -> bool:
    import dkim

    def look_up(name: bytes, timeout: int = 5) -> bytes:
        return txt(name.decode("ascii"))

    try:
        message = dkim.DKIM(raw, minkey=MIN_RSA_BITS)
        values = [value for name, value in message.headers if name.lower() == b"dkim-signature"]
        wanted = [index for index, value in enumerate(values) if _is_whole_and_of(value, domain)]
        return any(_verify_one(message, index, look_up) for index in wanted[:MAX_SIGNATURES])
    except (dkim.DKIMException, ValueError):
        return False


def _verify_one(message: object, index: int, look_up: Callable[..., bytes]) -> bool:
    import dkim

    try:
        return bool(message.verify(idx=index, dnsfunc=look_up))  # type: ignore[attr-defined]
    except (dkim.DKIMException, ValueError):
        return False


def _is_whole_and_of(value: bytes, domain: str) -> bool:
    import dkim.util

    try:
        tags = dkim.util.parse_tag_value(value)
    except dkim.util.InvalidTagValueList:
        return False
    # RFC 6376 8.2: with l=, anybody can add text below what is signed. RFC 8301 3.1: rsa-sha1 proves nothing.
    whole = b"l" not in tags and tags.get(b"a", b"").strip().lower() != b"rsa-sha1"
    return whole and tags.get(b"d", b"").strip().lower() == domain.encode()
