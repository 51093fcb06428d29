"""What a test does where this machine lacks what it needs: a library, a server, a right."""

import os
from typing import NoReturn

import pytest


def lacks(reason: str) -> NoReturn:
    """Skips the test with this reason, or fails it where CI=true: there nothing may be lacking. reason: "needs root"."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
