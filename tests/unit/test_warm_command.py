"""A command that a warm process runs does the same as the console script."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailweir import settings
from tests.warm_command import WarmCommand

SCRIPT = Path(sys.executable).with_name("mailweir")


@pytest.fixture(scope="module")
def warm() -> Iterator[WarmCommand]:
    made = WarmCommand()
    yield made
    made.close()


@pytest.fixture
def environment(tmp_path: Path, sqlite_url: Path) -> dict[str, str]:
    """The environment of a command on an empty database."""
    config = tmp_path / "mailweir.toml"
    config.write_text(f'data_dir = "{tmp_path}"\nhostname = "mail.example.net"\n')
    return {**os.environ, settings.PATH_VARIABLE: str(config)}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("deployment list --json", 0),
        ("contact --help", 0),
        ("why jane@client.example", 1),
        ("gmail status", 1),
        ("nonsense", 2),
        ("deployment add demo", 2),
    ],
)
def test_it_does_as_the_script(warm: WarmCommand, environment: dict[str, str], line: str, code: int) -> None:
    done = warm.run(line.split(), environment, 60)
    script = subprocess.run([SCRIPT, *line.split()], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (script.returncode, script.stdout, script.stderr)
    assert done.returncode == code


def test_what_one_command_wrote_the_next_one_reads(warm: WarmCommand, environment: dict[str, str]) -> None:
    assert warm.run(["deployment", "add", "demo", "--domain", "demo.example.net"], environment, 60).returncode == 0
    assert "demo.example.net" in warm.run(["deployment", "list"], environment, 60).stdout


def test_one_that_takes_too_long_is_killed(warm: WarmCommand, environment: dict[str, str]) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run(["doctor"], environment, 0.001)
    assert warm.run(["nonsense"], environment, 60).returncode == 2
