"""Waiting with a bound, for what real daemons do in their own time."""

import time
from collections.abc import Callable
from typing import Any

import pytest

WAIT_SECONDS = 20.0
_POLL_SECONDS = 0.02


def wait_until(condition: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:
    """The condition's value once it is true; fails with `what` where it doesn't become so."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(_POLL_SECONDS)
    return value
