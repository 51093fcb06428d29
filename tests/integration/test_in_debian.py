"""scripts/in-debian.sh (`make test-debian12`, `make test-debian13`): a command's environment there. It leaves nothing behind.

The Debian is a toy here, a shell and the script's tools: a real one takes debootstrap, a mirror and minutes.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.integration.test_dist import REPOSITORY

SCRIPT = REPOSITORY / "scripts" / "in-debian.sh"
SUITE = "trixie"
_PROGRAMS = ("sh", "chroot", "umount", "sleep", "cat", "touch")
_STUBS = ("dpkg", "update-ca-certificates")
_LOOK = "cat setup.cfg /srv/shared/word /proc/1/comm /proc/mounts; echo $MAILWEIR_SHARED; touch /srv/shared/x || echo read-only"


def _libraries(program: str) -> list[str]:
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", said)


@pytest.fixture
def debians() -> Iterator[Path]:
    """The folder with the toy, for MAILWEIR_DEBIANS. It is on the disk: the script mounts over the folder in memory that tests
    use."""
    if os.geteuid() != 0:
        needs.lacks("needs root")
    needs.mount_namespace()
    folder = Path(tempfile.mkdtemp(prefix="mailweir-test-", dir="/var/tmp"))
    root = folder / SUITE
    for name in ("mnt", "proc", "sys", "dev", "tmp", "run", "usr/bin", "root", "var/tmp", "etc/apt/apt.conf.d"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin"):
        (root / name).symlink_to("usr/bin")
    for name in _PROGRAMS:
        program = shutil.which(name)
        assert program
        shutil.copy(program, root / "usr/bin" / name)
        for library in _libraries(program):
            (root / library.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, root / library.lstrip("/"))
    for name in _STUBS:
        (root / "usr/bin" / name).write_text("#!/bin/sh\n")
        (root / "usr/bin" / name).chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start(debians: Path, tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts the script with a command."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "word").write_text("a word\n")

    def run(*command: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            # Under nohup, SIGHUP is ignored, and started programs would inherit that.
            ["env", "--default-signal=HUP", "sh", SCRIPT, SUITE, *command],
            env=os.environ | {"MAILWEIR_DEBIANS": str(debians), "MAILWEIR_SHARED": str(tmp_path / "shared")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


def left_in(folder: Path) -> list[str]:
    """Mounts below a folder, processes that name it, and those whose root is the toy."""
    found = [line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            named = process.name != str(os.getpid()) and any(str(folder) in word for word in words)
            if named or (process / "root").samefile(folder / SUITE):
                found.append(" ".join(words))
        except OSError:
            continue
    return found


def test_a_command_finds_the_checkout_and_the_shared_folder(
    start: Callable[..., "subprocess.Popen[str]"], debians: Path
) -> None:
    process = start("sh", "-c", f"{_LOOK}; exit 7")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 7, said
    assert (REPOSITORY / "setup.cfg").read_text() + "a word\nsh\n" in said
    assert "\n/srv/shared\n" in said
    assert said.endswith("\nread-only\n"), said
    assert str(debians) not in said
    assert left_in(debians) == []


def test_files_that_are_gone_here_are_gone_there_and_what_was_installed_stays(
    start: Callable[..., "subprocess.Popen[str]"], debians: Path
) -> None:
    copy = debians / SUITE / "srv/mailweir"
    kept, gone = (".venv/bin/python", "tests/gmail/node_modules/x/y.js"), ("old.py", "docs/old/old.md")
    for name in kept + gone:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).touch()
    assert start("sh", "-c", "exit 0").wait(60) == 0
    assert [name for name in kept if not (copy / name).exists()] == []
    assert [name for name in gone if (copy / name).exists()] == []
    assert not (copy / "docs/old").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_whatever_ends_it_nothing_stays(
    start: Callable[..., "subprocess.Popen[str]"],
    debians: Path,
    number: signal.Signals,
    wait_until: Callable[..., Any],
) -> None:
    process = start("sh", "-c", "sleep 1000 & touch /root/begun; sleep 1001")
    wait_until((debians / SUITE / "root/begun").exists, "the command runs")
    again = start("sh", "-c", "exit 0")
    said, _ = again.communicate(timeout=60)
    assert (again.returncode, said.startswith("in-debian: another run uses ")) == (1, True), said
    assert left_in(debians) != []
    process.send_signal(number)
    assert process.wait(60) in (-number, 128 + signal.SIGINT, 128 + signal.SIGTERM)
    wait_until(lambda: left_in(debians) == [], "nothing is left")
    assert start("sh", "-c", "exit 0").wait(60) == 0


def test_a_killed_make_leaves_nothing(debians: Path, tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    (tmp_path / "shared").mkdir()
    command = ["make", "-C", str(REPOSITORY), "test-debian13", f"MAILWEIR_DEBIANS={debians}", "DEBIAN_RUN=sleep 1000"]
    process = subprocess.Popen([*command, f"MAILWEIR_SHARED={tmp_path}/shared"], stdin=subprocess.DEVNULL)
    wait_until(lambda: "sleep 1000" in [line.strip() for line in left_in(debians)], "the command runs")
    process.terminate()
    assert process.wait(60) != 0
    wait_until(lambda: left_in(debians) == [], "nothing is left")
