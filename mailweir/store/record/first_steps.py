"""The progress of a new deployment from nothing to its first captured mail. Only checks whether rows exist, without counting
them.

Called by the page.
"""

from dataclasses import dataclass

from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """The completed steps. has_account: an account is a user of the deployment. is_forwarding: a forwarding confirmation was
    seen, or mail is on the record. has_mail: mail is on the record."""

    has_user: bool
    has_account: bool
    has_contact: bool
    is_forwarding: bool
    has_mail: bool
    has_gmail: bool
    has_relay: bool

    @property
    def is_done(self) -> bool:
        """Are all steps done that everybody needs?"""
        return self.has_user and self.has_contact and self.is_forwarding and self.has_mail


def of(database: Database, deployment: Deployment) -> FirstSteps:
    """The completed steps of a deployment."""

    def has(sql: str) -> bool:
        return database.execute(sql, (deployment.id,)).fetchone() is not None

    has_mail = has("SELECT 1 FROM activities WHERE deployment_id = ? LIMIT 1")
    return FirstSteps(
        has_user=has("SELECT 1 FROM users WHERE deployment_id = ? AND removed_at IS NULL LIMIT 1"),
        has_account=has("SELECT 1 FROM web_roles WHERE deployment_id = ? AND user_id IS NOT NULL LIMIT 1"),
        has_contact=has("SELECT 1 FROM contact_addresses WHERE deployment_id = ? LIMIT 1"),
        is_forwarding=has_mail or has("SELECT 1 FROM forwarding_confirmations WHERE deployment_id = ? LIMIT 1"),
        has_mail=has_mail,
        has_gmail=has("SELECT 1 FROM gmail_mailboxes WHERE deployment_id = ? AND disconnected_at IS NULL LIMIT 1"),
        has_relay=has("SELECT 1 FROM relay_logins WHERE deployment_id = ? AND disconnected_at IS NULL LIMIT 1"),
    )
