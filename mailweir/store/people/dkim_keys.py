"""DKIM keys of the clients' domains: made, published, active, retired. The private one is stored sealed (`secrets_file`).

A domain belongs to one deployment. It has at most one key that signs and one that is next. Called by the command line and by
the filter, which asks for the key that signs.
"""

import enum
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mailweir.errors import BadInput, NotFound
from mailweir.secrets_file import Secrets
from mailweir.store.database import models
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.people import checks
from mailweir.store.people.deployments import Deployment

# Mail waits in queues for five days (RFC 5321 4.5.4.1), and is verified when it arrives.
RETIRED_DAYS = 7
# RFC 6376 3.1: labels of a domain name. One label is enough, and no DNS provider's form takes it amiss.
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MAX_NAME_CHARS = 253


class State(enum.StrEnum):
    """next: made, and not signing yet. retired: not signing any more; its record stays while mail is under way."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A key. public_key_der: SubjectPublicKeyInfo. Times: RFC 3339, UTC, or None."""

    deployment: str
    domain: str
    selector: str
    public_key_der: bytes
    created_at: str
    activated_at: str | None
    retired_at: str | None

    @property
    def state(self) -> State:
        """What the key is for now."""
        if self.retired_at is not None:
            return State.RETIRED
        return State.NEXT if self.activated_at is None else State.ACTIVE


@dataclass(frozen=True, slots=True)
class SealedKey:
    """The key that signs for a domain, as it is stored."""

    domain: str
    selector: str
    private_key_sealed: bytes

    def private_der(self, secrets: Secrets) -> bytes:
        """PKCS #8. SettingsError where the key file is another one."""
        return secrets.open(self.private_key_sealed, _purpose(self.domain, self.selector))


def list_keys(database: Database, deployment: Deployment) -> list[DkimKey]:
    """The deployment's keys, by domain, the oldest first."""
    with database.bound():
        return [_plain(deployment, row) for row in _rows(models.DkimKey.deployment == deployment.id)]


def keys_of(database: Database, deployment: Deployment, domain: str) -> list[DkimKey]:
    """The domain's keys, the oldest first. NotFound where the deployment has no such domain."""
    domain = checks.clean_domain(domain)
    with database.bound():
        return [_plain(deployment, row) for row in _known(deployment, domain)]


def active_key(database: Database, deployment_id: int, domain: str) -> SealedKey | None:
    """The key that signs for the domain, if it is the deployment's; within `Database.reading`."""
    found = (
        database.fast_execute()(
            "SELECT domain, selector, private_key_sealed FROM dkim_keys WHERE domain = ? AND deployment_id = ?"
            " AND activated_at IS NOT NULL AND retired_at IS NULL",
            (domain, deployment_id),
        )
    ).fetchone()
    return SealedKey(found[0], found[1], bytes(found[2])) if found else None


def sealed_keys(database: Database) -> list[SealedKey]:
    """All that is sealed under the key file, whosever it is."""
    with database.bound():
        return [_sealed(row) for row in _rows(models.DkimKey.retired_at.is_null())]


def clean_selector(text: str) -> str:
    """A selector in lower case."""
    if not _SELECTOR.fullmatch(text.lower()):
        raise BadInput(f"'{text}' can't be a selector: it takes a-z, 0-9 and '-' (not first or last), at most 63")
    return text.lower()


def add(
    database: Database,
    deployment: Deployment,
    domain: str,
    selector: str | None,
    pair: tuple[bytes, bytes],
    secrets: Secrets,
    now: datetime,
) -> DkimKey:
    """Gives a domain its first key, which signs at once. pair: see `dkim_signing.generate`. selector: None makes one.

    BadInput where the domain has a key already, here or in another deployment. SettingsError: the key file is another one.
    """
    domain = checks.clean_domain(domain)
    with database.bound(), database.transaction():
        owner = _rows(models.DkimKey.domain == domain).first()
        if owner and owner.deployment_id == deployment.id:
            raise BadInput(
                f"{domain} has a key already: see 'mailweir domain list', or make the next one with 'domain rotate'"
            )
        if owner:
            raise BadInput(f"{domain} belongs to another deployment")
        return _create(deployment, domain, selector, pair, secrets, now, rfc3339(now))


def add_next(
    database: Database,
    deployment: Deployment,
    domain: str,
    selector: str | None,
    pair: tuple[bytes, bytes],
    secrets: Secrets,
    now: datetime,
) -> tuple[DkimKey, list[DkimKey]]:
    """The domain's next key (the one that is there, if any), and the retired ones that went, whose mail has long arrived.

    Errors: as `add`, and NotFound. BadInput where a next one is there and another selector is asked for.
    """
    domain = checks.clean_domain(domain)
    with database.bound(), database.transaction():
        rows = _known(deployment, domain)
        waiting = [row for row in rows if _plain(deployment, row).state is State.NEXT]
        if waiting:
            if selector is not None and clean_selector(selector) != waiting[0].selector:
                raise BadInput(
                    f"{domain} has a next key already, with the selector {waiting[0].selector}: activate it with "
                    f"'mailweir domain rotate {domain} --activate', or take it away with 'mailweir domain remove-key'"
                )
            return _plain(deployment, waiting[0]), []
        made = _create(deployment, domain, selector, pair, secrets, now, None)
        oldest = rfc3339(now - timedelta(days=RETIRED_DAYS))
        gone = [row for row in rows if row.retired_at is not None and row.retired_at < oldest]
        for row in gone:
            row.delete_instance()
        return made, [_plain(deployment, row) for row in gone]


def activate(database: Database, deployment: Deployment, domain: str, selector: str, now: datetime) -> DkimKey:
    """Lets the next key, of this selector, sign, and retires the one that did: the private one of that is gone for good.

    NotFound where it isn't there or isn't next.
    """
    with database.bound(), database.transaction():
        rows = _known(deployment, domain)
        for row in rows:
            state = _plain(deployment, row).state
            if state is State.ACTIVE:
                row.retired_at, row.private_key_sealed = rfc3339(now), b""
                row.save()
        for row in rows:
            if row.selector == selector and row.activated_at is None and row.retired_at is None:
                row.activated_at = rfc3339(now)
                row.save()
                return _plain(deployment, row)
        raise NotFound(f"{domain} has no next key with the selector {selector}")


def remove_key(database: Database, deployment: Deployment, domain: str, selector: str) -> DkimKey:
    """Takes a key away that doesn't sign. NotFound; BadInput where it signs."""
    domain = checks.clean_domain(domain)
    with database.bound(), database.transaction():
        for row in _known(deployment, domain):
            if row.selector == selector.lower():
                key = _plain(deployment, row)
                if key.state is State.ACTIVE:
                    raise BadInput(
                        f"the key {selector} signs for {domain}: rotate it first, or take the domain away with "
                        "'mailweir domain remove'"
                    )
                row.delete_instance()
                return key
    raise NotFound(f"{domain} has no key with the selector {selector}; see 'mailweir domain list'")


def remove(database: Database, deployment: Deployment, domain: str) -> list[DkimKey]:
    """Takes a domain away with all its keys: its mail goes out unsigned from now on. NotFound."""
    domain = checks.clean_domain(domain)
    with database.bound(), database.transaction():
        rows = _known(deployment, domain)
        for row in rows:
            row.delete_instance()
        return [_plain(deployment, row) for row in rows]


def _create(
    deployment: Deployment,
    domain: str,
    selector: str | None,
    pair: tuple[bytes, bytes],
    secrets: Secrets,
    now: datetime,
    activated_at: str | None,
) -> DkimKey:
    sealed = _sealed_one()
    if sealed:  # two key files in use would leave one host with keys that it can't open
        sealed.private_der(secrets)
    private, public = pair
    name = _own_selector(public, now) if selector is None else clean_selector(selector)
    if name in {row.selector for row in _rows(models.DkimKey.domain == domain)}:
        raise BadInput(f"{domain} has a key with the selector {name} already; a new key needs a new one")
    if len(f"{name}._domainkey.{domain}") > _MAX_NAME_CHARS:
        raise BadInput(f"{name}._domainkey.{domain} is longer than a DNS name can be")
    row = models.DkimKey.create(
        deployment=deployment.id,
        domain=domain,
        selector=name,
        private_key_sealed=secrets.seal(private, _purpose(domain, name)),
        public_key_der=public,
        created_at=rfc3339(now),
        activated_at=activated_at,
    )
    return _plain(deployment, row)


def _own_selector(public_key_der: bytes, now: datetime) -> str:
    """`mw20261124-3fa9`: never used for a second key, whose old record resolvers would still hold."""
    return f"mw{now:%Y%m%d}-{hashlib.sha256(public_key_der).hexdigest()[:4]}"


def _known(deployment: Deployment, domain: str) -> list[Any]:
    rows = list(_rows((models.DkimKey.deployment == deployment.id) & (models.DkimKey.domain == domain)))
    if not rows:
        raise NotFound(f"unknown domain {domain} in {deployment.name}: add it with 'mailweir domain add {domain}'")
    return rows


def _rows(condition: Any) -> Any:
    return models.DkimKey.select().where(condition).order_by(models.DkimKey.domain, models.DkimKey.id)


def _sealed_one() -> SealedKey | None:
    row = _rows(models.DkimKey.retired_at.is_null()).first()
    return _sealed(row) if row else None


def _sealed(row: Any) -> SealedKey:
    return SealedKey(row.domain, row.selector, bytes(row.private_key_sealed))


def _purpose(domain: str, selector: str) -> str:
    return f"DKIM key {selector} of {domain}"


def _plain(deployment: Deployment, row: Any) -> DkimKey:
    return DkimKey(
        deployment.name,
        row.domain,
        row.selector,
        bytes(row.public_key_der),
        row.created_at,
        row.activated_at,
        row.retired_at,
    )
