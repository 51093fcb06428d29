"""Starts the load server and talks to its control endpoint.

with load_client.running(mailboxes=1_000, rate=20.0) as server:
    …                                   # sync against server.endpoint, tokens load_mail.refresh_token(n)
    server.set(rate=0)
    expected = {one.message_id for one in server.of_contacts()}
"""

import json
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import programs
from tests.gmail import load_mail
from tests.gmail.emulator import CLIENT_ID, CLIENT_SECRET, ENDS_WITH_US
from tests.gmail.load_mail import Message, Mix
from tests.gmail.oauth import client_file_body

_REPOSITORY = Path(__file__).parents[2]
_STOP_SECONDS = 30.0
_TIMEOUT_SECONDS = 60.0


class LoadServer:
    """A running load server. mix: the composition of its mail."""

    def __init__(self, endpoint: str, mix: Mix, pid: int) -> None:
        self.endpoint = endpoint
        self.mix = mix
        self.pid = pid
        self.token_uri = f"{endpoint}oauth2/token"
        self.client_id = CLIENT_ID
        self.client_secret = CLIENT_SECRET

    def client_file(self, path: Path) -> Path:
        """Writes the OAuth client's file, mode 0600."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(client_file_body(self.endpoint.rstrip("/"))))
        return path

    def add(self, mailbox: int | None = None, count: int = 1) -> None:
        """Adds new mail to a mailbox, or to each."""
        self._control("add", mailbox=_name(mailbox), count=count)

    def expire(self, mailbox: int | None = None) -> None:
        """From now on, cursors of a mailbox (or of each) that are older than now are too old."""
        self._control("expire", mailbox=_name(mailbox))

    def revoke(self, mailbox: int | None = None, *, on: bool = True) -> None:
        """Revokes the tokens of a mailbox (or of each), or restores them."""
        self._control("revoke", mailbox=_name(mailbox), on=int(on))

    def set(self, **values: float) -> None:
        """rate: new messages a second; fail: the part of calls that goes wrong; delay_ms."""
        self._control("set", **values)

    def counts(self) -> dict[str, Any]:
        """calls by kind, units, bytes_out …: requests since the start, or since `forget`."""
        found: dict[str, Any] = self._control("counts")
        return found

    def forget(self) -> None:
        """Resets the counts."""
        self._control("forget")

    def put(self) -> dict[int, int]:
        """The added mail: the newest message's number in each mailbox that got any. The first added message is initial + 1."""
        return {int(mailbox): last for mailbox, last in self._control("put")["newest"].items()}

    def put_counts(self) -> dict[int, int]:
        """The number of messages that were added to each mailbox that got any."""
        found = self._control("put")
        return {int(mailbox): last - found["initial"] for mailbox, last in found["newest"].items()}

    def of_contacts(self) -> Iterator[Message]:
        """The added mail that must be on the record, each message once."""
        return (one for one in self.all_new() if one.is_contact)

    def all_new(self) -> Iterator[Message]:
        """All mail that was added."""
        found = self._control("put")
        return load_mail.messages(
            {int(mailbox): last for mailbox, last in found["newest"].items()}, self.mix, found["initial"] + 1
        )

    def _control(self, name: str, **query: object) -> Any:
        address = f"{self.endpoint}control/{name}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=_TIMEOUT_SECONDS) as answer:
            return json.load(answer)


def _name(mailbox: int | None) -> str:
    return "all" if mailbox is None else str(mailbox)


@contextmanager
def running(mix: Mix | None = None, **options: float | bool) -> Iterator[LoadServer]:
    """Starts a server: running(mailboxes=10_000, delay_ms=80). Options are those of the command, with underscores.

    It ends with the thread that started it, at the latest.
    """
    mix = mix or Mix()
    values: dict[str, object] = {
        "contacts": mix.contacts,
        "contact_share": mix.contact_share,
        "size": mix.size,
        **options,
    }
    arguments = [
        word
        for name, value in values.items()
        if value is not False
        for word in ([f"--{name.replace('_', '-')}"] if value is True else [f"--{name.replace('_', '-')}", str(value)])
    ]
    command = [*ENDS_WITH_US, sys.executable, "-m", "tests.gmail.loadserver", *arguments]
    with tempfile.TemporaryDirectory(prefix="mailweir-load-") as folder:
        log = Path(folder) / "log"
        process = programs.start("the load server", command, log, stdout=subprocess.PIPE, cwd=_REPOSITORY)
        assert process.stdout is not None
        try:
            line = programs.next_line("the load server", process, log)
            yield LoadServer(json.loads(line)["endpoint"], mix, process.pid)
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)
            process.stdout.close()
