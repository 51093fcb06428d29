"""`mailweir relay`: logins by which Gmail's "Send mail as" sends through this host."""

from typing import Annotated, Any

import typer

from admin_cli import context, in_force, options, output, tables
from admin_cli.change_notes import changes, reads
from mailweir import send_mail_as
from mailweir.explain import english, relay
from mailweir.send_mail_as import Form
from mailweir.settings import load
from mailweir.store.people import relay_logins

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


@changes("relay.connected", "username")
def connect(
    username: Username, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False
) -> None:
    """Makes a user's login, and prints the values for Gmail's form. The password is shown only once."""
    settings = load()
    with context.opened(settings) as database:
        made = send_mail_as.connect(database, context.choose(database, deployment), username, context.now())
    form = send_mail_as.form(in_force.settings(settings), made)
    if as_json:
        output.show_json(_object(form))
        return
    login = made.login
    output.say(
        f"{login.username} of {login.deployment} can send through this host. In Gmail: Settings, Accounts, Send mail as,"
    )
    output.say('"Add another email address"; then, for the SMTP server:')
    _show_form(form)


@changes("relay.rotated", "username")
def rotate(
    username: Username, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False
) -> None:
    """Gives a login a new password, and prints it once. The old one is refused from now on; a suspension ends."""
    settings = load()
    with context.opened(settings) as database:
        changed = send_mail_as.rotate(database, context.choose(database, deployment), username, context.now())
    form = send_mail_as.form(in_force.settings(settings), changed)
    if as_json:
        output.show_json(_object(form))
        return
    output.say(
        f"The old password of {form.username} is refused from now on. In Gmail: Settings, Accounts, Send mail as,"
    )
    output.say('"edit info" beside each address that is sent by this host; then:')
    _show_form(form)


@changes("relay.disconnected", "username")
def disconnect(
    username: Username, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False
) -> None:
    """Ends a login: its password is refused from now on. Recorded mail stays."""
    with context.opened() as database:
        gone = relay_logins.disconnect(database, context.choose(database, deployment), username, context.now())
    if as_json:
        output.show_json({"deployment": gone.deployment, "username": gone.login})
        return
    output.say(f"The login {gone.login} is disconnected: nobody can send with it any more.")


@reads
def list_all(deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Lists a deployment's logins, and how much each sent within this hour."""
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
            english.text(relay.login(one)),
        )
        for one in found
    ]
    columns = ("username", "login", "password since", "messages this hour", "recipients", "refused", "state")
    empty = f"There is no login in {chosen.name} yet: make one with 'mailweir relay connect'."
    tables.show(columns, rows, empty=empty)


def _show_form(form: Form) -> None:
    output.say(f"  SMTP server           {form.host}")
    output.say(f"  Port                  {form.submission_port}")
    output.say(f"  Username              {form.username}")
    output.say(f"  Password              {form.password}")
    output.say("  Secured connection    using TLS")
    output.say(f'With port {form.submissions_port} choose "using SSL" instead. The password isn\'t shown again.')
    if form.hindrances:
        hindrances = "; ".join(map(english.text, form.hindrances))
        output.remark(f"mailweir: Gmail itself can't use it yet: {hindrances}. See docs/admin/operations.md, The relay")


def _object(form: Form) -> dict[str, Any]:
    return {
        "host": form.host,
        "submission_port": form.submission_port,
        "submissions_port": form.submissions_port,
        "username": form.username,
        "password": form.password,
    }
