"""Findings of checks, and the time limit of each check.

A check that fails or hangs becomes a finding itself, and the other checks go on. Called by `doctor.command` and `health_report`;
each area's module makes findings.
"""

import contextlib
import enum
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mailweir.errors import MailweirError
from mailweir.explain.explanation import Explanation
from mailweir.sentence import Kept, Sentence, said
from mailweir.store.database.moments import rfc3339

CHECK_SECONDS = 20.0


class Level(enum.StrEnum):
    """ok; note: good to know, nothing is broken; wrong: somebody has to act, exit code 1."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


Fact = str | int | float
Words = Callable[[Explanation], str]  # the text of an explanation, as the command line or the page words it


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence on one area, and advice ("" if there is nothing to do).

    key: the finding's name for programs, as `queue.old_mail`; it stays while the sentence may change. facts: the values in the
    sentence, by name; times are RFC 3339, UTC, sizes in bytes.
    """

    area: str
    level: Level
    sentence: str
    to_do: str = ""
    key: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict, hash=False)


def ok(area: str, sentence: str, *, key: str, **facts: Fact | datetime) -> Finding:
    """All is well."""
    return Finding(area, Level.OK, sentence, "", key, _kept(facts))


def note(area: str, sentence: str, to_do: str = "", *, key: str, **facts: Fact | datetime) -> Finding:
    """Worth knowing."""
    return Finding(area, Level.NOTE, sentence, to_do, key, _kept(facts))


def wrong(area: str, sentence: str, to_do: str, *, key: str, **facts: Fact | datetime) -> Finding:
    """Something is broken."""
    return Finding(area, Level.WRONG, sentence, to_do, key, _kept(facts))


def _kept(facts: Mapping[str, Fact | datetime]) -> dict[str, Fact]:
    return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in facts.items()}


def worst(found: Iterable[Finding]) -> Level:
    """The worst level of these findings; ok if there are none."""
    return max((one.level for one in found), key=list(Level).index, default=Level.OK)


class TookTooLong(Exception):
    """A check didn't end in its time."""


Check = Callable[[], Iterable[Finding]]


def run(area: str, check: Check, seconds: float = CHECK_SECONDS) -> list[Finding]:
    """The findings of a check, also if it fails. seconds: the limit, in a process's main thread only."""
    found: list[Finding] = []
    try:
        with _bounded(seconds):
            for finding in check():
                found.append(finding)
    except TookTooLong:
        found.append(
            wrong(
                area,
                said("this check didn't end within {seconds:.0f} s", seconds=seconds),
                said("see whether the disk or the host is overloaded"),
                key="check.took_too_long",
            )
        )
    except MailweirError as error:
        found.append(
            wrong(area, _told(error), said("see docs/admin/operations.md"), key="check.not_possible", why=str(error))
        )
    except Exception as error:  # noqa: BLE001 - a fault of one check must not hide the findings of the others
        found.append(
            wrong(
                area,
                said("this check failed: {name}: {error}", name=type(error).__name__, error=error),
                said("see docs/admin/operations.md"),
                key="check.failed",
                why=f"{type(error).__name__}: {error}",
            )
        )
    return found


def _told(error: MailweirError) -> str:
    """The error's text. If it has no template, a translator finds the template again by the words."""
    text = str(error)
    return text if isinstance(text, Sentence) else Kept(text)


@contextlib.contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """Only a process's main thread can be interrupted. In other threads, the limits of the check itself must be enough."""

    def give_up(*_: Any) -> None:
        raise TookTooLong

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
