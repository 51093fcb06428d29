"""A domain's checks in a few words, for the command line and the page alike: what decided, what a term does, how DMARC stands.

Asks nothing. Called by `domain_report` and by the page.
"""

import enum

from mailweir.domains.dkim_published import Published
from mailweir.domains.dmarc import Found
from mailweir.domains.spf import Evaluation, Node, Step


class DmarcState(enum.StrEnum):
    """OK: there is a record that counts. BROKEN: there is one, and it doesn't."""

    OK = "OK"
    NONE = "NONE"
    BROKEN = "BROKEN"


def decided_by(evaluation: Evaluation) -> str:
    """The term that decided for an address; "" where none did."""
    decided = next((step for step in evaluation.root.steps if step.live and step.outcome == "match"), None)
    return decided.text if decided else ""


def shown_steps(node: Node, *, whole: bool) -> list[Step]:
    """whole: every term, and not only what leads further or is wrong."""
    return [step for step in node.steps if whole or step.child or step.fault]


def told(step: Step) -> str:
    """What a term costs, whether it matches, and what is wrong with it."""
    parts = [f"{step.lookups} look-up{'s' * (step.lookups != 1)}"] if step.lookups else []
    parts += [f"{step.voids} void"] if step.voids else []
    parts += ["match"] if step.outcome == "match" and step.live and step.text.lstrip("+-~?").lower() != "all" else []
    parts += [f"!! {step.fault}"] if step.fault else []
    return ", ".join(parts)


def key_words(key: Published) -> str:
    """What is published of a DKIM key."""
    facts = [key.kind, "matches our signing key" if key.is_ours else "", f"!! {key.fault}" if key.fault else ""]
    return ", ".join(filter(None, facts))


def dmarc_state(found: Found) -> DmarcState:
    """By RFC 7489; a fault by its successor counts, too."""
    if found.by_7489.fault or found.by_9989.fault:
        return DmarcState.BROKEN
    return DmarcState.OK if found.by_7489.found_at else DmarcState.NONE


def dmarc_words(found: Found) -> str:
    """Its policy, where that is found, and how strictly it compares."""
    policy = found.by_7489
    if policy.found_at:
        strictness = f"aspf={'s' if policy.strict_spf else 'r'} adkim={'s' if policy.strict_dkim else 'r'}"
        return f"p={policy.policy} ({policy.found_at})  {strictness}"
    return "no record" if dmarc_state(found) is DmarcState.NONE else "no record that counts"
