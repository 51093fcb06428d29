"""`mailweir relay`: logins by which Gmail's "Send mail as" sends through this host."""

import ipaddress
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from admin_cli import context, in_force, options, output, tables
from mailweir import passwords
from mailweir.settings import Settings, load
from mailweir.store.people import relay_logins
from mailweir.store.people.relay_logins import RelayLogin

GMAILS_PORTS = (587, 465)

Username = Annotated[str, typer.Argument(metavar="USERNAME", help="The user, as 'mailweir user list' shows it.")]


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(
        app,
        "relay",
        'Logins for sending through this host, as Gmail\'s "Send mail as" does.',
        options.example("mailweir relay connect richard"),
    )
    group.command("connect", epilog=options.example("mailweir relay connect richard"))(connect)
    group.command("list", epilog=options.example("mailweir relay list"))(list_all)
    group.command("rotate", epilog=options.example("mailweir relay rotate richard"))(rotate)
    group.command("disconnect", epilog=options.example("mailweir relay disconnect richard"))(disconnect)


def connect(
    username: Username, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False
) -> None:
    """Makes a user's login, and prints what Gmail's form asks for. The password is shown this once."""
    settings, password = load(), passwords.generate()
    with context.opened(settings) as database:
        chosen = context.choose(database, deployment)
        made = relay_logins.connect(database, chosen, username, passwords.digest(password), context.now())
    if as_json:
        output.show_json(_object(in_force.settings(settings), made, password))
        return
    output.say(
        f"{made.username} of {made.deployment} can send through this host. In Gmail: Settings, Accounts, Send mail as,"
    )
    output.say('"Add another email address"; then, for the SMTP server:')
    _show_form(in_force.settings(settings), made, password)


def rotate(
    username: Username, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False
) -> None:
    """Gives a login a new password, and prints it once. The old one is refused from now on; a suspension is lifted."""
    settings, password = load(), passwords.generate()
    with context.opened(settings) as database:
        chosen = context.choose(database, deployment)
        changed = relay_logins.rotate(database, chosen, username, passwords.digest(password), context.now())
    if as_json:
        output.show_json(_object(in_force.settings(settings), changed, password))
        return
    output.say(
        f"The old password of {changed.login} is refused from now on. In Gmail: Settings, Accounts, Send mail as,"
    )
    output.say('"edit info" beside each address that is sent by this host; then:')
    _show_form(in_force.settings(settings), changed, password)


def disconnect(
    username: Username, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False
) -> None:
    """Ends a login: its password is refused from now on. What was sent stays on the record."""
    with context.opened() as database:
        gone = relay_logins.disconnect(database, context.choose(database, deployment), username, context.now())
    if as_json:
        output.show_json({"deployment": gone.deployment, "username": gone.login})
        return
    output.say(f"The login {gone.login} is disconnected: nobody sends by it any more.")


def list_all(deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Lists a deployment's logins, and what each sent within this hour."""
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        found = relay_logins.list_all(database, chosen, context.now())
    if as_json:
        output.show_json([output.plain(one) for one in found])
        return
    rows = [
        (
            one.username,
            one.login,
            output.moment(one.rotated_at or one.created_at),
            str(one.messages),
            str(one.recipients),
            str(one.refused),
            f"suspended: {one.suspended_reason}" if one.suspended_at else "in use",
        )
        for one in found
    ]
    columns = ("username", "login", "password since", "messages this hour", "recipients", "refused", "state")
    empty = f"There is no login in {chosen.name} yet: make one with 'mailweir relay connect'."
    tables.show(columns, rows, empty=empty)


def _show_form(settings: Settings, login: RelayLogin, password: str) -> None:
    smtp = settings.smtp
    output.say(f"  SMTP server           {settings.hostname}")
    output.say(f"  Port                  {smtp.submission_port}")
    output.say(f"  Username              {login.login}")
    output.say(f"  Password              {password}")
    output.say("  Secured connection    using TLS")
    output.say(f'With port {smtp.submissions_port} choose "using SSL" instead. The password isn\'t shown again.')
    hindrances = list(_hindrances(settings))
    if hindrances:
        output.remark(
            f"mailweir: Gmail itself can't use it yet: {'; '.join(hindrances)}. See docs/operations.md, The relay"
        )


def _hindrances(settings: Settings) -> Iterator[str]:
    """What the settings keep Gmail from, which talks to this host from the open net."""
    smtp = settings.smtp
    if ipaddress.ip_address(smtp.bind_address.strip("[]")).is_loopback:
        yield f"Postfix listens on {smtp.bind_address} only (smtp.bind_address)"
    if (smtp.submission_port, smtp.submissions_port) != GMAILS_PORTS:
        yield "its form offers ports 587 and 465 alone (smtp.submission_port, smtp.submissions_port)"
    if not smtp.tls_certificate_file:
        yield "the certificate is self-signed (smtp.tls_certificate_file)"


def _object(settings: Settings, login: RelayLogin, password: str) -> dict[str, Any]:
    return {
        "host": settings.hostname,
        "submission_port": settings.smtp.submission_port,
        "submissions_port": settings.smtp.submissions_port,
        "username": login.login,
        "password": password,
    }
