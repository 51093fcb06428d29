"""`mailweir user`: the firm's staff."""

from typing import Annotated

import typer

from admin_cli import change_notes, context, options, output, tables
from admin_cli.change_notes import changes, reads
from mailweir.errors import BadInput
from mailweir.explain import english, record
from mailweir.store.gmail import gmail_mailboxes
from mailweir.store.people import users
from mailweir.store.people.users import User

Username = Annotated[str, typer.Argument(metavar="USERNAME", help="The part of the capture address before the @.")]


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(
        app,
        "user",
        "The firm's staff, whose mail with contacts is captured.",
        options.example("mailweir user add richard --email richard@example.com"),
    )
    group.command("add", epilog=options.example("mailweir user add richard --email richard@example.com"))(add)
    group.command("alias", epilog=options.example("mailweir user alias richard r.smith@example.com"))(alias)
    set_lines = (
        "mailweir user set richard --visibility participants",
        "mailweir user set richard --name 'Richard Smith' --email r.smith@example.com",
    )
    group.command("set", epilog=options.example(*set_lines))(set_choices)
    group.command("list", epilog=options.example("mailweir user list --deployment demo"))(list_all)
    group.command("remove", epilog=options.example("mailweir user remove richard"))(remove)


@changes("user.added", "username")
def add(
    username: Username,
    mailbox: Annotated[str, typer.Option("--email", metavar="MAILBOX", help="The mailbox that the user reads.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The user's name.")] = "",
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Makes a user and prints the capture address and log address to use."""
    with context.opened() as database:
        made = users.add(database, context.choose(database, deployment), username, mailbox, name, context.now())
    if as_json:
        output.show_json(output.plain(made))
        return
    output.say(f"The user {made.username} of {made.deployment} reads mail at {made.mailbox}.")
    output.say(f"  capture address  {made.capture_address}  (the mailbox forwards to it)")
    output.say(f"  log address      {made.log_address}  (to copy what is sent, in Cc or Bcc)")


@changes("user.address_added", "username")
def alias(
    username: Username,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A further address the user writes from.")],
    take_off: Annotated[bool, typer.Option("--remove", help="Remove the address again.")] = False,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Adds a further address of a user. Mail from it counts as the user's, too."""
    if take_off:
        change_notes.instead("user.address_removed")
    with context.opened() as database:
        change = users.remove_address if take_off else users.add_address
        changed = change(database, context.choose(database, deployment), username, address)
    if as_json:
        output.show_json(output.plain(changed))
        return
    output.say(
        f"The user {changed.username} of {changed.deployment} has these addresses: {', '.join(changed.addresses)}."
    )


@changes("user.changed", "username")
def set_choices(
    username: Username,
    visibility: options.OptionalVisibility = None,
    mailbox: Annotated[
        str | None,
        typer.Option(
            "--email", metavar="MAILBOX", help="The mailbox that the user reads; the earlier one stays an alias."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help='The user\'s name; "" for none.')] = None,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Sets a user's name, main mailbox, and who may read mail on the user's record. Applies to new messages; recorded ones stay
    as they are."""
    if visibility is None and mailbox is None and name is None:
        raise BadInput("say what to set: --visibility, --email or --name")
    with context.opened() as database, database.transaction():
        chosen = context.choose(database, deployment)
        changed = users.change(database, chosen, username, name=name, mailbox=mailbox)
        if visibility is not None:
            changed = users.set_visibility(database, chosen, username, visibility)
    if as_json:
        output.show_json(output.plain(changed))
        return
    if name is not None or mailbox is not None:
        named = f"{changed.username} ({changed.name})" if changed.name else changed.username
        output.say(f"The user {named} of {changed.deployment} reads mail at {changed.mailbox}.")
    if visibility is not None:
        output.say(f"New mail of {changed.username}: {english.text(record.visibility(changed.visibility))}.")


@reads
def list_all(deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Lists a deployment's users."""
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        found = users.list_all(database, chosen)
    if as_json:
        output.show_json([output.plain(user) for user in found])
        return
    tables.show(
        ("username", "name", "addresses", "capture address"),
        [_row(user) for user in found],
        empty=f"There is no user in {chosen.name} yet: make one with 'mailweir user add'.",
    )


@changes("user.removed", "username")
def remove(
    username: Username, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False
) -> None:
    """Removes a user. Mail to the capture address is refused from now on; recorded mail stays."""
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        synced = [one for one in gmail_mailboxes.list_all(database, chosen) if one.username == username.lower()]
        consented = {one.id for one in synced if gmail_mailboxes.token_sealed(database, one.id) is not None}
        removed = users.remove(database, chosen, username, context.now())
    for one in synced:
        output.remark(f"The Gmail of {one.address} is no longer read.")
        if one.id in consented:
            output.remark(
                "mailweir-gmail-sync gives the consent back to Google, unless another user is connected by it."
            )
    if as_json:
        output.show_json(output.plain(removed))
        return
    output.say(f"The user {removed.username} of {removed.deployment} is removed; recorded mail stays.")


def _row(user: User) -> tuple[str, ...]:
    return user.username, user.name, ", ".join(user.addresses), user.capture_address
