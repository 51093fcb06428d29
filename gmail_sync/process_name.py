"""The names of the sweeping processes: host, process id, and a random part. Called by `server` and `scheduler`."""

import os
import secrets
import socket


def own() -> str:
    """The name of this process. It is unique, even if an earlier process had the same id."""
    return f"{_host()}/{os.getpid()}/{secrets.token_hex(4)}"


def is_dead(name: str) -> bool:
    """Was it a process of this host that no longer exists? False for a process of another host, because that can't be checked.

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
