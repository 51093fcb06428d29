"""`mailweir domain`: the clients' domains, and the DKIM keys that sign for them."""

from typing import Annotated, Any

import typer

from admin_cli import change_notes, context, domain_options, key_files, options, output, tables, txt_records
from admin_cli.change_notes import changes, reads
from admin_cli.commands import domain_check
from mailweir import signing_keys
from mailweir.dkim_record import TxtRecord
from mailweir.errors import BadInput
from mailweir.settings import Settings, load
from mailweir.store.people import dkim_keys
from mailweir.store.people.dkim_keys import DkimKey

Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain of the authors' addresses.")]
SelectorOption = Annotated[
    str | None, typer.Option("--selector", metavar="S", help="The key's name in DNS. Default: a new name.")
]


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(
        app,
        "domain",
        "Domains that mail is sent for, and their DKIM keys.",
        options.example("mailweir domain add client.example"),
    )
    group.command("add", epilog=options.example("mailweir domain add client.example"))(add)
    group.command("list", epilog=options.example("mailweir domain list"))(list_all)
    check_line = "mailweir domain check client.example"
    group.command("check", cls=domain_options.CheckCommand, epilog=options.example(check_line))(domain_check.check)
    lines = ("mailweir domain rotate client.example", "mailweir domain rotate client.example --activate")
    group.command("rotate", epilog=options.example(*lines))(rotate)
    remove_line = "mailweir domain remove-key client.example mw20261124-3fa9"
    group.command("remove-key", epilog=options.example(remove_line))(remove_key)
    group.command("remove", epilog=options.example("mailweir domain remove client.example"))(remove)


@changes("dkim.added", "domain")
def add(
    domain: Domain,
    selector: SelectorOption = None,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Makes a DKIM key that signs for a domain from now on, and prints the DNS record to publish."""
    settings = load()
    secrets = key_files.opened(settings)
    with context.opened(settings) as database:
        chosen = context.choose(database, deployment)
        made = signing_keys.make(database, chosen, domain, selector, secrets, context.now())
    if as_json:
        output.show_json(_object(made))
        return
    output.say(f"Mail from {made.domain} that {made.deployment} sends by the relay is signed from now on.")
    _show_record(made)
    _warn_if_off(settings)


@reads
def list_all(deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Lists a deployment's domains and their keys."""
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        found = dkim_keys.list_keys(database, chosen)
    if as_json:
        output.show_json([_object(key) for key in found])
        return
    rows = [
        (
            key.domain,
            key.selector,
            key.state,
            output.moment(key.created_at),
            output.moment(key.activated_at),
            output.moment(key.retired_at),
        )
        for key in found
    ]
    columns = ("domain", "selector", "state", "made", "active since", "retired")
    tables.show(columns, rows, empty=f"There is no domain in {chosen.name} yet: add one with 'mailweir domain add'.")


@changes("dkim.next", "domain")
def rotate(
    domain: Domain,
    activate: Annotated[bool, typer.Option("--activate", help="Sign with the next key, once DNS has it.")] = False,
    selector: SelectorOption = None,
    force: Annotated[bool, typer.Option("--force", help="With --activate: don't check whether DNS has it.")] = False,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Replaces a domain's key without a gap. First makes the next key; with --activate, signs with it, once it is published."""
    if (force and not activate) or (activate and selector is not None):
        raise typer.BadParameter("--force goes with --activate, and --selector without it")
    if activate:
        change_notes.instead("dkim.activated")
        _activate(domain, deployment, force=force, as_json=as_json)
    else:
        _make_next(domain, deployment, selector, as_json=as_json)


def _make_next(domain: str, deployment: str | None, selector: str | None, *, as_json: bool) -> None:
    settings = load()
    secrets = key_files.opened(settings)
    with context.opened(settings) as database:
        chosen = context.choose(database, deployment)
        made, gone = signing_keys.make_next(database, chosen, domain, selector, secrets, context.now())
    if as_json:
        output.show_json({**_object(made), "removed": [_object(key) for key in gone]})
        return
    output.say(
        f"The next key of {made.domain} has the selector {made.selector}; until it is activated, the old one signs."
    )
    _show_record(made)
    output.say(f"When DNS has it: mailweir domain rotate {made.domain} --activate")
    for key in gone:
        output.say(f"The retired key {key.selector} is removed; you can remove its DNS record: {_record(key).name}")


def _activate(domain: str, deployment: str | None, *, force: bool, as_json: bool) -> None:
    settings = load()
    with context.opened(settings) as database:
        chosen = context.choose(database, deployment)
        rotation = signing_keys.rotation(database, chosen, domain)
    waiting = rotation.next
    if not force:  # the database is closed meanwhile: DNS may take long
        _refuse_unpublished(settings, waiting)
    with context.opened(settings) as database:
        done = dkim_keys.activate(database, chosen, waiting.domain, waiting.selector, context.now())
    if as_json:
        output.show_json(_object(done))
        return
    output.say(f"The key {done.selector} signs for {done.domain} from now on.")
    for key in rotation.signing:
        output.say(
            f"The key {key.selector} is retired. Leave its DNS record {_record(key).name} for {dkim_keys.RETIRED_DAYS} days, "
            f"while mail is under way; then: mailweir domain remove-key {key.domain} {key.selector}"
        )


def _refuse_unpublished(settings: Settings, key: DkimKey) -> None:
    try:
        signing_keys.refuse_unpublished(key, lambda name: txt_records.look_up(name, settings.dns))
    except signing_keys.Unpublished as error:
        raise BadInput(
            f"{error.name} in DNS: {error.fault}; publish what 'mailweir domain rotate {key.domain}' prints and wait until "
            "resolvers have it, or skip this check with --force"
        ) from error


@changes("dkim.removed", "domain")
def remove_key(
    domain: Domain,
    selector: Annotated[str, typer.Argument(metavar="SELECTOR", help="The key's name in DNS.")],
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Removes a retired key, or a next key that you don't want any more. Then you can remove its DNS record."""
    with context.opened() as database:
        gone = dkim_keys.remove_key(database, context.choose(database, deployment), domain, selector)
    if as_json:
        output.show_json(_object(gone))
        return
    output.say(
        f"The key {gone.selector} of {gone.domain} is removed; you can remove its DNS record: {_record(gone).name}"
    )


@changes("domain.removed", "domain")
def remove(domain: Domain, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Removes a domain with all its keys. Mail sent for it goes out unsigned from now on."""
    with context.opened() as database:
        gone = dkim_keys.remove(database, context.choose(database, deployment), domain)
    if as_json:
        output.show_json([_object(key) for key in gone])
        return
    output.say(f"The domain {gone[0].domain} is removed: mail sent for it goes out unsigned.")
    names = ", ".join(_record(key).name for key in gone)
    output.say(
        f"In {dkim_keys.RETIRED_DAYS} days, when no mail is under way any more, you can remove these DNS records: {names}"
    )


def _record(key: DkimKey) -> TxtRecord:
    return signing_keys.record(key)


def _show_record(key: DkimKey) -> None:
    record = _record(key)
    output.say("Publish this record in DNS; a form that asks for the value takes the strings without quotes, as one:")
    output.say("  type   TXT")
    output.say(f"  name   {record.name}")
    for number, part in enumerate(record.strings):
        output.say(f'  {"      " if number else "value "} "{part}"')


def _warn_if_off(settings: Settings) -> None:
    if not settings.dkim.sign:
        output.remark("mailweir: nothing is signed, because dkim.sign is off in the settings")


def _object(key: DkimKey) -> dict[str, Any]:
    record = _record(key)
    return {
        "deployment": key.deployment,
        "domain": key.domain,
        "selector": key.selector,
        "state": key.state,
        "created_at": output.json_value(key.created_at),
        "activated_at": output.json_value(key.activated_at),
        "retired_at": output.json_value(key.retired_at),
        "records": [{"type": "TXT", "name": record.name, "value": record.value, "strings": list(record.strings)}],
    }
