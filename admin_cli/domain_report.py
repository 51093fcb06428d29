"""A domain's checks for a person and for a program. Called by `commands.spf` and `commands.domain_check`."""

from collections.abc import Iterator, Sequence
from typing import Any

from mailweir.domains import summary
from mailweir.domains.checks import DomainReport, SpfReport
from mailweir.domains.dmarc import Found, Policy
from mailweir.domains.spf import Evaluation, Node, Step
from mailweir.domains.suggestion import Suggestion

_WORDS = {0: "OK", 1: "FAIL", 2: "WARN", 3: "BROKEN", 4: "UNKNOWN"}
_COLUMN = 7
UNKNOWN = 4


def spf_lines(report: SpfReport, *, whole: bool) -> Iterator[str]:
    """The SPF part. whole: every term of the tree, not only those with subtrees or faults."""
    results = "   ".join(
        f"{one.request.ip} -> {one.result}{_in_brackets(summary.decided_by(one))}" for one in report.evaluations
    )
    yield _line("SPF", f"{_WORDS[report.verdict]:<8}{results}")
    root = report.root
    if root.text is None:
        yield _line("", root.fault or f"no SPF record at {root.domain}{' that counts' if report.faults else ''}")
    else:
        yield _line("", f"{root.text}   TTL {root.ttl_seconds}")
        yield from (_line("", text) for text in _branches(root, "", whole=whole))
        yield _line(
            "",
            f"look-ups {root.lookups}/10{_after(report.suggestion)}   void {root.voids}/2   {len(root.text)} bytes   "
            f"SPF records found: {root.records}",
        )
    yield from (_line("!!", text) for text in (*report.faults, *report.warnings))


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _after(advice: Suggestion | None) -> str:
    return f" (after the change {advice.lookups}/10)" if advice and advice.record else ""


def _branches(node: Node, indent: str, *, whole: bool) -> Iterator[str]:
    shown = summary.shown_steps(node, whole=whole)
    for at, step in enumerate(shown, 1):
        last = at == len(shown)
        yield f"{indent} {'└' if last else '├'} {step.text:<32}{summary.told(step)}".rstrip()
        if step.child:
            yield from _branches(step.child, indent + ("    " if last else " │  "), whole=whole)


def domain_lines(report: DomainReport, *, whole: bool) -> Iterator[str]:
    """SPF, DKIM, DMARC, the alignment that follows from them, and warnings."""
    yield from spf_lines(report.spf, whole=whole)
    for key in report.keys:
        state = "FAIL" if key.fault else "OK"
        yield _line("DKIM", f"{state:<8}{key.name}  {summary.key_words(key)}")
    if not report.keys:
        yield _line("DKIM", f"{'NONE':<8}no key of ours signs for it")
    yield from _dmarc_lines(report.dmarc)
    yield _line("ALIGN", report.outcome)
    if report.outcome_9989 != report.outcome:
        yield _line("", f"by RFC 9989: {report.outcome_9989}")
    yield from (_line("!!", text) for text in (*report.warnings, *report.unknown))


def _dmarc_lines(found: Found | None) -> Iterator[str]:
    if found is None:
        yield _line("DMARC", "UNKNOWN")
        return
    state = summary.dmarc_state(found)
    yield _line("DMARC", f"{state:<8}{summary.dmarc_words(found)}")
    yield from (_line("", difference) for difference in found.differences)


def asked_line(domain: str, who: str, sender: str, resolver: str, seconds: float) -> str:
    """The first line. sender: the envelope sender that was checked; "" for the default."""
    by = f" as {sender}" if sender else ""
    return f"{domain}: may {who} send for it{by}?   resolver {resolver}, {1000 * seconds:.0f} ms"


def advice_lines(advice: Suggestion | None, verdict: int) -> Iterator[str]:
    """The advice: publish this record, or try again."""
    if verdict == UNKNOWN:
        yield _line("DO", "try again: DNS gave no answer, which says nothing about the domain")
    if advice is None:
        return
    if advice.record is None:
        yield _line("DO", "; ".join(advice.notes))
        return
    yield _line(
        "DO", f"publish this as the only SPF record at {advice.record.name} (TXT; no other may begin with v=spf1):"
    )
    yield _line("", advice.record.value)
    if len(advice.record.strings) > 1:
        yield _line("", "in a zone file, in strings of at most 255 bytes: " + advice.record.quoted)
    yield from (_line("", f"- {note}") for note in advice.notes)


def _line(head: str, text: str) -> str:
    return f"{head:<{_COLUMN}}{text}".rstrip()


def spf_object(report: SpfReport) -> dict[str, Any]:
    """For --json."""
    return {
        "domain": report.domain,
        "mail_from": report.sender,
        "verdict": report.verdict.name.lower(),
        "results": [_evaluation(one) for one in report.evaluations],
        "record": report.root.text,
        "tree": _node(report.root),
        "faults": list(report.faults),
        "warnings": list(report.warnings),
        "suggestion": _advice(report.suggestion),
    }


def domain_object(report: DomainReport) -> dict[str, Any]:
    """For --json."""
    return {
        "domain": report.spf.domain,
        "verdict": report.verdict.name.lower(),
        "spf": spf_object(report.spf),
        "dkim": [
            {"selector": one.selector, "name": one.name, "kind": one.kind, "ours": one.is_ours, "fault": one.fault}
            for one in report.keys
        ],
        "dmarc": None if report.dmarc is None else {
            **_policy(report.dmarc.by_7489),
            "rfc9989": _policy(report.dmarc.by_9989),
            "differences": list(report.dmarc.differences),
        },
        "outcome": report.outcome,
        "outcome_rfc9989": report.outcome_9989,
        "warnings": list(report.warnings),
        "unknown": list(report.unknown),
    }  # fmt: skip


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "policy": policy.policy,
        "found_at": policy.found_at,
        "record": policy.text,
        "strict_spf": policy.strict_spf,
        "strict_dkim": policy.strict_dkim,
        "is_test": policy.is_test,
        "fault": policy.fault,
    }


def _evaluation(one: Evaluation) -> dict[str, Any]:
    return {
        "ip": str(one.request.ip),
        "result": one.result,
        "explanation": one.explanation,
        "lookups": one.lookups_to_match,
        "void_lookups": one.voids_to_match,
    }


def _node(node: Node) -> dict[str, Any]:
    return {
        "domain": node.domain,
        "record": node.text,
        "result": node.result,
        "lookups": node.lookups,
        "void_lookups": node.voids,
        "fault": node.fault,
        "terms": [_step(step) for step in node.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    made = {
        "term": step.text,
        "outcome": step.outcome,
        "lookups": step.lookups,
        "void_lookups": step.voids,
        "fault": step.fault,
    }
    return made | ({"below": _node(step.child)} if step.child else {})


def _advice(advice: Suggestion | None) -> dict[str, Any] | None:
    if advice is None:
        return None
    record = advice.record
    strings: Sequence[str] = record.strings if record else ()
    return {
        "name": record.name if record else None,
        "record": record.value if record else None,
        "strings": list(strings),
        "lookups": advice.lookups,
        "notes": list(advice.notes),
    }
