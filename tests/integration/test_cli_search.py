"""`mailweir search`: its output for people and for programs."""

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from mailweir.reading import message, search_entry
from mailweir.store.database.connection import Database
from mailweir.store.record import digest_queue, readings, search_index
from mailweir.store.record.digest_queue import Stage

Mailweir = Any
Put = Callable[..., Any]
JANE = "jane@client.example"


@pytest.fixture
def demo(mailweir: Mailweir, database: Database, record: Put, now: datetime) -> Mailweir:
    """A firm with two mails, read and indexed."""
    for line in (
        "deployment add demo --domain demo.example.net",
        "user add richard --email richard@firm.example",
        f"contact add Jane {JANE}",
    ):
        assert mailweir(*line.split()).code == 0, line
    for number, text in enumerate(("Dear Richard, the boiler is old.", "A boiler, at a fixed price."), 1):
        record("demo", "richard", JANE, number=number, subject=f"Offer {number}\x1b[31m")
        entry = search_entry.make(raw_id=number, deployment_id=1, text=text, subject=f"Offer {number}", names=(JANE,))
        with database.transaction():
            search_index.put(database, [entry])
            readings.write(database, number, message.read(f"\r\n{text}\r\n".encode()), now)
            digest_queue.done(database, Stage.READING, number)
    return mailweir


def test_hits_are_two_lines_of_eighty_columns(demo: Mailweir) -> None:
    shown = demo("search", "boiler")
    assert (shown.code, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert lines[0].split() == ["id", "recorded", "author", "subject"]
    assert lines[1] == " 2  2026-11-24 03:14  jane@client.example  Offer 2\\x1b[31m"
    assert "boiler" in lines[2]
    assert [line.split()[0] for line in lines[1::2]] == ["2", "1"]
    assert max(map(len, lines)) <= 80


def test_a_phrase_that_the_shell_took_the_quotes_off_stays_one(demo: Mailweir) -> None:
    assert len(demo("search", "fixed price").out.splitlines()) == 3
    assert demo("search", "price fixed").out == ""
    assert len(demo("search", "price", "fixed").out.splitlines()) == 3


def test_programs_get_activities_with_a_snippet(demo: Mailweir) -> None:
    (found,) = demo("search", "fixed", "--json").json
    assert (found["id"], found["author"]) == (2, JANE)
    assert "fixed price" in found["snippet"]
    listed = demo("activity", "list", "--limit", "1", "--json").json[0]
    assert {**found, "snippet": ""} == {**listed, "snippet": ""}


def test_the_next_page_is_told(demo: Mailweir) -> None:
    first = demo("search", "boiler", "--limit", "1")
    assert "--before 2" in first.err
    second = demo("search", "boiler", "--limit", "1", "--before", "2")
    assert second.out.splitlines()[1].split()[0] == "1"


def test_what_is_not_read_yet_is_said(demo: Mailweir, record: Put) -> None:
    record("demo", "richard", JANE, number=3)
    assert "1 message isn't read yet; results may be missing." in demo("search", "boiler").err


def test_nothing_found_and_nothing_asked_are_said(demo: Mailweir) -> None:
    assert demo("search", "engine").err == "Nothing is found in demo.\n"
    nothing = demo("search", "--", "-?-")
    assert (nothing.code, nothing.out) == (0, "")
    assert "The search has no word" in nothing.err
    assert demo("search", "engine", "--json").json == []
    assert demo("search").code == 2
    assert demo("search", "boiler", "--since", "soon").code == 2


@pytest.mark.parametrize(
    "typed", ["OR", "NEAR(", ")", '"', "*", "a:b", "^boiler", "' OR 1=1 --", "\\", "{boiler}", "%", "\ud800"]
)
def test_nothing_that_is_typed_is_an_error(demo: Mailweir, typed: str) -> None:
    assert demo("search", "--", typed).code == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the output is the same on both databases
def test_a_terminal_shows_found_words_bold(demo: Mailweir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("admin_cli.commands.search.is_terminal", lambda: True)
    monkeypatch.setattr("typer.echo", lambda text, **_: sys.stdout.write(f"{text}\n"))
    shown = demo("search", "old").out
    assert "\x1b[1mold\x1b[0m" in shown
    assert "\x1b[31m" not in shown, "the text of a mail"
