"""Readers of the page, over HTTP: threads in a separate process, each with a session, on a mix of pages.

Called by `pages_beside`.
"""

import http.client
import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

from bench.made_record import BUSY_CONTACT, CONTACTS
from bench.whole_pages import INDEXED
from webapp.here import COOKIE

_TIMEOUT_SECONDS = 60.0
# The relative frequency of each page.
_MIX = {
    "/activities": 5,
    "/activities, anywhere": 2,
    "/todos": 5,
    "/activities/ID": 8,
    "/contacts": 1,
    "/contacts/ID": 3,
    "/contacts/ID, a busy one": 1,
    "/search, a word of all mail": 1,
    "/search, a number": 1,
    "/integrations": 1,
}


@dataclass(frozen=True, slots=True)
class Person:
    """A reader. token: the session's. own: ids of activities that this reader may see."""

    token: str
    own: tuple[int, ...]


class Look(NamedTuple):
    """One page request. page: its name in the mix. status: 0 if there was no answer."""

    page: str
    milliseconds: float
    status: int


class Readers:
    """The process of all readers, as seen by its parent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def reading(self, looks: list[Look]) -> Iterator[None]:
        """The readers open pages while the block runs. After it, each request is in `looks`."""
        self._connection.send("read")
        yield
        self._connection.send("rest")
        looks += self._connection.recv()


@contextmanager
def started(port: int, people: Sequence[Person], count: int, pause_seconds: float) -> Iterator[Readers]:
    """Starts readers, who wait until `reading`. port: mailweir-web's, on loopback. count: number of activities. pause_seconds:
    mean pause between two pages of one reader; 0: none. It forks, so call it before this process has threads."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=_serve, args=(theirs, port, people, count, pause_seconds), daemon=True
    )
    process.start()
    try:
        yield Readers(ours)
    finally:
        process.kill()
        process.join()


def _serve(connection: Connection, port: int, people: Sequence[Person], count: int, pause_seconds: float) -> None:
    rounds = 0
    while connection.recv() == "read":
        over = threading.Event()
        looks: list[Look] = []
        threads = [
            threading.Thread(
                target=_read, args=(port, one, _paths(number + rounds, one, count), pause_seconds, over, looks)
            )
            for number, one in enumerate(people)
        ]
        for thread in threads:
            thread.start()
        connection.recv()
        over.set()
        for thread in threads:
            thread.join()
        rounds += len(people)
        connection.send(looks)


def _read(
    port: int,
    person: Person,
    paths: Iterator[tuple[str, str]],
    pause_seconds: float,
    over: threading.Event,
    looks: list[Look],
) -> None:
    """One reader's requests until `over` is set. The first one comes at a random time within the first pause."""
    chance = random.Random(person.token)
    with closing(http.client.HTTPConnection("localhost", port, timeout=_TIMEOUT_SECONDS)) as connection:
        if over.wait(chance.uniform(0, pause_seconds)):
            return
        while not over.is_set():
            name, path = next(paths)
            begun = time.perf_counter()
            status = _status(connection, path, person.token)
            looks.append(Look(name, (time.perf_counter() - begun) * 1e3, status))
            over.wait(chance.uniform(0.5, 1.5) * pause_seconds)


def _status(connection: http.client.HTTPConnection, path: str, token: str) -> int:
    try:
        connection.request("GET", path, headers={"Cookie": f"{COOKIE}={token}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (http.client.HTTPException, OSError):
        connection.close()  # the next request opens it again
        return 0


def _paths(seed: int, person: Person, count: int) -> Iterator[tuple[str, str]]:
    """Endless random pages of the mix, as (name, path)."""
    chance = random.Random(seed)
    made: dict[str, Callable[[], str]] = {
        "/activities, anywhere": lambda: f"/activities?before={chance.randint(count // 10, count)}",
        "/activities/ID": lambda: f"/activities/{chance.choice(person.own)}",
        "/contacts/ID": lambda: f"/contacts/{chance.randint(2, CONTACTS)}",
        "/contacts/ID, a busy one": lambda: f"/contacts/{BUSY_CONTACT}",
        "/search, a word of all mail": lambda: "/search?q=offer",
        "/search, a number": lambda: f"/search?q={chance.randint(max(1, count - INDEXED), count)}",
    }
    while True:
        (name,) = chance.choices(list(_MIX), list(_MIX.values()))
        yield name, made[name]() if name in made else name
