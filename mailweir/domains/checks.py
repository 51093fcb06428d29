"""May the relay send for a domain? Checks SPF for each of its addresses, DKIM and DMARC, and gives one verdict.

Every exit code of `spf check` and `domain check` is decided here. Called by the command line.
"""

import enum
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailweir.domains import dkim_published, dmarc, spf_slips, suggestion
from mailweir.domains.dkim_published import Key, Published
from mailweir.domains.dmarc import Found, Policy
from mailweir.domains.questions import Questions
from mailweir.domains.spf import MAX_LOOKUPS, MAX_VOID_LOOKUPS, Evaluation, Node, Step, evaluate
from mailweir.domains.spf_slips import Reading
from mailweir.domains.suggestion import Relay, Suggestion, faults_of, steps
from mailweir.domains.typed_text import decoded
from mailweir.errors import DnsUnavailable
from mailweir.sentence import said

MANY_LOOKUPS = 8
_MAX_SHOWN_CHARS = 120  # of a TXT record in a sentence


class Verdict(enum.IntEnum):
    """The exit codes. UNKNOWN: DNS gave no answer, which says nothing about the domain."""

    AUTHORISED = 0
    NOT_AUTHORISED = 1
    WITH_WARNINGS = 2
    BROKEN = 3
    UNKNOWN = 4


@dataclass(frozen=True, slots=True)
class SpfReport:
    """evaluations: one for each address, in their order. suggestion: None if there is nothing to do."""

    domain: str
    sender: str
    evaluations: tuple[Evaluation, ...]
    warnings: tuple[str, ...]
    faults: tuple[str, ...]
    suggestion: Suggestion | None
    verdict: Verdict

    @property
    def root(self) -> Node:
        """The tree of the first address. Other addresses' trees have other matches, and other names where a macro depends on the
        address."""
        return self.evaluations[0].root


@dataclass(frozen=True, slots=True)
class DomainReport:
    """unknown: queries that DNS didn't answer. outcome: the effect of DMARC on the relay's mail today, in words, by RFC 7489;
    outcome_9989: by its successor RFC 9989.

    By RFC 7489; outcome_9989 by its successor.
    """

    spf: SpfReport
    keys: tuple[Published, ...]
    dmarc: Found | None
    outcome: str
    outcome_9989: str
    warnings: tuple[str, ...]
    unknown: tuple[str, ...]
    verdict: Verdict


def check_spf(questions: Questions, domain: str, relay: Relay, sender: str = "") -> SpfReport:
    """SPF alone. domain: in normal form. relay: with at least one address. sender: the envelope sender, by default
    postmaster@domain."""
    sender = sender or f"postmaster@{domain}"
    found = tuple(evaluate(questions, ip, sender, domain) for ip in relay.addresses)
    results = {one.result for one in found}
    readings = _readings(questions, found[0].root.domain)
    near_faults, near_warnings = _nearly(readings)
    faults = tuple(dict.fromkeys((*near_faults, *_faults(found))))
    slips = tuple(dict.fromkeys((*near_warnings, *_slips(readings, found[0].root))))
    warnings = tuple(dict.fromkeys((*slips, *_warnings(questions, [one.root for one in found]))))
    verdict = _spf_verdict(results, faults, warnings)
    needs_change = verdict in (Verdict.NOT_AUTHORISED, Verdict.BROKEN) or any("anyone" in one for one in warnings)
    needs_change |= bool(slips) and verdict is not Verdict.UNKNOWN
    advice = None
    if needs_change:
        try:
            advice = suggestion.suggest(questions, relay, found[0])
        except DnsUnavailable as error:
            advice = Suggestion(None, (str(error),))
    return SpfReport(domain, sender, found, warnings, faults, advice, verdict)


def _readings(questions: Questions, domain: str) -> tuple[Reading, ...]:
    try:
        return spf_slips.read_all(questions.ask(domain, "TXT").values)
    except DnsUnavailable:
        return ()


def _nearly(readings: Sequence[Reading]) -> tuple[list[str], list[str]]:
    """Faults and warnings for records that are nearly SPF. They are faults if there is no real SPF record: then the domain's
    record counts as broken, and not as missing."""
    told: list[str] = [
        said("a TXT record is nearly SPF, and receivers ignore it: {text}", text=_shown(decoded(one.text)))
        for one in readings
        if not one.counts
    ]
    return ([], told) if any(one.counts for one in readings) else (told, [])


def _shown(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN_CHARS else text[:_MAX_SHOWN_CHARS] + "…"


def _slips(readings: Sequence[Reading], root: Node) -> Iterator[str]:
    """Parts of a valid record that receivers understand in another way than intended."""
    if root.records == 1 and root.result != "permerror":
        yield from (slip for one in readings if one.counts for slip in (*one.slips, *one.unclear))


def _spf_verdict(results: set[str], faults: Sequence[str], warnings: Sequence[str]) -> Verdict:
    if "temperror" in results:
        return Verdict.UNKNOWN
    if "permerror" in results or faults:
        return Verdict.BROKEN
    if results != {"pass"}:
        return Verdict.NOT_AUTHORISED
    return Verdict.WITH_WARNINGS if warnings else Verdict.AUTHORISED


def _faults(found: Sequence[Evaluation]) -> Iterator[str]:
    """Causes of a permerror, if not for the checked addresses, then for mail from an address that matches nowhere."""
    # The highest numbers over all addresses: a look-up may be void for IPv6 and not for IPv4, and a macro may lead each address
    # to another name.
    lookups, voids = _most([one.root for one in found])
    if lookups > MAX_LOOKUPS:
        yield said(
            "{lookups} look-ups in the whole tree, and {most} are allowed (RFC 7208 4.6.4)",
            lookups=lookups,
            most=MAX_LOOKUPS,
        )
    if voids > MAX_VOID_LOOKUPS:
        yield said(
            "{voids} look-ups that find nothing, and {most} are allowed (RFC 7208 4.6.4)",
            voids=voids,
            most=MAX_VOID_LOOKUPS,
        )
    for one in found:
        if one.result == "permerror" and one.root.fault:
            yield one.root.fault
        yield from faults_of(one.root)


def _most(roots: Sequence[Node]) -> tuple[int, int]:
    """Look-ups and void look-ups of the address with the most."""
    return max(root.lookups for root in roots), max(root.voids for root in roots)


def _warnings(questions: Questions, roots: Sequence[Node]) -> Iterator[str]:
    lookups, voids = _most(roots)
    if MANY_LOOKUPS <= lookups <= MAX_LOOKUPS:
        yield said("{lookups} of {most} look-ups are used", lookups=lookups, most=MAX_LOOKUPS)
    if 0 < voids <= MAX_VOID_LOOKUPS:
        yield said(
            "{voids} of {most} look-ups without a result are used",
            voids=voids,
            most=MAX_VOID_LOOKUPS,
        )
    root = roots[0]
    for one in roots:
        yield from _wide(one)
    for step in (step for one in roots for step in steps(one)):
        if _name_of(step) == "ptr":
            yield said("ptr is slow and unreliable, and receivers may leave it out (RFC 7208 5.5)")
        if step.outcome == "temperror":
            yield said("{term}: {fault}", term=step.text, fault=step.fault)
    if root.canonical and root.canonical != root.domain.lower().rstrip("."):
        yield said(
            "the name is an alias (CNAME) of {canonical}: the record is there, so change it there",
            canonical=root.canonical,
        )
    if root.text and _is_wildcard(questions, root):
        yield said(
            "every name below the domain has the same TXT record (a wildcard): DKIM and DMARC look-ups may find it"
        )


def _wide(node: Node) -> Iterator[str]:
    for step in node.steps:
        if _name_of(step) == "all" and step.text.lower() in ("all", "+all", "?all"):
            yield said("{domain} ends in {term}: anyone may send as you", domain=node.domain, term=step.text)
        if step.child:
            yield from _wide(step.child)


def _name_of(step: Step) -> str:
    return step.text.lower().lstrip("+-~?").partition(":")[0].partition("/")[0]


def _is_wildcard(questions: Questions, root: Node) -> bool:
    try:
        return root.text in questions.ask(f"{secrets.token_hex(6)}.{root.domain}", "TXT").values
    except DnsUnavailable:
        return False


def check_domain(
    questions: Questions, domain: str, relay: Relay, keys: Sequence[Key], sender: str = ""
) -> DomainReport:
    """SPF, DKIM and DMARC together. keys: those that sign for the domain now or later."""
    spf = check_spf(questions, domain, relay, sender)
    unknown: list[str] = []
    published: list[Published] = []
    for key in keys:
        try:
            published.append(dkim_published.look(questions, domain, key))
        except DnsUnavailable as error:
            unknown.append(str(error))
    policies: Found | None = None
    try:
        policies = dmarc.look(questions, domain)
        aligned = _alignment(questions, policies, spf)
    except DnsUnavailable as error:
        unknown.append(str(error))
        aligned = (False, False)
    by_dkim = any(not one.fault for one in published)
    warnings = tuple(_domain_warnings(published, policies, aligned))
    passes = all(one.result == "pass" for one in spf.evaluations)
    old = _outcome(policies.by_7489 if policies else None, by_spf=passes and aligned[0], by_dkim=by_dkim)
    new = _outcome(
        policies.by_9989 if policies else None, by_spf=passes and aligned[1], by_dkim=by_dkim, knows_tests=True
    )
    verdict = _domain_verdict(spf, warnings, unknown, aligned=any(aligned) or by_dkim)
    return DomainReport(spf, tuple(published), policies, old, new, warnings, tuple(unknown), verdict)


def _alignment(questions: Questions, policies: Found, spf: SpfReport) -> tuple[bool, bool]:
    """Is SPF aligned with the author, by RFC 7489 and by RFC 9989? Errors: DnsUnavailable."""
    sender_domain = spf.sender.rpartition("@")[2]
    return (
        dmarc.is_aligned_7489(sender_domain, spf.domain, strict=policies.by_7489.strict_spf),
        dmarc.is_aligned_9989(questions, sender_domain, spf.domain, strict=policies.by_9989.strict_spf),
    )


def _domain_warnings(
    published: Sequence[Published], policies: Found | None, aligned: tuple[bool, bool]
) -> Iterator[str]:
    if not published:
        yield said("no DKIM key of ours signs for it: 'mailweir domain add' creates one")
    for one in published:
        if one.fault or one.note:
            yield said("DKIM key {selector}: {fault}", selector=one.selector, fault=one.fault or one.note)
    if policies is not None:
        faults = dmarc.faults(policies)
        yield from (said("DMARC: {fault}", fault=fault) for fault in faults)
        if not (faults or policies.by_7489.found_at or policies.by_9989.found_at):
            yield said("no DMARC record: large receivers require one from bulk senders (at least v=DMARC1; p=none)")
    if not all(aligned):
        yield (
            said(
                "the envelope sender's domain isn't aligned with the author's by RFC {rfc}: SPF doesn't count for DMARC",
                rfc=9989 if aligned[0] else 7489,
            )
            if any(aligned)
            else said("the envelope sender's domain isn't aligned with the author's: SPF doesn't count for DMARC")
        )


def _domain_verdict(spf: SpfReport, warnings: Sequence[str], unknown: Sequence[str], *, aligned: bool) -> Verdict:
    if unknown or spf.verdict is Verdict.UNKNOWN:
        return Verdict.UNKNOWN
    if spf.verdict in (Verdict.BROKEN, Verdict.NOT_AUTHORISED):
        return spf.verdict
    if not aligned:
        return Verdict.NOT_AUTHORISED
    return Verdict.WITH_WARNINGS if warnings else spf.verdict


def _outcome(policy: Policy | None, *, by_spf: bool, by_dkim: bool, knows_tests: bool = False) -> str:
    if policy is None:
        return said("unknown: DNS gives no answer")
    ways = [name for name, does in (("SPF", by_spf), ("DKIM", by_dkim)) if does]
    if ways:
        if len(ways) == 1:
            return said("DMARC passes today through {way} only", way=ways[0])
        return said("DMARC passes today through SPF and DKIM")
    if not policy.found_at:
        return said("DMARC has no record")
    asked = {
        "none": said("receivers are asked to do nothing about it"),
        "quarantine": said("receivers are asked to treat it as spam"),
        "reject": said("receivers are asked to refuse it"),
    }
    testing = knows_tests and policy.is_test and policy.policy != "none"
    what = said("its policy isn't to be applied yet (t=y)") if testing else asked[policy.policy]
    return said("DMARC fails today: {what} (p={policy})", what=what, policy=policy.policy)
