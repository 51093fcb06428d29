"""May this host send for a user's domain? Asks DNS for SPF and DKIM now, within a short time.

Stores nothing. A record counts as unknown if DNS doesn't answer in time. Called by the page of integrations.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from mailweir import signing_keys
from mailweir.dkim_record import TxtRecord
from mailweir.domains import dkim_published, relay
from mailweir.domains.checks import Verdict, check_spf
from mailweir.domains.questions import Questions, resolver_at
from mailweir.domains.suggestion import Relay
from mailweir.errors import DnsUnavailable, NotFound
from mailweir.health import dns
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.people import dkim_keys
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.dkim_keys import DkimKey, State

MOST_SECONDS = 2.0  # for all questions of one page


class Standing(enum.StrEnum):
    """The state of a record. UNKNOWN: DNS gave no answer. NONE: not asked, because it isn't known from which addresses this host
    sends."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Looked:
    """DNS's answer about one record. record: the record to publish in its place, or None. why: faults and notes."""

    standing: Standing
    record: TxtRecord | None = None
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SendingDomain:
    """DNS's answers about a domain. keys: those that sign or will sign; empty if no key was made."""

    domain: str
    spf: Looked
    keys: tuple[Looked, ...]

    @property
    def is_bad(self) -> bool:
        """Is a record certainly missing or wrong?"""
        return Standing.BAD in (self.spf.standing, *(one.standing for one in self.keys))


def look(settings: Settings, database: Database, deployment: Deployment, domain: str) -> SendingDomain | None:
    """DNS's answers now; None if this host sends no mail to the internet, and so needs no DNS."""
    if not dns.is_meant(settings):
        return None
    try:
        keys = [key for key in dkim_keys.keys_of(database, deployment, domain) if key.state is not State.RETIRED]
    except NotFound:
        keys = []
    try:
        resolver = resolver_at(settings.dns.nameserver, settings.dns.port, settings.dns.timeout_seconds)
    except DnsUnavailable as error:
        unknown = Looked(Standing.UNKNOWN, why=(str(error),))
        return SendingDomain(domain, unknown, tuple(unknown for _ in keys))
    asked = Questions(resolver, within_seconds=MOST_SECONDS)
    found = _keys(asked, domain, keys)  # before SPF: a key takes one question, SPF may take many
    return SendingDomain(domain, _spf(asked, domain, relay.relay(settings)), found)


def _spf(asked: Questions, domain: str, sender: Relay | None) -> Looked:
    if sender is None:
        return Looked(Standing.NONE)
    try:
        report = check_spf(asked, domain, sender)
    except DnsUnavailable as error:
        return Looked(Standing.UNKNOWN, why=(str(error),))
    if report.verdict is Verdict.UNKNOWN:
        return Looked(Standing.UNKNOWN, why=tuple(filter(None, (report.root.fault,))))
    bad = report.verdict in (Verdict.NOT_AUTHORISED, Verdict.BROKEN)
    advice = report.suggestion
    notes = advice.notes if advice else ()
    why = (*report.faults, *(report.warnings if not bad else ()), *notes)
    return Looked(Standing.BAD if bad else Standing.GOOD, advice.record if advice else None, why)


def _keys(asked: Questions, domain: str, keys: Sequence[DkimKey]) -> tuple[Looked, ...]:
    return tuple(_key(asked, domain, key) for key in keys)


def _key(asked: Questions, domain: str, key: DkimKey) -> Looked:
    record = signing_keys.record(key)
    try:
        found = dkim_published.look(asked, domain, dkim_published.Key(key.selector, key.public_key_der))
    except DnsUnavailable as error:
        return Looked(Standing.UNKNOWN, record, (str(error),))
    return Looked(Standing.BAD if found.fault else Standing.GOOD, record, tuple(filter(None, (found.fault,))))
