"""An explanation's English words, as an admin reads them."""

from datetime import UTC, datetime

from mailweir.explain import english
from mailweir.explain.explanation import explain


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
