"""DKIM keys in the store: states, rotation, the owner of a domain, and the filter's view."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailweir import secrets_file
from mailweir.errors import BadInput, NotFound, SettingsError
from mailweir.secrets_file import Secrets
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments, dkim_keys
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.dkim_keys import State

PAIR = (b"a private key", b"a public key")
NEXT = (b"the next private key", b"the next public key")
DOMAIN = "client.example"


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    """The secrets of a key file."""
    file = tmp_path / "token.key"
    secrets_file.make(file)
    return secrets_file.load(file)


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A deployment."""
    return deployments.add(database, "demo", "demo.example.net", now)


@pytest.fixture
def other(database: Database, now: datetime) -> Deployment:
    """Another deployment."""
    return deployments.add(database, "other", "other.example.org", now)


def _active(database: Database, deployment: Deployment, domain: str = DOMAIN) -> dkim_keys.SealedKey | None:
    with database.reading():
        return dkim_keys.active_key(database, deployment.id, domain)


def _states(database: Database, deployment: Deployment) -> dict[str, State]:
    return {key.selector: key.state for key in dkim_keys.list_keys(database, deployment)}


def test_the_first_key_signs_at_once(database: Database, demo: Deployment, secrets: Secrets, now: datetime) -> None:
    made = dkim_keys.add(database, demo, "Client.Example.", "S1", PAIR, secrets, now)
    assert (made.deployment, made.domain, made.selector, made.public_key_der) == ("demo", DOMAIN, "s1", PAIR[1])
    assert (made.state, made.created_at) == (State.ACTIVE, now)
    assert dkim_keys.list_keys(database, demo) == [made]
    found = _active(database, demo)
    assert found is not None
    assert (found.domain, found.selector, found.private_der(secrets)) == (DOMAIN, "s1", PAIR[0])
    ((stored,),) = database.execute("SELECT private_key_sealed FROM dkim_keys").fetchall()
    assert b"private" not in bytes(stored)


def test_a_selector_is_made_up_and_differs_for_each_key(
    database: Database, demo: Deployment, secrets: Secrets, now: datetime
) -> None:
    first = dkim_keys.add(database, demo, DOMAIN, None, PAIR, secrets, now).selector
    second = dkim_keys.add_next(database, demo, DOMAIN, None, NEXT, secrets, now)[0].selector
    assert first.startswith("mw20261124-")
    assert second.startswith("mw20261124-")
    assert first != second


@pytest.mark.parametrize("selector", ["", "-a", "a-", "a.b", "a_b", "é", "x" * 64, 'a"', "a b"])
def test_a_selector_that_can_not_be_is_refused(
    database: Database, demo: Deployment, secrets: Secrets, now: datetime, selector: str
) -> None:
    with pytest.raises(BadInput, match="can't be a selector"):
        dkim_keys.add(database, demo, DOMAIN, selector, PAIR, secrets, now)


def test_a_name_too_long_for_dns_is_refused(
    database: Database, demo: Deployment, secrets: Secrets, now: datetime
) -> None:
    domain = ".".join(["a" * 60] * 3) + ".example"
    with pytest.raises(BadInput, match="longer than a DNS name"):
        dkim_keys.add(database, demo, domain, "x" * 63, PAIR, secrets, now)


def test_a_domain_belongs_to_one_deployment(
    database: Database, demo: Deployment, other: Deployment, secrets: Secrets, now: datetime
) -> None:
    dkim_keys.add(database, demo, DOMAIN, "s1", PAIR, secrets, now)
    with pytest.raises(BadInput, match="belongs to another deployment"):
        dkim_keys.add(database, other, DOMAIN, "s2", NEXT, secrets, now)
    with pytest.raises(BadInput, match="has a key already"):
        dkim_keys.add(database, demo, DOMAIN, "s2", NEXT, secrets, now)
    for call in (dkim_keys.keys_of, dkim_keys.remove):
        with pytest.raises(NotFound, match="unknown domain"):
            call(database, other, DOMAIN)
    with pytest.raises(NotFound):
        dkim_keys.add_next(database, other, DOMAIN, "s2", NEXT, secrets, now)
    with pytest.raises(NotFound):
        dkim_keys.activate(database, other, DOMAIN, "s1", now)
    assert dkim_keys.list_keys(database, other) == []
    assert _active(database, other) is None
    assert _active(database, demo, "x.example") is None


def test_rotation_has_no_gap_and_the_old_private_key_is_gone(
    database: Database, demo: Deployment, secrets: Secrets, now: datetime
) -> None:
    dkim_keys.add(database, demo, DOMAIN, "s1", PAIR, secrets, now)
    made, gone = dkim_keys.add_next(database, demo, DOMAIN, "s2", NEXT, secrets, now)
    assert (made.state, gone) == (State.NEXT, [])
    before = _active(database, demo)
    assert before is not None
    assert before.selector == "s1"
    assert dkim_keys.activate(database, demo, DOMAIN, "s2", now).state is State.ACTIVE
    after = _active(database, demo)
    assert after is not None
    assert (after.selector, after.private_der(secrets)) == ("s2", NEXT[0])
    assert _states(database, demo) == {"s1": State.RETIRED, "s2": State.ACTIVE}
    sealed = "SELECT private_key_sealed FROM dkim_keys WHERE selector = 's1'"
    assert bytes(database.execute(sealed).fetchone()[0]) == b""


def test_asked_again_the_next_key_is_the_same(
    database: Database, demo: Deployment, secrets: Secrets, now: datetime
) -> None:
    dkim_keys.add(database, demo, DOMAIN, "s1", PAIR, secrets, now)
    first, _ = dkim_keys.add_next(database, demo, DOMAIN, "s2", NEXT, secrets, now)
    again, _ = dkim_keys.add_next(database, demo, DOMAIN, None, (b"x", b"y"), secrets, now)
    assert again == first
    with pytest.raises(BadInput, match="selector s2"):
        dkim_keys.add_next(database, demo, DOMAIN, "s3", (b"x", b"y"), secrets, now)


def test_a_failed_activation_leaves_the_old_key_signing(
    database: Database, demo: Deployment, secrets: Secrets, now: datetime
) -> None:
    dkim_keys.add(database, demo, DOMAIN, "s1", PAIR, secrets, now)
    for selector in ("s2", "s1"):
        with pytest.raises(NotFound, match="no next key"):
            dkim_keys.activate(database, demo, DOMAIN, selector, now)
    assert _states(database, demo) == {"s1": State.ACTIVE}
    assert _active(database, demo) is not None


def test_a_rotation_clears_away_keys_whose_mail_has_arrived(
    database: Database, demo: Deployment, secrets: Secrets, now: datetime
) -> None:
    dkim_keys.add(database, demo, DOMAIN, "s1", PAIR, secrets, now)
    for number, days in ((2, 0), (3, 8)):
        later = now + timedelta(days=days)
        dkim_keys.add_next(database, demo, DOMAIN, f"s{number}", (b"%d" % number, b"p"), secrets, later)
        dkim_keys.activate(database, demo, DOMAIN, f"s{number}", later)
    # s1 was deleted when s3 was made; s2 has been retired for only a day
    _, gone = dkim_keys.add_next(database, demo, DOMAIN, "s4", (b"4", b"p"), secrets, now + timedelta(days=9))
    assert gone == []
    assert _states(database, demo) == {"s2": State.RETIRED, "s3": State.ACTIVE, "s4": State.NEXT}


def test_keys_that_do_not_sign_can_be_taken_away(
    database: Database, demo: Deployment, secrets: Secrets, now: datetime
) -> None:
    dkim_keys.add(database, demo, DOMAIN, "s1", PAIR, secrets, now)
    dkim_keys.add_next(database, demo, DOMAIN, "s2", NEXT, secrets, now)
    with pytest.raises(BadInput, match=r"signs for client\.example"):
        dkim_keys.remove_key(database, demo, DOMAIN, "s1")
    assert dkim_keys.remove_key(database, demo, DOMAIN, "S2").selector == "s2"
    with pytest.raises(NotFound, match="no key with the selector s2"):
        dkim_keys.remove_key(database, demo, DOMAIN, "s2")
    assert [key.selector for key in dkim_keys.remove(database, demo, DOMAIN)] == ["s1"]
    assert dkim_keys.list_keys(database, demo) == []
    assert dkim_keys.sealed_keys(database) == []


def test_with_another_key_file_nothing_is_added(
    database: Database, demo: Deployment, secrets: Secrets, now: datetime, tmp_path: Path
) -> None:
    dkim_keys.add(database, demo, DOMAIN, "s1", PAIR, secrets, now)
    wrong = tmp_path / "wrong.key"
    secrets_file.make(wrong)
    with pytest.raises(SettingsError, match=r"wrong\.key doesn't open"):
        dkim_keys.add(database, demo, "second.example", "s1", NEXT, secrets_file.load(wrong), now)
    assert [key.domain for key in dkim_keys.list_keys(database, demo)] == [DOMAIN]


@pytest.mark.parametrize(("column", "domain"), [("selector", DOMAIN), ("domain", "evil.example")])
def test_a_key_that_was_put_into_another_row_does_not_open(
    database: Database, demo: Deployment, secrets: Secrets, now: datetime, column: str, domain: str
) -> None:
    dkim_keys.add(database, demo, DOMAIN, "s1", PAIR, secrets, now)
    with database.transaction():
        database.execute(f"UPDATE dkim_keys SET {column} = 'evil.example'")
    found = _active(database, demo, domain)
    assert found is not None
    with pytest.raises(SettingsError):
        found.private_der(secrets)
