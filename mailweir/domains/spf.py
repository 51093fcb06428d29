"""An SPF evaluator (RFC 7208) that shows its steps: it walks the whole tree of records, including the part after the matching
term.

The result follows the RFC: the terms up to the match decide, within the RFC's limits. The part after the match is walked to count
the look-ups of a sender that matches nowhere, and to find faults before they cause harm. Called by `checks` and by the command
line.
"""

import ipaddress
from dataclasses import dataclass, field

from mailweir.domains import spf_record
from mailweir.domains.questions import Questions
from mailweir.domains.spf_record import IpAddress, Record, Request, SyntaxFault, Term, expand, shorten
from mailweir.errors import DnsUnavailable
from mailweir.sentence import said

MAX_LOOKUPS = 10  # 4.6.4
MAX_VOID_LOOKUPS = 2
MAX_NAMES = 10  # of one mx (more: permerror) or ptr (more: not looked at)
MAX_BESIDE_LOOKUPS = 60  # after the match or a fault, so that no record makes us query without end
BESIDE_SECONDS = 5.0  # the time for these look-ups, for each evaluation

DEFAULT_EXPLANATION = "DEFAULT"


@dataclass(slots=True)
class Step:
    """One evaluated term. outcome: match, no match, permerror, temperror. lookups, voids: with those of the records below it.
    live: a receiver evaluates it, because no earlier term decided."""

    text: str
    outcome: str
    lookups: int = 0
    voids: int = 0
    live: bool = True
    fault: str = ""
    child: "Node | None" = None


@dataclass(slots=True)
class Node:
    """One domain's record. result: of check_host for it (2.6). records: how many SPF records it has."""

    domain: str
    result: str = "none"
    text: str | None = None
    records: int = 0
    ttl_seconds: int = 0
    canonical: str = ""
    lookups: int = 0
    voids: int = 0
    fault: str = ""
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """result, explanation: as a receiver gets them. lookups_to_match: look-ups that the receiver makes; root.lookups: those of
    the whole tree."""

    request: Request
    result: str
    explanation: str
    lookups_to_match: int
    voids_to_match: int
    root: Node


def evaluate(questions: Questions, ip: IpAddress, sender: str, helo: str, receiver: str = "unknown") -> Evaluation:
    """check_host for an envelope sender, "" for the null sender (2.4). Never raises because of DNS."""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    local, _, domain = (sender or helo).rpartition("@")
    request = Request(ip, f"{local or 'postmaster'}@{domain}", helo, receiver)
    # First only the part that decides: terms after the match must not use up its time.
    strict = _Walk(questions, request, whole=False)
    node = strict.visit(domain, (), live=True)
    explanation = strict.explain(node) if node.result == "fail" else ""
    with questions.aside(BESIDE_SECONDS):
        root = _Walk(questions, request, whole=True).visit(domain, (), live=True)
    root.result, root.fault = node.result, node.fault
    return Evaluation(request, node.result, explanation, strict.lookups, strict.voids, root)


def is_host_name(domain: str) -> bool:
    """Can there be a record at this name (4.3): two labels or more, none empty or over 63 bytes?"""
    labels = domain.removesuffix(".").split(".")
    name = domain.encode()
    return len(labels) > 1 and len(name) <= 254 and all(0 < len(label.encode()) <= 63 for label in labels)


class _Walk:
    """A walk through the records of one evaluation. lookups, voids: as the receiver counts them. whole: goes on after the
    match."""

    def __init__(self, questions: Questions, request: Request, *, whole: bool) -> None:
        self._questions = questions
        self._request = request
        self._whole = whole
        self.lookups = 0
        self.voids = 0
        self._beside = 0

    def visit(self, domain: str, path: tuple[str, ...], live: bool) -> Node:
        node = Node(domain)
        if not is_host_name(domain):
            node.fault = said("no name that could have a record")
            return node
        try:
            answer = self._questions.ask(domain, "TXT")
        except DnsUnavailable as error:
            node.result, node.fault = "temperror", str(error)
            return node
        found = [value for value in answer.values if spf_record.is_spf(value)]
        node.records, node.ttl_seconds, node.canonical = len(found), answer.ttl_seconds, answer.canonical
        if not found:
            return node
        node.text = found[0]
        if len(found) > 1:
            node.result, node.fault = (
                "permerror",
                said("{number} SPF records, and only one may be there", number=len(found)),
            )
            return node
        try:
            record = spf_record.parse(found[0])
        except SyntaxFault as fault:
            node.result, node.fault = "permerror", str(fault)
            return node
        self._follow(node, record, (*path, domain.lower()), live)
        return node

    def _follow(self, node: Node, record: Record, path: tuple[str, ...], live: bool) -> None:
        decided = ""
        for term in record.mechanisms:
            if decided and not self._whole:
                break
            step = self._step(term, node.domain, path, live and not decided)
            _add(node, step)
            if not decided and step.outcome != "no match":
                decided = term.result if step.outcome == "match" else step.outcome
                node.fault = node.fault or step.fault
            if term.name == "all":  # 5.1: later terms are ignored
                break
        has_all = any(term.name == "all" for term in record.mechanisms)
        if record.redirect and not has_all and (self._whole or not decided):  # 6.1
            step = self._step(record.redirect, node.domain, path, live and not decided)
            _add(node, step)
            if not decided:
                below = step.child.result if step.child else "permerror"
                decided = "permerror" if step.outcome == "permerror" else below
                node.fault = node.fault or step.fault
        node.result = decided or "neutral"

    def _step(self, term: Term, domain: str, path: tuple[str, ...], live: bool) -> Step:
        step = Step(term.text, "no match", live=live)
        if term.name in spf_record.COUNTED:
            step.lookups = 1
            self.lookups += live
            self._beside += not live
            if live and self.lookups > MAX_LOOKUPS:
                step.outcome, step.fault = (
                    "permerror",
                    said("more than {most} look-ups", most=MAX_LOOKUPS),
                )
            if not live and self._beside > MAX_BESIDE_LOOKUPS:
                step.fault = said("not followed any further")
                return step
        past_limit = step.outcome == "permerror"
        try:
            outcome = self._outcome(term, step, domain, path, live and not past_limit)
        except DnsUnavailable as error:
            outcome, step.fault = "temperror", step.fault or str(error)
        if past_limit:
            return step
        step.outcome = outcome
        if live and self.voids > MAX_VOID_LOOKUPS and outcome in ("match", "no match"):
            step.outcome, step.fault = (
                "permerror",
                said("more than {most} void look-ups", most=MAX_VOID_LOOKUPS),
            )
        return step

    def _outcome(self, term: Term, step: Step, domain: str, path: tuple[str, ...], live: bool) -> str:
        if term.name == "all":
            return "match"
        if term.network is not None:
            same = term.network.version == self._request.ip.version
            return _matched(same and self._request.ip in term.network)
        target = domain
        if term.value is not None:
            target = shorten(expand(term.value, self._request, domain, lambda: self._validated_for(domain)))
        if term.name in ("include", "redirect"):
            return self._descend(term, step, target, path, live)
        if term.name == "exists":
            return _matched(self._ask(target, "A", step, live))
        if term.name == "ptr":
            return _matched(any(_is_within(name, target) for name in self._validated(step, live)))
        return self._addressed(term, step, target, live)

    def _descend(self, term: Term, step: Step, target: str, path: tuple[str, ...], live: bool) -> str:
        if not live and target.lower() in path:
            step.fault = step.fault or "a loop"
            return "permerror"
        child = step.child = self.visit(target, path, live)
        step.lookups += child.lookups
        step.voids += child.voids
        if child.result == "none":
            step.fault = said("no SPF record at {target}", target=target)
            return "permerror"
        if child.result in ("permerror", "temperror"):
            step.fault = step.fault or child.fault
            return child.result
        return _matched(child.result == "pass") if term.name == "include" else "match"

    def _addressed(self, term: Term, step: Step, target: str, live: bool) -> str:
        """a and mx (5.3, 5.4)."""
        names = [target]
        if term.name == "mx":
            names = [value.partition(" ")[2] for value in self._ask(target, "MX", step, live)]
            if len(names) > MAX_NAMES:
                step.fault = said("more than {most} MX records", most=MAX_NAMES)
                return "permerror"
        ip = self._request.ip
        prefix = term.prefix4 if ip.version == 4 else term.prefix6
        network = ipaddress.ip_network((ip, prefix), strict=False)
        kind = "A" if ip.version == 4 else "AAAA"
        for name in filter(None, names):
            for value in self._ask(name, kind, step, live):
                if ipaddress.ip_address(value) in network:
                    return "match"
        return "no match"

    def _ask(self, name: str, kind: str, step: Step, live: bool) -> tuple[str, ...]:
        values = self._questions.ask(name, kind).values
        if not values:
            step.voids += 1
            self.voids += live
        return values

    def _validated(self, step: Step, live: bool) -> list[str]:
        """The client's names that resolve back to its address (5.5). A DNS failure counts as no match here."""
        ip = self._request.ip
        try:
            names = self._ask(ip.reverse_pointer, "PTR", step, live)[:MAX_NAMES]
        except DnsUnavailable:
            return []
        return [name for name in names if self._leads_back(name)]

    def _leads_back(self, name: str) -> bool:
        ip = self._request.ip
        try:
            values = self._questions.ask(name, "A" if ip.version == 4 else "AAAA").values
        except DnsUnavailable:
            return False
        return any(ipaddress.ip_address(value) == ip for value in values)

    def _validated_for(self, domain: str) -> str:
        """The macro p: of the client's validated names the domain itself, or else a name below it, or else any; `unknown` if
        there is none (7.3)."""
        names = self._validated(Step("%{p}", ""), live=False)
        names.sort(key=lambda name: (name.lower() != domain.lower(), not _is_within(name, domain)))
        return names[0] if names else "unknown"

    def explain(self, root: Node) -> str:
        """The explanation of a fail (6.2), from the record that a redirect leads to; the default if it is missing or has a
        fault."""
        node = root
        while True:
            record = spf_record.parse(node.text or "v=spf1")
            last = node.steps[-1] if node.steps else None
            if not (record.redirect and last and last.text == record.redirect.text and last.live and last.child):
                break
            node = last.child
        if not record.exp or not record.exp.value:
            return DEFAULT_EXPLANATION
        try:
            return self._explanation(record.exp.value, node.domain)
        except DnsUnavailable:
            return DEFAULT_EXPLANATION

    def _explanation(self, spec: str, domain: str) -> str:
        def validated() -> str:
            return self._validated_for(domain)

        values = self._questions.ask(shorten(expand(spec, self._request, domain, validated)), "TXT").values
        if len(values) != 1 or not spf_record.is_explanation(values[0]):
            return DEFAULT_EXPLANATION
        return expand(values[0], self._request, domain, validated)


def _matched(does: object) -> str:
    return "match" if does else "no match"


def _is_within(name: str, domain: str) -> bool:
    name, domain = name.lower().rstrip("."), domain.lower().rstrip(".")
    return name == domain or name.endswith("." + domain)


def _add(node: Node, step: Step) -> None:
    node.steps.append(step)
    node.lookups += step.lookups
    node.voids += step.voids
