"""Asks DNS about a domain for which mail is sent, when its page is opened, within a few seconds. Stores nothing.

If DNS doesn't answer in time, a record counts as unknown, and never as missing. Called by `pages.domains`.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from mailweir import signing_keys
from mailweir.dkim_record import TxtRecord
from mailweir.domains import dkim_published, relay
from mailweir.domains.checks import DomainReport, Verdict, check_domain
from mailweir.domains.dkim_published import Key
from mailweir.domains.questions import Questions
from mailweir.errors import DnsUnavailable
from mailweir.health import dns
from mailweir.settings import Settings
from mailweir.store.people.dkim_keys import DkimKey, State

ALL_SECONDS = 4.0  # for all questions of one page


class Standing(enum.StrEnum):
    """The state of a record or domain. UNKNOWN: DNS gave no answer, or wasn't asked."""

    GOOD = "good"
    BAD = "bad"
    WARNING = "warning"
    UNKNOWN = "unknown"


_OF_VERDICTS = {
    Verdict.AUTHORISED: Standing.GOOD,
    Verdict.WITH_WARNINGS: Standing.WARNING,
    Verdict.NOT_AUTHORISED: Standing.BAD,
    Verdict.BROKEN: Standing.BAD,
    Verdict.UNKNOWN: Standing.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class KeyLook:
    """A key. record: the record to publish for it. standing: of the record that is published. why: the fault of the published
    record, or the reason why it isn't known."""

    key: DkimKey
    record: TxtRecord
    standing: Standing
    why: str = ""


@dataclass(frozen=True, slots=True)
class DomainLook:
    """is_asked: False if this host needs no DNS. report: None if DNS wasn't or couldn't be asked, or if it isn't known from which
    addresses this host sends. why: the reason why DNS couldn't be asked, or ""."""

    domain: str
    is_asked: bool
    report: DomainReport | None
    keys: tuple[KeyLook, ...]
    why: str = ""

    @property
    def spf(self) -> Standing:
        """The standing of the SPF record: may this host send for the domain?"""
        return _OF_VERDICTS[self.report.spf.verdict] if self.report else Standing.UNKNOWN

    @property
    def whole(self) -> Standing:
        """The standing of the whole domain."""
        return _OF_VERDICTS[self.report.verdict] if self.report else Standing.UNKNOWN


def look(settings: Settings, domain: str, keys: Sequence[DkimKey]) -> DomainLook:
    """Asks DNS, if this host needs it. keys: all keys of the domain."""
    if not dns.is_meant(settings):
        return DomainLook(domain, False, None, _unasked(keys))
    try:
        asked = dns.questions(settings, ALL_SECONDS)
    except DnsUnavailable as error:
        return DomainLook(domain, True, None, _unasked(keys), str(error))
    found = tuple(_key(asked, key) for key in keys)  # before SPF: a key takes one question, SPF may take many
    sender = relay.relay(settings)
    if sender is None:
        return DomainLook(domain, True, None, found)
    wanted = [Key(one.selector, one.public_key_der) for one in keys if one.state is not State.RETIRED]
    return DomainLook(domain, True, check_domain(asked, domain, sender, wanted), found)


def published(settings: Settings, name: str) -> list[bytes]:
    """Each TXT record at a name. DnsUnavailable."""
    answer = dns.questions(settings, ALL_SECONDS).ask(name, "TXT")
    return [value.encode("latin-1") for value in answer.values]


def _unasked(keys: Sequence[DkimKey]) -> tuple[KeyLook, ...]:
    return tuple(KeyLook(key, signing_keys.record(key), Standing.UNKNOWN) for key in keys)


def _key(asked: Questions, key: DkimKey) -> KeyLook:
    record = signing_keys.record(key)
    try:
        found = dkim_published.look(asked, key.domain, Key(key.selector, key.public_key_der))
    except DnsUnavailable as error:
        return KeyLook(key, record, Standing.UNKNOWN, str(error))
    return KeyLook(key, record, Standing.BAD if found.fault else Standing.GOOD, found.fault)
