"""The directory of known people: the queries of the look-ups and of the matching, in plain SQL on indexed columns.

Never writes and never caches: additions and removals count at the next query. Cost doesn't grow with the number of contacts.
Called by `mailweir-lookups`, the filter and the sync.
"""

import enum
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from mailweir import address
from mailweir.directory import ContactRef, DeploymentRef, KnownThread, People, RuleRef, ThreadIds, UserRef
from mailweir.folding import Folding
from mailweir.store.database import batches, like
from mailweir.store.database.connection import Database
from mailweir.store.people import dkim_keys, relay_logins
from mailweir.store.people.dkim_keys import SealedKey


class Standing(enum.StrEnum):
    """The kind of a recipient address. FOREIGN: in no capture domain. UNKNOWN: in one, and nobody's."""

    FOREIGN = "foreign"
    UNKNOWN = "unknown"
    USER = "user"
    LOG = "log"
    ROLE = "role"
    BOUNCE = "bounce"


class SqlDirectory:
    """The directory in the database: `mailweir.directory.Directory`, with methods for the look-ups and the relay.

    Errors: DatabaseUnavailable. Use the queries of matching within `Database.reading`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def standing(self, text: str) -> Standing:
        """The kind of this recipient address, in Postfix's spelling: it may be quoted or have a final dot."""
        normal = address.normalise_path(text)
        if not normal:
            return Standing.FOREIGN
        local, domain = address.split(normal)
        untagged = local.partition("+")[0]
        row = self._database.execute(
            "SELECT d.id, u.id, d.plus_addresses FROM deployments d LEFT JOIN users u"
            " ON u.deployment_id = d.id AND u.removed_at IS NULL"
            " AND u.username = CASE WHEN d.plus_addresses = 1 THEN ? ELSE ? END WHERE d.domain = ?",
            (untagged, local, domain),
        ).fetchone()
        if row is None:
            return Standing.FOREIGN
        if row[1] is not None:
            return Standing.USER
        if address.LOG_LOCAL_PART in (local, untagged if row[2] else local):
            return Standing.LOG
        if local in address.ROLE_LOCAL_PARTS:
            return Standing.ROLE
        return Standing.BOUNCE if self._is_token(row[0], local) else Standing.UNKNOWN

    def _is_token(self, deployment_id: int, local: str) -> bool:
        prefix, plus, token = local.partition("+")
        return prefix == address.BOUNCE_LOCAL_PART and bool(plus) and self.gave_token(deployment_id, [token])

    def groups_among(self, deployment_id: int, keys: Collection[str]) -> set[str]:
        """See mailweir.directory.Directory."""
        sql = "SELECT match_key FROM group_addresses WHERE deployment_id = ? AND match_key IN ({})"
        return {key for (key,) in self._rows(sql, (deployment_id,), keys)}

    def rules_among(self, deployment_id: int, keys: Collection[str]) -> list[RuleRef]:
        """See mailweir.directory.Directory."""
        sql = (
            "SELECT r.pattern, r.match_key, r.user_id, u.username FROM never_log_rules r LEFT JOIN users u ON u.id = r.user_id"
            " WHERE r.deployment_id = ? AND r.match_key IN ({})"
        )
        return [RuleRef(*row) for row in self._rows(sql, (deployment_id,), keys)]

    def auto_domains_among(self, deployment_id: int, domains: Collection[str]) -> set[str]:
        """See mailweir.directory.Directory."""
        sql = "SELECT domain FROM companies WHERE deployment_id = ? AND auto_contacts = 1 AND domain IN ({})"
        return {domain for (domain,) in self._rows(sql, (deployment_id,), domains)}

    def removed_among(self, deployment_id: int, keys: Collection[str]) -> set[str]:
        """See mailweir.directory.Directory."""
        sql = "SELECT match_key FROM removed_addresses WHERE deployment_id = ? AND match_key IN ({})"
        return {key for (key,) in self._rows(sql, (deployment_id,), keys)}

    def knows_message(self, deployment_id: int, digests: Collection[bytes]) -> bool:
        """See mailweir.directory.Directory."""
        sql = "SELECT 1 FROM thread_message_ids WHERE deployment_id = ? AND id_digest IN ({}) LIMIT 1"
        return any(True for _ in self._rows(sql, (deployment_id,), digests))

    def known_thread(self, deployment_id: int, named: ThreadIds) -> KnownThread:
        """See mailweir.directory.Directory."""
        answered, referred = set(named.in_reply_to), set(named.references)
        sql = "SELECT id_digest, thread_id, subject_digest FROM thread_message_ids WHERE deployment_id = ? AND id_digest IN ({})"
        threads = {
            thread_id
            for digest, thread_id, subject in self._rows(sql, (deployment_id,), answered | referred)
            if bytes(digest) in answered or bytes(subject) == named.subject
        }
        users = (
            "SELECT DISTINCT u.user_id FROM activity_threads t JOIN activity_users u ON u.activity_id = t.activity_id"
            " WHERE t.deployment_id = ? AND t.thread_id IN ({})"
        )
        unknown = (
            "SELECT COUNT(*) FROM activity_threads t JOIN activities a ON a.id = t.activity_id AND a.by_known_thread = 1"
            " WHERE t.deployment_id = ? AND t.thread_id IN ({})"
        )
        return KnownThread(
            frozenset(user_id for (user_id,) in self._rows(users, (deployment_id,), threads)),
            sum(count for (count,) in self._rows(unknown, (deployment_id,), threads)),
        )

    def knows_domain(self, deployment_id: int, domain: str) -> bool:
        """See mailweir.directory.Directory. Scans all addresses of users and groups, so it is for held mail only."""
        ends = f"%@{like.escaped(domain)}"
        sql = (
            "SELECT 1 FROM companies WHERE deployment_id = ? AND domain = ?"
            " UNION ALL SELECT 1 FROM user_addresses WHERE deployment_id = ? AND address LIKE ? ESCAPE '!'"
            " UNION ALL SELECT 1 FROM group_addresses WHERE deployment_id = ? AND address LIKE ? ESCAPE '!' LIMIT 1"
        )
        values = (deployment_id, domain, deployment_id, ends, deployment_id, ends)
        return self._database.execute(sql, values).fetchone() is not None

    def gave_token(self, deployment_id: int, tokens: Collection[str]) -> bool:
        """See mailweir.directory.Directory."""
        sql = "SELECT 1 FROM forwarding_confirmations WHERE deployment_id = ? AND token IN ({}) LIMIT 1"
        return any(True for _ in self._rows(sql, (deployment_id,), tokens))

    def deployments(self, domains: Collection[str]) -> dict[str, DeploymentRef]:
        """See mailweir.directory.Directory."""
        sql = (
            "SELECT id, name, domain, plus_addresses, gmail_dots, automatic_todos, held_forwards, has_auto_contacts,"
            " known_threads FROM deployments WHERE domain IN ({})"
        )
        return {
            domain: DeploymentRef(
                *(row_id, name, domain, Folding(bool(plus), bool(dots))),
                automatic_todos=bool(automatic),
                holds_forwards=bool(forwards),
                has_auto_contacts=bool(auto),
                known_threads=bool(known),
            )
            for row_id, name, domain, plus, dots, automatic, forwards, auto, known in self._rows(sql, (), domains)
        }

    def signing_key(self, deployment_id: int, domain: str) -> SealedKey | None:
        """The DKIM key that signs for the domain, if it is the deployment's."""
        return dkim_keys.active_key(self._database, deployment_id, domain)

    def relay_owners(self, sender: str) -> list[str]:
        """The logins that may send as this address, in Postfix's spelling."""
        return relay_logins.owners(self._database, sender)

    def relay_holder(self, login: str) -> relay_logins.Holder | None:
        """The owner of a login of the relay."""
        return relay_logins.holder(self._database, login)

    def relayed_by(self, queue_id: str) -> relay_logins.Holder | None:
        """The login that sent the message with this queue id."""
        return relay_logins.sender_of(self._database, queue_id)

    def relay_use(self, login_id: int, now: datetime) -> relay_logins.Use:
        """The login's use within this hour."""
        return relay_logins.use(self._database, login_id, now)

    def users_named(self, deployment_id: int, usernames: Collection[str]) -> dict[str, UserRef]:
        """See mailweir.directory.Directory."""
        sql = "SELECT id, username, mailbox FROM users WHERE deployment_id = ? AND removed_at IS NULL AND username IN ({})"
        return {row[1]: UserRef(*row) for row in self._rows(sql, (deployment_id,), usernames)}

    def people_with(self, deployment_id: int, keys: Collection[str]) -> People:
        """See mailweir.directory.Directory. One statement for users and contacts: each costs the filter a thread switch."""
        sql = (
            "SELECT a.match_key, u.id, u.username, u.mailbox FROM user_addresses a JOIN users u ON u.id = a.user_id"
            " WHERE a.deployment_id = ? AND a.match_key IN ({})"
            " UNION ALL SELECT match_key, contact_id, NULL, NULL FROM contact_addresses"
            " WHERE deployment_id = ? AND match_key IN ({})"
        )
        users: dict[str, UserRef] = {}
        contacts: dict[str, set[ContactRef]] = {}  # a contact may have several addresses with one key
        for key, person_id, username, mailbox in self._rows(sql, (deployment_id,), keys):
            if username is None:
                contacts.setdefault(key, set()).add(ContactRef(person_id, key))
            else:
                users[key] = UserRef(person_id, username, mailbox)
        return People(users, {found: tuple(sorted(refs)) for found, refs in contacts.items()})

    def _rows(
        self, sql: str, first: tuple[int, ...], values: Collection[str] | Collection[bytes]
    ) -> Iterator[tuple[Any, ...]]:
        """sql: each `{}` in it stands for the values. The parameters before each are `first`."""
        execute = self._database.fast_execute()
        for part in batches.parts(values):
            marks = ",".join("?" * len(part))
            yield from execute(sql.replace("{}", marks), (*first, *part) * sql.count("{}")).fetchall()
