"""Never-log rules: a listed address or domain removes parts of a decision. A rule never adds anything.

A rule that names the author hides the mail. A rule that names a contact among the recipients hides it if no other contact takes
part; otherwise the mail is recorded without that contact. A deployment's rule holds for all. A user's rule removes the mail from
that user's record; if no other user has it on record, or all its sightings are by users with such a rule, it isn't recorded.
Decision 0034. Pure: asks the directory that it is given. Called by `matching`, by `store` where a rule is written, and by
`store.record.hidden_by_rule`. Standard library only.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from mailweir import address
from mailweir.decision import Decision, HeldKind, Outcome, Reason
from mailweir.directory import Directory, RuleRef
from mailweir.folding import Folding

# The author of held mail of these kinds is the author in the decision. The author of a forwarded original is known only once the
# mail is read.
_HELD_BY_AUTHOR = frozenset({HeldKind.COMPANY, HeldKind.THREAD})


def match_key(pattern: str, folding: Folding) -> str:
    """The key of a rule. pattern: an address in normal form, or `@` and a domain, which includes its subdomains."""
    if not pattern.startswith("@"):
        return folding.key(pattern)
    return f"@{address.split(folding.key(f'a{pattern}'))[1]}"


def keys_of(key: str) -> Iterator[str]:
    """The keys of all rules that name the address with this key: its own, its domain's, and those of the parent domains."""
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
        """The first rule of the deployment (None) or of one of these users that names the address, given in its normal form."""
        for key in keys_of(self._folding.key(normal)):
            for rule in self._by_key.get(key, ()):
                if rule.user_id in user_ids:
                    return rule
        return None

    def hiding(
        self, authors: Iterable[str], contacts: Iterable[str], user_ids: Collection[int | None]
    ) -> RuleRef | None:
        """The rule that hides a mail from these users. authors: all addresses that readers of its From could show. contacts: the
        addresses of the contacts who take part."""
        for author in authors:
            if rule := self.naming(author, user_ids):
                return rule
        found = [self.naming(one, user_ids) for one in contacts]
        return found[0] if found and all(found) else None


def applied(decision: Decision, authors: Sequence[str], directory: Directory) -> Decision:
    """The decision after the rules. authors: all addresses that readers of From could show, besides the author."""
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
    """The users on whose record it would be, and the users of its sightings."""
    return list(
        dict.fromkeys([*decision.users, *(user_id for _, user_id in decision.sightings if user_id is not None)])
    )


def _without(decision: Decision, taken: dict[int, RuleRef]) -> Decision:
    """The decision without the users whose own rules hide the mail; ignored if no user or no sighting is left."""
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
