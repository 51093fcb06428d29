"""The names of the processes that sweep: host, process id, and some chance. Called by `server` and `scheduler`."""

import os
import secrets
import socket


def own() -> str:
    """This process's own, also after a restart."""
    return f"{_host()}/{os.getpid()}/{secrets.token_hex(4)}"


def is_dead(name: str) -> bool:
    """Was it a process of this host that is gone? Of another host's nobody can tell.

    Two containers may give their host the same name, each with process ids of its own: then one that lives can be called dead.
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
