"""What a never-log rule hides of what is on the record: first how much it is, then its erasing.

Both can be broken off anywhere and done again: what is erased isn't found any more. Called by `webapp.jobs`.
"""

import time

from mailweir.errors import NotFound
from mailweir.sentence import said
from mailweir.store.people import never_log_rules
from mailweir.store.people.never_log_rules import Rule
from mailweir.store.record import erasing, hidden_by_rule
from mailweir.store.record.hidden_by_rule import Hidden
from webapp.work import Report, Work

LOOK = "never_log.look"
ERASE = "never_log.erase"
_TRIES = 5
_PAUSE_SECONDS = 2.0


def look(work: Work) -> Report:
    """How much of it there is."""
    return _counts(hidden_by_rule.find(work.database, work.deployment(), _rule(work), work.step))


def erase(work: Work) -> Report:
    """Takes it off the record, and out of the database's files. What came since it was looked at goes too."""
    rule, deployment, earlier = _rule(work), work.deployment(), work.job.report
    hidden = hidden_by_rule.find(work.database, deployment, rule)
    # where it was begun before, by somebody who died: what is gone counts, too
    report = {name: max(count, earlier.get(name, 0)) for name, count in _counts(hidden).items()}
    work.save(0, hidden.count, report)
    hidden_by_rule.erase(work.database, rule, hidden, work.step)
    detail = ", ".join(f"{name} {count}" for name, count in report.items())
    if any(report.values()):
        work.note("never_log.erased", rule.pattern, detail)
    return {**report, "is_gone": _is_gone(work)}


def _is_gone(work: Work) -> bool:
    """Is it out of the files, too? False: somebody reads what was there before; `mailweir db prune` tries again."""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        if erasing.finish(work.database, work.step):
            return True
    return False


def _rule(work: Work) -> Rule:
    wanted = work.job.parameters["rule"]
    for rule in never_log_rules.list_all(work.database, work.deployment()):
        if rule.id == wanted:
            return rule
    raise NotFound(said("this rule was removed meanwhile: nothing is hidden by it"))


def _counts(hidden: Hidden) -> dict[str, int]:
    return {
        "whole": len(hidden.whole),
        "of_others": len(hidden.of_others),
        "contacts": len(hidden.contacts),
    }
