"""The objects that all requests of an application share: settings, connections, the clock, the providers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from mailweir.openid.provider import Provider
from mailweir.settings import Settings
from mailweir.store.database.pool import Pool
from webapp.gate import Gate

EXTENSION = "mailweir"


@dataclass(frozen=True, slots=True)
class Site:
    """settings: of this host. pool: connections to the database. clock: gives the present time, UTC. gate: limits the checks of
    passwords. providers: of OpenID, by name."""

    settings: Settings
    pool: Pool
    clock: Callable[[], datetime]
    gate: Gate
    providers: Mapping[str, Provider] = field(default_factory=dict)

    @property
    def public_url(self) -> str:
        """The page's URL for browsers, without a slash at its end."""
        return self.settings.web.url

    @property
    def host(self) -> str:
        """The public URL's host and port, as in a browser's Host and Origin headers."""
        return urlsplit(self.public_url).netloc

    @property
    def trusted_hosts(self) -> list[str]:
        """Names that a request may have in Host. The loopback names are allowed if the public URL has one of them."""
        own = urlsplit(self.public_url).hostname or "localhost"
        return [own, "localhost", "127.0.0.1", "[::1]"] if _is_loopback(own) else [own]


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")
