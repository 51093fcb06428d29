"""The recipients of ignored mail aren't revealed: its decision has keyed digests of them."""

import time
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from capture_milter import handling
from mailweir import secrets_file, traces
from mailweir.directory import DeploymentRef
from mailweir.envelope import Envelope, read_recipient
from mailweir.folding import Folding
from mailweir.recording import record_all
from mailweir.store.database.connection import Database
from mailweir.store.record import decision_search
from mailweir.traces import Traces

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

DEMO, OTHER = DeploymentRef(1, "demo", "demo.example.net"), DeploymentRef(2, "other", "other.example.org")
JOE, EVE = "joe@stranger.example", "eve@evil.example"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    made = tmp_path / "token.key"
    secrets_file.make(made)
    return made


def test_a_recipient_has_one_digest_in_a_deployment_and_another_one_elsewhere(key_file: Path, tmp_path: Path) -> None:
    made = Traces(key_file)
    (joe, eve) = (made.of(DEMO, [one]) or b"" for one in (JOE, EVE))
    assert len(joe) == traces.DIGEST_BYTES
    assert made.of(DEMO, [JOE, EVE, JOE]) == joe + eve
    assert Traces(key_file).of(DEMO, [JOE]) == joe
    assert made.of(OTHER, [JOE]) != joe
    secrets_file.make(tmp_path / "another.key")
    assert Traces(tmp_path / "another.key").of(DEMO, [JOE]) != joe


def test_spellings_of_one_person_have_one_digest(key_file: Path) -> None:
    folding = DEMO._replace(folding=Folding(plus_addresses=True, gmail_dots=False))
    assert Traces(key_file).of(folding, [JOE]) == Traces(key_file).of(folding, ["joe+x@stranger.example"])


def test_a_crowd_leaves_fifty(key_file: Path) -> None:
    crowd = [f"{number}@x.example" for number in range(400)]
    assert len(Traces(key_file).of(DEMO, crowd) or b"") == 50 * traces.DIGEST_BYTES


def test_without_a_key_there_are_none_and_the_key_is_found_once_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Traces(tmp_path / "token.key")
    assert made.of(DEMO, [JOE]) is None
    secrets_file.make(tmp_path / "token.key")
    assert made.of(DEMO, [JOE]) is None, "not at every message"
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + secrets_file.LOOK_AGAIN_SECONDS)
    monkeypatch.setattr(secrets_file, "time", later)
    assert made.of(DEMO, [JOE])
    assert made.of(DEMO, []) is None


def test_who_may_not_read_the_key_file_goes_by_a_key_that_makes_the_same_digests_and_opens_nothing(
    key_file: Path, tmp_path: Path
) -> None:
    wanted, own = Traces(key_file).of(DEMO, [JOE]), tmp_path / traces.OWN_KEY
    assert not Traces(key_file).is_apart()
    assert Traces(key_file).keep_apart()
    assert not Traces(key_file).keep_apart(), "once"
    assert (own.stat().st_mode & 0o777, own.stat().st_uid) == (0o600, key_file.stat().st_uid)
    assert secrets_file.load_key(own) != secrets_file.load_key(key_file)
    key_file.unlink()
    assert Traces(key_file).of(DEMO, [JOE]) == wanted


def test_another_key_file_gets_another_key_apart(key_file: Path, tmp_path: Path) -> None:
    Traces(key_file).keep_apart()
    key_file.unlink()
    secrets_file.make(key_file)
    assert not Traces(key_file).is_apart()
    assert Traces(key_file).keep_apart()
    wanted = Traces(key_file).of(DEMO, [JOE])
    key_file.unlink()
    assert Traces(key_file).of(DEMO, [JOE]) == wanted
    assert sorted(one.name for one in tmp_path.iterdir()) == [traces.OWN_KEY]


def test_an_ignored_message_is_found_by_whom_it_was_to(
    database: Database, people: "MemoryDirectory", key_file: Path, now: datetime
) -> None:
    people.write(database)
    lines = [(b"From", b" x@y.example"), (b"To", f" Joe <{JOE}>; {EVE}".encode()), (b"Message-ID", b" <1@y.example>")]
    envelope = Envelope(
        sender="x@y.example",
        recipients=(read_recipient("<richard@demo.example.net>"),),
        login=None,
        client="192.0.2.1",
        received_at=now,
    )
    made = Traces(key_file)
    with database.transaction():
        record_all(database, handling.entries(handling.plan(envelope, lines, people), None, "4Xy1", made))
    (stored,) = database.execute("SELECT recipient_digests FROM decisions").fetchone()
    assert len(stored) == 2 * traces.DIGEST_BYTES

    def found(address: str, deployment: DeploymentRef = DEMO) -> list[str | None]:
        digest = made.of(deployment, [address])
        assert digest
        return [one.queue_id for one in decision_search.find(database, address, digests={deployment.id: digest})]

    assert (found(JOE), found(EVE)) == (["4Xy1"], ["4Xy1"])
    assert (found("joe@other.example"), found(JOE, OTHER)) == ([], [])
