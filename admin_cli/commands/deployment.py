"""`mailweir deployment`: the tenants and their capture domains."""

from typing import Annotated, Any

import typer

from admin_cli import context, options, output, tables
from admin_cli.change_notes import changes, reads
from mailweir import capture_domains
from mailweir.settings import Settings, load
from mailweir.store.people import deployments
from mailweir.store.people.deployments import Deployment


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(
        app,
        "deployment",
        "Tenants and their capture domains.",
        options.example("mailweir deployment add demo --domain demo.example.net"),
    )
    group.command("add", epilog=options.example("mailweir deployment add demo --domain demo.example.net"))(add)
    set_line = "mailweir deployment set demo --plus-addresses --no-gmail-dots"
    group.command("set", epilog=options.example(set_line))(set_choices)
    group.command("list", epilog=options.example("mailweir deployment list --json"))(list_all)


@changes("deployment.added", "name", names_deployment=True)
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: a-z, 0-9 and '-'.")],
    domain: Annotated[
        str,
        typer.Option(
            "--domain", metavar="CAPTURE-DOMAIN", help="The capture domain, which users' mail is forwarded to."
        ),
    ],
    as_json: options.JsonOption = False,
) -> None:
    """Makes a deployment and prints the MX record to publish."""
    settings = load()
    with context.opened(settings) as database:
        made = capture_domains.add(database, settings, name, domain, context.now())
    if as_json:
        output.show_json(_object(made, settings))
        return
    output.say(f"The deployment {made.name} captures mail for {made.domain}.")
    output.say("Publish this record in DNS, so that mail for it comes to this host:")
    output.say(f"  {capture_domains.mx_record(settings, made)}")
    if not capture_domains.has_public_name(settings):
        output.remark("mailweir: set hostname in the settings to this host's public name first: the record needs it")


@changes("deployment.changed", "name", names_deployment=True)
def set_choices(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The deployment's name.")],
    plus_addresses: Annotated[
        bool | None,
        typer.Option("--plus-addresses/--no-plus-addresses", help="Treat jane+news@ as jane@, for users and contacts."),
    ] = None,
    gmail_dots: Annotated[
        bool | None, typer.Option("--gmail-dots/--no-gmail-dots", help="Ignore dots before the @ at gmail.com.")
    ] = None,
    private_words: Annotated[
        str | None,
        typer.Option(
            "--private-words",
            metavar="WORDS",
            help='Mail with one of these words in its subject is for participants only: "private,confidential"; "" for none.',
        ),
    ] = None,
    automatic_todos: Annotated[
        options.Switch | None,
        typer.Option("--automatic-todos", help="Whether automatic mail, such as an out-of-office reply, makes to-dos."),
    ] = None,
    held_forwards: Annotated[
        options.Switch | None,
        typer.Option(
            "--held-forwards",
            help="Record mail that a user forwards to log@ by hand as the client's mail. Default: on.",
        ),
    ] = None,
    known_threads: Annotated[
        options.Switch | None,
        typer.Option(
            "--known-threads", help="Whether replies from unknown addresses are recorded if their thread is known."
        ),
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Changes a deployment's choices: spellings of one address, private words, to-dos from automatic mail, replies from unknown
    addresses (all off at first), and mail that users forward by hand. Applies to new messages."""
    with context.opened() as database:
        changed = deployments.change_folding(database, name, plus_addresses=plus_addresses, gmail_dots=gmail_dots)
        if private_words is not None:
            changed = deployments.set_private_words(database, name, private_words)
        if automatic_todos is not None:
            is_on = automatic_todos is options.Switch.ON
            changed = deployments.set_automatic_todos(database, name, is_on=is_on)
        if held_forwards is not None:
            changed = deployments.set_held_forwards(database, name, is_on=held_forwards is options.Switch.ON)
        if known_threads is not None:
            changed = deployments.set_known_threads(database, name, is_on=known_threads is options.Switch.ON)
    if as_json:
        output.show_json(output.plain(changed))
        return
    plus = "jane+news@ is jane@" if changed.plus_addresses else "jane+news@ is not jane@"
    dots = "dots at gmail.com don't count" if changed.gmail_dots else "dots at gmail.com count"
    words = f"; private: {changed.private_words.replace(',', ', ')}" if changed.private_words else ""
    automatic = "; automatic mail makes to-dos" if changed.automatic_todos else ""
    forwards = "" if changed.held_forwards else "; mail that users forward to log@ by hand isn't looked into"
    replies = "; replies from unknown addresses in known threads are recorded" if changed.known_threads else ""
    output.say(f"The deployment {changed.name}: {plus}; {dots}{words}{automatic}{forwards}{replies}.")


@reads
def list_all(as_json: options.JsonOption = False) -> None:
    """Lists the deployments."""
    settings = load()
    with context.opened(settings) as database:
        found = deployments.list_all(database)
    if as_json:
        output.show_json([_object(deployment, settings) for deployment in found])
        return
    rows = [(row.name, row.domain, row.log_address, output.moment(row.created_at)) for row in found]
    columns = ("name", "capture domain", "log address", "made")
    tables.show(columns, rows, empty="There is no deployment yet: make one with 'mailweir deployment add'.")


def _object(deployment: Deployment, settings: Settings) -> dict[str, Any]:
    return {
        **output.plain(deployment),
        "log_address": deployment.log_address,
        "mx_record": capture_domains.mx_record(settings, deployment),
    }
