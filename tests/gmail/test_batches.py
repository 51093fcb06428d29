"""Results are written in batches: a committed batch stays, whatever happens in the callbacks."""

import pytest

from gmail_sync.batch_writer import Tally
from gmail_sync.sweep import Sweep
from mailweir.store.gmail import gmail_leases
from tests.gmail.world import STRANGER, World, mail


def test_who_is_told_and_fails_changes_nothing_that_is_written(world: World) -> None:
    box = world.connect()
    world.settle()
    for number, author in enumerate(["jane@client.example", STRANGER] * 3):
        box.insert(mail(f"m{number}", author), at=world.at)
    told: list[int] = []

    def progress(tally: Tally) -> None:
        told.append(tally.looked)
        raise BrokenPipeError("the terminal is gone")

    leased = gmail_leases.lease_one(world.database, "test", world.at, world.state().id)
    assert leased
    sweep = Sweep(world.job_factory.job(leased, world.project), progress)
    with pytest.raises(BrokenPipeError):
        sweep.run()
    assert sorted(world.subjects()) == ["m0", "m2", "m4"]
    assert (world.queued(), sweep.tally.failed, told) == ([], 0, [1])
    assert world.database.execute("SELECT COUNT(*) FROM decisions").fetchone()[0] == 6
