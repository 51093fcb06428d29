"""The command line's output of readings, and making readings again."""

import hashlib
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailweir.store.database.connection import Database

Mailweir = Any
Put = Callable[..., int]
JANE = "jane@client.example"
COMMAND = [sys.executable, "-c", "import sys; from admin_cli.main import run; sys.exit(run())"]
FILE = b"\x1b]0;owned\x07,b\r\n" * 3
MAIL = b"""From: Jane <jane@client.example>\r
To: richard@firm.example\r
Subject: An offer\r
Message-ID: <1@client.example>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/plain; charset=utf-8\r
\r
We take it.\x1b[31m\r
\r
On Mon, 23 Nov 2026 at 10:00, Richard <richard@firm.example> wrote:\r
> Shall we\r
> do it?\r
--b\r
Content-Type: text/csv\r
Content-Disposition: attachment; filename="../../etc/a.csv"\r
\r
%b\r
--b--\r
""".replace(b"%b", FILE)


@pytest.fixture
def demo(mailweir: Mailweir) -> Mailweir:
    for line in (
        "deployment add demo --domain demo.example.net",
        "user add richard --email richard@firm.example",
        f"contact add Jane {JANE}",
    ):
        assert mailweir(*line.split()).code == 0, line
    return mailweir


def test_an_activity_is_shown_with_its_text_and_quotes_folded(
    demo: Mailweir, record: Put, work_off: Callable[[], int]
) -> None:
    activity_id = str(record("demo", "richard", JANE, raw=MAIL))
    assert "not read yet" in demo("activity", "show", activity_id).out
    work_off()
    shown = demo("activity", "show", activity_id).out
    assert "We take it." in shown
    assert "\x1b" not in shown
    assert "> Shall we" not in shown
    assert "lines quoted: --full shows all]" in shown
    assert "> Shall we\n> do it?" in demo("activity", "show", activity_id, "--full").out


def test_the_json_of_a_reading_is_as_programs_rely_on_it(
    demo: Mailweir, record: Put, work_off: Callable[[], int]
) -> None:
    activity_id = str(record("demo", "richard", JANE, raw=MAIL))
    before = demo("activity", "show", activity_id, "--json").json
    assert (before["text"], before["labels"], before["attachments"], before["thread"]) == (None, [], [], None)
    work_off()
    shown = demo("activity", "show", activity_id, "--json").json
    assert shown["text"].startswith("We take it.")
    assert "> do it?" in shown["text"]
    (fold,) = shown["folds"]
    assert (fold["kind"], shown["text"][fold["start"] :].startswith("On Mon")) == ("quote", True)
    (file,) = shown["attachments"]
    assert (file["type"], file["size"], file["inline"]) == ("text/csv", len(FILE), False)
    assert file["sha256"] == hashlib.sha256(FILE).hexdigest()
    assert "/" not in file["name"]
    assert shown["original"] is None
    assert isinstance(shown["thread"], int)
    (listed,) = demo("activity", "list", "--json").json
    assert listed == {key: shown[key] for key in listed}
    own = {"sightings", "versions", "text", "original", "unreadable", "folds", "invitation"}
    assert set(shown) - set(listed) == own
    assert listed["snippet"].startswith("We take it.")


def test_law_13_who_sees_the_metadata_alone_sees_nothing_that_was_read(
    demo: Mailweir, record: Put, work_off: Callable[[], int]
) -> None:
    activity_id = str(record("demo", "richard", JANE, raw=MAIL))
    work_off()
    demo("user", "add", "mary", "--email", "mary@firm.example")
    demo("activity", "set", activity_id, "--visibility", "metadata")
    (seen,) = demo("activity", "list", "--as", "mary", "--json").json
    assert (seen["author"], seen["subject"], seen["snippet"], seen["attachments"]) == (JANE, "", "", [])
    assert (seen["labels"], seen["thread"]) == ([], None)
    (whole,) = demo("activity", "list", "--as", "richard", "--json").json
    assert len(whole["attachments"]) == 1


def test_a_file_comes_out_under_the_name_that_was_given(
    demo: Mailweir, record: Put, work_off: Callable[[], int], tmp_path: Path
) -> None:
    activity_id = str(record("demo", "richard", JANE, raw=MAIL))
    ran = demo("activity", "attachment", activity_id, "1")
    assert (ran.code, "isn't read yet" in ran.err) == (1, True)
    work_off()
    folder = tmp_path / "out"
    folder.mkdir()
    assert demo("activity", "attachment", activity_id, "1", "--out", str(folder / "mine.csv")).code == 0
    assert [one.name for one in folder.iterdir()] == ["mine.csv"]
    assert (folder / "mine.csv").read_bytes() == FILE
    ran = demo("activity", "attachment", activity_id, "1", "--out", str(folder / "mine.csv"))
    assert (ran.code, "is there already" in ran.err) == (1, True)
    (folder / "mine.csv").write_bytes(b"other")
    assert demo("activity", "attachment", activity_id, "1", "--force", "--out", str(folder / "mine.csv")).code == 0
    assert (folder / "mine.csv").read_bytes() == FILE
    assert demo("activity", "attachment", activity_id, "1").raw_out == FILE
    ran = demo("activity", "attachment", activity_id, "2")
    assert (ran.code, ran.raw_out) == (1, b"")
    assert "no attachment 2: it has one, which is 1" in ran.err


@pytest.mark.parametrize(
    "arguments", [("raw", "1"), ("attachment", "1", "1"), ("attachment", "1", "1", "--out", "/dev/stdout")]
)
def test_law_14_a_terminal_is_refused(
    demo: Mailweir, record: Put, work_off: Callable[[], int], arguments: tuple[str, ...]
) -> None:
    record("demo", "richard", JANE, raw=MAIL)
    work_off()
    ours, theirs = pty.openpty()
    ran = subprocess.run([*COMMAND, "activity", *arguments], stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    assert ran.returncode == 1
    assert b"may control " in ran.stderr
    os.close(ours)


def test_a_terminal_that_wants_it_gets_the_message(demo: Mailweir, record: Put) -> None:
    record("demo", "richard", JANE, raw=MAIL)
    ours, theirs = pty.openpty()
    subprocess.run([*COMMAND, "activity", "raw", "1", "--force"], stdout=theirs, check=True)
    os.close(theirs)
    assert b"\x1b[31m" in os.read(ours, 65_536)
    os.close(ours)


def test_mail_is_read_again_when_an_admin_says_so(demo: Mailweir, record: Put, work_off: Callable[[], int]) -> None:
    activity_id = str(record("demo", "richard", JANE, raw=MAIL))
    record("demo", "richard", JANE, number=2, raw=MAIL)
    assert "2 wait to be read, 2 of them new." in demo("digest", "status").out
    work_off()
    assert demo("digest", "again", activity_id).code == 0
    assert work_off() == 1
    assert demo("digest", "again").code == 0
    assert demo("digest", "status", "--json").json["rebuilds"][0]["which"] == "older"
    assert work_off() == 0
    assert demo("digest", "again", "--all").code == 0
    assert "The record is being done again (reading, all)" in demo("digest", "status").out
    assert work_off() == 2
    assert demo("digest", "status", "--json").json["rebuilds"] == []
    assert demo("digest", "again", "99").code == 1
    assert demo("digest", "again", activity_id, "--all").code == 1
    assert demo("digest", "again", activity_id, "--deployment", "demo").code == 0
    of_one = demo("digest", "again", "--deployment", "demo")
    assert (of_one.code, "of all deployments" in of_one.err) == (1, True)


def test_what_could_not_be_read_says_so(
    demo: Mailweir, record: Put, database: Database, work_off: Callable[[], int]
) -> None:
    activity_id = str(record("demo", "richard", JANE, raw=MAIL))
    database.execute("UPDATE digest_queue SET deaths = 2")
    database.execute("UPDATE raw_messages SET content_zstd = ?", (b"no zstd",))
    work_off()
    assert "could not be read: its bytes are damaged in the database" in demo("activity", "show", activity_id).out
    assert "1 could not be read." in demo("digest", "status").out
