"""Measures how many logins `mailweir-auth` checks in a second, its memory, and how much a flood of guesses slows other logins.

    python -m bench.auth

Talks to the unix socket for smtpd, without Postfix and TLS, which take more time than the check. Prints one line per figure.
"""

import statistics
import threading
import time
from collections.abc import Callable

from bench.auth_site import PASSWORD, Site, ask, running
from bench.processes import cpu_seconds, descendants, memory_bytes

LOGINS = 1_000
CONNECTIONS = 8
GUESSERS = 50  # Postfix's limit of connections for one address
_PAUSE_SECONDS = 0.02


def main() -> None:
    """See the module."""
    with running() as site:
        for connections in (1, CONNECTIONS):
            before = cpu_seconds(site.pid)
            seconds = _side_by_side(connections, lambda: _prove(site, LOGINS // connections))  # noqa: B023
            cpu = (cpu_seconds(site.pid) - before) / LOGINS * 1_000
            print(f"{connections} connections: {LOGINS / seconds:.0f} logins/s, {cpu:.2f} ms CPU each")
        processes = descendants(site.pid)
        print(f"memory of the larger of its {len(processes)} processes: {memory_bytes(site.pid) / 1e6:.0f} MB")
        alone = _latency(site)
        stop = threading.Event()
        guessers = [threading.Thread(target=_guess, args=(site, stop)) for _ in range(GUESSERS)]
        for one in guessers:
            one.start()
        flooded = _latency(site)
        stop.set()
        for one in guessers:
            one.join()
        print(
            f"a login alone: {alone * 1_000:.1f} ms; while {GUESSERS} connections of another address guess:"
            f" {flooded * 1_000:.1f} ms, {flooded / alone:.2f} times"
        )


def _prove(site: Site, count: int) -> None:
    with site.connect() as client:
        for _ in range(count):
            assert ask(client, PASSWORD)


def _side_by_side(count: int, work: Callable[[], None]) -> float:
    threads = [threading.Thread(target=work) for _ in range(count)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - begun


def _guess(site: Site, stop: threading.Event) -> None:
    with site.connect() as client:
        while not stop.is_set():
            assert not ask(client, b"guess", "203.0.113.66")


def _latency(site: Site) -> float:
    """The median of some logins, in seconds."""
    took = []
    with site.connect() as client:
        for _ in range(200):
            begun = time.monotonic()
            assert ask(client, PASSWORD)
            took.append(time.monotonic() - begun)
            time.sleep(_PAUSE_SECONDS)
    return statistics.median(took)


if __name__ == "__main__":
    main()
