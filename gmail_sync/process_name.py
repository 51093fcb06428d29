"""The names of the sweeping processes: host, process id, and a random part. Called by `server` and `scheduler`."""

import os
import secrets
import socket


def own() -> str:
    """This process's own, also after a restart."""
    return f"{_host()}/{os.getpid()}/{secrets.token_hex(4)}"


def is_dead(name: str) -> bool:
    """Was it a process of this host that no longer exists? For another host's this is unknown.

    Two containers may give their host the same name, each with process ids of its own: then a live process may be reported as
    dead.
    """
    host, _, rest = name.rpartition("/")[0].rpartition("/")
    if host != _host() or not rest.isdecimal():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _host() -> str:
    return socket.gethostname()[:100]
