"""`mailweir demo` as a newcomer runs it: its output, its end, and what stays behind."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import scratch

SCRIPT = Path(sys.executable).with_name("mailweir")
DEMO_SECONDS = 60  # it takes about five; the machine may be busy with other things


@pytest.fixture
def temp_dir(make_stack: object) -> Iterator[Path]:
    """The demo's TMPDIR. make_stack reports missing requirements."""
    path = Path(tempfile.mkdtemp(prefix="mailweir-test-", dir=scratch.open_folder()))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


def run(temp_dir: Path, *flags: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Runs it, without a terminal."""
    return subprocess.run(
        [SCRIPT, "demo", *flags],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(temp_dir)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
        check=False,
        **options,
    )


def run_on(temp_dir: Path) -> str:
    """Runs it with --keep until its output is complete, opens the printed link, and ends it as Ctrl-C does; returns its
    output."""
    process = subprocess.Popen(
        [SCRIPT, "demo", "--keep"],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(temp_dir)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "mailweir why" in line:  # its last line
            break
    (link,) = re.findall(r"http://localhost:\d+/sign-in/link/\S+", printed)
    with urllib.request.urlopen(link, timeout=DEMO_SECONDS) as page:
        assert b"<button" in page.read()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=DEMO_SECONDS)
    assert process.returncode == 0, rest
    return printed + rest


def section(printed: str, heading: str) -> str:
    """The part below a heading, with each run of white space as one space."""
    found = re.search(rf"^{heading}.*?\n(.*?)(?:\n\n|\Z)", printed, re.MULTILINE | re.DOTALL)
    assert found, f"no part '{heading}' in:\n{printed}"
    return " ".join(found[1].split())


def processes_in(folder: Path) -> list[str]:
    """Processes with this folder in their command line or as their working folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            named = str(folder).encode() in (process / "cmdline").read_bytes()
            if named or (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "comm").read_text().strip())
        except OSError:
            continue
    return found


def test_it_shows_what_became_of_each_mail_and_leaves_nothing(temp_dir: Path) -> None:
    for umask in (0o022, 0o077):
        done = run(temp_dir, umask=umask)
        assert done.returncode == 0, done.stderr
        assert "demo: mailweir user add richard" in " ".join(done.stderr.split())
        printed = done.stdout
        assert "A stranger writes to richard@firm.example" in section(printed, "5 mails came in over SMTP")
        captured = section(printed, "Captured")
        assert "1 1, 5 incoming jane@client.example Purchasing" in captured
        assert "2 2 outgoing richard@firm.example Purchasing" in captured
        synced = section(printed, "Synced from the Gmail")
        assert "1 jane@client.example" in synced
        assert (
            "jane@client.example The order, signed by the sync alone" in synced
        )  # on SQLite, a repeat takes an id, too
        assert "of the 3 messages there 2 were downloaded" in synced
        redirected = section(printed, "Redirected to richard's own mailbox")
        assert "richard@firm.example forwarding-noreply@google.com" in redirected
        assert "mail 3: Gmail's forwarding confirmation" in redirected
        assert re.search(r"bounce\+[0-9a-f]{32}@demo\.example\.net", redirected)
        ignored = section(printed, "Ignored")
        assert "4 offers@stranger.example" in ignored
        assert "author offers@stranger.example is not a contact of demo" in ignored
        todos = section(printed, "To-dos of richard")
        assert "1 1 jane@client.example" in todos
        assert todos.count("@") == 1
        assert list(temp_dir.iterdir()) == []
        assert processes_in(temp_dir) == []


def test_it_is_kept_if_asked_for(temp_dir: Path) -> None:
    printed = run_on(temp_dir)
    (kept,) = temp_dir.iterdir()
    commands = re.findall(r"MAILWEIR_CONFIG=(\S+) mailweir (.*)", printed)
    assert [what for _, what in commands] == ["activity list", "activity raw 1", "why jane@client.example"]
    for config, what in commands:
        assert Path(config).parent == kept
        looked = subprocess.run(
            [SCRIPT, *what.split()], env={**os.environ, "MAILWEIR_CONFIG": config}, capture_output=True, check=True
        )
        assert b"jane@client.example" in looked.stdout
    assert processes_in(temp_dir) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_nothing_left(
    temp_dir: Path, number: signal.Signals, wait_until: Callable[..., Any]
) -> None:
    process = subprocess.Popen(
        [SCRIPT, "demo"],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(temp_dir)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: "mailweir-milter" in processes_in(temp_dir) or process.poll() is not None, "the stack runs")
    process.send_signal(number)
    time.sleep(0.1)
    process.send_signal(number)  # for users without patience
    _, said = process.communicate(timeout=DEMO_SECONDS)
    assert process.returncode not in (0, 1)
    assert "Traceback" not in said
    assert list(temp_dir.iterdir()) == []
    assert processes_in(temp_dir) == []


def test_a_failure_is_one_line_and_leaves_nothing(temp_dir: Path) -> None:
    """Here the fault is a folder whose name is too long for sockets."""
    deep = temp_dir / ("x" * 80)
    deep.mkdir()
    done = run(deep)
    assert done.returncode == 1
    assert re.fullmatch(
        r"mailweir: 'mailweir up' could not start: the name of .* is too long .*", done.stderr.splitlines()[-1]
    )
    assert list(deep.iterdir()) == []


def test_without_root_it_says_so(temp_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    done = run(temp_dir, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "mailweir: 'mailweir demo' needs root (it runs a Postfix of its own): run it with sudo\n"
