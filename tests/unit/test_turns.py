"""Turns: a limited number at a time, one for each asker, in rotation among those who wait. Giving up leaves no trace."""

import asyncio
import random

from postfix.turns import Turns


def test_one_asker_has_one_turn_and_the_others_pass_by() -> None:
    """Many requests of one asker come, and last a request of another asker. It is second at the latest."""
    order: list[str] = []

    async def run() -> None:
        turns = Turns(2)

        async def ask(name: str) -> None:
            async with turns.turn(name):
                order.append(name)
                await asyncio.sleep(0)

        await asyncio.gather(*(ask("flood") for _ in range(50)), ask("other"))

    asyncio.run(run())
    assert len(order) == 51
    assert order.index("other") <= 1


def test_those_who_wait_take_turns() -> None:
    order: list[str] = []

    async def run() -> None:
        turns = Turns(1)

        async def ask(name: str) -> None:
            async with turns.turn(name):
                order.append(name)
                await asyncio.sleep(0)

        await asyncio.gather(*(ask(name) for name in "aaaabbc"))

    asyncio.run(run())
    assert "".join(order) == "abcabaa"


def test_never_too_many_and_never_two_of_one_whoever_gives_up() -> None:
    async def run() -> None:
        chance = random.Random(3)
        turns, running = Turns(3), []

        async def ask(name: str) -> None:
            async with turns.turn(name):
                running.append(name)
                try:
                    assert len(running) <= 3
                    assert running.count(name) == 1
                    for _ in range(chance.randrange(4)):
                        await asyncio.sleep(0)
                finally:
                    running.remove(name)

        tasks = [asyncio.create_task(ask(chance.choice("abcde"))) for _ in range(400)]
        for task in chance.sample(tasks, 150):
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in done} <= {type(None), asyncio.CancelledError}
        # all turns were returned
        async with asyncio.timeout(5), turns.turn("a"), turns.turn("b"), turns.turn("c"):
            pass
        assert vars(turns)["_waiting"] == {}

    asyncio.run(run())
