"""The processes that run for ever, each once: the supervisor, `doctor`, the units and the documents go by this table.

Pure. A test holds the console scripts, the role's units and its list of what stops for an upgrade to it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Daemon:
    """One of them. name: of its command, and what it calls itself in its log. words: as messages to a person call it. entry:
    where its `main` is. is_on_front_ends: it runs beside Postfix, on each host that takes mail."""

    name: str
    words: str
    entry: str
    is_on_front_ends: bool = False

    @property
    def unit(self) -> str:
        """systemd's."""
        return f"{self.name}.service"

    @property
    def log(self) -> str:
        """Its file in `log/` of the data folder, where `mailweir up` runs it."""
        return f"{self.name}.log"


LOOKUPS = Daemon("mailweir-lookups", "the look-ups", "postfix.lookups:main", is_on_front_ends=True)
AUTH = Daemon("mailweir-auth", "the relay's logins", "postfix.auth:main", is_on_front_ends=True)
FILTER = Daemon("mailweir-milter", "the filter", "capture_milter.server:main", is_on_front_ends=True)
DIGEST = Daemon("mailweir-digest", "the digest", "mailweir.digest.server:main")
SYNC = Daemon("mailweir-gmail-sync", "the sync", "gmail_sync.server:main")
WEB = Daemon("mailweir-web", "the page", "webapp.server:main")

ALL = (LOOKUPS, AUTH, FILTER, DIGEST, SYNC, WEB)  # in the order in which they are stopped
