"""`mailweir digest`: shows the stages that recorded mail still waits for, and repeats them."""

from typing import Annotated

import typer

from admin_cli import context, options, output
from admin_cli.change_notes import reads, unnoted
from mailweir.errors import BadInput
from mailweir.store.record import activities, digest_queue, digest_rebuilds, held, readings
from mailweir.store.record.digest_queue import Stage
from mailweir.store.record.digest_rebuilds import Which

_WHAT = {Stage.READING: "to be read", Stage.VERDICT: "for a sender verdict"}


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(
        app,
        "digest",
        "The reading of recorded mail, and the proof of its authors.",
        options.example("mailweir digest status"),
    )
    group.command("again", epilog=options.example("mailweir digest again", "mailweir digest again 12 13"))(again)
    group.command("status", epilog=options.example("mailweir digest status"))(status)


@unnoted
def again(
    activity_ids: Annotated[
        list[int] | None,
        typer.Argument(
            metavar="[ID...]", help="The activities to do again. Default: those that an older version read."
        ),
    ] = None,
    is_all: Annotated[bool, typer.Option("--all", help="The whole record.")] = False,
    stage: Annotated[Stage, typer.Option("--stage", help="The stage to do again.")] = Stage.READING,
    deployment: options.DeploymentOption = None,
) -> None:
    """Reads recorded mail again, or examines its author again, from the raw bytes: at low priority, while mail flows."""
    if activity_ids and is_all:
        raise BadInput("give activities, or --all, and not both")
    if deployment is not None and not activity_ids:
        raise BadInput("--deployment needs activities: without them, the record of all deployments is done again")
    with context.opened() as database:
        narrowed = context.narrow(database, deployment)
        for one in activity_ids or ():
            activities.find(database, one, narrowed)
        with database.transaction():
            if activity_ids:
                digest_queue.again(database, stage, digest_queue.versions(database, activity_ids))
            else:
                digest_rebuilds.begin(database, stage, Which.ALL if is_all else Which.OLDER, context.now())
    output.say("The digest does it while it has nothing else to do: 'mailweir digest status' shows how far it is.")


@reads
def status(as_json: options.JsonOption = False) -> None:
    """Shows what waits, and how far the record is done again."""
    with context.opened() as database:
        waiting = digest_queue.waiting(database)
        rebuilds = digest_rebuilds.going_on(database)
        holding = held.waiting(database)
        unreadable, older = readings.count_unreadable(database), readings.count_older(database)
    if as_json:
        output.show_json(
            {
                "waiting": [output.plain(one) for one in waiting],
                "rebuilds": [output.plain(one) for one in rebuilds],
                "unreadable": unreadable,
                "older": older,
                "held": output.plain(holding),
            }
        )
        return
    for one in waiting:
        ended = f"; {one.ended} of them crashed the process that examined them" if one.ended else ""
        output.say(f"{one.new + one.later} wait {_WHAT[one.stage]}, {one.new} of them new{ended}.")
    ended = f"; {holding.ended} of them crashed the process that examined them" if holding.ended else ""
    output.say(f"{holding.waits} are held until their reading says whose they are{ended}.")
    for rebuild in rebuilds:
        output.say(
            f"The record is being done again ({rebuild.stage.value}, {rebuild.which.value}): {rebuild.queued} so "
            f"far, and at most {rebuild.left} are still to be looked at."
        )
    output.say(f"{unreadable} could not be read.")
    output.say(
        f"{older} were read by an older version" + (": 'mailweir digest again' reads them again." if older else ".")
    )
