"""`mailweir contact`: the outside persons whose mail is captured."""

from typing import Annotated

import typer

from admin_cli import context, options, output, tables
from admin_cli.change_notes import changes, reads
from admin_cli.commands import contact_file
from mailweir.explain import english, record
from mailweir.store.people import contacts

_MADE_BY = {"admin": "-", "company_domain": "domain"}


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(
        app,
        "contact",
        "People outside the firm whose mail is captured.",
        options.example("mailweir contact add 'Purchasing' jane@client.example"),
    )
    add_example = "mailweir contact add 'Purchasing' jane@client.example j.client@example.org --company 'Client Ltd'"
    group.command("add", epilog=options.example(add_example))(add)
    set_line = "mailweir contact set jane@client.example --visibility metadata"
    group.command("set", epilog=options.example(set_line))(set_choices)
    group.command("list", epilog=options.example("mailweir contact list --json"))(list_all)
    group.command("remove", epilog=options.example("mailweir contact remove jane@client.example"))(remove)
    contact_file.register(group)


@changes("contact.added", "name")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The contact's name.")],
    addresses: Annotated[list[str], typer.Argument(metavar="ADDRESS", help="One or more mail addresses.")],
    company: Annotated[
        str | None, typer.Option("--company", metavar="NAME", help="The name of an existing company.")
    ] = None,
    shared: options.SharedOption = False,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Makes a contact. From now on mail with these addresses is captured."""
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        made = contacts.add(database, chosen, name, addresses, company, context.now(), shared=shared)
    if as_json:
        output.show_json(output.plain(made))
        return
    works_for = f" of {made.company}" if made.company else ""
    output.say(f"The contact {made.name}{works_for} is in {made.deployment}: {', '.join(made.addresses)}.")


@changes("contact.visibility", "address")
def set_choices(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="One of the contact's addresses.")],
    visibility: options.VisibilityOption,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Sets who may read mail with a contact. Applies to new messages; recorded ones stay as they are."""
    with context.opened() as database:
        changed = contacts.set_visibility(database, context.choose(database, deployment), address, visibility)
    if as_json:
        output.show_json([output.plain(contact) for contact in changed])
        return
    for contact in changed:
        output.say(f"New mail with {contact.name}: {english.text(record.visibility(contact.visibility))}.")


@reads
def list_all(deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Lists a deployment's contacts."""
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        found = contacts.list_all(database, chosen)
    if as_json:
        output.show_json([output.plain(contact) for contact in found])
        return
    tables.show(
        ("name", "company", "addresses", "made by"),
        [
            (contact.name, contact.company or "-", ", ".join(contact.addresses), _MADE_BY[contact.origin])
            for contact in found
        ],
        empty=f"There is no contact in {chosen.name} yet: make one with 'mailweir contact add'.",
    )


@changes("contact.address_removed", "address")
def remove(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The address to remove.")],
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Removes an address from its contact. A contact without an address is removed, too. Recorded mail stays."""
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        left = contacts.remove_address(database, chosen, address, context.now())
    if as_json:
        output.show_json([output.plain(contact) for contact in left])
        return
    for contact in left:
        rest = f"keeps {', '.join(contact.addresses)}" if contact.addresses else "is removed; recorded mail stays"
        output.say(f"The contact {contact.name} of {chosen.name} {rest}.")
