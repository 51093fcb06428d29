"""`mailweir company`: the companies that contacts work for."""

from typing import Annotated

import typer

from admin_cli import context, options, output, tables
from admin_cli.change_notes import changes, reads
from mailweir.errors import BadInput
from mailweir.explain import english, record
from mailweir.store.people import companies
from mailweir.store.people.companies import Company


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(
        app,
        "company",
        "The companies that contacts work for.",
        options.example("mailweir company add 'Client Ltd' --domain client.example"),
    )
    group.command("add", epilog=options.example("mailweir company add 'Client Ltd' --domain client.example"))(add)
    set_lines = (
        "mailweir company set 'Client Ltd' --visibility participants",
        "mailweir company set 'Client Ltd' --auto-contacts on",
    )
    group.command("set", epilog=options.example(*set_lines))(set_choices)
    group.command("list", epilog=options.example("mailweir company list"))(list_all)


@changes("company.added", "name")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The company's name.")],
    domain: Annotated[
        str | None, typer.Option("--domain", metavar="D", help="The domain of its mail addresses.")
    ] = None,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Makes a company."""
    with context.opened() as database:
        made = companies.add(database, context.choose(database, deployment), name, domain, context.now())
    if as_json:
        output.show_json(output.plain(made))
        return
    output.say(
        f"The company {made.name} is in {made.deployment}" + (f", with the domain {made.domain}." if domain else ".")
    )


@changes("company.changed", "name")
def set_choices(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The company's name.")],
    visibility: options.OptionalVisibility = None,
    auto_contacts: Annotated[
        options.Switch | None,
        typer.Option(
            "--auto-contacts", help="Whether proven mail from the company's domain makes its authors contacts."
        ),
    ] = None,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Sets who may read mail with the company's contacts, and whether its domain makes contacts. Applies to new messages;
    recorded ones stay as they are."""
    if visibility is None and auto_contacts is None:
        raise BadInput("say what to set: --visibility or --auto-contacts")
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        if auto_contacts is not None:
            is_on = auto_contacts is options.Switch.ON
            changed = companies.set_auto_contacts(database, chosen, name, context.now(), is_on=is_on)
        if visibility is not None:
            changed = companies.set_visibility(database, chosen, name, visibility)
    if as_json:
        output.show_json(output.plain(changed))
        return
    if visibility is not None:
        output.say(f"New mail with contacts of {changed.name}: {english.text(record.visibility(changed.visibility))}.")
    if auto_contacts is not None:
        output.say(f"{_what_is_made(changed)}.")


def _what_is_made(company: Company) -> str:
    if not company.auto_contacts:
        return f"The domain of {company.name} makes no contacts"
    return f"Proven authors at {company.domain} become contacts of {company.name}"


@reads
def list_all(deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Lists a deployment's companies."""
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        found = companies.list_all(database, chosen)
    if as_json:
        output.show_json([output.plain(company) for company in found])
        return
    rows = [(company.name, company.domain or "-", "on" if company.auto_contacts else "-") for company in found]
    tables.show(("name", "domain", "auto-contacts"), rows, empty=f"There is no company in {chosen.name} yet.")
