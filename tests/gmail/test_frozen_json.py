"""The JSON output of the Gmail commands and `doctor` keeps its keys. See tests/unit/test_frozen.py."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailweir import settings
from tests import frozen
from tests.gmail import faults
from tests.gmail.server import GmailServer
from tests.gmail.world import STRANGER, World, mail

FROZEN = Path(__file__).parents[1] / "unit" / "frozen"
SCRIPT = Path(sys.executable).with_name("mailweir")


@pytest.fixture
def database_url(tmp_path: Path) -> Path:
    """JSON is the same on both databases."""
    return tmp_path / "db" / "mailweir.db"


def shape_of(world: World, *arguments: str) -> list[str]:
    """The shape of a command's JSON."""
    environment = os.environ | {settings.PATH_VARIABLE: str(world.settings_file)}
    command = [str(SCRIPT), *arguments, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return frozen.shape(" ".join(arguments[:2]), json.loads(done.stdout))


def test_the_json_of_the_gmail_commands_keeps_its_keys(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    box.insert(mail("known"), at=world.at)
    bad = box.insert(mail("bad", STRANGER), at=world.at)
    gmail.faults.add(faults.server_error(), user=box.address, message_id=bad)
    found = shape_of(world, "gmail", "sync", "richard")
    found += shape_of(world, "gmail", "status", "richard")
    for _ in range(world.settings.gmail.max_attempts):
        world.later(hours=1, minutes=1)
        world.settle()
    found += shape_of(world, "gmail", "status", "richard")
    found += shape_of(world, "gmail", "status")
    found += shape_of(world, "gmail", "audit", "richard")
    found += shape_of(world, "gmail", "retry", "richard")
    gmail.revoke_access(box)
    world.later(hours=1)
    world.settle()
    found += shape_of(world, "gmail", "status", "richard")
    found += shape_of(world, "doctor")
    frozen.compare(FROZEN / "json_of_gmail.txt", sorted(set(found)))
