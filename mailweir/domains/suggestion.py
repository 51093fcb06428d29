"""The SPF record to publish so that the relay may send for a domain: derived from the existing one, and tested before it is
shown.

The rule: no address that passes, or that would pass once a mistake is repaired, fails after the suggestion. So the relay is put
first, mistakes are repaired (`spf_slips`), and no mechanism is left out: a term that finds nothing for the relay may allow others
to send. If the intended meaning of a term isn't certain, there is no suggestion. Never suggests a record that doesn't pass: each
candidate is evaluated, as if DNS had it, for each of the relay's addresses. Called by `checks`.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailweir.dkim_record import MAX_STRING_BYTES, TxtRecord
from mailweir.domains import dmarc, mail_providers, spf_slips
from mailweir.domains.questions import Questions
from mailweir.domains.spf import MAX_LOOKUPS, MAX_VOID_LOOKUPS, Evaluation, Node, Step, evaluate
from mailweir.domains.spf_record import IpAddress
from mailweir.domains.spf_slips import Part
from mailweir.errors import DnsUnavailable
from mailweir.sentence import joined, said

SOFT = "~all"
_STAYS = said(
    "mail from elsewhere that our term doesn't match still meets the faults named above: correct those terms, or "
    "remove unused ones; nothing is left out here, because a term could be a misspelt name that somebody uses"
)
_TOO_WIDE = frozenset({"all", "+all", "?all"})
# Addresses that no host has (RFC 7600, RFC 6666). They stand for other senders: with them, a tree shows the look-ups and faults
# of mail that matches nowhere.
_STRANGERS = (ipaddress.ip_address("192.0.0.8"), ipaddress.ip_address("100::1"))
_DEPENDS_ON_SENDER = re.compile(r"%\{[^do{}]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Relay:
    """The sender: its addresses, its name, and the name whose record clients include ("" if there is none)."""

    addresses: tuple[IpAddress, ...]
    name: str = ""
    include: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """record: replaces the SPF records at its name, or None if no record can be made. notes: the reasons."""

    record: TxtRecord | None
    notes: tuple[str, ...]
    lookups: int = 0
    voids: int = 0


@dataclass(frozen=True, slots=True)
class _Base:
    """The intended meaning of the existing records. end: `all` in some form, or a redirect. unclear: points to settle first.

    is_united: several parts became one, so mail may now meet a fault of a part that it didn't meet before.
    """

    terms: tuple[str, ...]
    end: str
    notes: tuple[str, ...]
    unclear: tuple[str, ...] = ()
    is_united: bool = False


def suggest(questions: Questions, relay: Relay, found: Evaluation) -> Suggestion:
    """The smallest change with which each of the relay's addresses passes, within the limits. Errors: DnsUnavailable."""
    domain = found.root.domain
    base = _base(questions, domain)
    if base.unclear:
        return _settle_first(base.unclear)
    for added, note in _additions(relay):
        ours = {one.lower() for one in added}
        terms = [*added, *(term for term in base.terms if term.lower() not in ours)]
        text = " ".join(["v=spf1", *terms, base.end])
        if text == found.root.text:
            continue
        tried = _tried(questions, domain, text, relay, adds_lookups=added[:1] == [f"include:{relay.include}"])
        if tried:
            faults = tuple(dict.fromkeys(fault for root in tried for fault in _faults(root)))
            if faults and base.is_united:
                return _settle_first(faults)
            notes = (*base.notes, note, _STAYS if faults else "")
            record = TxtRecord(found.root.canonical or domain, _strings(text))
            lookups, voids = (max(getattr(root, name) for root in tried) for name in ("lookups", "voids"))
            return Suggestion(record, tuple(filter(None, notes)), lookups, voids)
    takes = (
        said(", because the existing terms need {lookups}", lookups=found.root.lookups)
        if found.root.lookups > MAX_LOOKUPS
        else ""
    )
    return Suggestion(
        None,
        (
            said(
                "no record fits within {most} look-ups: remove terms that are no longer needed{takes}",
                most=MAX_LOOKUPS,
                takes=takes,
            ),
        ),
    )


def _settle_first(what: Sequence[str]) -> Suggestion:
    return Suggestion(None, (said("settle first, then check again: {what}", what=joined(what, "; ")),))


def _tried(questions: Questions, domain: str, text: str, relay: Relay, *, adds_lookups: bool) -> list[Node] | None:
    """The trees with this record. None if it doesn't let every address of the relay pass, or if a sender may exceed the limit of
    look-ups."""
    supposed = questions.supposing(domain, text)
    roots: list[Node] = []
    for ip in (*relay.addresses, *_STRANGERS):
        found = evaluate(supposed, ip, f"postmaster@{domain}", domain)
        roots.append(found.root)
        if (found.result != "pass" and ip in relay.addresses) or found.root.lookups > MAX_LOOKUPS:
            return None
    # A macro may lead other senders to more look-ups, so they may be at the limit already.
    if adds_lookups and any(_DEPENDS_ON_SENDER.search(step.text) for step in steps(roots[0])):
        return None
    return roots


def steps(node: Node) -> Iterator[Step]:
    """All terms of a tree."""
    for step in node.steps:
        yield step
        if step.child:
            yield from steps(step.child)


def _strings(text: str) -> tuple[str, ...]:
    return tuple(text[at : at + MAX_STRING_BYTES] for at in range(0, len(text), MAX_STRING_BYTES))


def _additions(relay: Relay) -> Iterator[tuple[list[str], str]]:
    """The terms to add, with a note, in the order in which to try them: none, because repairs may be enough; the include, which
    stays correct when addresses change; the addresses."""
    yield [], ""
    if relay.include:
        yield [f"include:{relay.include}"], ""
    note = (
        said("addresses instead of include:{include}, which doesn't fit or doesn't pass", include=relay.include)
        if relay.include
        else ""
    )
    yield [f"ip{ip.version}:{ip}" for ip in relay.addresses], note


def faults_of(root: Node) -> Iterator[str]:
    """The faults that a tree has for every sender. Terms with a macro that depends on the sender don't count."""
    for step in root.steps:
        if _DEPENDS_ON_SENDER.search(step.text):
            continue
        if step.outcome == "permerror" and step.fault:
            yield step.fault
        if step.child:
            yield from faults_of(step.child)


def _faults(root: Node) -> Iterator[str]:
    yield from faults_of(root)
    if root.voids > MAX_VOID_LOOKUPS:
        yield said(
            "{voids} look-ups find nothing, and {most} are allowed",
            voids=root.voids,
            most=MAX_VOID_LOOKUPS,
        )


def _base(questions: Questions, domain: str) -> _Base:
    readings = spf_slips.read_all(questions.ask(domain, "TXT").values)
    if not readings:
        return _first(questions, domain)
    notes = [slip for one in readings for slip in one.slips]
    if not all(one.counts for one in readings):
        notes.append(said("this record takes the place of the TXT record that is nearly SPF"))
    unclear = tuple(dict.fromkeys(one for reading in readings for one in reading.unclear))
    parts = [part for reading in readings for part in reading.parts]
    if len(readings) > 1:
        notes.append(said("one record instead of {number}", number=len(readings)))
    if len(parts) > 1:
        several = (
            said("there are {number} records", number=len(readings))
            if len(readings) > 1
            else said("'all' is in the middle")
        )
        unclear = (
            *unclear,
            *(
                said("{several}, and {why}: which is meant to count?", several=several, why=why)
                for why in _contradictions(parts)
            ),
        )
    return _united(parts, notes, unclear)


def _contradictions(parts: Sequence[Part]) -> Iterator[str]:
    """Why one part's terms can't follow another's: some senders would never reach them."""
    if any(term[0] in "-~?" for part in parts for term in part.terms):
        yield said("a term refuses what another one may allow")
    if sum(any(map(_may_end_it, part.terms)) or bool(_DEPENDS_ON_SENDER.search(part.redirect)) for part in parts) > 1:
        yield said("in more than one a macro leads only some senders to a record")


def _may_end_it(term: str) -> bool:
    """Is it an include whose name depends on the sender? If a sender's name has no record, the evaluation ends in a permerror
    (RFC 7208 5.2)."""
    return "include:" in term.lower() and bool(_DEPENDS_ON_SENDER.search(term))


def _rank(term: str) -> int:
    """The order of terms from several parts: terms that may end in an error come last, after all safe ones."""
    if term.lower().lstrip("+-~?").startswith(("ip4:", "ip6:")):
        return 0
    return 3 if _may_end_it(term) else 2 if "include:" in term.lower() else 1


def _united(parts: Sequence[Part], notes: list[str], unclear: tuple[str, ...]) -> _Base:
    """The terms of all parts, and one end. A redirect beside an `all` or another part becomes an include, so that its senders
    stay allowed."""
    alone = len(parts) == 1 and not parts[0].end
    terms: dict[str, None] = {}
    for part in parts:
        terms.update(dict.fromkeys(part.terms))
        if part.redirect and not alone:
            terms[f"include:{part.redirect}"] = None
    if len(parts) > 1:
        terms = dict.fromkeys(sorted(terms, key=_rank))
    explanations = [term for term in terms if term.lower().startswith("exp=")]
    for another in explanations[1:]:  # exp= only explains a refusal, and allows nobody to send
        del terms[another]
        notes.append(said("{another} left out: there may be one exp=", another=another))
    if alone and parts[0].redirect:
        return _Base(tuple(terms), f"redirect={parts[0].redirect}", tuple(notes), unclear)
    is_united = len(parts) > 1 or bool(parts[0].redirect)
    ends = {part.end.lower() or (SOFT if part.redirect else "") for part in parts}
    end = parts[0].end if len(ends) == 1 and parts[0].end else SOFT
    if end.lower() in _TOO_WIDE:
        notes.append(said("{new} instead of {end}, with which anyone may send", new=SOFT, end=end))
        end = SOFT
    return _Base(tuple(terms), end, tuple(notes), unclear, is_united)


def _first(questions: Questions, domain: str) -> _Base:
    """The start of a domain's first record. It has to allow everybody else who sends for the domain, too."""
    exchanges = _exchanges(questions, domain)
    own = [host for host in exchanges if dmarc.organisation(host) == dmarc.organisation(domain)]
    return _Base(
        ("mx",) if own else (), SOFT, (said("there is no SPF record yet"), *_who_else_sends(domain, exchanges))
    )


def _who_else_sends(domain: str, exchanges: Sequence[str]) -> Iterator[str]:
    yield (
        said(
            "who else sends mail as {domain}: its mail provider, newsletters, invoices, a shop, the website, "
            "printers? Each needs a term, too; until all are in, the record ends in {end}",
            domain=domain,
            end=SOFT,
        )
    )
    named: dict[str, None] = {}
    for host in exchanges:
        provider = mail_providers.of_exchange(host)
        if provider and provider.include:
            term = said("include:{include} (its usual term; see its own instructions)", include=provider.include)
            named[
                said(
                    "{provider} receives its mail (MX {host}): does it send, too? Then it needs {term}",
                    provider=provider.name,
                    host=host,
                    term=term,
                )
            ] = None
        elif dmarc.organisation(host) != dmarc.organisation(domain):
            who = provider.name if provider else dmarc.organisation(host)
            named[
                said(
                    "{who} receives its mail (MX {host}): does it send, too? Then ask it for its SPF term",
                    who=who,
                    host=host,
                )
            ] = None
    first_of_each = {note.partition(" (MX")[0]: note for note in reversed(named)}
    yield from reversed(first_of_each.values())


def _exchanges(questions: Questions, domain: str) -> list[str]:
    """The hosts that receive the domain's mail, in order of preference; none if it has the null MX (RFC 7505)."""
    try:
        values = questions.ask(domain, "MX").values
    except DnsUnavailable:
        return []
    ranked = sorted((int(value.partition(" ")[0]), value.partition(" ")[2].lower()) for value in values)
    return [host for _, host in ranked if host not in ("", ".")]
