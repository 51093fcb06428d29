"""A person's requests to the sync, which carries them out at its next sweep of the mailbox. Called by the page."""

from datetime import datetime

from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_mailboxes
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox
from mailweir.store.people.deployments import Deployment


def ask_audit(database: Database, deployment: Deployment, username: str, now: datetime) -> GmailMailbox:
    """Requests an audit of a user's mailbox soon. This doesn't shorten the wait of a mailbox that Gmail refuses, or that waits
    for an outage to end. NotFound."""
    mailbox = gmail_mailboxes.find(database, deployment, username)
    with database.transaction(alone=False):
        database.execute("UPDATE gmail_mailboxes SET audit_due_at = ? WHERE id = ?", (rfc3339(now), mailbox.id))
        sql = "UPDATE gmail_mailboxes SET next_sweep_at = ? WHERE id = ? AND state = 'connected' AND failures = 0"
        database.execute(sql, (rfc3339(now), mailbox.id))
    return mailbox
