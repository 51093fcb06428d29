"""A fair queue for a scarce resource: an asker with many requests waits for its own, and others don't wait for them.

For one event loop; independent of the resource. Called by `auth`.
"""

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import AsyncIterator


class Turns:
    """Gives out at most `at_once` turns at a time, and one for each asker. Waiting askers get their turns in rotation."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._busy: set[str] = set()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @contextlib.asynccontextmanager
    async def turn(self, asker: str) -> AsyncIterator[None]:
        """Waits for a turn, which lasts for the block."""
        await self._take(asker)
        try:
            yield
        finally:
            self._give_back(asker)

    async def _take(self, asker: str) -> None:
        if self._free and asker not in self._busy:  # then no waiting asker could use the turn
            self._deal(asker)
            return
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(asker, deque()).append(ticket)
        try:
            await ticket
        except asyncio.CancelledError:
            # Cancelled: while queued, or just after the turn was given to it.
            if ticket.done() and not ticket.cancelled():
                self._give_back(asker)
            raise

    def _deal(self, asker: str) -> None:
        self._free -= 1
        self._busy.add(asker)

    def _give_back(self, asker: str) -> None:
        self._free += 1
        self._busy.discard(asker)
        if asker in self._waiting:
            self._waiting.move_to_end(asker)
        while self._free and (found := self._next()):
            asker, ticket = found
            self._deal(asker)
            ticket.set_result(None)

    def _next(self) -> tuple[str, asyncio.Future[None]] | None:
        for asker in list(self._waiting):
            tickets = self._waiting[asker]
            while tickets and tickets[0].done():  # cancelled
                tickets.popleft()
            if not tickets:
                del self._waiting[asker]
            elif asker not in self._busy:
                return asker, tickets.popleft()
        return None
