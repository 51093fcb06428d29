"""Counts the entries on the record that a never-log rule hides, and then erases them.

Both jobs can be interrupted anywhere and started again: entries that are already erased aren't found. Called by `webapp.jobs`.
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
    """Counts the hidden entries."""
    return _counts(hidden_by_rule.find(work.database, work.deployment(), _rule(work), work.step))


def erase(work: Work) -> Report:
    """Erases the hidden entries from the record and from the database's files, also those that came after the count."""
    rule, deployment, earlier = _rule(work), work.deployment(), work.job.report
    hidden = hidden_by_rule.find(work.database, deployment, rule)
    # a worker may have died after erasing a part: the earlier report has the whole count
    report = {name: max(count, earlier.get(name, 0)) for name, count in _counts(hidden).items()}
    work.save(0, hidden.count, report)
    hidden_by_rule.erase(work.database, rule, hidden, work.step)
    detail = ", ".join(f"{name} {count}" for name, count in report.items())
    if any(report.values()):
        work.note("never_log.erased", rule.pattern, detail)
    return {**report, "is_gone": _is_gone(work)}


def _is_gone(work: Work) -> bool:
    """Are the entries gone from the database's files, too? False if a process still reads an earlier state of the database;
    `mailweir db prune` then tries again."""
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
