"""The Gmail server of the tests, for a person who wants to try the sync.

    python -m tests.gmail.serve --folder /tmp/gmail

It writes FOLDER/client.json (`gmail.oauth_client_file`) and FOLDER/account.json (`gmail.service_account_file`), prints the
`api_endpoint` for the settings, and serves until Ctrl-C. A message file that you move into FOLDER/richard/inbox is delivered to
him. A file that you move into FOLDER/richard/sent counts as sent by him. The file is removed once it is in. The page of consent
works in a browser.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.gmail.emulator import Emulator, missing
from tests.gmail.server import PEOPLE, GmailServer, addresses

_POLL_SECONDS = 0.2
_SHOWN = PEOPLE[:3]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.gmail.serve", description="The Gmail server of the tests, until Ctrl-C."
    )
    parser.add_argument("--folder", type=Path, required=True, help="for the client's file and for mail to be taken in")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0: a free one")
    parser.add_argument("--seconds", type=float, default=86_400.0, help="it ends by itself after this")
    options = parser.parse_args(arguments)
    if reason := missing():
        sys.stderr.write(f"{reason}\n")
        return 1
    emulator = Emulator(addresses(), 1)
    with closing(_Stopping(emulator)):
        emulator.ready()
        server = GmailServer(emulator, 0, options.port)
        with closing(_Stopping(server)):
            _prepare(server, options.folder)
            _take_in(server, options.folder, time.monotonic() + options.seconds)
    return 0


class _Stopping:
    """The server, so that `closing` stops it."""

    def __init__(self, one: Emulator | GmailServer) -> None:
        self.close = one.stop


def _prepare(server: GmailServer, folder: Path) -> None:
    for name in _SHOWN:
        for box in ("inbox", "sent"):
            (folder / name / box).mkdir(parents=True, exist_ok=True)
    client = server.client_file(folder / "client.json")
    server.service_account_file(folder / "account.json")
    sys.stdout.write(f'[gmail]\napi_endpoint = "{server.endpoint}"\noauth_client_file = "{client.absolute()}"\n')
    sys.stdout.flush()


def _take_in(server: GmailServer, folder: Path, end: float) -> None:
    try:
        while time.monotonic() < end:
            for name in _SHOWN:
                _take(server, name, folder / name)
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        return


def _take(server: GmailServer, name: str, folder: Path) -> None:
    for file in sorted([*folder.glob("inbox/*"), *folder.glob("sent/*")]):
        box = server.mailbox(name)
        raw = file.read_bytes()
        id_ = box.send(raw) if file.parent.name == "sent" else box.insert(raw)
        file.unlink()
        sys.stdout.write(f"{name}: {file.parent.name}/{file.name} is {id_}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
