"""Never-log rules: what an address or domain on the list takes off a decision. A rule only ever takes something away.

A rule that names the author hides the mail. One that names a contact among the recipients hides it where no other contact takes
part; else the mail is recorded without that contact. A deployment's rule holds for all. A user's takes the mail off that
user's record; where nobody else brought it or has it on record, it isn't recorded. Decision 0034. Pure: asks the directory that
it is handed. Called by `matching`, by `store` where a rule is written, and by `store.record.hidden_by_rule`. Standard library
only.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from mailweir import address
from mailweir.decision import Decision, HeldKind, Outcome, Reason
from mailweir.directory import Directory, RuleRef
from mailweir.folding import Folding

# What is held of these is its author's own mail; of a forward by hand that is known once it is read
_HELD_BY_AUTHOR = frozenset({HeldKind.COMPANY, HeldKind.THREAD})


def match_key(pattern: str, folding: Folding) -> str:
    """What a rule is found by. pattern: an address in normal form, or `@` and a domain, with which its subdomains are meant."""
    if not pattern.startswith("@"):
        return folding.key(pattern)
    return f"@{address.split(folding.key(f'a{pattern}'))[1]}"


def keys_of(key: str) -> Iterator[str]:
    """The keys of all rules that name the address of this key: its own, its domain's, and those of the domains above."""
    yield key
    domain = address.split(key)[1]
    while domain:
        yield f"@{domain}"
        domain = domain.partition(".")[2]


class Rules:
    """The rules on the addresses of one mail. folding: the deployment's."""

    def __init__(self, rules: Iterable[RuleRef], folding: Folding) -> None:
        self._folding = folding
        self._by_key: dict[str, list[RuleRef]] = {}
        for rule in rules:
            self._by_key.setdefault(rule.match_key, []).append(rule)

    def naming(self, normal: str, user_ids: Collection[int | None]) -> RuleRef | None:
        """The first rule that names the address, in its normal form, of the deployment (None) or one of these users."""
        for key in keys_of(self._folding.key(normal)):
            for rule in self._by_key.get(key, ()):
                if rule.user_id in user_ids:
                    return rule
        return None

    def hiding(
        self, authors: Iterable[str], contacts: Iterable[str], user_ids: Collection[int | None]
    ) -> RuleRef | None:
        """The rule by which these see nothing of a mail. authors: all whom readers of its From could see. contacts: the addresses
        of those who take part."""
        for author in authors:
            if rule := self.naming(author, user_ids):
                return rule
        found = [self.naming(one, user_ids) for one in contacts]
        return found[0] if found and all(found) else None


def applied(decision: Decision, authors: Sequence[str], directory: Directory) -> Decision:
    """The decision, by the rules. authors: all whom readers of From could see, besides the author."""
    if decision.outcome is not Outcome.CAPTURED and decision.held not in _HELD_BY_AUTHOR:
        return decision
    deployment = decision.deployment
    authors = tuple(dict.fromkeys(one for one in (decision.author, decision.via, *authors) if one))
    contacts = [contact.address for contact in decision.contacts]
    keys = {key for one in (*authors, *contacts) for key in keys_of(deployment.folding.key(one))}
    found = directory.rules_among(deployment.id, keys)
    if not found:
        return decision
    rules = Rules(found, deployment.folding)
    everybody: tuple[int | None, ...] = (None,)
    if rule := rules.hiding(authors, contacts, everybody):
        return _ignored(decision, rule)
    kept = tuple(one for one in decision.contacts if not rules.naming(one.address, everybody))
    decision = replace(decision, contacts=kept)
    taken = {
        user_id: rule
        for user_id in _involved(decision)
        if (rule := rules.hiding(authors, [one.address for one in kept], (None, user_id)))
    }
    return _without(decision, taken) if taken else decision


def _involved(decision: Decision) -> list[int]:
    """Those on whose record it would be, and those who brought it."""
    return list(
        dict.fromkeys([*decision.users, *(user_id for _, user_id in decision.sightings if user_id is not None)])
    )


def _without(decision: Decision, taken: dict[int, RuleRef]) -> Decision:
    """The decision without the users whose own rules hide the mail; ignored where nobody else has it, or brought it."""
    users = tuple(one for one in decision.users if one not in taken)
    sightings = tuple(one for one in decision.sightings if one[1] not in taken)
    if not users or not sightings:
        return _ignored(decision, next(iter(taken.values())))
    todo_users = tuple(one for one in decision.todo_users if one not in taken)
    return replace(decision, users=users, todo_users=todo_users, sightings=sightings)


def _ignored(decision: Decision, rule: RuleRef) -> Decision:
    return Decision(
        deployment=decision.deployment,
        addresses=decision.addresses,
        outcome=Outcome.IGNORED,
        reason=Reason.NEVER_LOG if rule.username is None else Reason.NEVER_LOG_OF_USER,
        author=decision.author,
        message_id=decision.message_id,
        named=decision.named,
        via=decision.via,
        rule=rule,
    )
