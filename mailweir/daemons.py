"""The table of the long-running processes, one entry each. The supervisor, `doctor`, the units and the documents follow it.

Pure. A test compares this table with the console scripts, the role's units, and the services that the role stops for an upgrade.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Daemon:
    """One daemon. name: of its command, and in its log. words: its name in messages to people. entry: where its `main` is.
    is_on_front_ends: it runs beside Postfix, on each host that takes mail."""

    name: str
    words: str
    entry: str
    is_on_front_ends: bool = False

    @property
    def unit(self) -> str:
        """The name of its systemd unit."""
        return f"{self.name}.service"

    @property
    def log(self) -> str:
        """Its log file in `log/` of the data folder, under `mailweir up`."""
        return f"{self.name}.log"


LOOKUPS = Daemon("mailweir-lookups", "the look-ups", "postfix.lookups:main", is_on_front_ends=True)
AUTH = Daemon("mailweir-auth", "the relay's logins", "postfix.auth:main", is_on_front_ends=True)
FILTER = Daemon("mailweir-milter", "the filter", "capture_milter.server:main", is_on_front_ends=True)
DIGEST = Daemon("mailweir-digest", "the digest", "mailweir.digest.server:main")
SYNC = Daemon("mailweir-gmail-sync", "the sync", "gmail_sync.server:main")
WEB = Daemon("mailweir-web", "the page", "webapp.server:main")

ALL = (LOOKUPS, AUTH, FILTER, DIGEST, SYNC, WEB)  # in the order in which they are stopped
