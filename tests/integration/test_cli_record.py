"""The command line for activities, to-dos and decisions, on a real database."""

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mailweir.decision import Doubt, Reason

Mailweir = Any
Put = Callable[..., Any]
JANE = "jane@client.example"
COMMAND = [sys.executable, "-c", "import sys; from admin_cli.main import run; sys.exit(run())"]


@pytest.fixture
def demo(mailweir: Mailweir) -> Mailweir:
    for line in (
        "deployment add demo --domain demo.example.net",
        "user add richard --email richard@example.com",
        "company add Client",
        f"contact add Jane {JANE} --company Client",
    ):
        assert mailweir(*line.split()).code == 0, line
    return mailweir


def test_the_json_of_an_activity_is_as_programs_rely_on_it(demo: Mailweir, record: Put) -> None:
    activity_id = record("demo", "richard", JANE, subject="Angebot \ufffd")
    expected = {
        "id": activity_id,
        "deployment": "demo",
        "direction": "incoming",
        "routes": ["forward"],
        "author": JANE,
        "contacts": [{"name": "Jane", "address": JANE, "company": "Client"}],
        "users": ["richard"],
        "subject": "Angebot \ufffd",
        "sent_at": "2026-11-24T03:12:55.123456Z",
        "recorded_at": "2026-11-24T03:13:55.123456Z",
        "message_id": "<1@client.example>",
        "sender_verdict": "pending",
        "visibility": "everyone",
        "thread": None,
        "labels": [],
        "snippet": "",
        "attachments": [],
        "known_thread": False,
        "known_thread_of": [],
    }
    assert demo("activity", "list", "--json").json == [expected]
    shown = demo("activity", "show", str(activity_id), "--json").json
    assert {key: shown[key] for key in expected} == expected
    assert shown["sightings"] == [
        {
            "route": "forward",
            "source_id": "4Xy1",
            "user": "richard",
            "version": 1,
            "seen_at": "2026-11-24T03:13:55.123456Z",
        }
    ]
    (version,) = shown["versions"]
    assert (version["number"], version["leading"]) == (1, True)
    (todo,) = demo("todo", "list", "--json").json
    assert todo == {
        "id": todo["id"],
        "deployment": "demo",
        "user": "richard",
        "activity": expected,
        "created_at": "2026-11-24T03:13:55.123456Z",
        "done_at": None,
    }


def test_listings_are_filtered_by_what_the_options_say(demo: Mailweir, record: Put) -> None:
    ids = [record("demo", "richard", JANE, number=number) for number in (1, 2, 3)]

    def listed(*options: str) -> list[int]:
        return [row["id"] for row in demo("activity", "list", *options, "--json").json]

    assert listed() == ids[::-1]
    assert listed("--user", "richard", "--contact", JANE, "--limit", "2") == ids[:0:-1]
    assert listed("--since", "2026-11-24T03:14:55.123456Z") == ids[:0:-1]
    assert listed("--since", "2026-11-25") == []


def test_activities_are_shown_in_words_too(demo: Mailweir, record: Put) -> None:
    activity_id = record("demo", "richard", JANE)
    head, row = demo("activity", "list").out.splitlines()
    assert head.split() == ["id", "recorded", "direction", "author", "verdict", "contacts", "users", "subject"]
    assert "2026-11-24 03:13:55Z" in row
    assert "pending" in row
    shown = demo("activity", "show", str(activity_id)).out
    for words in ("An offer", f"Jane <{JANE}>, Client", "by forward for richard as 4Xy1", "sender verdict: pending"):
        assert words in shown


@pytest.mark.parametrize(
    ("verdict", "reason", "domain", "sentence"),
    [
        ("pass", "dkim", "client.example", "proven by DKIM of client.example"),
        ("pass", "seal", "google.com", "proven by google.com's seal"),
        ("pass", "login", None, "proven by a login of ours"),
        ("fail", "body_changed", "client.example", "changed after client.example signed it"),
        ("none", "other_domain", "evil.example", "only evil.example signed it"),
        ("none", "malformed_signature", None, "its signature can't be read"),
        ("none", "a_later_versions", None, "a_later_versions"),
        ("none", None, None, "sender verdict: none"),
    ],
)
def test_why_an_author_is_proven_or_not_is_told(
    demo: Mailweir, record: Put, database: Any, verdict: str, reason: str | None, domain: str | None, sentence: str
) -> None:
    activity_id = record("demo", "richard", JANE)
    with database.transaction():
        sql = "UPDATE raw_messages SET verdict = ?, verdict_reason = ?, verdict_domain = ?"
        database.execute(sql, (verdict, reason, domain))
        database.execute("UPDATE activities SET sender_verdict = ?", (verdict,))
    assert sentence in demo("activity", "show", str(activity_id)).out
    shown = demo("activity", "show", str(activity_id), "--json").json
    keys = ("sender_verdict", "sender_verdict_reason", "sender_verdict_domain")
    expected = {key: value for key, value in zip(keys, (verdict, reason, domain), strict=True) if value}
    assert {key: shown[key] for key in keys if key in shown} == expected
    (version,) = shown["versions"]
    assert version.get("verdict_reason") == reason
    (told,) = demo("why", "<1@client.example>", "--json").json
    assert {key: told[key] for key in keys if key in told} == expected
    assert (sentence in demo("why", "<1@client.example>").out) is (reason is not None)


def test_raw_bytes_come_out_as_they_were_kept(demo: Mailweir, record: Put) -> None:
    raw = b"Subject: \xff\x1b[31m\r\n\r\n" + bytes(range(256)) * 4
    activity_id = record("demo", "richard", JANE, raw=raw)
    record("demo", "richard", JANE, raw=b"another\n", queue_id="4XyB")
    assert demo("activity", "raw", str(activity_id)).raw_out == raw
    assert demo("activity", "raw", str(activity_id), "--version", "2").raw_out == b"another\n"
    ran = demo("activity", "raw", str(activity_id), "--version", "3")
    assert (ran.code, ran.raw_out) == (1, b"")
    piped = subprocess.run([*COMMAND, "activity", "raw", str(activity_id)], capture_output=True, check=True)
    assert piped.stdout == raw


def test_a_to_do_is_done_once(demo: Mailweir, record: Put) -> None:
    record("demo", "richard", JANE)
    (todo,) = demo("todo", "list", "--user", "richard", "--json").json
    done = demo("todo", "done", str(todo["id"]), "--json").json
    assert done["done_at"] > todo["created_at"]
    assert demo("todo", "list", "--json").json == []
    assert demo("todo", "list").code == 0
    assert demo("todo", "list", "--all", "--json").json == [done]
    assert demo("todo", "done", str(todo["id"]), "--json").json == done
    assert "done" in demo("todo", "list", "--all").out.splitlines()[0]


def test_what_mail_says_never_reaches_the_terminal_raw(demo: Mailweir, record: Put, ignore: Put) -> None:
    hostile = "\x1b]0;owned\x07[red]x[/red] \x9b31m\u202e"
    activity_id = record("demo", "richard", JANE, subject=hostile)
    ignore("demo", author=f"{hostile}@x.example", message_id=f"<{hostile}>")
    script = "import sys; from admin_cli.main import run; sys.exit(max(run(line.split()) for line in sys.argv[1:]))"
    lines = [
        "activity list",
        f"activity show {activity_id}",
        "todo list",
        "why 4XyZ",
        "why 4XyZ --json",
        "activity list --json",
    ]
    reader, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", script, *lines],
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "300"},
    ) as process:
        os.close(terminal)
        written = b""
        with contextlib.suppress(OSError):  # a closed terminal gives an error
            while part := os.read(reader, 65536):
                written += part
    os.close(reader)
    assert process.returncode == 0, written
    text = written.decode()
    assert "[red]x[/red]" in text
    assert "\\x1b]0;owned\\x07" in text
    for sequence in ("\x1b]", "\x07", "\x9b", "\u202e"):
        assert sequence not in text


@pytest.mark.parametrize("text", ["\udcff", "a\x00b", "\n"])
def test_why_of_what_nothing_is_called_finds_nothing(demo: Mailweir, text: str) -> None:
    assert (demo("why", text).code, demo("why", text, "--json").json) == (1, [])


@pytest.mark.parametrize("text", [JANE, JANE.upper(), "eve@evil.example"])
def test_why_finds_what_an_unreadable_from_names(demo: Mailweir, ignore: Put, text: str) -> None:
    names = (JANE, "eve@evil.example")
    ignore("demo", author=None, reason=Reason.UNREADABLE_AUTHOR, named=names)
    ran = demo("why", text)
    assert (ran.code, ran.out.count("\n")) == (0, 1)
    assert f"can be read in two ways: it names {', '.join(names)} (queue id" in ran.out
    (found,) = demo("why", text, "--json").json
    assert (found["author"], found["named"]) == (None, list(names))


@pytest.mark.parametrize(
    ("text", "queue_ids"), [("quarterly", ["4Xy1"]), ("QUARTERLY report", ["4Xy1"]), (JANE, ["4Xy2", "4Xy1"])]
)
def test_why_finds_what_is_recorded_by_its_subject_and_by_who_takes_part(
    demo: Mailweir, record: Put, text: str, queue_ids: list[str]
) -> None:
    record("demo", "richard", JANE, subject="The Quarterly report")
    record("demo", "richard", JANE, subject="100% Pumps", number=2)
    found = demo("why", text, "--json").json
    assert [one["queue_id"] for one in found] == queue_ids
    assert [one["queue_id"] for one in demo("why", "100%", "--json").json] == ["4Xy2"]
    assert demo("why", "qu").code == 1


@pytest.mark.parametrize(
    ("author", "to", "hinted"),
    [
        ("rick@example.com", "log", True),
        ("rick@stranger.example", "log", False),
        ("rick@xexample.com", "log", False),
        ("rick@example.com", "richard", False),
    ],
)
def test_a_users_unregistered_address_at_log_gets_a_hint(
    demo: Mailweir, ignore: Put, author: str, to: str, hinted: bool
) -> None:
    ignore("demo", author=author, to=to)
    assert ("if rick@example.com is a user's own address: mailweir user alias" in demo("why", author).out) is hinted


def test_an_activity_says_what_makes_its_author_less_sure(demo: Mailweir, record: Put) -> None:
    activity_id = record("demo", "richard", JANE, doubt=Doubt.REPAIRED)
    shown = demo("activity", "show", str(activity_id))
    assert f"{JANE} (sender verdict: none)" in shown.out
    assert "From was repaired" in shown.out
    assert demo("activity", "show", str(activity_id), "--json").json["author_doubt"] == "repaired"


@pytest.mark.parametrize("text", ["<1@x.example>", "1@x.example", "jane@x.example", "JANE@x.example", "4XyZ"])
def test_why_answers_in_words(demo: Mailweir, ignore: Put, text: str) -> None:
    ignore("demo")
    ran = demo("why", text)
    assert ran.code == 0
    assert ran.out == (
        "2026-11-24 03:12:55Z  ignored: author jane@x.example is not a contact of demo"
        " (queue id 4XyZ, to richard@demo.example.net)\n"
    )
    assert demo("why", text, "--json").json == [
        {
            "time": "2026-11-24T03:12:55.123456Z",
            "deployment": "demo",
            "queue_id": "4XyZ",
            "recipients": ["richard@demo.example.net"],
            "author": "jane@x.example",
            "message_id": "<1@x.example>",
            "outcome": "ignored",
            "reason": "author jane@x.example is not a contact of demo",
            "activity": None,
            "direction": None,
            "mailbox": None,
            "gmail_id": None,
            "contact_origins": [],
        }
    ]


def test_why_tells_what_became_of_captured_and_forged_mail(demo: Mailweir, record: Put, ignore: Put) -> None:
    activity_id = record("demo", "richard", JANE)
    assert f"captured as activity {activity_id}: incoming from {JANE}" in demo("why", JANE).out
    ignore("demo", Reason.UNPROVEN_CONFIRMATION, author="forwarding-noreply@google.com", queue_id="4Forged")
    said = demo("why", "4Forged").out
    assert "looked like a Gmail forwarding confirmation" in said
    assert "Google's signature doesn't prove it" in said


def test_why_without_a_hit_exits_1(demo: Mailweir) -> None:
    ran = demo("why", "nobody@x.example", "--json")
    assert (ran.code, ran.json) == (1, [])
    ran = demo("why", "nobody@x.example")
    assert ran.code == 1
    assert "No decision is known for nobody@x.example" in ran.out


def test_why_asks_all_deployments_or_the_one_that_is_named(demo: Mailweir, ignore: Put) -> None:
    demo("deployment", "add", "other", "--domain", "other.example.net")
    ignore("demo")
    ignore("other")
    assert {row["deployment"] for row in demo("why", "4XyZ", "--json").json} == {"demo", "other"}
    assert [row["deployment"] for row in demo("why", "4XyZ", "--deployment", "other", "--json").json] == ["other"]
    assert demo("why", "4XyZ", "--deployment", "nope").code == 1


def test_prune_forgets_old_decisions_and_says_how_many(demo: Mailweir, ignore: Put, record: Put, now: Any) -> None:
    record("demo", "richard", JANE)
    ignore("demo", queue_id="old", at=now - timedelta(days=9000))
    assert demo("db", "prune", "--json").json["deleted"] >= 1
    assert demo("why", "old").code == 1
    assert demo("why", "4Xy1").code == 0
    assert demo("db", "prune").out == "Deleted 0 decisions older than 14 days on mail that was not captured.\n"
