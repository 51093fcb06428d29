"""The SPF record to publish so that the relay may send for a domain: made of what is there, and tried before it is shown.

Never suggests what doesn't pass: each candidate is evaluated, as if DNS had it, for each of the relay's addresses. Called by
`checks`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mailweir.dkim_record import MAX_STRING_BYTES, TxtRecord
from mailweir.domains import spf_record
from mailweir.domains.questions import Questions
from mailweir.domains.spf import MAX_LOOKUPS, MAX_VOID_LOOKUPS, Evaluation, Node, Step, evaluate
from mailweir.domains.spf_record import IpAddress, SyntaxFault
from mailweir.errors import DnsUnavailable

SOFT = "~all"
_STAYS = "what comes after ours in the tree still has the faults named above, for mail from elsewhere"
_TOO_WIDE = frozenset({"all", "+all", "?all"})


@dataclass(frozen=True, slots=True)
class Relay:
    """Who is to send: its addresses, its name, and the name whose record clients include ("" where there is none)."""

    addresses: tuple[IpAddress, ...]
    name: str = ""
    include: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """record: what replaces the SPF records at its name, or None where no record can be made. notes: why it is so."""

    record: TxtRecord | None
    notes: tuple[str, ...]
    lookups: int = 0
    voids: int = 0


@dataclass(frozen=True, slots=True)
class _Base:
    """What stays of the records that are there. end: `all` in some form, or a redirect."""

    terms: tuple[str, ...]
    end: str
    notes: tuple[str, ...]


def suggest(questions: Questions, relay: Relay, found: Evaluation) -> Suggestion:
    """The least change with which each of the relay's addresses passes, within the limits. Errors: DnsUnavailable."""
    domain = found.root.domain
    base = _base(questions, domain)
    candidates = [(kept, *addition) for kept in _lighter(questions, base, found.root) for addition in _additions(relay)]
    for rest_is_sound in (True, False):
        for kept, added, note in candidates:
            terms = [*added, *(term for term in kept.terms if term.lower() not in {one.lower() for one in added})]
            text = " ".join(["v=spf1", *terms, kept.end])
            root = _tried(questions, domain, text, relay, rest_is_sound=rest_is_sound)
            if root:
                notes = [*kept.notes, note, "" if rest_is_sound else _STAYS]
                record = TxtRecord(found.root.canonical or domain, _strings(text))
                return Suggestion(record, tuple(filter(None, notes)), root.lookups, root.voids)
    return Suggestion(
        None,
        (
            f"no record can be made that stays within {MAX_LOOKUPS} look-ups: take out what is no longer needed"
            + (f", for what is there takes {found.root.lookups}" if found.root.lookups > MAX_LOOKUPS else ""),
        ),
    )


def _tried(questions: Questions, domain: str, text: str, relay: Relay, *, rest_is_sound: bool) -> Node | None:
    """The tree with this record, if it is good for every address, and where that is asked, past every match too."""
    supposed = questions.supposing(domain, text)
    root: Node | None = None
    for ip in relay.addresses:
        tried = evaluate(supposed, ip, f"postmaster@{domain}", domain)
        root = tried.root
        if tried.result != "pass" or root.lookups > MAX_LOOKUPS:
            return None
        broken = root.voids > MAX_VOID_LOOKUPS or any(step.outcome == "permerror" for step in steps(root))
        if broken and rest_is_sound:
            return None
    return root


def steps(node: Node) -> Iterator[Step]:
    """All terms of a tree."""
    for step in node.steps:
        yield step
        if step.child:
            yield from steps(step.child)


def _strings(text: str) -> tuple[str, ...]:
    return tuple(text[at : at + MAX_STRING_BYTES] for at in range(0, len(text), MAX_STRING_BYTES))


def _additions(relay: Relay) -> Iterator[tuple[list[str], str]]:
    """The include first, for it goes on being right when addresses change."""
    if relay.include:
        yield [f"include:{relay.include}"], ""
    note = f"addresses instead of include:{relay.include}, which doesn't fit or doesn't pass" if relay.include else ""
    yield [f"ip{ip.version}:{ip}" for ip in relay.addresses], note


def _base(questions: Questions, domain: str) -> _Base:
    # DNS gives them in any order
    records = sorted(value for value in questions.ask(domain, "TXT").values if spf_record.is_spf(value))
    if not records:
        return _Base(("mx",) if _takes_mail(questions, domain) else (), SOFT, ("there is no SPF record yet",))
    notes: list[str] = []
    terms: dict[str, None] = {}
    ends: list[str] = []
    for text in records:
        kept, end = _taken_apart(text, notes)
        if end.lower().startswith("redirect=") and len(records) > 1:
            kept, end = [*kept, "include:" + end.partition("=")[2]], ""
        terms.update(dict.fromkeys(kept))
        ends.append(end)
    if len(records) > 1:
        notes.append(f"one record instead of {len(records)}")
    end = ends[0] if len(set(ends)) == 1 and ends[0] else SOFT
    if end.lower() in _TOO_WIDE:
        notes.append(f"{SOFT} instead of {end}, with which anyone may send")
        end = SOFT
    return _Base(tuple(terms), end, tuple(notes))


def _taken_apart(text: str, notes: list[str]) -> tuple[list[str], str]:
    """The terms up to `all`, and `all` or the redirect. What can't be read is left out, and noted."""
    terms: list[str] = []
    redirect = ""
    for word in text[len("v=spf1") :].split():
        try:
            record = spf_record.parse(f"v=spf1 {word}")
        except SyntaxFault as fault:
            notes.append(f"{fault}: left out")
            continue
        if record.redirect:
            redirect = word
        elif record.mechanisms and record.mechanisms[0].name == "all":
            return terms, word
        else:
            terms.append(word)
    return terms, redirect


def _takes_mail(questions: Questions, domain: str) -> bool:
    """Has it an MX record that isn't the null MX (RFC 7505)?"""
    try:
        return any(value.partition(" ")[2] not in ("", ".") for value in questions.ask(domain, "MX").values)
    except DnsUnavailable:
        return False


def _lighter(questions: Questions, base: _Base, root: Node) -> Iterable[_Base]:
    """The base as it is; without what finds nothing; without `ptr` too, which RFC 7208 5.5 says not to use."""
    yield base
    empty = {step.text.lower() for step in root.steps if _finds_nothing(questions, root.domain, step)}
    ptr = {term.lower() for term in base.terms if term.lower().lstrip("+-~?").partition(":")[0] == "ptr"}
    for gone, why in ((empty, "finds nothing"), (empty | ptr, "isn't needed")):
        terms = tuple(term for term in base.terms if term.lower() not in gone)
        if terms != base.terms:
            left_out: Sequence[str] = [term for term in base.terms if term not in terms]
            yield _Base(terms, base.end, (*base.notes, *(f"{term} left out: it {why}" for term in left_out)))


def _finds_nothing(questions: Questions, domain: str, step: Step) -> bool:
    """Is a term of no use to anybody: also to senders of the other address family? Errors: DnsUnavailable."""
    if step.child:
        return step.child.result == "none"
    if not step.voids or step.outcome in ("match", "temperror") or "%" in step.text:
        return False
    term = spf_record.parse(f"v=spf1 {step.text}").mechanisms[0]
    if term.name == "ptr":  # the client has no name; that says nothing of the domain
        return False
    names = [term.value or domain]
    if term.name == "mx":
        names = [value.partition(" ")[2] for value in questions.ask(names[0], "MX").values]
    return not any(questions.ask(name, kind).values for name in names if name for kind in ("A", "AAAA"))
