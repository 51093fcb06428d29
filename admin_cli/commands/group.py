"""`mailweir group`: the firm's groups and lists. Mail from a group's address was written by somebody else."""

from typing import Annotated

import typer

from admin_cli import context, options, output, tables
from admin_cli.change_notes import changes, reads
from mailweir.store.people import groups

Address = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="The address that the group puts into From: sales@example.com.")
]


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    line = options.example("mailweir group add sales@example.com")
    group = options.noun(app, "group", "The firm's groups and lists, which pass mail on under their own address.", line)
    group.command("add", epilog=line)(add)
    group.command("remove", epilog=options.example("mailweir group remove sales@example.com"))(remove)
    group.command("list", epilog=options.example("mailweir group list"))(list_all)


@changes("group.added", "address")
def add(address: Address, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Adds a group's address. From the next message on, mail from this address counts as mail of the original author whom
    the mail names."""
    with context.opened() as database:
        made = groups.add(database, context.choose(database, deployment), address, context.now())
    if as_json:
        output.show_json(output.plain(made))
        return
    output.say(f"{made.address} is a group of {made.deployment}: mail from it counts as its original author's.")


@changes("group.removed", "address")
def remove(address: Address, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Removes a group's address."""
    with context.opened() as database:
        removed = groups.remove(database, context.choose(database, deployment), address)
    if as_json:
        output.show_json(output.plain(removed))
        return
    output.say(f"{removed.address} is no group of {removed.deployment} any more. Recorded mail stays.")


@reads
def list_all(deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Lists a deployment's groups."""
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        found = groups.list_all(database, chosen)
    if as_json:
        output.show_json([output.plain(group) for group in found])
        return
    rows = [(group.address, output.moment(group.created_at)) for group in found]
    tables.show(("address", "added"), rows, empty=f"There is no group in {chosen.name} yet.")
