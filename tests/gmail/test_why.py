"""`mailweir why` by Gmail's id of a message, on both databases."""

from datetime import timedelta

from tests.gmail import faults
from tests.gmail.server import GmailServer
from tests.gmail.test_commands import run, shown
from tests.gmail.test_labels import dated
from tests.gmail.world import JANE, STRANGER, World, mail


def test_why_takes_gmails_id(world: World) -> None:
    """This includes a message in two mailboxes: an id belongs to one mailbox."""
    own, others = world.connect(), world.connect("mary")
    known, unknown = own.insert(mail("known", JANE)), others.insert(mail("unknown", STRANGER))
    world.settle()
    world.settle("mary")
    said = run(world, "why", known).stdout
    assert "captured as activity 1" in said
    assert f"(Gmail id {known}, in richard@firm.example)" in said
    (shown_one,) = shown(world, "why", unknown)
    assert (shown_one["gmail_id"], shown_one["mailbox"]) == (unknown, "mary@firm.example")
    assert (shown_one["outcome"], shown_one["activity"]) == ("ignored", None)
    assert shown(world, "why", shown_one["queue_id"]) == [shown_one]
    assert run(world, "why", known[:-1], code=1).stdout.startswith("No decision is known")


def test_why_of_a_message_that_is_still_to_be_looked_at(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    world.settle()
    bad = box.insert(mail("bad"))
    gmail.faults.add(faults.server_error(), user=box.address, message_id=bad)
    world.settle()
    assert "waits in the sync for another try, after 1 tries" in run(world, "why", bad).stdout
    for _ in range(world.settings.gmail.max_attempts):
        world.later(hours=1, minutes=1)
        world.settle()
    assert "'mailweir gmail retry richard' tries it again" in run(world, "why", bad).stdout
    (given_up,) = shown(world, "why", bad)
    assert (given_up["outcome"], given_up["gmail_id"], given_up["mailbox"]) == ("given up", bad, box.address)
    assert shown(world, "why", bad, "--limit", "1") == [given_up]
    run(world, "why", bad, "--deployment", "nope", code=1)


def test_why_of_own_mail_that_is_to_be_sent_later(world: World) -> None:
    box = world.connect()
    world.settle()
    due = world.at + timedelta(days=2)
    later = box.insert(dated("later", due), labels=[], at=world.at)
    world.settle()
    assert f"nothing is decided before its date, {due:%Y-%m-%dT%H:%M:%S}" in run(world, "why", later).stdout
    assert shown(world, "gmail", "status")[0]["waiting"] == 0
