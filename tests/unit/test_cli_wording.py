"""Every reason has words that an admin understands."""

from dataclasses import replace

import pytest

from admin_cli import wording
from mailweir.decision import Outcome, Reason
from mailweir.store.record.decisions import Decision


def _decision(
    reason: str, outcome: str = "ignored", activity: int | None = None, author: str | None = "j@x.example"
) -> Decision:
    direction = "incoming" if activity else None
    recipients = ("richard@demo.example.net",)
    return Decision(
        time="2026",
        deployment="demo",
        queue_id="4XyZ",
        recipients=recipients,
        author=author,
        named=(),
        message_id=None,
        outcome=outcome,
        reason=reason,
        activity=activity,
        direction=direction,
        mailbox=None,
    )


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_words_of_its_own(reason: Reason) -> None:
    words = wording.reason(_decision(reason))
    assert words != reason
    assert len(words) > 20
    assert "{" not in words


def test_the_words_say_who_and_whose() -> None:
    assert wording.reason(_decision(Reason.UNKNOWN_AUTHOR)) == "author j@x.example is not a contact of demo"
    captured = _decision(Reason.AUTHOR_IS_CONTACT, Outcome.CAPTURED, 12)
    assert f"{wording.outcome(captured)}: {wording.reason(captured)}" == (
        "captured as activity 12: incoming from j@x.example, a contact of demo"
    )
    forged = wording.reason(_decision(Reason.UNPROVEN_CONFIRMATION))
    assert "looked like a Gmail forwarding confirmation" in forged
    assert "Google's signature doesn't prove it" in forged


def test_whom_an_unreadable_from_names_is_said() -> None:
    decision = replace(_decision(Reason.UNREADABLE_AUTHOR, author=None), named=("j@x.example", "{author}@y.example"))
    assert wording.reason(decision).endswith(": it names j@x.example, {author}@y.example")


def test_a_hostile_author_and_a_reason_of_another_version_do_no_harm() -> None:
    assert wording.reason(_decision(Reason.UNKNOWN_AUTHOR, author="{deployment.x}@x.example")) == (
        "author {deployment.x}@x.example is not a contact of demo"
    )
    assert wording.reason(_decision("some later reason")) == "some later reason"
    assert wording.outcome(_decision(Reason.INTERNAL, "refused")) == "refused"
