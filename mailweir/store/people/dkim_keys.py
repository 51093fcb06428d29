"""DKIM keys of the domains from which deployments send mail. The private keys are stored sealed (`secrets_file`).

A domain belongs to one deployment. It has at most one signing key and one next key. Called by the command line, by the page, and
by the filter, which queries the signing key.
"""

import enum
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from mailweir.errors import BadInput, NotFound
from mailweir.secrets_file import Seals, Secrets
from mailweir.sentence import said
from mailweir.store.database import models, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339, rfc3339_or_none
from mailweir.store.people import checks
from mailweir.store.people.deployments import Deployment

# Mail waits in queues for five days (RFC 5321 4.5.4.1), and is verified when it arrives.
RETIRED_DAYS = 7
# RFC 6376 3.1: labels of a domain name. One label is enough, and every DNS provider's form accepts it.
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MAX_NAME_CHARS = 253

_SEALED = "SELECT domain, selector, private_key_sealed FROM dkim_keys"


class State(enum.StrEnum):
    """next: made, and not signing yet. retired: no longer signing; its record stays while mail is in transit."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A key. public_key_der: SubjectPublicKeyInfo. Times: UTC, or None."""

    deployment: str
    domain: str
    selector: str
    public_key_der: bytes
    created_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None

    @property
    def state(self) -> State:
        """The key's current state."""
        if self.retired_at is not None:
            return State.RETIRED
        return State.NEXT if self.activated_at is None else State.ACTIVE


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A key that signs for a domain, or will, with its private key sealed as in the database."""

    domain: str
    selector: str
    private_key_sealed: bytes

    def private_der(self, secrets: Secrets) -> bytes:
        """The private key, PKCS #8 in DER. SettingsError if another key file sealed it."""
        return secrets.open(self.private_key_sealed, key_purpose(self.domain, self.selector))


def list_keys(database: Database, deployment: Deployment) -> list[DkimKey]:
    """The deployment's keys, by domain, the oldest first."""
    return _select(database, deployment, "ORDER BY domain, id")


def keys_of(database: Database, deployment: Deployment, domain: str) -> list[DkimKey]:
    """The domain's keys, the oldest first. NotFound if the deployment has no such domain."""
    return _known(database, deployment, checks.clean_domain(domain))


def active_key(database: Database, deployment_id: int, domain: str) -> SealedKey | None:
    """The key that signs for the domain, if it is the deployment's; within `Database.reading`."""
    found = database.fast_execute()(
        f"{_SEALED} WHERE domain = ? AND deployment_id = ? AND activated_at IS NOT NULL AND retired_at IS NULL",
        (domain, deployment_id),
    )
    row = rows.first(found)
    return _sealed(row) if row else None


def sealed_keys(database: Database) -> list[SealedKey]:
    """The keys of all deployments, except retired ones, which have no private key any more."""
    found = database.execute(f"{_SEALED} WHERE retired_at IS NULL ORDER BY domain, id")
    return [_sealed(row) for row in rows.named(found)]


def clean_selector(text: str) -> str:
    """A selector in lower case."""
    if not _SELECTOR.fullmatch(text.lower()):
        raise BadInput(
            said(
                "'{text}' can't be a selector: use a-z, 0-9 and '-' (not first or last), at most 63 characters",
                text=text,
            )
        )
    return text.lower()


def add(
    database: Database,
    deployment: Deployment,
    domain: str,
    selector: str | None,
    pair: tuple[bytes, bytes],
    secrets: Seals,
    now: datetime,
) -> DkimKey:
    """Gives a domain its first key, which signs at once. pair: see `dkim_signing.generate`. selector: None generates one.

    BadInput if the domain already has a key, here or in another deployment. SettingsError if another key file sealed
    the existing keys.
    """
    domain = checks.clean_domain(domain)
    with database.bound(), database.transaction():
        if _select(database, deployment, "AND domain = ?", (domain,)):
            raise BadInput(
                said(
                    "{domain} has a key already: see 'mailweir domain list', or create the next one with 'domain rotate'",
                    domain=domain,
                )
            )
        if database.execute("SELECT 1 FROM dkim_keys WHERE domain = ?", (domain,)).fetchone():
            raise BadInput(said("{domain} belongs to another deployment", domain=domain))
        return _create(database, deployment, domain, selector, pair, secrets, now, now)


def add_next(
    database: Database,
    deployment: Deployment,
    domain: str,
    selector: str | None,
    pair: tuple[bytes, bytes],
    secrets: Seals,
    now: datetime,
) -> tuple[DkimKey, list[DkimKey]]:
    """The domain's next key (an existing one, if any), and the retired keys that were deleted, whose mail has long arrived.

    Errors: as `add`, and NotFound. BadInput if the existing next key has another selector than the given one.
    """
    domain = checks.clean_domain(domain)
    with database.bound(), database.transaction():
        known = _known(database, deployment, domain)
        waiting = [key for key in known if key.state is State.NEXT]
        if waiting:
            if selector is not None and clean_selector(selector) != waiting[0].selector:
                raise BadInput(
                    said(
                        "{domain} has a next key already, with the selector {selector}: activate it with 'mailweir domain "
                        "rotate {domain} --activate', or remove it with 'mailweir domain remove-key'",
                        domain=domain,
                        selector=waiting[0].selector,
                    )
                )
            return waiting[0], []
        made = _create(database, deployment, domain, selector, pair, secrets, now, None)
        oldest = now - timedelta(days=RETIRED_DAYS)
        gone = [key for key in known if key.retired_at is not None and key.retired_at < oldest]
        _delete(gone)
        return made, gone


def activate(database: Database, deployment: Deployment, domain: str, selector: str, now: datetime) -> DkimKey:
    """Makes the next key, with this selector, the signing one, and retires the previous one: its private key is deleted for good.

    NotFound if it doesn't exist or isn't next.
    """
    with database.bound(), database.transaction():
        known = _known(database, deployment, domain)
        table = models.DkimKey
        for key in known:
            if key.state is State.ACTIVE:
                table.update(retired_at=rfc3339(now), private_key_sealed=b"").where(_is(key)).execute()
        for key in known:
            if key.selector == selector and key.state is State.NEXT:
                table.update(activated_at=rfc3339(now)).where(_is(key)).execute()
                return replace(key, activated_at=now)
        raise NotFound(said("{domain} has no next key with the selector {selector}", domain=domain, selector=selector))


def remove_key(database: Database, deployment: Deployment, domain: str, selector: str) -> DkimKey:
    """Removes a key that doesn't sign. NotFound; BadInput if it signs."""
    domain = checks.clean_domain(domain)
    with database.bound(), database.transaction():
        for key in _known(database, deployment, domain):
            if key.selector == selector.lower():
                if key.state is State.ACTIVE:
                    raise BadInput(
                        said(
                            "the key {selector} signs for {domain}: rotate it first, or remove the domain with 'mailweir domain "
                            "remove'",
                            selector=selector,
                            domain=domain,
                        )
                    )
                _delete([key])
                return key
    raise NotFound(
        said(
            "{domain} has no key with the selector {selector}; see 'mailweir domain list'",
            domain=domain,
            selector=selector,
        )
    )


def remove(database: Database, deployment: Deployment, domain: str) -> list[DkimKey]:
    """Removes a domain with all its keys: its mail is unsigned from now on. NotFound."""
    domain = checks.clean_domain(domain)
    with database.bound(), database.transaction():
        known = _known(database, deployment, domain)
        _delete(known)
        return known


def _create(
    database: Database,
    deployment: Deployment,
    domain: str,
    selector: str | None,
    pair: tuple[bytes, bytes],
    secrets: Seals,
    now: datetime,
    activated_at: datetime | None,
) -> DkimKey:
    if isinstance(secrets, Secrets):  # a `Sealer` can't check: it has no private half
        for sealed in sealed_keys(database)[:1]:  # otherwise a host with the other key file couldn't open the new key
            sealed.private_der(secrets)
    private, public = pair
    name = _own_selector(public, now) if selector is None else clean_selector(selector)
    if database.execute("SELECT 1 FROM dkim_keys WHERE domain = ? AND selector = ?", (domain, name)).fetchone():
        raise BadInput(
            said(
                "{domain} has a key with the selector {selector} already; a new key needs a new one",
                domain=domain,
                selector=name,
            )
        )
    if len(f"{name}._domainkey.{domain}") > _MAX_NAME_CHARS:
        raise BadInput(
            said("{selector}._domainkey.{domain} is longer than a DNS name can be", selector=name, domain=domain)
        )
    models.DkimKey.create(
        deployment=deployment.id,
        domain=domain,
        selector=name,
        private_key_sealed=secrets.seal(private, key_purpose(domain, name)),
        public_key_der=public,
        created_at=rfc3339(now),
        activated_at=rfc3339_or_none(activated_at),
    )
    return _select(database, deployment, "AND domain = ? AND selector = ?", (domain, name))[0]


def _own_selector(public_key_der: bytes, now: datetime) -> str:
    """`mw20261124-3fa9`: never used for a second key, because resolvers would still cache the old record."""
    return f"mw{now:%Y%m%d}-{hashlib.sha256(public_key_der).hexdigest()[:4]}"


def _known(database: Database, deployment: Deployment, domain: str) -> list[DkimKey]:
    found = _select(database, deployment, "AND domain = ? ORDER BY id", (domain,))
    if not found:
        raise NotFound(
            said(
                "unknown domain {domain} in {deployment}: add it with 'mailweir domain add {domain}'",
                domain=domain,
                deployment=deployment.name,
            )
        )
    return found


def _is(key: DkimKey) -> Any:
    """A condition for one key: a domain has one key per selector, in all deployments."""
    return (models.DkimKey.domain == key.domain) & (models.DkimKey.selector == key.selector)


def _delete(keys: Iterable[DkimKey]) -> None:
    for key in keys:
        models.DkimKey.delete().where(_is(key)).execute()


def _sealed(row: rows.Row) -> SealedKey:
    return SealedKey(row["domain"], row["selector"], bytes(row["private_key_sealed"]))


def key_purpose(domain: str, selector: str) -> str:
    """The purpose for sealing a private key. A key that was copied to another key's row can't be opened there."""
    return f"DKIM key {selector} of {domain}"


def _select(database: Database, deployment: Deployment, ending: str, values: tuple[str, ...] = ()) -> list[DkimKey]:
    sql = (
        "SELECT domain, selector, public_key_der, created_at, activated_at, retired_at FROM dkim_keys"
        f" WHERE deployment_id = ? {ending}"
    )
    return [
        DkimKey(
            deployment=deployment.name,
            domain=row["domain"],
            selector=row["selector"],
            public_key_der=bytes(row["public_key_der"]),
            created_at=parse(row["created_at"]),
            activated_at=parse_or_none(row["activated_at"]),
            retired_at=parse_or_none(row["retired_at"]),
        )
        for row in rows.named(database.execute(sql, (deployment.id, *values)))
    ]
