"""`mailweir domain`, on both databases: what is printed, what is kept, and what is looked up before a key is activated."""

import os
import pwd
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mailweir.store.database.connection import Database
from tests.moody_zone import Mood, MoodyZoneServer
from tests.needs import lacks

if TYPE_CHECKING:
    from tests.conftest import Mailweir


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


@pytest.mark.parametrize("published", ["nothing", "the old key", "two", "a part", "the key", "no DNS", "forced"])
def test_a_key_is_activated_once_dns_has_it(mailweir: "Mailweir", tmp_path: Path, published: str) -> None:
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
        name = new["records"][0]["name"], "TXT"
        found = {
            "the old key": [quoted[0]],
            "two": quoted,
            "a part": [quoted[1].split('" "')[0] + '"'],
            "the key": [quoted[1]],
        }
        if published in found:
            zone.records[name] = found[published]
        if published in ("no DNS", "forced"):
            zone.mood = Mood.SERVFAIL
        ran = mailweir(
            "domain", "rotate", "client.example", "--activate", *(["--force"] if published == "forced" else [])
        )
        states = {key["selector"]: key["state"] for key in mailweir("domain", "list", "--json").json}
    if published in ("the key", "forced"):
        assert ran.code == 0, ran.err
        assert states == {"s1": "retired", "s2": "active"}
        assert "remove-key client.example s1" in ran.out
        assert (zone.queries[name[0]] == 0) == (published == "forced")
        return
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    says = {
        "nothing": "isn't published",
        "the old key": "another key",
        "two": "2 TXT records",
        "a part": "isn't base64",
        "no DNS": "DNS gives no answer",
    }
    assert says[published] in ran.err
    assert states == {"s1": "active", "s2": "next"}


@pytest.mark.parametrize(
    ("tag", "says"),
    [("h=sha1", "h=sha1"), ("s=tlsrpt", "another service"), ("t=y", "a test"), ("t=s:y", "a test"), ("t=s", "")],
)
def test_a_key_by_which_nothing_would_count_is_not_activated(
    mailweir: "Mailweir", tmp_path: Path, tag: str, says: str
) -> None:
    with MoodyZoneServer() as zone:
        config = tmp_path / "mailweir.toml"
        config.write_text(config.read_text() + f'[dns]\nnameserver = "127.0.0.1"\nport = {zone.port}\n')
        mailweir("domain", "add", "client.example", "--selector", "s1")
        (record,) = mailweir("domain", "rotate", "client.example", "--selector", "s2", "--json").json["records"]
        parts = [part.replace("k=rsa;", f"k=rsa; {tag};") for part in record["strings"]]
        zone.records[record["name"], "TXT"] = [f'"{parts[0][:200]}" "{parts[0][200:]}" "{parts[1]}"']
        ran = mailweir("domain", "rotate", "client.example", "--activate")
        shown = mailweir("domain", "check", "client.example", "--ip", "192.0.2.9").out
    states = {key["selector"]: key["state"] for key in mailweir("domain", "list", "--json").json}
    assert states["s2"] == ("next" if says else "active")
    assert ran.code == (1 if says else 0)
    assert says in ran.err
    assert f"DKIM   {'FAIL' if says else 'OK'}    {'' if says else '  '}s2._domainkey" in shown
    assert says in shown


def test_the_doctor_tries_the_key_file(mailweir: "Mailweir") -> None:
    def told() -> list[str]:
        return [one["level"] for one in mailweir("doctor", "--json").json if one["area"] == "key file"]

    assert told() == []
    mailweir("domain", "add", "client.example")
    assert told() == ["ok"]


def test_a_key_file_in_a_folder_of_roots_is_the_daemons(mailweir: "Mailweir", tmp_path: Path) -> None:
    if os.geteuid() != 0:
        lacks("needs root")
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


@pytest.mark.parametrize("state", ["lost", "another", "open to others"])
def test_a_key_file_that_does_not_fit_is_told(mailweir: "Mailweir", tmp_path: Path, state: str) -> None:
    mailweir("domain", "add", "client.example")
    file = tmp_path / "secrets" / "token.key"
    if state == "open to others":
        file.chmod(0o644)
    else:
        file.unlink()
    if state == "another":
        from mailweir import secrets_file

        secrets_file.make(file)
    ran = mailweir("domain", "add", "second.example")
    assert ran.code == 1
    told = [one for one in mailweir("doctor", "--json").json if one["area"] == "key file"]
    assert [one["level"] for one in told] == ["wrong"]
    assert {"lost": "no key file", "another": "doesn't open", "open to others": "chmod 600"}[state] in ran.err
    assert len(mailweir("domain", "list", "--json").json) == 1
    assert file.exists() == (state != "lost")
