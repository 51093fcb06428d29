"""The DKIM keys of a domain that mail is sent for: creation, publication, and replacement without a gap.

`dkim_keys` stores them. The caller supplies the function that looks a key up in DNS. Called by `mailweir domain`, and by the
page.
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
    """DNS doesn't have a key's record, or has another one. name: of the record. fault: its description."""

    def __init__(self, key: DkimKey, name: str, fault: str) -> None:
        super().__init__(
            said("{name} in DNS: {fault}; publish its record and wait until resolvers have it", name=name, fault=fault)
        )
        self.key = key
        self.name = name
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Rotation:
    """The effect of activating a domain's next key. next: signs from then on. signing: the keys that are then retired."""

    next: DkimKey
    signing: tuple[DkimKey, ...]


def record(key: DkimKey) -> TxtRecord:
    """The record to publish in DNS for the key."""
    return dkim_record.record(key.domain, key.selector, key.public_key_der)


def make(
    database: Database, deployment: Deployment, domain: str, selector: str | None, secrets: Seals, now: datetime
) -> DkimKey:
    """A domain's first key, which signs at once. Errors: as of `dkim_keys.add`."""
    return dkim_keys.add(database, deployment, domain, selector, dkim_signing.generate(), secrets, now)


def make_next(
    database: Database, deployment: Deployment, domain: str, selector: str | None, secrets: Seals, now: datetime
) -> tuple[DkimKey, list[DkimKey]]:
    """A domain's next key, and the retired keys that were deleted. Errors: as of `dkim_keys.add_next`."""
    dkim_keys.keys_of(database, deployment, domain)  # reports an unknown domain before a key is made
    return dkim_keys.add_next(database, deployment, domain, selector, dkim_signing.generate(), secrets, now)


def rotation(database: Database, deployment: Deployment, domain: str) -> Rotation:
    """The key to activate, and the keys that it replaces. NotFound if there is no next key."""
    keys = dkim_keys.keys_of(database, deployment, domain)
    waiting = next((key for key in keys if key.state is State.NEXT), None)
    if waiting is None:
        raise NotFound(
            said("{domain} has no next key: create it with 'mailweir domain rotate {domain}'", domain=keys[0].domain)
        )
    return Rotation(waiting, tuple(key for key in keys if key.state is State.ACTIVE))


def refuse_unpublished(key: DkimKey, look_up: LookUp) -> None:
    """Raises Unpublished if DNS doesn't have the key's record. look_up: returns each TXT record at a name. Its errors:
    DnsUnavailable.

    Call it while the database is closed: DNS may be slow.
    """
    name = record(key).name
    if fault := dkim_record.fault_of(look_up(name), key.public_key_der):
        raise Unpublished(key, name, fault)


def to_check(database: Database, deployment: Deployment, domain: str) -> list[Key]:
    """The keys of the domain that sign now or later, to be looked up in DNS (`domains.checks`). NotFound if the deployment
    doesn't have the domain."""
    keys = dkim_keys.keys_of(database, deployment, domain)
    return [Key(key.selector, key.public_key_der) for key in keys if key.state is not State.RETIRED]
