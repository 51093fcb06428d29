"""Loopback ports for the servers of the tests."""

import itertools
import os
import socket

# Below the kernel's own range (from 32768 on). The kernel may assign a port from its range again a moment later: to another
# server of the same test, or to a client's end of a connection, before the first server listens.
_FIRST, _COUNT = 10_000, 22_000
_offsets = itertools.count(os.getpid() * 7919)  # with several workers, each starts far from the others


def free_port() -> int:
    """A port without a listener that this process hasn't used before."""
    for offset in itertools.islice(_offsets, _COUNT):
        port = _FIRST + offset % _COUNT
        if _is_free(port):
            return port
    message = "every port of the tests is taken"
    raise OSError(message)


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do: the rest of an old connection is no obstacle
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
