"""Retries while a person waits: otherwise a temporary fault of Google's would make a user consent again."""

import time
from collections.abc import Callable
from typing import TypeVar

from mailweir.gmail.errors import Throttled, Unreachable

PAUSES = (1.0, 3.0, 9.0)  # in seconds, between tries
_LONGEST_PAUSE_SECONDS = 20.0

_Answer = TypeVar("_Answer")


def patiently(
    ask: Callable[[], _Answer], passing: tuple[type[Throttled | Unreachable], ...] = (Throttled, Unreachable)
) -> _Answer:
    """Retries if Google has a temporary fault. Errors: of the last try."""
    for pause in PAUSES:
        try:
            return ask()
        except passing as error:
            time.sleep(min(max(pause, error.retry_after_seconds or 0.0), _LONGEST_PAUSE_SECONDS))
    return ask()
