"""New connections to Google, and to providers of OpenID: the order of a host's addresses, the trusted certificates, and the
detection of dead connections.

Called by `transport` and by `openid.fetching`. If the system has no certificates, those of certifi count.
"""

import functools
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import certifi

# so long may sent data stay unacknowledged by the other side's TCP: far longer than on any working connection
_DEAD_LINE_MILLISECONDS = 10_000
_REMEMBERED_SECONDS = 600.0


class Families:
    """IPv4 and IPv6: the family that failed is tried last for some time, so that only one connection waits for its time-out.
    clock: monotonic seconds. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: dict[int, float] = {}

    def failed(self, family: int) -> None:
        """An address of this family couldn't be reached."""
        with self._lock:
            self._failed[family] = self._clock()

    def worked(self, family: int) -> None:
        """An address of this family could be reached."""
        if family in self._failed:
            with self._lock:
                self._failed.pop(family, None)

    def rank(self, family: int) -> int:
        """For sorting: 1 for a family that failed lately, else 0."""
        at = self._failed.get(family)
        return int(at is not None and self._clock() - at < _REMEMBERED_SECONDS)


FAMILIES = Families()


def dial(host: str, port: int, timeout_seconds: float, families: Families = FAMILIES) -> socket.socket:
    """A connection to one of the host's addresses. timeout_seconds: for each address, and for each pause on the connection.

    Errors: OSError of the last address; socket.gaierror.
    """
    found = sorted(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM), key=lambda one: families.rank(one[0]))
    error: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in found:
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(timeout_seconds)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_LINE_MILLISECONDS)
            made.connect(address)
        except OSError as reason:
            made.close()
            families.failed(family)
            error = reason
        else:
            families.worked(family)
            return made
    raise error


@functools.cache
def trust() -> ssl.SSLContext:
    """The trusted certificates: the system's, or those of SSL_CERT_FILE and SSL_CERT_DIR, so that an admin's own count too.

    One for the process: reading them takes time.
    """
    made = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    has_folder = paths.capath is not None and any(Path(paths.capath).iterdir())
    if paths.cafile is None and not has_folder:
        made.load_verify_locations(certifi.where())
    return made
