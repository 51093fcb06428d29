"""`mailweir-web` does long work beside its pages, and hands it back when it stops."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailweir.store.database.connection import Database
from mailweir.store.people import contacts, deployments
from mailweir.store.web import accounts, jobs
from mailweir.store.web.jobs import State
from tests import programs
from tests.ports import free_port
from webapp.job_kinds import contact_files

_ROWS = 20_000
_SECONDS = 60.0


@pytest.fixture
def serve(sqlite_url: Path, tmp_path: Path) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Starts a process of the page on an empty database."""
    settings = tmp_path / "mailweir.toml"
    text = f'data_dir = "{tmp_path}"\ndatabase = "sqlite:{sqlite_url}"\n[web]\nport = {free_port()}\n'
    settings.write_text(text, encoding="utf-8")
    environment = os.environ | {"MAILWEIR_CONFIG": str(settings), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", "from webapp.server import main; main()"]
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        started.append(programs.start("mailweir-web", command, tmp_path / "web.log", env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_that_is_stopped_leaves_the_rest_to_the_next(
    sqlite_url: Path, serve: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    raw = "".join(f"Person {number},p{number}@client.example\r\n" for number in range(_ROWS)).encode()
    with closing(Database(sqlite_url)) as database:
        now = datetime.now(UTC)
        demo = deployments.add(database, "demo", "demo.example.net", now)
        boss = accounts.add(database, "boss", now)
        chosen = {"file": "clients.csv", "form": "csv", "exact": False, "company": "", "shared": False, "rows": _ROWS}
        job_id = jobs.add(database, demo.id, boss.id, contact_files.IMPORT, chosen, now, raw)
        first = serve()
        _wait_until(lambda: jobs.find(database, demo.id, job_id).done > 0)
        first.send_signal(signal.SIGTERM)
        assert first.wait(_SECONDS) == 0
        stopped = jobs.find(database, demo.id, job_id)
        assert (stopped.state, 0 < stopped.done < _ROWS) == (State.WAITS, True)
        serve()
        _wait_until(lambda: not jobs.find(database, demo.id, job_id).is_open)
        done = jobs.find(database, demo.id, job_id)
        assert (done.state, done.report["added"], done.report["left_out"]) == (State.DONE, _ROWS, 0)
        assert len(contacts.list_all(database, demo)) == _ROWS
