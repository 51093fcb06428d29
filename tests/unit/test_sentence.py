"""Sentences: English text for everybody, a template for a translator. Everything that may be shown is a sentence."""

import ast
import copy
import json
import pickle
import sqlite3
import string
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailweir.errors import BadInput, DnsUnavailable
from mailweir.sentence import Kept, Sentence, joined, said
from tests.imports import sources

ROOT = Path(__file__).parents[2]
FOLDERS = ["mailweir", "webapp/job_kinds", "admin_cli/doctor"]
# Errors whose text a page may show. Errors of settings and of the database's files end a program before there is a page.
SHOWN_ERRORS = {
    *(
        "BadInput",
        "NotFound",
        "MailweirError",
        "DnsUnavailable",
        "DatabaseUnavailable",
        "SyntaxFault",
        "Busy",
        "HasBcc",
    ),
    *("NeedsReconnect", "ConsentFailed", "Unreachable", "HistoryExpired", "NotOwnAddress", "ReadForAnother"),
}
FINDINGS = {"ok": (1,), "note": (1, 2), "wrong": (1, 2), "BadRow": (1,)}
# the text of a backup on the command line, which continues with the system's own words
NOT_SHOWN = {"mailweir/store/database/backup.py"}


def _calls() -> Iterator[tuple[str, ast.Call, str]]:
    for file in sorted(sources(FOLDERS)):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield str(file.relative_to(ROOT)), node, node.func.id


def _is_bare(node: ast.expr) -> bool:
    """Text without a template: an f-string, a literal, or a choice of two of them."""
    if isinstance(node, ast.IfExp):
        return _is_bare(node.body) or _is_bare(node.orelse)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and bool(node.value))


def _literal(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def test_it_is_the_english_text_to_everybody() -> None:
    one = said("{found} is not an address of {contact}", found="j@x.example", contact="Jane")
    assert one == "j@x.example is not an address of Jane"
    assert json.dumps({"why": one}) == '{"why": "j@x.example is not an address of Jane"}'
    stored = sqlite3.connect(":memory:").execute("SELECT ?, typeof(?)", (one, one)).fetchone()
    assert stored == ("j@x.example is not an address of Jane", "text")
    assert type(stored[0]) is str


def test_an_error_keeps_the_template_of_its_text() -> None:
    found = str(BadInput(said("'{text}' is not a word", text="-")))
    assert isinstance(found, Sentence)
    assert (found.template, found.values) == ("'{text}' is not a word", {"text": "-"})


def test_an_error_within_a_sentence_is_a_sentence_there() -> None:
    inner = DnsUnavailable(said("no answer for {name} in time", name="x.example"))
    outer = said("its result by RFC 9989 isn't known: {error}", error=inner)
    assert isinstance(outer.values["error"], Sentence)
    assert outer == "its result by RFC 9989 isn't known: no answer for x.example in time"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_has_the_template_too(copied: object) -> None:
    one = said("{number} of {most}", number=1, most=2)
    made = copied(one)  # type: ignore[operator]  # any of the above
    assert (made, made.template, made.values) == (one, one.template, one.values)


def test_what_fills_it_in_is_no_template() -> None:
    hostile = "{found.__class__} %(x)s {0}"
    assert said("'{text}' is not a word", text=hostile) == f"'{hostile}' is not a word"


def test_a_moment_is_written_as_the_template_says() -> None:
    at = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
    assert said("mail that came at {oldest:%Y-%m-%d %H:%M:%SZ}", oldest=at) == "mail that came at 2026-11-24 08:30:00Z"


def test_joined_sentences_stay_apart() -> None:
    one = joined([said("1 look-up"), "x", Kept("y")], ", ")
    assert one == "1 look-up, x, y"
    assert isinstance(one, Sentence)
    assert [type(part) for part in one.values.values()] == [Sentence, str, Kept]
    assert joined([], ", ") == ""


def _is_odd(call: ast.Call) -> bool:
    """Do the places in its template differ from its values, or isn't it a literal?"""
    fields = {field for _, field, _, _ in string.Formatter().parse(_literal(call)) if field is not None}
    return not _literal(call) or fields != {one.arg for one in call.keywords}


def test_each_sentence_is_a_literal_with_exactly_its_values() -> None:
    assert [f"{file}:{call.lineno}" for file, call, name in _calls() if name == "said" and _is_odd(call)] == []
    assert sum(name == "said" for _, _, name in _calls()) > 400


def test_no_error_that_a_page_may_show_has_a_bare_text() -> None:
    bare = [
        f"{file}:{call.lineno}"
        for file, call, name in _calls()
        if name in SHOWN_ERRORS and file not in NOT_SHOWN and call.args and _is_bare(call.args[0])
    ]
    assert bare == [], 'a translator needs a template: `said("… {name} …", name=…)`'


def test_no_finding_has_a_bare_text() -> None:
    bare = [
        f"{file}:{call.lineno}"
        for file, call, name in _calls()
        for place in FINDINGS.get(name, ())
        if place < len(call.args) and _is_bare(call.args[place])
    ]
    assert bare == []
    assert sum(name in FINDINGS for _, _, name in _calls()) > 60, "the test finds them by these names"
