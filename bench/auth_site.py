"""A separate `mailweir-auth`, on a small SQLite record, and a client that speaks like smtpd. Called by `auth` and by fuzzing."""

import base64
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mailweir import passwords
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments, relay_logins, users

LOGIN, PASSWORD = b"richard@demo.example.net", b"a password of the tests"
_WAIT_SECONDS = 60.0


@dataclass
class Site:
    """A running mailweir-auth. pid: of its guardian."""

    pid: int
    address: Path
    log: Path

    def connect(self) -> socket.socket:
        """Connects, reads the server's greeting and sends the client's; returns the socket."""
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(_WAIT_SECONDS)
        client.connect(str(self.address))
        said = b""
        while not said.endswith(b"DONE\n"):
            part = client.recv(4096)
            assert part, "it hung up before it had greeted"
            said += part
        client.sendall(b"VERSION\t1\t0\nCPID\t1\n")
        return client

    def proves(self) -> bool:
        """Does mailweir-auth accept the right password?"""
        with self.connect() as client:
            return ask(client, PASSWORD)


def ask(client: socket.socket, password: bytes, address: str = "192.0.2.7") -> bool:
    """Sends AUTH as smtpd does for a client of this address; is the answer OK?"""
    response = base64.b64encode(b"\0" + LOGIN + b"\0" + password)
    client.sendall(b"AUTH\t1\tPLAIN\trip=%b\tsecured\tresp=%b\n" % (address.encode(), response))
    return client.recv(4096).startswith(b"OK\t")


@contextlib.contextmanager
def running() -> Iterator[Site]:
    """Runs a mailweir-auth on a database with richard's login, as this process's user, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="mailweir-fuzz-") as name:
        folder = Path(name)
        database_url, now = folder / "db" / "mailweir.db", datetime.now(UTC)
        versions.upgrade(database_url)
        with contextlib.closing(Database(database_url)) as database:
            demo = deployments.add(database, "demo", "demo.example.net", now)
            users.add(database, demo, "richard", "richard@firm.example", "", now)
            relay_logins.connect(database, demo, "richard", passwords.digest(PASSWORD.decode()), now)
        (folder / "run").mkdir()
        settings = folder / "mailweir.toml"
        settings.write_text(f'data_dir = "{folder}"\n')
        log = folder / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [Path(sys.executable).with_name("mailweir-auth")],
                env=os.environ | {"MAILWEIR_CONFIG": str(settings)},
                stdin=subprocess.DEVNULL,
                stderr=file,
            )
        try:
            site = Site(process.pid, folder / "run" / "auth.sock", log)
            deadline = time.monotonic() + _WAIT_SECONDS
            while not site.address.exists():
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield site
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_WAIT_SECONDS)
