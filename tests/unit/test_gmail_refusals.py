"""The table of Google's refusals: it is complete, each row is used, and an answer that isn't Google's never ends anything."""

import itertools
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from mailweir.gmail import refusals
from mailweir.gmail.errors import (
    AppRefused,
    ConsentFailed,
    GmailError,
    HistoryExpired,
    MessageGone,
    NeedsReconnect,
    NotOffered,
    NotTaken,
    Refused,
    Throttled,
    Unreachable,
    Whose,
)
from mailweir.gmail.refusals import TABLE, Asked, Meaning

DOCUMENT = Path(__file__).parents[2] / "docs" / "admin" / "gmail-answers.md"
STATUSES = (300, 302, 400, 401, 403, 404, 407, 408, 410, 418, 429, 499, 500, 502, 503, 504, 599, 999)
REASONS = sorted(set().union(*(row.reasons for row in TABLE)) | {"", "never heard of"})
WORDS = sorted({word for row in TABLE for word in row.words} | {""})
HEARD = {
    NotOffered: "asked another way",
    Throttled: "waits as long as it says",
    Unreachable: "asked again later",
    NotTaken: "asked again at once",
    MessageGone: "the message is gone",
    HistoryExpired: "listed anew",
    AppRefused: "all mailboxes wait",
    Refused: "the mailbox waits",
    NeedsReconnect: "`reconnect`",
    ConsentFailed: "no consent",
}
GROUPS = {
    frozenset(set(Asked) - {Asked.USER_TOKEN, Asked.ROBOT_TOKEN, Asked.CODE, Asked.END}): "anything of Gmail",
    frozenset({Asked.HISTORY, Asked.PAGE}): "the history",
    frozenset({Asked.USER_TOKEN, Asked.ROBOT_TOKEN, Asked.CODE, Asked.END}): "any token",
    frozenset({Asked.USER_TOKEN, Asked.CODE, Asked.END}): "a token, by a user's consent",
}


def examples(row: Meaning) -> Iterator[tuple[Asked, int, str, str, bool]]:
    """Answers that may match a row."""
    statuses = [status for status in STATUSES if not row.statuses or status in row.statuses]
    forms = [True] if row.needs_form else [True, False]
    yield from itertools.product(sorted(row.asked), statuses, sorted(row.reasons) or [""], row.words or ("",), forms)


@pytest.mark.parametrize("row", TABLE, ids=[f"{row.error.__name__}-{at}" for at, row in enumerate(TABLE)])
def test_no_row_is_hidden_by_those_above_it(row: Meaning) -> None:
    found = (
        refusals.find(asked, status, {reason}, text, has_form=form)
        for asked, status, reason, text, form in examples(row)
    )
    assert any(one is row for one in found)


def test_each_answer_has_a_row_and_one_that_is_not_googles_ends_nothing() -> None:
    for asked, status, reason, text in itertools.product(Asked, STATUSES, REASONS, WORDS):
        assert refusals.find(asked, status, {reason}, text, has_form=True) in TABLE
    for asked, status in itertools.product(Asked, STATUSES):
        row = refusals.find(asked, status, set(), "", has_form=False)
        assert row.error in (Throttled, Unreachable, NotTaken, NotOffered), (asked, status)
        assert status not in (429,) or row.error is Throttled


@pytest.mark.parametrize("status", [500, 502, 503, 599, 302, 200])
def test_no_outage_ends_anything_whatever_it_says(status: int) -> None:
    for asked, reason, text in itertools.product(Asked, REASONS, WORDS):
        row = refusals.find(asked, status, {reason}, text, has_form=True)
        assert issubclass(row.error, Unreachable), (asked, reason, text)


WHAT_IT_IS: dict[Whose, set[type[GmailError]]] = {
    Whose.MESSAGE: {MessageGone, Refused},
    Whose.MAILBOX: {Throttled, HistoryExpired, NeedsReconnect, Refused, Unreachable, ConsentFailed},
    Whose.APP: {AppRefused},
    Whose.PROJECT: {Throttled, AppRefused},
    Whose.GOOGLE: {Unreachable, NotTaken, NotOffered},
    Whose.HOST: {Unreachable},
}


def test_an_error_is_one_that_stops_what_it_is_of_and_no_more() -> None:
    assert [row for row in TABLE if row.error not in WHAT_IT_IS[row.whose]] == []
    assert {row.whose for row in TABLE} == set(Whose)


def test_what_a_service_account_is_told_asks_nobody_to_consent() -> None:
    for status, reason, text in itertools.product(STATUSES, REASONS, WORDS):
        row = refusals.find(Asked.ROBOT_TOKEN, status, {reason}, text, has_form=True)
        assert row.error not in (NeedsReconnect, ConsentFailed)


def line(row: Meaning) -> str:
    """A row as the document has it."""
    statuses = ", ".join(str(one) for one in _named(row))
    reasons = ", ".join(f"`{one}`" for one in sorted(row.reasons))
    words = " or ".join(f"“{one}”" for one in row.words)
    said = " with ".join(one for one in (reasons, words) if one)
    form = "" if row.needs_form else " (also a proxy's)"
    asked = GROUPS.get(row.asked) or "; ".join(one.value for one in Asked if one in row.asked)
    is_given_up = row.error is Refused and row.whose is Whose.MESSAGE
    so = "given up after several tries" if is_given_up else HEARD[row.error]
    return f"| {asked} | {statuses}{form} | {said} | {row.whose.value} | {so} |"


def _named(row: Meaning) -> list[object]:
    """The statuses in a few words."""
    if not row.statuses:
        return ["any"]
    whole = [f"{group}xx" for group in (1, 2, 3, 5) if {*range(group * 100, group * 100 + 100)} <= {*row.statuses}]
    others = [int(one) for one in HTTPStatus if one in row.statuses and f"{one // 100}xx" not in whole]
    return [*sorted(others), *whole[-2:]]


def test_the_document_has_the_table() -> None:
    """This test's output shows the required lines."""
    found = [one for one in DOCUMENT.read_text("utf-8").splitlines() if one.startswith("| ") and "---" not in one]
    assert found[1:] == [line(row) for row in TABLE]
