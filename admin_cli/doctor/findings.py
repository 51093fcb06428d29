"""What a check finds, and the bound that holds for each check.

A check that fails or hangs is a finding itself, and the others go on. Called by `doctor.command`; each area's module makes
findings.
"""

import contextlib
import enum
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mailweir.errors import MailweirError

CHECK_SECONDS = 20.0


class Level(enum.StrEnum):
    """ok; note: to be known, nothing is broken; wrong: to be acted on, exit code 1."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence on one area, and what to do about it ("" where there is nothing to do)."""

    area: str
    level: Level
    sentence: str
    to_do: str = ""


def ok(area: str, sentence: str) -> Finding:
    """All is well."""
    return Finding(area, Level.OK, sentence)


def note(area: str, sentence: str, to_do: str = "") -> Finding:
    """Worth knowing."""
    return Finding(area, Level.NOTE, sentence, to_do)


def wrong(area: str, sentence: str, to_do: str) -> Finding:
    """Something is broken."""
    return Finding(area, Level.WRONG, sentence, to_do)


class TookTooLong(Exception):
    """A check didn't end in its time."""


Check = Callable[[], Iterable[Finding]]


def run(area: str, check: Check, seconds: float = CHECK_SECONDS) -> list[Finding]:
    """What the check finds, whatever becomes of it."""
    found: list[Finding] = []
    try:
        with _bounded(seconds):
            for finding in check():
                found.append(finding)
    except TookTooLong:
        found.append(
            wrong(
                area, f"this check didn't end within {seconds:.0f} s", "see whether the disk or the host is overloaded"
            )
        )
    except MailweirError as error:
        found.append(wrong(area, str(error), "see docs/operations.md"))
    except Exception as error:  # noqa: BLE001 - an edge: a fault of one check must not hide what the others find
        found.append(wrong(area, f"this check failed: {type(error).__name__}: {error}", "see docs/operations.md"))
    return found


@contextlib.contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    def give_up(*_: Any) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
