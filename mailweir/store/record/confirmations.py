"""Forwarding confirmations: records them, counts their redirections, and notes bounces and the mailboxes that forward by now.

Writes within the caller's transaction, so that neither two workers nor a retry redirect more often than allowed. Called by
`recording`.
"""

from collections.abc import Iterable
from datetime import datetime

from mailweir.folding import Folding
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339

_key = Folding(gmail_dots=True).key  # Gmail writes one mailbox in several ways


class ConfirmationWriter:
    """Writes within the transaction that its database is in."""

    def __init__(self, database: Database) -> None:
        self._execute = database.fast_execute()

    def put(
        self,
        deployment_id: int,
        user_id: int,
        message_id: str,
        requester: str | None,
        link: str | None,
        token: str,
        now: datetime,
    ) -> tuple[int, int, str]:
        """Records a user's forwarding confirmation, or that it was seen again. Returns its id, its number of redirections, and
        its token."""
        row: tuple[int, int, str] = self._execute(
            "INSERT INTO forwarding_confirmations (deployment_id, user_id, message_id, requester, link, token, seen_at,"
            " redirects) VALUES (?, ?, ?, ?, ?, ?, ?, 0)"
            " ON CONFLICT (user_id, message_id) DO UPDATE SET seen_at = excluded.seen_at RETURNING id, redirects, token",
            (deployment_id, user_id, message_id, requester, link, token, rfc3339(now)),
        ).fetchone()
        return row

    def count_redirected_others(self, user_id: int, since: datetime, confirmation_id: int) -> int:
        """The number of other confirmations that went to a user since then."""
        (count,) = self._execute(
            "SELECT COUNT(*) FROM forwarding_confirmations WHERE user_id = ? AND redirected_at > ? AND id <> ?",
            (user_id, rfc3339(since), confirmation_id),
        ).fetchone()
        return int(count)

    def count_redirect(self, confirmation_id: int, now: datetime) -> None:
        """Counts one more redirection."""
        self._execute(
            "UPDATE forwarding_confirmations SET redirects = redirects + 1, redirected_at = ? WHERE id = ?",
            (rfc3339(now), confirmation_id),
        )

    def mark_bounced(self, deployment_id: int, token: str, now: datetime) -> None:
        """Records that a redirected confirmation bounced."""
        self._execute(
            "UPDATE forwarding_confirmations SET bounced_at = ? WHERE deployment_id = ? AND token = ? AND bounced_at IS NULL",
            (rfc3339(now), deployment_id, token),
        )

    def end_forwarded(self, forwarded: Iterable[tuple[int, str]], now: datetime) -> None:
        """Ends the open confirmations of users whose mailboxes forward by now. forwarded: (user id, mailbox), in which pairs may
        repeat. A confirmation without a requester ends if any mailbox of the user forwards."""
        mailboxes: dict[int, set[str]] = {}
        for user_id, mailbox in forwarded:
            mailboxes.setdefault(user_id, set()).add(_key(mailbox))
        if not mailboxes:
            return
        marks = ",".join("?" * len(mailboxes))
        found = self._execute(
            "SELECT id, user_id, requester FROM forwarding_confirmations"
            f" WHERE user_id IN ({marks}) AND forwarded_at IS NULL AND dismissed_at IS NULL ORDER BY id",
            tuple(mailboxes),
        ).fetchall()
        for confirmation_id, user_id, requester in found:
            if requester is None or _key(requester) in mailboxes[user_id]:
                self._execute(
                    "UPDATE forwarding_confirmations SET forwarded_at = ? WHERE id = ? AND forwarded_at IS NULL",
                    (rfc3339(now), confirmation_id),
                )
