"""The DKIM keys of a domain that mail is sent for: made, published, and replaced without a gap.

`dkim_keys` keeps them. Whether DNS has one is asked through a function that is given. Called by `mailweir domain`, and by
the page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from mailweir import dkim_record, dkim_signing
from mailweir.dkim_record import TxtRecord
from mailweir.domains.dkim_published import Key
from mailweir.errors import BadInput, NotFound
from mailweir.secrets_file import Seals
from mailweir.sentence import said
from mailweir.store.database.connection import Database
from mailweir.store.people import dkim_keys
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.dkim_keys import DkimKey, State

LookUp = Callable[[str], list[bytes]]


class Unpublished(BadInput):
    """DNS doesn't have a key's record, or has another one. name: of the record. fault: what is wrong."""

    def __init__(self, key: DkimKey, name: str, fault: str) -> None:
        super().__init__(
            said("{name} in DNS: {fault}; publish its record and wait until resolvers have it", name=name, fault=fault)
        )
        self.key = key
        self.name = name
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Rotation:
    """What activating the next key of a domain means. next: it signs from then on. signing: it is retired then."""

    next: DkimKey
    signing: tuple[DkimKey, ...]


def record(key: DkimKey) -> TxtRecord:
    """What has to be in DNS for the key."""
    return dkim_record.record(key.domain, key.selector, key.public_key_der)


def make(
    database: Database, deployment: Deployment, domain: str, selector: str | None, secrets: Seals, now: datetime
) -> DkimKey:
    """A domain's first key, which signs at once. Errors: as of `dkim_keys.add`."""
    return dkim_keys.add(database, deployment, domain, selector, dkim_signing.generate(), secrets, now)


def make_next(
    database: Database, deployment: Deployment, domain: str, selector: str | None, secrets: Seals, now: datetime
) -> tuple[DkimKey, list[DkimKey]]:
    """A domain's next key, and the retired ones that went. Errors: as of `dkim_keys.add_next`."""
    dkim_keys.keys_of(database, deployment, domain)  # an unknown one is told before a key is made
    return dkim_keys.add_next(database, deployment, domain, selector, dkim_signing.generate(), secrets, now)


def rotation(database: Database, deployment: Deployment, domain: str) -> Rotation:
    """The key that is to be activated. NotFound where there is none."""
    keys = dkim_keys.keys_of(database, deployment, domain)
    waiting = next((key for key in keys if key.state is State.NEXT), None)
    if waiting is None:
        raise NotFound(
            said("{domain} has no next key: make it with 'mailweir domain rotate {domain}'", domain=keys[0].domain)
        )
    return Rotation(waiting, tuple(key for key in keys if key.state is State.ACTIVE))


def refuse_unpublished(key: DkimKey, look_up: LookUp) -> None:
    """Unpublished where DNS hasn't got the key's record. look_up: each TXT record at a name. Its errors: DnsUnavailable.

    Asked while the database is closed: DNS may take its time.
    """
    name = record(key).name
    if fault := dkim_record.fault_of(look_up(name), key.public_key_der):
        raise Unpublished(key, name, fault)


def to_check(database: Database, deployment: Deployment, domain: str) -> list[Key]:
    """The keys of the domain that sign or will, to be looked for in DNS (`domains.checks`). NotFound where it isn't ours."""
    keys = dkim_keys.keys_of(database, deployment, domain)
    return [Key(key.selector, key.public_key_der) for key in keys if key.state is not State.RETIRED]
