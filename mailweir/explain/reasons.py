"""A decision, explained: its outcome and its reason.

Never asks the database. Called by `tracking`, and by the command line.
"""

from mailweir.decision import Outcome, Reason
from mailweir.explain.explanation import Explanation, explain, word
from mailweir.explain.keys import PARAMETERS
from mailweir.store.record.decisions import Decision


def reason(decision: Decision) -> Explanation:
    """The reason of the decision."""
    try:
        key = f"decision.{Reason(decision.reason).name.lower()}"
    except ValueError:  # stored by a later version
        return explain("stored.word", word=decision.reason)
    for ending, fits in ((decision.direction, bool(decision.direction)), ("naming", bool(decision.named))):
        if fits and f"{key}.{ending}" in PARAMETERS:
            key = f"{key}.{ending}"
    values = {
        "author": decision.author or "",
        "deployment": decision.deployment,
        "names": ", ".join(decision.named),
        "rule": decision.rule or "",
        "user": decision.rule_user or decision.forwarder or "",
        "original": decision.original_author or "",
    }
    return explain(key, **{name: value for name, value in values.items() if name in PARAMETERS[key]})


def outcome(decision: Decision) -> Explanation:
    """The outcome of the decision."""
    if decision.outcome == Outcome.CAPTURED and decision.activity is not None:
        return explain("outcome.captured.activity", activity=decision.activity)
    if decision.reason == Reason.POSTFIX_PUT_OFF:
        return explain("outcome.put_off")
    return word("outcome", decision.outcome)
