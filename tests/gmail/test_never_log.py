"""Never-log rules in synced mailboxes: they take effect at the next message. Mail that a removed rule hid is searched for."""

import pytest

from mailweir.store.people import deployments, never_log_rules
from mailweir.store.record import todos
from tests.gmail.world import JANE, JOE, World, mail


@pytest.mark.parametrize("user", [None, "richard"], ids=["deployment", "user"])
def test_what_a_rule_hid_comes_once_it_is_taken_off(world: World, user: str | None) -> None:
    box = world.connect("richard")
    world.settle()
    never_log_rules.add(world.database, world.demo, "@client.example", user, world.at)
    world.later(minutes=1)
    box.insert(mail("hidden", JANE, "richard@firm.example"), at=world.at)
    world.settle()
    assert world.record() == []
    ((reason, rule),) = world.database.execute("SELECT reason, rule FROM decisions").fetchall()
    assert reason.startswith("never-log rule")
    assert "@client.example" in rule

    never_log_rules.remove(world.database, world.demo, "@client.example", user, world.at)
    world.later(minutes=2)
    world.settle()
    assert world.subjects() == ["hidden"]
    assert todos.select(world.database, world.demo, None, with_done=True) == []
    # once: the next sweeps don't search again
    world.later(minutes=2)
    world.settle()
    assert len(world.record()) == 1
    assert not _has_more(world)


def _has_more(world: World) -> bool:
    sql = "SELECT 1 FROM never_log_removals n JOIN gmail_mailboxes m ON n.id > m.backfilled_removal_id"
    return world.database.execute(sql).fetchone() is not None


def test_a_colleagues_rule_hides_nothing_in_another_mailbox(world: World) -> None:
    never_log_rules.add(world.database, world.demo, JANE, "mary", world.at)
    box = world.connect("richard")
    world.settle()
    world.later(minutes=1)
    box.insert(mail("seen", JANE, "richard@firm.example"), at=world.at)
    world.settle()
    assert world.subjects() == ["seen"]


def test_a_rule_of_another_deployment_hides_nothing(world: World) -> None:
    other = deployments.add(world.database, "other", "other.example.org", world.at)
    never_log_rules.add(world.database, other, JOE, None, world.at)
    box = world.connect("richard")
    world.settle()
    world.later(minutes=1)
    box.insert(mail("seen", JOE, "richard@firm.example"), at=world.at)
    world.settle()
    assert world.subjects() == ["seen"]
