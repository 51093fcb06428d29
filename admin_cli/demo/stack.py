"""The demo's own stack: a folder that is gone afterwards, free ports, and `mailweir up` as a child.

Never leaves a process behind: the child ends its own processes, and gets SIGTERM itself if this process dies. Called by
`scenario`.
"""

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from admin_cli import processes, settings_files
from admin_cli.demo.gmail import MailboxServer
from admin_cli.preflight import SETTINGS_NAME
from admin_cli.processes import Program
from mailweir.errors import MailweirError
from mailweir.settings import Settings
from postfix.instance import Account

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05
_OPEN_TO_OTHERS = 0o001
_LOG_NAME = "up.log"


class DemoFailed(MailweirError):
    """The demo can't go on."""


def make_folder() -> Path:
    """A new folder that the unprivileged user can reach. TMPDIR is used if everybody may pass through it."""
    for base in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # mkdtemp makes a folder of its own in it
        path = Path(base).resolve()
        if all(folder.is_dir() and folder.stat().st_mode & _OPEN_TO_OTHERS for folder in (path, *path.parents)):
            return Path(tempfile.mkdtemp(prefix="mailweir-demo-", dir=path))
    raise DemoFailed("there is no folder for temporary files that the unprivileged user can get to")


def write_settings(data_dir: Path, *, dns_port: int, gmail: MailboxServer) -> Path:
    """Writes the settings of the demo: free loopback ports, our DNS server, and files for outgoing mail. Returns their path."""
    smtp_port, submission_port, submissions_port, web_port = _free_ports(4)
    values: dict[str, Any] = {
        "data_dir": str(data_dir),
        "hostname": "mx.demo.example",
        "admin_mailbox": "admin@demo.example",
        "outbound": "outbox",
        "smtp": {"smtp_port": smtp_port, "submission_port": submission_port, "submissions_port": submissions_port},
        "web": {"port": web_port},
        "dns": {"nameserver": "127.0.0.1", "port": dns_port},
    }
    client_file = data_dir / "gmail-client.json"
    values["gmail"] = {"oauth_client_file": str(client_file), "api_endpoint": f"{gmail.base}/", "sweep_seconds": 1.0}
    account = Account.named(Settings(data_dir=data_dir).run_as)
    gmail.write_client(client_file, (account.uid, account.gid))
    path = data_dir / SETTINGS_NAME
    path.write_text(settings_files.to_toml(values), encoding="utf-8")
    return path


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def running(data_dir: Path) -> Iterator[None]:
    """Runs `mailweir up` on this folder, from `ready` until the end of the block. DemoFailed if it doesn't get ready.

    Enter it while this process has only one thread.
    """
    script = Path(sys.executable).with_name("mailweir")
    log_file = data_dir / _LOG_NAME
    up = Program("mailweir", [str(script), "up", "--data", str(data_dir)], None, log_file)
    try:
        process = processes.start(up, work_dir=data_dir, environment={})
    except OSError as error:
        raise DemoFailed(f"can't run {script}: {error.strerror}") from error
    try:
        _wait_until_ready(process, log_file)
        yield
    finally:
        _stop(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", log_file: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        lines = log_file.read_text("utf-8", "replace").splitlines()
        if "ready" in lines:
            return
        said = lines[-1].removeprefix("mailweir: ") if lines else "it said nothing"
        if process.poll() is not None:
            raise DemoFailed(f"'mailweir up' could not start: {said}")
        if time.monotonic() > deadline:
            raise DemoFailed(f"'mailweir up' isn't ready after {READY_SECONDS:.0f} s: {said}")
        time.sleep(_POLL_SECONDS)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
