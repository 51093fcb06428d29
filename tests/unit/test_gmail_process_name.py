"""The names of sweeping processes, and which of the processes are dead."""

import os
import subprocess
import sys

import pytest

from gmail_sync import process_name


def _name_of_another() -> str:
    """The name of a process that has ended."""
    code = "from gmail_sync import process_name; print(process_name.own())"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_a_process_that_is_gone_is_dead() -> None:
    assert process_name.is_dead(_name_of_another())


def test_one_that_runs_is_not() -> None:
    assert not process_name.is_dead(process_name.own())
    host = process_name.own().split("/")[0]
    assert not process_name.is_dead(f"{host}/{os.getppid()}/00000000")


@pytest.mark.parametrize("start", ["", "else"])
def test_of_another_hosts_nobody_can_tell(start: str) -> None:
    host, rest = _name_of_another().split("/", 1)
    assert not process_name.is_dead(f"{start}/{rest}")
    assert not process_name.is_dead(f"{host}.example/{rest}")
    assert not process_name.is_dead("a name of another kind")
    assert process_name.own() != process_name.own()
