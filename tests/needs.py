"""A test's behaviour if this machine lacks a requirement: a library, a server, a right."""

import os
import subprocess
from typing import NoReturn

import pytest


def lacks(reason: str) -> NoReturn:
    """Skips the test with this reason, or fails it if CI=true, where nothing may be missing. reason: "needs root"."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def root() -> None:
    """The right to act as root."""
    if os.geteuid() != 0:
        lacks("needs root")


def mount_namespace() -> None:
    """A right that a restricted container lacks, root or not."""
    try:
        made = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        lacks("needs the program 'unshare'")
    if not made:
        lacks("needs the right to make a mount namespace")
