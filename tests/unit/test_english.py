"""An explanation's English words, as an admin reads them."""

import re
from datetime import UTC, datetime

import pytest

from mailweir.explain import english
from mailweir.explain.english_page import PAGE
from mailweir.explain.explanation import Value, explain
from mailweir.explain.keys import PARAMETERS

VALUES: dict[str, Value] = {
    **dict.fromkeys(
        ("since", "until", "again", "ends", "last", "seen_at", "made_at"), datetime(2026, 11, 24, tzinfo=UTC)
    ),
    **dict.fromkeys(("days", "usual_days", "attempts", "activity"), 7),
}


def test_the_words_say_who_and_whose() -> None:
    unknown = explain("decision.unknown_author", author="j@x.example", deployment="demo")
    assert english.text(unknown) == "author j@x.example is not a contact of demo"
    captured = explain("decision.author_is_contact.incoming", author="j@x.example", deployment="demo")
    assert f"{english.text(explain('outcome.captured.activity', activity=12))}: {english.text(captured)}" == (
        "captured as activity 12: incoming from j@x.example, a contact of demo"
    )
    forged = english.text(explain("decision.unproven_confirmation"))
    assert "looked like a Gmail forwarding confirmation" in forged
    assert "Google's signature doesn't prove it" in forged


def test_whom_an_unreadable_from_names_is_said() -> None:
    named = explain("decision.unreadable_author.naming", names="j@x.example, {author}@y.example")
    assert english.text(named).endswith(": it names j@x.example, {author}@y.example")


def test_a_hostile_author_does_no_harm() -> None:
    hostile = explain("decision.unknown_author", author="{deployment.x}@x.example", deployment="demo")
    assert english.text(hostile) == "author {deployment.x}@x.example is not a contact of demo"


def test_that_there_is_no_author_is_said() -> None:
    nobody = explain("decision.internal", author="", deployment="demo")
    assert english.text(nobody).startswith("internal mail: author (no author) and")


def test_moments_are_said_as_each_text_wants_them() -> None:
    moment = datetime(2026, 11, 24, 3, 12, 55, 120, UTC)
    assert english.text(explain("todo.done", since=moment)) == "done since 2026-11-24 03:12:55Z"
    assert english.text(explain("sync.held", until=moment)).endswith("its date, 2026-11-24T03:12:55.000120Z")


@pytest.mark.parametrize("key", PARAMETERS)
def test_the_page_names_no_command_or_setting_and_says_the_rest_alike(key: str) -> None:
    one = explain(key, **{name: VALUES.get(name, f"<{name}>") for name in PARAMETERS[key]})
    said = english.page_text(one)
    assert not re.search(r"\bmailweir[ -]|USERNAME|\[[a-z]+\] [a-z_]+|[a-z]+\.[a-z]+_", said)
    assert (said == english.text(one)) == (key not in PAGE)


def test_the_page_has_words_of_its_own_for_known_keys_alone() -> None:
    assert set(PAGE) - set(PARAMETERS) == set()
