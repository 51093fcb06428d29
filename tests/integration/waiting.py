"""Waiting with a time limit for actions of real daemons."""

import time
from collections.abc import Callable
from typing import Any

import pytest

WAIT_SECONDS = 20.0
_POLL_SECONDS = 0.02


def wait_until(condition: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:
    """The condition's value once it is true; fails with `what` if it doesn't become true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(_POLL_SECONDS)
    return value
