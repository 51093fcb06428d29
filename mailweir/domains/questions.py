"""DNS queries: each made once, all within one deadline; an empty answer and no answer are distinct.

Called by the checks of this package. `Questions` gets its resolver from the caller. Nothing here reads the settings;
`resolver_at` reads /etc/resolv.conf only if no name server is given.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import dns.exception
import dns.name
import dns.resolver

from mailweir.errors import DnsUnavailable
from mailweir.sentence import said

MAX_SECONDS = 20.0  # for all questions of one check; RFC 7208 4.6.4 asks for at least 20


@dataclass(frozen=True, slots=True)
class Answer:
    """values: in zone file notation, TXT as joined bytes in latin-1. canonical: the name that has the values, after all aliases.

    name_exists: false if there is nothing of any type, at the name and below it (RFC 8020).
    """

    values: tuple[str, ...]
    ttl_seconds: int = 0
    canonical: str = ""
    name_exists: bool = True


_VOID = Answer(())
_ABSENT = Answer((), name_exists=False)


class Questions:
    """Makes queries, and caches the answers of one check.

    overrides: TXT values by lower-case name, used instead of DNS's: to test a suggested record before it is published.
    within_seconds: no queries at all are made after this time; None: no limit.
    """

    def __init__(
        self,
        resolver: dns.resolver.Resolver,
        overrides: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        within_seconds: float | None = None,
    ) -> None:
        self._resolver = resolver
        self._overrides = dict(overrides or {})
        self._clock = clock
        self._deadline = clock() + MAX_SECONDS
        self._ends_at = math.inf if within_seconds is None else clock() + within_seconds
        self._known: dict[tuple[str, str], Answer | DnsUnavailable] = {}

    def supposing(self, name: str, txt: str) -> "Questions":
        """The same answers, except for this TXT record."""
        other = Questions(self._resolver, {**self._overrides, name.lower(): txt}, self._clock)
        other._deadline, other._ends_at = self._deadline, self._ends_at
        other._known = {key: value for key, value in self._known.items() if key != (name.lower(), "TXT")}
        return other

    @contextmanager
    def aside(self, seconds: float) -> Iterator[None]:
        """For queries on which no result depends: they share this much time, and don't use up the time of other queries."""
        before, began = self._deadline, self._clock()
        self._deadline = began + seconds
        try:
            yield
        finally:
            self._deadline = before + (self._clock() - began)

    def ask(self, name: str, kind: str) -> Answer:
        """The answer. It has no values if the name doesn't exist, has no records of this type, or isn't a valid name.

        Errors: DnsUnavailable if the answer isn't known (time-out, SERVFAIL, a loop of aliases).
        """
        key = (name.lower().rstrip("."), kind)
        if kind == "TXT" and key[0] in self._overrides:
            return Answer((self._overrides[key[0]],), 0, key[0])
        found = self._known.get(key)
        if found is None:
            hurried = self._left() < self._resolver.lifetime
            try:
                found = self._fetch(*key)
            except DnsUnavailable as error:
                if hurried:  # a later query may have more time
                    raise
                found = error
            self._known[key] = found
        if isinstance(found, DnsUnavailable):
            raise found
        return found

    def _fetch(self, name: str, kind: str) -> Answer:
        try:
            # Made from labels: otherwise a backslash that a macro put into the name would be read as a zone file's escape.
            wanted = dns.name.Name([*name.encode().split(b"."), b""])
        except (dns.exception.DNSException, UnicodeEncodeError):
            return _VOID
        left = self._left()
        if left <= 0:
            raise DnsUnavailable(said("no answer for {name} in time", name=name))
        try:
            lifetime = min(left, self._resolver.lifetime)
            answer = self._resolver.resolve(wanted, kind, lifetime=lifetime, search=False)
        except dns.resolver.NXDOMAIN:
            return _ABSENT
        except dns.resolver.NoAnswer:
            return _VOID
        except (dns.exception.DNSException, OSError) as error:
            raise DnsUnavailable(
                said("no answer for {name} {kind}: {error}", name=name, kind=kind, error=_cause(error))
            ) from error
        rrset = answer.rrset
        if rrset is None:
            return _VOID
        values = tuple(_value(item, kind) for item in rrset)
        return Answer(values, int(rrset.ttl), answer.canonical_name.to_text(omit_final_dot=True).lower())

    def _left(self) -> float:
        return min(self._deadline, self._ends_at) - self._clock()


def _cause(error: Exception) -> str:
    """The causes in one line, each once: the library repeats a cause for each try."""
    tries = getattr(error, "kwargs", {}).get("errors") or ()  # each: (server, by TCP, port, message, response)
    told = dict.fromkeys(str(one[3]).rstrip(".") for one in tries)
    return ", ".join(told) or " ".join(str(error).split())


def _value(item: object, kind: str) -> str:
    if kind == "TXT":
        return b"".join(item.strings).decode("latin-1")  # type: ignore[attr-defined]
    if kind == "MX":
        return f"{item.preference} {item.exchange.to_text(omit_final_dot=True)}"  # type: ignore[attr-defined]
    if kind == "PTR":
        return str(item.target.to_text(omit_final_dot=True))  # type: ignore[attr-defined]
    return str(item.to_text())  # type: ignore[attr-defined]


def resolver_at(nameserver: str, port: int, timeout_seconds: float) -> dns.resolver.Resolver:
    """A resolver that queries this address, or with "" the system's. Errors: DnsUnavailable if the system has none."""
    try:
        resolver = dns.resolver.Resolver(configure=not nameserver)
    except dns.resolver.NoResolverConfiguration as error:
        raise DnsUnavailable(said("the system names no resolver: give one with --nameserver")) from error
    resolver.lifetime = timeout_seconds
    if nameserver:
        resolver.nameservers = [nameserver]
        resolver.port = port
    return resolver
