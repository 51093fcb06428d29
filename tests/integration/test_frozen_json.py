"""The commands' JSON output: keys, and the types of their values, as programs rely on them. See tests/unit/test_frozen.py.

Other tests check values. Output that needs Google, Postfix or DNS is frozen in their tests: `NOT_HERE`.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mailweir.decision import Outcome, Reason
from mailweir.digest import indexing
from mailweir.reading import message
from mailweir.store.database.connection import Database
from mailweir.store.record import readings, search_index, threads
from tests import frozen

FROZEN = Path(__file__).parents[1] / "unit" / "frozen"
RUN = """
deployment add demo --domain demo.example.net
deployment add other --domain other.example.net
deployment set demo --plus-addresses
deployment list
user add richard --email richard@firm.example --deployment demo
user add erlich --email erlich@firm.example --deployment demo
user alias richard r@firm.example --deployment demo
user list --deployment demo
user remove erlich --deployment demo
company add Client --domain client.example --deployment demo
company list --deployment demo
contact add Jane jane@client.example --company Client --deployment demo
contact add Joe joe@client.example --deployment demo
contact list --deployment demo
contact import {contacts} --deployment demo
contact import {bad} --partial --deployment demo
contact remove joe@client.example --deployment demo
group add sales@firm.example --deployment demo
group list --deployment demo
group remove sales@firm.example --deployment demo
never-log add @bank.example --deployment demo
never-log list --deployment demo
never-log remove @bank.example --deployment demo
user set richard --visibility everyone --deployment demo
contact set jane@client.example --visibility everyone --deployment demo
company set Client --visibility everyone --deployment demo
RECORD
activity list --deployment demo
activity show {activity} --deployment demo
activity show {read} --deployment demo
activity thread {read} --deployment demo
activity set {activity} --visibility everyone --deployment demo
digest status
search day --deployment demo
todo list --deployment demo
todo done {todo} --deployment demo
why jane@client.example --deployment demo
why joe@client.example --deployment demo
domain add firm.example --deployment demo
domain list --deployment demo
domain rotate firm.example --deployment demo
domain remove firm.example --deployment demo
relay connect richard --deployment demo
relay list --deployment demo
relay rotate richard --deployment demo
relay disconnect richard --deployment demo
gmail status --deployment demo
web link richard --deployment demo
web account add boss --admin --deployment demo
web account list --deployment demo
web account password boss --off
web account remove boss
config show
db upgrade
db upgrade --check
db prune
db backup {backup}
"""
NOT_HERE = {
    "db restore": "tests/integration/test_cli_backup.py",
    "doctor": "tests/gmail/test_frozen_json.py",
    "domain check": "tests/integration/test_cli_domain_check.py",
    "domain remove-key": "takes a key that was retired for a week: tests/integration/test_cli_domain.py",
    "gmail audit": "tests/gmail/test_frozen_json.py",
    "gmail connect": "tests/integration/test_cli_gmail_connect.py",
    "gmail disconnect": "tests/integration/test_cli_gmail_connect.py",
    "gmail forget-consent": "tests/integration/test_cli_gmail_connect.py",
    "gmail retry": "tests/gmail/test_frozen_json.py",
    "gmail sync": "tests/gmail/test_frozen_json.py",
    "health forget": "tests/integration/test_health_report.py",
    "health report": "tests/integration/test_health_report.py",
    "postfix certificate": "tests/integration/test_role.py",
    "postfix config": "tests/integration/test_role.py",
    "spf check": "tests/integration/test_cli_domain_check.py",
}


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest) -> Any:
    """JSON is the same on both databases."""
    return request.getfixturevalue("sqlite_url")


def _shape(mailweir: Any, line: str) -> list[str]:
    """The shape of one command's output."""
    arguments = line.split()
    ran = mailweir(*arguments, "--json")
    assert ran.code == ("--partial" in arguments), line + ran.err
    noun = " ".join(arguments[: _words(line)])
    options = [one for one in arguments if one in ("--check", "--partial")]
    return list(frozen.shape(" ".join([noun, *options]), ran.json))


def _words(line: str) -> int:
    """The words of the command in a line; the rest is its arguments."""
    return 1 if line.startswith(("why ", "search ")) else 3 if line.startswith("web account ") else 2


MAIL = b"""From: Jane <jane@client.example>\r
Subject: Fwd: An offer\r
List-Id: <x.client.example>\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
\r
See below.\r
\r
---------- Forwarded message ---------\r
From: Joe <joe@client.example>\r
Date: Mon, 23 Nov 2026 10:00:00 +0000\r
Subject: An offer\r
To: Jane <jane@client.example>\r
\r
Good day.\r
--b\r
Content-Type: text/calendar; method=REQUEST\r
\r
BEGIN:VCALENDAR\r
BEGIN:VEVENT\r
SUMMARY:Lunch\r
DTSTART:20261124T110000Z\r
DTEND:20261124T120000Z\r
END:VEVENT\r
END:VCALENDAR\r
--b\r
Content-Type: text/csv; name="a.csv"\r
\r
a,b\r
--b--\r
"""


def _read(database: Database, raw: bytes, now: datetime) -> None:
    """Reads the last recorded mail, as the digest does."""
    (raw_id,) = database.execute("SELECT MAX(id) FROM raw_messages").fetchone()
    sql = "SELECT a.id, a.deployment_id, a.author FROM activities a WHERE a.leading_raw_id = ?"
    activity_id, tenant, author = database.execute(sql, (raw_id,)).fetchone()
    found = message.read(raw)
    entries = indexing.entries(database, {raw_id: found})
    with database.transaction():
        readings.write(database, raw_id, found, now)
        keys = found.thread_keys
        threads.assign(database, activity_id, tenant, keys, author=author, is_proven=False, now=now)
        search_index.put(database, entries.values())


def test_the_json_of_the_commands_keeps_its_keys(
    mailweir: Any, record: Any, ignore: Any, tmp_path: Path, database: Database, now: datetime
) -> None:
    contacts = tmp_path / "contacts.csv"
    contacts.write_text("name,email\nJill,jill@client.example\n")
    bad = tmp_path / "bad.csv"
    bad.write_text("name,email\nJack,jack\nJake,jake@client.example\n")
    known: dict[str, Any] = {"contacts": contacts, "bad": bad, "backup": tmp_path / "backup"}
    before, after = RUN.split("RECORD\n")
    found = [shape for line in before.split("\n")[1:-1] for shape in _shape(mailweir, line.format(**known))]
    known["activity"] = record("demo", "richard", "jane@client.example")
    known["read"] = record("demo", "richard", "jane@client.example", number=2, raw=MAIL)
    _read(database, MAIL, now)
    ignore("demo", Reason.NO_CONTACT, author="joe@client.example", outcome=Outcome.IGNORED)
    known["todo"] = mailweir("todo", "list", "--deployment", "demo", "--json").json[0]["id"]
    found += [shape for line in after.split("\n")[:-1] for shape in _shape(mailweir, line.format(**known))]
    frozen.compare(FROZEN / "json.txt", sorted(set(found)))


def test_each_command_with_json_is_frozen_somewhere() -> None:
    wanted = {
        line.removeprefix("mailweir ").partition(":")[0]
        for line in (FROZEN / "commands.txt").read_text().splitlines()
        if line.endswith(": --json: flag")
    }
    here = {noun for noun in _nouns() if noun in wanted}
    assert here | set(NOT_HERE) == wanted
    for where in NOT_HERE.values():
        assert (FROZEN.parents[2] / where.rpartition(" ")[2]).exists(), where


def _nouns() -> Iterator[str]:
    for line in RUN.split("\n"):
        yield " ".join(line.split()[: _words(line)])
