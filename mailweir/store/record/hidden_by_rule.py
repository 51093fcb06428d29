"""Finds recorded mail that a never-log rule hides, and erases it.

Reads the whole record once, in small parts; writes in transactions of some milliseconds, because the filter waits for the write
lock meanwhile. Called by `mailweir never-log add`.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from mailweir.decision import Reason
from mailweir.directory import RuleRef
from mailweir.never_log import Rules
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.people import never_log_rules
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.never_log_rules import Rule
from mailweir.store.record import retraction

Progress = Callable[[int, int], None]
_PART_ROWS = 2_000
_TRANSACTION_SECONDS = 0.025  # no activity is begun after this time; the last one may end later


def _no_progress(done: int, total: int) -> None:
    """Reports to nobody."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Ids of activities that a rule hides. whole: activities that wouldn't be recorded at all. of_others: activities that other
    users have, too; they are removed only from the record of the rule's owner. contacts: activities that stay because of other
    people, and the addresses of the contacts that are left out. user_id: the rule's owner, or 0."""

    user_id: int = 0
    whole: list[int] = field(default_factory=list)
    of_others: list[int] = field(default_factory=list)
    contacts: dict[int, list[str]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """The number of activities."""
        return len(self.whole) + len(self.of_others) + len(self.contacts)


@dataclass(frozen=True, slots=True)
class _Row:
    """An activity. bringers: the user ids of its sightings; None for a sighting without a user."""

    id: int
    author: str
    contacts: list[str]
    users: set[int]
    bringers: set[int | None]


def find(database: Database, deployment: Deployment, rule: Rule, progress: Progress = _no_progress) -> Hidden:
    """The recorded mail that the rule hides, alone or together with the other rules in force. progress: called with the last
    finished id, and the greatest id. The group through which mail came isn't checked here."""
    in_force = never_log_rules.in_force(database, deployment)
    rules = Rules(in_force, deployment.folding)
    # The rule as matching uses it; None if somebody removed it meanwhile.
    ref = next((one for one in in_force if (one.pattern, one.username) == (rule.pattern, rule.user)), None)
    if ref is None:
        return Hidden()
    hidden = Hidden(ref.user_id or 0)
    of_rule = Rules([ref], deployment.folding)
    for row in _rows(database, deployment, progress):
        named = [one for one in row.contacts if of_rule.naming(one, (ref.user_id,))]
        if named or of_rule.naming(row.author, (ref.user_id,)):
            _sort(hidden, row, rules, ref, named)
    return hidden


def _sort(hidden: Hidden, row: _Row, rules: Rules, rule: RuleRef, named: list[str]) -> None:
    if rule.user_id is None:
        if rules.hiding([row.author], row.contacts, (None,)):
            hidden.whole.append(row.id)
        else:
            hidden.contacts[row.id] = named
        return
    if rule.user_id not in row.users or not rules.hiding([row.author], row.contacts, (None, rule.user_id)):
        return
    is_whole = row.users == {rule.user_id} or row.bringers == {rule.user_id}
    (hidden.whole if is_whole else hidden.of_others).append(row.id)


def _rows(database: Database, deployment: Deployment, progress: Progress) -> Iterator[_Row]:
    (last,) = database.execute("SELECT COALESCE(MAX(id), 0) FROM activities").fetchone()
    done = 0
    sql = "SELECT id, author FROM activities WHERE deployment_id = ? AND id > ? ORDER BY id LIMIT ?"
    while part := database.execute(sql, (deployment.id, done, _PART_ROWS)).fetchall():
        first, done = part[0][0], part[-1][0]
        between = (first, done)
        contacts: defaultdict[int, list[str]] = defaultdict(list)
        users: defaultdict[int, set[int]] = defaultdict(set)
        bringers: defaultdict[int, set[int | None]] = defaultdict(set)
        for activity_id, address in database.execute(
            "SELECT DISTINCT activity_id, address FROM activity_contacts WHERE activity_id >= ? AND activity_id <= ?",
            between,
        ).fetchall():
            contacts[activity_id].append(address)
        for activity_id, user_id in database.execute(
            "SELECT activity_id, user_id FROM activity_users WHERE activity_id >= ? AND activity_id <= ?", between
        ).fetchall():
            users[activity_id].add(user_id)
        for activity_id, user_id in database.execute(
            "SELECT DISTINCT activity_id, user_id FROM sightings WHERE activity_id >= ? AND activity_id <= ?", between
        ).fetchall():
            bringers[activity_id].add(user_id)
        for row_id, author in part:
            yield _Row(row_id, author, contacts[row_id], users[row_id], bringers[row_id])
        progress(done, last)


def erase(
    database: Database,
    rule: Rule,
    hidden: Hidden,
    progress: Progress = _no_progress,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Removes the hidden mail from the record. The decisions on it then say that it was ignored because of the rule. progress:
    called with the number of finished activities, and of all. Safe to repeat after an interruption."""
    reason = Reason.NEVER_LOG if rule.user is None else Reason.NEVER_LOG_OF_USER
    because = retraction.Because(str(reason), retraction.rule_text(rule.pattern, rule.user))
    for part in batches.parts(hidden.whole, 20):
        with database.transaction(alone=False):
            retraction.end_examinations(database, part)
    steps: list[Callable[[], None]] = [
        *(partial(retraction.erase, database, one, because) for one in hidden.whole),
        *(partial(retraction.take_off, database, one, hidden.user_id, because) for one in hidden.of_others),
        *(partial(retraction.leave_out, database, one, left) for one, left in hidden.contacts.items()),
    ]
    with retraction.unchecked(database):
        done = 0
        while done < len(steps):
            began = clock()
            with database.transaction(alone=False):
                steps[done]()
                done += 1
                # PostgreSQL locks rows: with one activity in each transaction there is no deadlock.
                while database.is_sqlite and done < len(steps) and clock() - began < _TRANSACTION_SECONDS:
                    steps[done]()
                    done += 1
            progress(done, len(steps))
