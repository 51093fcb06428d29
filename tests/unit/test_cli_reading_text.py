"""A reading on a terminal: an invitation's time, folded text, and nothing more."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest

from admin_cli import reading_text
from mailweir.reading.attachments import Attachment
from mailweir.reading.folds import Fold, FoldKind
from mailweir.reading.invitation import Invitation
from mailweir.store.record.readings import KeptReading

NOW = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)
BERLIN = timezone(timedelta(hours=1))
START = datetime(2026, 11, 24, 10, 0, tzinfo=BERLIN)
DAY = datetime(2026, 11, 24, tzinfo=UTC)


def _event(
    starts_at: datetime | None,
    ends_at: datetime | None = None,
    *,
    zone: str = "Europe/Berlin",
    is_all_day: bool = False,
    repeats: bool = False,
    method: str = "REQUEST",
) -> Invitation:
    return Invitation(
        method=method,
        summary="Lunch",
        location="",
        starts_at=starts_at,
        ends_at=ends_at,
        is_all_day=is_all_day,
        zone=zone,
        repeats=repeats,
    )


def _reading(
    text: str = "",
    folds: Sequence[Fold] = (),
    invitation: Invitation | None = None,
    attachments: tuple[Attachment, ...] = (),
) -> KeptReading:
    return KeptReading(
        raw_id=1,
        reader_version=1,
        is_unreadable=False,
        read_at=NOW,
        subject="x",
        snippet="",
        labels=frozenset(),
        problems=(),
        remote_images=0,
        original=None,
        invitation=invitation,
        folds=tuple(folds),
        text=text,
        html=None,
        attachments=attachments,
    )


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (_event(START), "2026-11-24 10:00 Europe/Berlin (2026-11-24 09:00Z)"),
        (_event(START, START), "2026-11-24 10:00 Europe/Berlin (2026-11-24 09:00Z)"),
        (
            _event(START, START + timedelta(hours=1)),
            "2026-11-24 10:00 to 11:00 Europe/Berlin (2026-11-24 09:00Z)",
        ),
        (
            _event(START, START + timedelta(days=1), zone="UTC+1"),
            "2026-11-24 10:00 to 2026-11-25 10:00 UTC+1 (2026-11-24 09:00Z)",
        ),
        (_event(DAY, zone="UTC"), "2026-11-24 00:00 UTC"),
        (_event(DAY, zone="", repeats=True), "2026-11-24 00:00 by the local clock, repeated"),
        (_event(DAY, is_all_day=True, zone=""), "2026-11-24"),
        (_event(DAY, DAY + timedelta(days=1), is_all_day=True, zone=""), "2026-11-24"),
        (_event(DAY, DAY + timedelta(days=3), is_all_day=True, zone=""), "2026-11-24 to 2026-11-26"),
        (_event(None), "no time is given"),
    ],
)
def test_an_invitation_says_when(event: Invitation, says: str) -> None:
    assert reading_text.times(event) == says


@pytest.mark.parametrize(
    ("method", "says"), [("REQUEST", "invites: Lunch"), ("CANCEL", "calls off: Lunch"), ("X-ODD", "x-odd: Lunch")]
)
def test_an_invitation_says_what_it_does(method: str, says: str) -> None:
    lines = list(reading_text.lines(_reading(invitation=_event(START, method=method)), {}, is_full=False))
    assert lines[0].split(maxsplit=1) == ["invitation", says]
    assert lines[-1] == "(no text)"


TEXT = "Yes.\n\n \n\n\n\tThen.\n> a\n> b\n-- \nJane"


def test_folds_are_said_and_full_shows_all() -> None:
    quote, signature = TEXT.index("> a"), TEXT.index("-- ")
    folds = [
        Fold(kind=FoldKind.QUOTE, start=quote, end=signature),
        Fold(kind=FoldKind.SIGNATURE, start=signature, end=len(TEXT)),
    ]
    assert list(reading_text.lines(_reading(TEXT, folds), {}, is_full=False)) == [
        "",
        "Yes.",
        "",
        "        Then.",
        "[2 lines quoted: --full shows all]",
        "[2 lines of a signature: --full shows all]",
    ]
    full = list(reading_text.lines(_reading(TEXT, folds), {}, is_full=True))
    assert full[1:] == ["Yes.", "", " ", "", "", "        Then.", "> a", "> b", "-- ", "Jane"]


def test_copies_of_a_file_are_named_and_no_more_than_a_few() -> None:
    file = Attachment(
        name="a.csv",
        media_type="text/csv",
        size_bytes=4,
        sha256=b"",
        is_inline=False,
        content_id="",
        offset=0,
        length=4,
        encoding="",
    )
    lines = list(reading_text.lines(_reading("x", attachments=(file,)), {1: [9, 8]}, is_full=False))
    assert lines[:2] == ["  attachment  1: a.csv (text/csv, 4 bytes)", f"  {'':<11}    also in activity 9, 8"]
    lines = list(reading_text.lines(_reading("x", attachments=(file,)), {1: list(range(7))}, is_full=False))
    assert lines[1].strip() == "also in activity 0, 1, 2, 3, 4 and more"


@pytest.mark.parametrize("piece", ["\n", " ", "\t", " \n", "\t\n", "> ", "a"])
@pytest.mark.parametrize("is_full", [True, False])
def test_a_megabyte_of_one_thing_takes_no_time(piece: str, is_full: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    text = "a\n" + piece * (1_000_000 // len(piece)) + "b"
    before = time.process_time()
    assert list(reading_text.lines(_reading(text), {}, is_full=is_full))
    assert time.process_time() - before < 8


def test_a_terminal_gets_words_unbroken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    text = "A long line that is broken between words\n" + "x" * 30 + "\n\u202eback"
    lines = list(reading_text.lines(_reading(text), {}, is_full=True))
    assert lines[1:] == ["A long line that is", "broken between words", "x" * 30, "\\u202eback"]
