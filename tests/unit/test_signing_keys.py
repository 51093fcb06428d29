"""A domain's DKIM keys from the first one to the next: the DNS records that are required before the next key signs."""

from datetime import datetime
from pathlib import Path

import pytest

from mailweir import secrets_file, signing_keys
from mailweir.errors import NotFound
from mailweir.secrets_file import Secrets
from mailweir.signing_keys import Unpublished
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments, dkim_keys
from mailweir.store.people.deployments import Deployment

DOMAIN = "client.example"


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    """The secrets of a key file."""
    secrets_file.make(tmp_path / "token.key")
    return secrets_file.load(tmp_path / "token.key")


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A deployment without domains."""
    return deployments.add(database, "demo", "demo.example.net", now)


def test_the_next_key_takes_over_once_dns_has_its_record(
    database: Database, demo: Deployment, secrets: Secrets, now: datetime
) -> None:
    first = signing_keys.make(database, demo, DOMAIN, "one", secrets, now)
    with pytest.raises(NotFound, match="no next key"):
        signing_keys.rotation(database, demo, DOMAIN)
    made, gone = signing_keys.make_next(database, demo, DOMAIN, "two", secrets, now)
    rotation = signing_keys.rotation(database, demo, DOMAIN)
    assert (rotation.next, rotation.signing, gone) == (made, (first,), [])
    assert [one.selector for one in signing_keys.to_check(database, demo, DOMAIN)] == ["one", "two"]

    zone = {f"one._domainkey.{DOMAIN}": [signing_keys.record(first).value.encode()]}
    with pytest.raises(Unpublished) as raised:
        signing_keys.refuse_unpublished(made, lambda name: zone.get(name, []))
    assert (raised.value.key, raised.value.name) == (made, f"two._domainkey.{DOMAIN}")
    zone[f"two._domainkey.{DOMAIN}"] = zone[f"one._domainkey.{DOMAIN}"]  # another key's record
    with pytest.raises(Unpublished):
        signing_keys.refuse_unpublished(made, lambda name: zone.get(name, []))
    zone[f"two._domainkey.{DOMAIN}"] = [signing_keys.record(made).value.encode()]
    signing_keys.refuse_unpublished(made, lambda name: zone.get(name, []))

    dkim_keys.activate(database, demo, DOMAIN, "two", now)
    assert [one.selector for one in signing_keys.to_check(database, demo, DOMAIN)] == ["two"]


def test_no_next_key_is_made_for_an_unknown_domain(
    database: Database, demo: Deployment, secrets: Secrets, now: datetime
) -> None:
    with pytest.raises(NotFound):
        signing_keys.make_next(database, demo, DOMAIN, None, secrets, now)
