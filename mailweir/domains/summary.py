"""A domain's checks in a few words, for the command line and the page alike: the deciding term, a term's effect, the state of
DMARC.

Makes no queries. Called by `domain_report` and by the page.
"""

import enum

from mailweir.domains.dkim_published import Published
from mailweir.domains.dmarc import Found
from mailweir.domains.spf import Evaluation, Node, Step
from mailweir.sentence import joined, said


class DmarcState(enum.StrEnum):
    """OK: there is a valid record. BROKEN: there is one, and it is invalid."""

    OK = "OK"
    NONE = "NONE"
    BROKEN = "BROKEN"


def decided_by(evaluation: Evaluation) -> str:
    """The term that decided for an address; "" if none did."""
    decided = next((step for step in evaluation.root.steps if step.live and step.outcome == "match"), None)
    return decided.text if decided else ""


def shown_steps(node: Node, *, whole: bool) -> list[Step]:
    """The steps to show. whole: every term, and not only those with subtrees or faults."""
    return [step for step in node.steps if whole or step.child or step.fault]


def told(step: Step) -> str:
    """A term's cost, whether it matches, and its faults."""
    parts: list[str] = []
    if step.lookups:
        parts.append(said("1 look-up") if step.lookups == 1 else said("{number} look-ups", number=step.lookups))
    parts += [said("{number} void", number=step.voids)] if step.voids else []
    parts += (
        [said("match")] if step.outcome == "match" and step.live and step.text.lstrip("+-~?").lower() != "all" else []
    )
    parts += [said("!! {fault}", fault=step.fault)] if step.fault else []
    return joined(parts, ", ")


def key_words(key: Published) -> str:
    """The published state of a DKIM key."""
    facts = [
        key.kind,
        said("matches our signing key") if key.is_ours else "",
        said("!! {fault}", fault=key.fault) if key.fault else "",
    ]
    return joined(filter(None, facts), ", ")


def dmarc_state(found: Found) -> DmarcState:
    """The state by RFC 7489; a fault by its successor counts, too."""
    if found.by_7489.fault or found.by_9989.fault:
        return DmarcState.BROKEN
    return DmarcState.OK if found.by_7489.found_at else DmarcState.NONE


def dmarc_words(found: Found) -> str:
    """The policy by RFC 7489, if there is one, and whether alignment is strict or relaxed."""
    policy = found.by_7489
    if policy.found_at:
        strictness = f"aspf={'s' if policy.strict_spf else 'r'} adkim={'s' if policy.strict_dkim else 'r'}"
        return f"p={policy.policy} ({policy.found_at})  {strictness}"
    return said("no record") if dmarc_state(found) is DmarcState.NONE else said("no record that counts")
