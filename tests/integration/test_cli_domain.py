"""`mailweir domain` on both databases: its output, the stored rows, and the look-up before a key is activated."""

import pwd
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mailweir import secrets_file
from mailweir.store.database.connection import Database
from tests import needs
from tests.moody_zone import Mood, MoodyZoneServer

if TYPE_CHECKING:
    from tests.conftest import Mailweir, Ran


@pytest.fixture(autouse=True)
def _deployment(mailweir: "Mailweir") -> None:
    assert mailweir("deployment", "add", "demo", "--domain", "demo.example.net").code == 0


def test_add_makes_a_key_and_prints_the_record(mailweir: "Mailweir", database: Database, tmp_path: Path) -> None:
    ran = mailweir("domain", "add", "Client.Example", "--json")
    assert ran.code == 0, ran.err
    made = ran.json
    assert (made["deployment"], made["domain"], made["state"]) == ("demo", "client.example", "active")
    (record,) = made["records"]
    assert record["type"] == "TXT"
    assert record["name"] == f"{made['selector']}._domainkey.client.example"
    assert "".join(record["strings"]) == record["value"]
    assert all(len(part) <= 255 for part in record["strings"])
    assert re.fullmatch(r"v=DKIM1; k=rsa; p=[A-Za-z0-9+/]{392}", record["value"])
    file = tmp_path / "secrets" / "token.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    (sealed,) = database.execute("SELECT private_key_sealed FROM dkim_keys").fetchone()
    assert len(bytes(sealed)) > 1_000

    mailweir("domain", "add", "second.example", "--selector", "S1")
    listed = mailweir("domain", "list", "--json").json
    assert listed[0] == made
    assert listed[1]["selector"] == "s1"


def test_the_record_is_shown_to_people_in_parts(mailweir: "Mailweir") -> None:
    out = mailweir("domain", "add", "client.example", "--selector", "s1").out
    value = mailweir("domain", "list", "--json").json[0]["records"][0]["value"]
    assert "name   s1._domainkey.client.example" in out
    assert "".join(re.findall(r'"([^"]*)"', out)) == value
    rows = mailweir("domain", "list").out.splitlines()
    assert rows[0].split()[:3] == ["domain", "selector", "state"]
    assert rows[1].split()[:3] == ["client.example", "s1", "active"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "client"), "'client' is not a domain name"),
        (("add", "192.0.2.1"), "is not a domain name"),
        (("add", "client.example", "--selector", "a.b"), "can't be a selector"),
        (("add", "have.example"), "has a key already"),
        (("rotate", "client.example"), "unknown domain client.example in demo"),
        (("rotate", "have.example", "--activate"), "has no next key"),
        (("rotate", "have.example", "--selector", "s1"), "needs a new one"),
        (("remove", "client.example"), "unknown domain"),
        (("remove-key", "have.example", "s1"), "rotate it first"),
        (("remove-key", "have.example", "s9"), "no key with the selector s9"),
        (("list", "--deployment", "x"), "unknown deployment"),
    ],
)
def test_what_can_not_be_is_one_line(mailweir: "Mailweir", arguments: tuple[str, ...], says: str) -> None:
    mailweir("domain", "add", "have.example", "--selector", "s1")
    before = mailweir("domain", "list", "--json").json
    ran = mailweir("domain", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert mailweir("domain", "list", "--json").json == before


@pytest.mark.parametrize("options", [("--force",), ("--activate", "--selector", "s2")])
def test_options_that_do_not_go_together_are_a_usage_error(mailweir: "Mailweir", options: tuple[str, ...]) -> None:
    assert mailweir("domain", "rotate", "client.example", *options).code == 2


@dataclass
class Rotation:
    """client.example's key s1 signs, and s2 is next. quoted: the values of their records; name: where s2's is published."""

    mailweir: "Mailweir"
    zone: MoodyZoneServer
    quoted: list[str]
    name: str

    def activate(self, *options: str) -> "Ran":
        """Tries to activate s2."""
        return self.mailweir("domain", "rotate", "client.example", "--activate", *options)

    def states(self) -> dict[str, str]:
        """The keys' states by selector."""
        return {key["selector"]: key["state"] for key in self.mailweir("domain", "list", "--json").json}


@pytest.fixture
def rotation(mailweir: "Mailweir", tmp_path: Path) -> Iterator[Rotation]:
    with MoodyZoneServer() as zone:
        config = tmp_path / "mailweir.toml"
        config.write_text(
            config.read_text() + f'[dns]\nnameserver = "127.0.0.1"\nport = {zone.port}\ntimeout_seconds = 1\n'
        )
        old = mailweir("domain", "add", "client.example", "--selector", "s1", "--json").json
        new = mailweir("domain", "rotate", "client.example", "--selector", "s2", "--json").json
        assert (new["state"], new["removed"]) == ("next", [])
        again = mailweir("domain", "rotate", "client.example", "--json").json
        assert again == new
        quoted = [" ".join(f'"{part}"' for part in key["records"][0]["strings"]) for key in (old, new)]
        yield Rotation(mailweir, zone, quoted, new["records"][0]["name"])


def test_a_key_is_activated_once_dns_has_it(rotation: Rotation) -> None:
    rotation.zone.records[rotation.name, "TXT"] = [rotation.quoted[1]]
    ran = rotation.activate()
    assert ran.code == 0, ran.err
    assert rotation.states() == {"s1": "retired", "s2": "active"}
    assert "remove-key client.example s1" in ran.out
    assert rotation.zone.queries[rotation.name] > 0


def test_a_key_is_activated_by_force_without_asking_dns(rotation: Rotation) -> None:
    rotation.zone.mood = Mood.SERVFAIL
    ran = rotation.activate("--force")
    assert ran.code == 0, ran.err
    assert rotation.states() == {"s1": "retired", "s2": "active"}
    assert "remove-key client.example s1" in ran.out
    assert rotation.zone.queries[rotation.name] == 0


@pytest.mark.parametrize(
    ("publish", "mood", "says"),
    [
        (lambda old, new: [], Mood.WELL, "isn't published"),
        (lambda old, new: [old], Mood.WELL, "another key"),
        (lambda old, new: [old, new], Mood.WELL, "2 TXT records"),
        (lambda old, new: [new.split('" "')[0] + '"'], Mood.WELL, "isn't base64"),
        (lambda old, new: [], Mood.SERVFAIL, "DNS gives no answer"),
    ],
    ids=["nothing", "the old key", "two", "a part", "no DNS"],
)
def test_a_key_that_dns_does_not_have_is_not_activated(
    rotation: Rotation, publish: Callable[[str, str], list[str]], mood: Mood, says: str
) -> None:
    rotation.zone.records[rotation.name, "TXT"] = publish(*rotation.quoted)
    rotation.zone.mood = mood
    ran = rotation.activate()
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert says in ran.err
    assert rotation.states() == {"s1": "active", "s2": "next"}


def _activated_with(mailweir: "Mailweir", folder: Path, tag: str) -> tuple[dict[str, str], "Ran", str]:
    """With this tag in the next key's record: the keys' states, and the output of activating it and of `domain check`."""
    with MoodyZoneServer() as zone:
        config = folder / "mailweir.toml"
        config.write_text(config.read_text() + f'[dns]\nnameserver = "127.0.0.1"\nport = {zone.port}\n')
        mailweir("domain", "add", "client.example", "--selector", "s1")
        (record,) = mailweir("domain", "rotate", "client.example", "--selector", "s2", "--json").json["records"]
        parts = [part.replace("k=rsa;", f"k=rsa; {tag};") for part in record["strings"]]
        zone.records[record["name"], "TXT"] = [f'"{parts[0][:200]}" "{parts[0][200:]}" "{parts[1]}"']
        ran = mailweir("domain", "rotate", "client.example", "--activate")
        shown = mailweir("domain", "check", "client.example", "--ip", "192.0.2.9").out
    states = {key["selector"]: key["state"] for key in mailweir("domain", "list", "--json").json}
    return states, ran, shown


@pytest.mark.parametrize(
    ("tag", "says"), [("h=sha1", "h=sha1"), ("s=tlsrpt", "another service"), ("t=y", "a test"), ("t=s:y", "a test")]
)
def test_a_key_by_which_nothing_would_count_is_not_activated(
    mailweir: "Mailweir", tmp_path: Path, tag: str, says: str
) -> None:
    states, ran, shown = _activated_with(mailweir, tmp_path, tag)
    assert (states["s2"], ran.code) == ("next", 1)
    assert says in ran.err
    assert "DKIM   FAIL    s2._domainkey" in shown
    assert says in shown


def test_a_key_by_which_all_counts_is_activated(mailweir: "Mailweir", tmp_path: Path) -> None:
    states, ran, shown = _activated_with(mailweir, tmp_path, "t=s")
    assert (states["s2"], ran.code, ran.err) == ("active", 0, "")
    assert "DKIM   OK      s2._domainkey" in shown


def test_the_doctor_tries_the_key_file(mailweir: "Mailweir") -> None:
    def told() -> list[str]:
        return [one["level"] for one in mailweir("doctor", "--json").json if one["area"] == "key file"]

    assert told() == []
    mailweir("domain", "add", "client.example")
    assert told() == ["ok"]


def test_a_key_file_in_a_folder_of_roots_is_the_daemons(mailweir: "Mailweir", tmp_path: Path) -> None:
    needs.root()
    folder = tmp_path / "etc"
    folder.mkdir(0o755)
    config = tmp_path / "mailweir.toml"
    config.write_text(config.read_text() + f'token_key_file = "{folder}/token.key"\n')
    assert mailweir("domain", "add", "client.example").code == 0
    found = (folder / "token.key").stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (pwd.getpwnam("mailweir").pw_uid, 0o600)
    assert folder.stat().st_uid == 0


def test_a_removed_domain_can_be_added_anew(mailweir: "Mailweir") -> None:
    first = mailweir("domain", "add", "client.example", "--json").json
    assert mailweir("domain", "remove", "client.example").code == 0
    assert mailweir("domain", "list", "--json").json == []
    second = mailweir("domain", "add", "client.example", "--json").json
    assert second["selector"] != first["selector"]


def test_another_deployments_domain_is_out_of_reach(mailweir: "Mailweir") -> None:
    mailweir("deployment", "add", "other", "--domain", "other.example.org")
    mailweir("domain", "add", "client.example", "--deployment", "demo", "--selector", "s1")
    mailweir("domain", "rotate", "client.example", "--deployment", "demo")
    for arguments in (("add",), ("rotate",), ("rotate", "--activate", "--force"), ("remove",)):
        ran = mailweir("domain", arguments[0], "client.example", *arguments[1:], "--deployment", "other")
        assert ran.code == 1, arguments
    assert mailweir("domain", "list", "--deployment", "other", "--json").json == []


def _another(file: Path) -> None:
    file.unlink()
    secrets_file.make(file)


@pytest.mark.parametrize(
    ("spoil", "says", "is_left"),
    [
        (Path.unlink, "no key file", False),
        (_another, "doesn't open", True),
        (lambda file: file.chmod(0o644), "chmod 600", True),
    ],
    ids=["lost", "another", "open to others"],
)
def test_a_key_file_that_does_not_fit_is_told(
    mailweir: "Mailweir", tmp_path: Path, spoil: Callable[[Path], None], says: str, is_left: bool
) -> None:
    mailweir("domain", "add", "client.example")
    file = tmp_path / "secrets" / "token.key"
    spoil(file)
    ran = mailweir("domain", "add", "second.example")
    assert ran.code == 1
    told = [one for one in mailweir("doctor", "--json").json if one["area"] == "key file"]
    assert [one["level"] for one in told] == ["wrong"]
    assert says in ran.err
    assert len(mailweir("domain", "list", "--json").json) == 1
    assert file.exists() is is_left
