"""The supervisor if something can't be started right now; test_up.py tests it on a running stack."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from admin_cli import processes, supervisor
from admin_cli.processes import Lock, Program
from admin_cli.supervisor import Supervisor


def test_a_restart_that_fails_is_tried_again_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "log").mkdir()
    start: Callable[..., Any] = processes.start

    def starts_well(program: Program, **options: Any) -> Any:
        return start(program, **options)

    def fails(program: Program, **options: Any) -> Any:
        raise OSError(11, "Resource temporarily unavailable")

    def starts_and_is_told_to_stop(program: Program, **options: Any) -> Any:
        # the signal goes to this thread: other threads of the test run don't block it
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        return start(program, **options)

    left = [starts_well, fails, starts_and_is_told_to_stop]
    monkeypatch.setattr(processes, "start", lambda program, **options: left.pop(0)(program, **options))
    monkeypatch.setattr(supervisor, "IDLE_SECONDS", 0.1)
    said: list[str] = []
    lock = Lock(tmp_path / "run" / "up.lock")
    lock.take()
    program = Program("short-lived", ["/bin/sleep", "0.2"], None, tmp_path / "log" / "short-lived.log")
    made = Supervisor([program], lock=lock, data_dir=tmp_path, environment={"PATH": "/usr/bin:/bin"}, say=said.append)
    try:
        made.run(lambda: True)
    finally:
        lock.release()
    assert left == []
    assert any("can't start short-lived" in line and "trying again" in line for line in said)


def test_who_holds_a_file_is_found_while_it_opens_and_closes_others(tmp_path: Path) -> None:
    """The process opens a file and closes it before the check. Its other files must be found all the same."""
    file = tmp_path / "held"
    file.touch()
    busy = "import os\nprint(flush=True)\nwhile True: [os.close(one) for one in [os.open('/', 0) for _ in range(200)]]"
    with (
        file.open() as stream,
        subprocess.Popen([sys.executable, "-c", busy], stdin=stream, stdout=subprocess.PIPE) as holder,
    ):
        assert holder.stdout
        holder.stdout.readline()
        try:
            for _ in range(20):
                assert [one.rpartition(" ")[2] for one in processes.users_of([file])] == [f"({holder.pid})"]
        finally:
            holder.kill()


def test_who_holds_a_file_is_found_by_a_link_too(tmp_path: Path) -> None:
    folder, link = tmp_path / "real", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    file = folder / "held"
    file.touch()
    with file.open() as stream:
        holder = subprocess.Popen(["/bin/sleep", "30"], stdin=stream)
    try:
        assert processes.users_of([link / "held"]) == [f"sleep ({holder.pid})"]
    finally:
        holder.kill()
        holder.wait()
