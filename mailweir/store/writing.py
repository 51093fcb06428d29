"""The rows of the write path, in plain SQL: models would cost three times the CPU, and this runs for every message.

Each `put` is an upsert with RETURNING, the one idiom that gives the row's id alike on SQLite and PostgreSQL whether the row is
new or was there, and hides no other error. Called by `recording` only.
"""

from collections.abc import Iterable
from typing import NamedTuple

from mailweir.matching import ContactRef
from mailweir.store.connection import Database


class RawRow(NamedTuple):
    """A body that came under an identity."""

    body_digest: bytes
    size_bytes: int
    content_zstd: bytes
    recorded_at: str


class Writer:
    """Writes within the transaction that its database is in."""

    def __init__(self, database: Database) -> None:
        self._execute = database.fast_execute()

    def put_activity(
        self,
        *,
        deployment_id: int,
        identity: bytes,
        direction: str,
        author: str,
        subject: str,
        sent_at: str | None,
        recorded_at: str,
        message_id: str | None,
    ) -> int:
        """The activity of this identity: made, or the one that is there."""
        (activity_id,) = self._execute(
            "INSERT INTO activities (deployment_id, identity, direction, author, subject, sent_at, recorded_at, message_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (deployment_id, identity) DO UPDATE SET identity = excluded.identity RETURNING id",
            (deployment_id, identity, direction, author, subject, sent_at, recorded_at, message_id),
        ).fetchone()
        return int(activity_id)

    def put_raw(self, activity_id: int, raw: RawRow) -> int:
        """Keeps a body that is new under this activity; the first one speaks for it until another is proven."""
        (raw_id,) = self._execute(
            "INSERT INTO raw_messages (activity_id, body_digest, size_bytes, content_zstd, recorded_at)"
            " VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (activity_id, body_digest) DO UPDATE SET body_digest = excluded.body_digest RETURNING id",
            (activity_id, *raw),
        ).fetchone()
        self._execute(
            "UPDATE activities SET leading_raw_id = ? WHERE id = ? AND leading_raw_id IS NULL", (raw_id, activity_id)
        )
        return int(raw_id)

    def put_sighting(
        self, activity_id: int, route: str, source_id: str, user_id: int | None, raw_id: int, seen_at: str
    ) -> None:
        """Notes one time that the message was seen."""
        self._execute(
            "INSERT INTO sightings (activity_id, route, source_id, user_id, raw_message_id, seen_at)"
            " VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (activity_id, source_id, route, COALESCE(user_id, 0)) DO NOTHING",
            (activity_id, route, source_id, user_id, raw_id, seen_at),
        )

    def put_contacts(self, activity_id: int, contacts: Iterable[ContactRef]) -> None:
        """Puts the activity on these contacts' record."""
        for contact in contacts:
            self._execute(
                "INSERT INTO activity_contacts (activity_id, contact_id, address) VALUES (?, ?, ?)"
                " ON CONFLICT (activity_id, contact_id, address) DO NOTHING",
                (activity_id, contact.id, contact.address),
            )

    def put_users(self, activity_id: int, user_ids: Iterable[int]) -> None:
        """Puts the activity on these users' record."""
        for user_id in user_ids:
            self._execute(
                "INSERT INTO activity_users (activity_id, user_id) VALUES (?, ?)"
                " ON CONFLICT (activity_id, user_id) DO NOTHING",
                (activity_id, user_id),
            )

    def put_todos(self, activity_id: int, user_ids: Iterable[int], now: str) -> None:
        """Puts the activity on these users' lists, once: one that is done stays done."""
        for user_id in user_ids:
            self._execute(
                "INSERT INTO todos (activity_id, user_id, created_at) VALUES (?, ?, ?)"
                " ON CONFLICT (user_id, activity_id) DO NOTHING",
                (activity_id, user_id, now),
            )

    def put_decision(
        self,
        deployment_id: int,
        source_id: str,
        decided_at: str,
        outcome: str,
        reason: str,
        recipients: str,
        author: str | None,
        message_id: str | None,
        activity_id: int | None,
    ) -> None:
        """Notes the decision; recipients is a JSON list of capture addresses."""
        self._execute(
            "INSERT INTO decisions (deployment_id, source_id, decided_at, outcome, reason, recipients, author, message_id,"
            " activity_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source_id, deployment_id) DO NOTHING",
            (deployment_id, source_id, decided_at, outcome, reason, recipients, author, message_id, activity_id),
        )

    def put_confirmation(
        self,
        deployment_id: int,
        user_id: int,
        message_id: str,
        requester: str | None,
        link: str | None,
        token: str,
        now: str,
    ) -> tuple[int, int, str]:
        """A user's forwarding confirmation: its row, how often it was redirected, and its token."""
        row: tuple[int, int, str] = self._execute(
            "INSERT INTO forwarding_confirmations (deployment_id, user_id, message_id, requester, link, token, seen_at,"
            " redirects) VALUES (?, ?, ?, ?, ?, ?, ?, 0)"
            " ON CONFLICT (user_id, message_id) DO UPDATE SET seen_at = excluded.seen_at RETURNING id, redirects, token",
            (deployment_id, user_id, message_id, requester, link, token, now),
        ).fetchone()
        return row

    def count_redirected_others(self, user_id: int, since: str, confirmation_id: int) -> int:
        """How many confirmations beside this one went to a user since then."""
        (count,) = self._execute(
            "SELECT COUNT(*) FROM forwarding_confirmations WHERE user_id = ? AND redirected_at > ? AND id <> ?",
            (user_id, since, confirmation_id),
        ).fetchone()
        return int(count)

    def count_redirect(self, confirmation_id: int, now: str) -> None:
        """Notes that it is redirected once more."""
        self._execute(
            "UPDATE forwarding_confirmations SET redirects = redirects + 1, redirected_at = ? WHERE id = ?",
            (now, confirmation_id),
        )

    def mark_bounced(self, deployment_id: int, token: str, now: str) -> None:
        """Notes that a redirected confirmation came back undelivered."""
        self._execute(
            "UPDATE forwarding_confirmations SET bounced_at = ? WHERE deployment_id = ? AND token = ? AND bounced_at IS NULL",
            (now, deployment_id, token),
        )
