"""Never-log rules: the addresses and domains whose mail isn't recorded, of a deployment and of its users.

A rule counts at the next message. `remove` records the removal, by which the sync searches for the mail that the rule hid.
Called by the command line.
"""

from dataclasses import dataclass
from datetime import datetime

from mailweir import never_log
from mailweir.directory import RuleRef
from mailweir.errors import BadInput, NotFound
from mailweir.sentence import said
from mailweir.store.database import models, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.people import checks, staff
from mailweir.store.people.deployments import Deployment


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. pattern: an address in normal form, or `@` and a domain, which includes its subdomains. user: the username of
    its owner, or None if it is the deployment's. created_at: UTC."""

    id: int
    deployment: str
    pattern: str
    user: str | None
    created_at: datetime


def add(database: Database, deployment: Deployment, pattern: str, username: str | None, now: datetime) -> Rule:
    """Makes a rule, or returns the existing one. BadInput for the pattern, NotFound for the user."""
    pattern = _cleaned(deployment, pattern)
    key = never_log.match_key(pattern, deployment.folding)
    with database.bound(), database.transaction():
        user_id = None if username is None else staff.present(database, deployment, username).id
        if not (found := _with_key(database, deployment, key, user_id)):
            models.NeverLogRule.create(
                deployment=deployment.id, user=user_id, pattern=pattern, match_key=key, created_at=rfc3339(now)
            )
            found = _with_key(database, deployment, key, user_id)
        return found[0]


def remove(database: Database, deployment: Deployment, pattern: str, username: str | None, now: datetime) -> Rule:
    """Removes a rule, and records the removal for the sync. BadInput, NotFound."""
    pattern = _cleaned(deployment, pattern)
    key = never_log.match_key(pattern, deployment.folding)
    with database.bound(), database.transaction():
        user_id = None if username is None else staff.present(database, deployment, username).id
        found = _with_key(database, deployment, key, user_id)
        if not found:
            whose = said("the user {username}", username=username) if username else deployment.name
            raise NotFound(
                said(
                    "{pattern} is not a never-log rule of {whose}; 'mailweir never-log list' shows them",
                    pattern=pattern,
                    whose=whose,
                )
            )
        models.NeverLogRule.delete().where(models.NeverLogRule.id == found[0].id).execute()
        models.NeverLogRemoval.create(
            deployment=deployment.id, user=user_id, pattern=found[0].pattern, removed_at=rfc3339(now)
        )
        return found[0]


def list_all(database: Database, deployment: Deployment, username: str | None = None) -> list[Rule]:
    """The rules of a deployment, its own before its users'; with a username, only that user's. NotFound."""
    if username is None:
        return _select(database, deployment, "ORDER BY COALESCE(u.username, ''), r.pattern")
    user_id = staff.present(database, deployment, username).id
    return _select(database, deployment, "AND r.user_id = ? ORDER BY r.pattern", (user_id,))


def in_force(database: Database, deployment: Deployment) -> list[RuleRef]:
    """A deployment's rules as matching sees them."""
    sql = (
        "SELECT r.pattern, r.match_key, r.user_id, u.username FROM never_log_rules r LEFT JOIN users u ON u.id = r.user_id"
        " WHERE r.deployment_id = ? ORDER BY r.id"
    )
    return [RuleRef(*row) for row in database.execute(sql, (deployment.id,)).fetchall()]


def _cleaned(deployment: Deployment, pattern: str) -> str:
    text = pattern.strip()
    cleaned = f"@{checks.clean_domain(text[1:])}" if text.startswith("@") else checks.clean_address(text)
    if cleaned.endswith(f"@{deployment.domain}"):
        raise BadInput(
            said(
                "{found} is within the capture domain of {deployment}: nobody writes from there",
                found=cleaned,
                deployment=deployment.name,
            )
        )
    return cleaned


def _with_key(database: Database, deployment: Deployment, key: str, user_id: int | None) -> list[Rule]:
    return _select(database, deployment, "AND r.match_key = ? AND COALESCE(r.user_id, 0) = ?", (key, user_id or 0))


def _select(database: Database, deployment: Deployment, ending: str, values: tuple[str | int, ...] = ()) -> list[Rule]:
    sql = (
        "SELECT r.id, r.pattern, u.username, r.created_at FROM never_log_rules r LEFT JOIN users u ON u.id = r.user_id"
        f" WHERE r.deployment_id = ? {ending}"
    )
    found = rows.named(database.execute(sql, (deployment.id, *values)))
    return [
        Rule(
            id=row["id"],
            deployment=deployment.name,
            pattern=row["pattern"],
            user=row["username"],
            created_at=parse(row["created_at"]),
        )
        for row in found
    ]
