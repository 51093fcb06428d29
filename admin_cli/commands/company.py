"""`mailweir company`: whom contacts work for."""

from typing import Annotated

import typer

from admin_cli import context, options, output, tables, wording
from mailweir.explain import record
from mailweir.store.people import companies


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(
        app,
        "company",
        "Whom contacts work for.",
        options.example("mailweir company add 'Client Ltd' --domain client.example"),
    )
    group.command("add", epilog=options.example("mailweir company add 'Client Ltd' --domain client.example"))(add)
    set_line = "mailweir company set 'Client Ltd' --visibility participants"
    group.command("set", epilog=options.example(set_line))(set_choices)
    group.command("list", epilog=options.example("mailweir company list"))(list_all)


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The company's name.")],
    domain: Annotated[str | None, typer.Option("--domain", metavar="D", help="The domain of its mail.")] = None,
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


def set_choices(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The company's name.")],
    visibility: options.VisibilityOption,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Sets who may read mail with the company's contacts. Counts at the next message; what is on the record stays as it is."""
    with context.opened() as database:
        changed = companies.set_visibility(database, context.choose(database, deployment), name, visibility)
    if as_json:
        output.show_json(output.plain(changed))
        return
    output.say(f"New mail with contacts of {changed.name}: {wording.text(record.visibility(changed.visibility))}.")


def list_all(deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Lists a deployment's companies."""
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        found = companies.list_all(database, chosen)
    if as_json:
        output.show_json([output.plain(company) for company in found])
        return
    rows = [(company.name, company.domain or "-") for company in found]
    tables.show(("name", "domain"), rows, empty=f"There is no company in {chosen.name} yet.")
