"""A domain's DMARC policy, as found by RFC 7489 and by its successor RFC 9989, because receivers use either.

Called by `checks`. `organisation` also serves callers that want to know a host's owner.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from publicsuffixlist import PublicSuffixList

from mailweir.domains import dmarc_record
from mailweir.domains.dmarc_record import Record
from mailweir.domains.questions import Questions
from mailweir.errors import DnsUnavailable
from mailweir.sentence import joined, said

MAX_WALKED_LABELS = 7  # RFC 9989 4.10: the walk of a longer name continues with this many


@dataclass(frozen=True, slots=True)
class Policy:
    """policy: requested for failing mail; `none` if there is no record. found_at: the domain that has the record, or "".

    strict_spf, strict_dkim: only the author's own domain is aligned; if False, each domain of its organisation. fault: its
    description, or "". is_test: t=y, which RFC 9989 has and RFC 7489 doesn't: receivers are asked not to apply the policy.
    """

    policy: str
    found_at: str
    text: str = ""
    strict_spf: bool = False
    strict_dkim: bool = False
    reports_to: str = ""
    fault: str = ""
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The policies by both RFCs. by_7489, by_9989: alike for most domains. differences: in words, if they differ."""

    by_7489: Policy
    by_9989: Policy
    differences: tuple[str, ...] = ()


def organisation(domain: str) -> str:
    """The organisational domain (RFC 7489 3.2), by the list of public suffixes; for a public suffix, the suffix itself."""
    return _suffixes().privatesuffix(domain.lower().rstrip(".")) or domain.lower().rstrip(".")


@lru_cache(maxsize=1)
def _suffixes() -> Any:
    return PublicSuffixList()


def look(questions: Questions, domain: str) -> Found:
    """The effective policy for an author's domain. Errors: DnsUnavailable."""
    old = _by_7489(questions, domain)
    try:  # queries names far above the domain; if they don't answer, the result by RFC 7489 stays valid
        new = _by_9989(questions, domain)
        return Found(old, new, tuple(_differences(old, new)))
    except DnsUnavailable as error:
        return Found(old, old, (said("its result by RFC 9989 isn't known: {error}", error=error),))


def is_aligned_7489(domain: str, author_domain: str, *, strict: bool) -> bool:
    """RFC 7489 3.1: is the domain that SPF or DKIM authenticated aligned with the author's?"""
    return domain == author_domain or (not strict and organisation(domain) == organisation(author_domain))


def is_aligned_9989(questions: Questions, domain: str, author_domain: str, *, strict: bool) -> bool:
    """The same by RFC 9989 4.10.2: a walk from each of the two domains finds its organisation. Errors: DnsUnavailable."""
    if domain == author_domain or strict:
        return domain == author_domain
    return _walk(questions, domain).organisation == _walk(questions, author_domain).organisation


def _at(questions: Questions, domain: str) -> list[str]:
    return [value for value in questions.ask(f"_dmarc.{domain}", "TXT").values if dmarc_record.counts(value)]


def _near_fault(questions: Questions, domain: str) -> str:
    """The fault of a name's record that is nearly DMARC, or "". Such a record must not stay beside a valid one: a lenient
    receiver would find two."""
    values = questions.ask(f"_dmarc.{domain}", "TXT").values
    near = [value for value in values if dmarc_record.is_near(value)]
    if not near:
        return ""
    beside = (
        said("remove it, because another one counts")
        if _at(questions, domain)
        else said("correct it, and add no second one beside it")
    )
    return said(
        "the record at _dmarc.{domain} is nearly one, and receivers ignore it: {why}; {beside}: {text}",
        domain=domain,
        why=dmarc_record.why_not(near[0]),
        beside=beside,
        text=dmarc_record.shown(near[0]),
    )


# --- RFC 7489 ---------------------------------------------------------------------------------------------------------


def _by_7489(questions: Questions, domain: str) -> Policy:
    """6.6.3: the domain's record, otherwise its organisation's."""
    above = organisation(domain)
    for name, tags in ((domain, ("p",)), (above, ("sp", "p"))):
        texts = _at(questions, name)
        fault = _near_fault(questions, name)
        if len(texts) > 1:  # the search ends without a policy; it doesn't continue at the organisation's domain
            return Policy(
                "none",
                "",
                fault=said(
                    "{number} DMARC records at _dmarc.{name}, so none of them counts", number=len(texts), name=name
                ),
            )
        if texts:
            own = _near_fault(questions, domain) if name != domain else ""
            return _policy(name, dmarc_record.parse(texts[0]), tags, own or fault)
        if fault and (name == above or not _at(questions, above)):
            return Policy("none", "", fault=fault)
    return Policy("none", "")


def _policy(name: str, record: Record, tags: tuple[str, ...], fault: str) -> Policy:
    return Policy(
        record.policy(*tags),
        name,
        record.text,
        strict_spf=record.has("aspf", "s"),
        strict_dkim=record.has("adkim", "s"),
        reports_to=record.tags.get("rua", ""),
        fault=joined(filter(None, (fault, *record.faults)), "; "),
        is_test=record.has("t", "y"),
    )


# --- RFC 9989 ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Walk:
    """records: by name, from the domain upwards; names with several records are left out. psd: the name with psd=y, or ""."""

    organisation: str
    records: dict[str, Record] = field(default_factory=dict)
    psd: str = ""


def _names(domain: str) -> Iterator[str]:
    """4.10: the domain, then the names above it, at most eight in all."""
    labels = domain.split(".")
    yield domain
    for count in range(min(len(labels) - 1, MAX_WALKED_LABELS), 0, -1):
        yield ".".join(labels[-count:])


def _walk(questions: Questions, domain: str) -> _Walk:
    """4.10 and 4.10.2: the existing records, and the organisational domain."""
    walk = _Walk(domain)
    for name in _names(domain):
        texts = _at(questions, name)
        if len(texts) != 1:
            continue
        record = walk.records[name] = dmarc_record.parse(texts[0])
        walk.organisation = name  # the name with the fewest labels, unless psd= says otherwise
        if record.has("psd", "n"):
            break
        if record.has("psd", "y"):
            if name != domain:
                walk.organisation, walk.psd = ".".join(domain.split(".")[-name.count(".") - 2 :]), name
            break
    return walk


def _by_9989(questions: Questions, domain: str) -> Policy:
    """4.10.1: the domain's record, otherwise its organisation's, otherwise its public suffix's."""
    walk = _walk(questions, domain)
    fault = _near_fault(questions, domain)
    if domain in walk.records:
        return _policy(domain, walk.records[domain], ("p",), fault)
    exists = questions.ask(domain, "TXT").name_exists  # RFC 8020: NXDOMAIN covers all types
    tags = ("sp", "p") if exists else ("np", "sp", "p")
    for name in (walk.organisation, walk.psd):
        if name in walk.records:
            return _policy(name, walk.records[name], tags, fault)
    return Policy("none", "", fault=fault)


def _differences(old: Policy, new: Policy) -> Iterator[str]:
    """The cases in which receivers of the two RFCs act differently."""
    if (old.policy, old.found_at) != (new.policy, new.found_at):
        yield said("by RFC 7489 {old}; by RFC 9989 {new}", old=_told(old), new=_told(new))
    record = dmarc_record.parse(new.text)
    if new.is_test and new.policy != "none":
        yield said(
            "t=y: by RFC 9989 p={policy} isn't to be applied yet; RFC 7489 knows no t=, and applies it",
            policy=new.policy,
        )
    share = record.tags.get("pct", "100")
    if share != "100" and share.isdigit() and new.policy != "none":
        yield said(
            "pct={share}: by RFC 7489 the policy is for {share} of 100 failing mails; RFC 9989 has no pct=, so "
            "it is for all",
            share=share,
        )


def _told(policy: Policy) -> str:
    return (
        said("the policy is {policy} (of {found_at})", policy=policy.policy, found_at=policy.found_at)
        if policy.found_at
        else said("no policy counts")
    )


def faults(found: Found) -> Sequence[str]:
    """The faults, each once."""
    return tuple(dict.fromkeys(filter(None, (found.by_7489.fault, found.by_9989.fault))))
