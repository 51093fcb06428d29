"""The glossary, docs/words.md, has the words that programs and the page show as states, reasons and kinds."""

import enum
import re
from pathlib import Path

import pytest

from mailweir import daemons, decision, sender_verdict, visibility
from mailweir.explain.user_integrations import GmailState
from mailweir.health.findings import Level
from mailweir.reading.folds import FoldKind
from mailweir.reading.labels import Label
from mailweir.store.gmail import gmail_mailboxes, gmail_queue
from mailweir.store.people import dkim_keys
from mailweir.store.record.digest_queue import Stage
from mailweir.store.web import accounts, jobs

GLOSSARY = (Path(__file__).parents[2] / "docs" / "words.md").read_text("utf-8").partition("## Retired words")[0]
SHOWN: tuple[type[enum.Enum], ...] = (
    decision.Direction,
    decision.Doubt,
    decision.HeldKind,
    decision.Outcome,
    decision.Route,
    sender_verdict.Verdict,
    visibility.Visibility,
    FoldKind,
    GmailState,
    Label,
    Level,
    Stage,
    accounts.Role,
    dkim_keys.State,
    gmail_mailboxes.State,
    gmail_queue.Origin,
    jobs.State,
)


@pytest.mark.parametrize("shown", SHOWN, ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_each_value_that_people_see_is_in_the_glossary(shown: type[enum.Enum]) -> None:
    assert [one.value for one in shown if not re.search(rf"\b{one.value}\b", GLOSSARY, re.I)] == []


def test_each_daemon_is_in_the_glossary() -> None:
    missing = {one.name for one in daemons.ALL if f"`{one.name}`" not in GLOSSARY}
    assert missing == set()


def test_a_word_is_defined_once() -> None:
    words = [row.partition(" | ")[0] for row in re.findall(r"^\| (.+) \|$", GLOSSARY, re.M)]
    defined = [word for word in words if word not in ("word", "---", "law")]
    assert len(defined) == len(set(defined))
