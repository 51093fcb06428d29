"""`mailweir web`: the page's accounts, and links that sign in."""

import sys
from typing import Annotated, Any

import typer

from admin_cli import change_notes, context, in_force, options, output, tables
from admin_cli.change_notes import changes, reads
from mailweir import passwords
from mailweir.errors import BadInput, NotFound
from mailweir.passwords import Fault
from mailweir.settings import Settings, load
from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from mailweir.store.web import accounts, credentials, enrolment, links
from mailweir.store.web.accounts import Account, Role

_OPERATOR = "operator"
_LINK_EXAMPLES = "mailweir web link richard", "mailweir web link --operator"
_ADD_EXAMPLES = (
    "mailweir web account add boss --admin --email boss@firm.example",
    "mailweir web account add root --operator",
)
_PASSWORD_EXAMPLE = "mailweir web account password boss"
FAULTS = {
    Fault.TOO_SHORT: f"the password is too short: it takes {passwords.LEAST_CHARS} characters or more",
    Fault.TOO_LONG: f"the password is too long: it takes {passwords.MOST_CHARS} characters at most",
    Fault.TOO_PLAIN: "the password is too plain: it has too few different characters",
    Fault.HAS_NAME: "the password has the account's name in it",
}

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The account's name, used to sign in.")]


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(app, "web", "The accounts that may sign in to the page.", options.example(*_LINK_EXAMPLES))
    group.command("link", epilog=options.example(*_LINK_EXAMPLES))(link)
    account = options.noun(group, "account", "Accounts that may sign in.", options.example(_ADD_EXAMPLES[0]))
    account.command("add", epilog=options.example(*_ADD_EXAMPLES))(add)
    account.command("list", epilog=options.example("mailweir web account list"))(list_all)
    account.command("remove", epilog=options.example("mailweir web account remove boss"))(remove)
    account.command("password", epilog=options.example(_PASSWORD_EXAMPLE))(password)


@changes("account.linked", "username")
def link(
    username: Annotated[
        str | None, typer.Argument(metavar="[USERNAME]", help="The user, or the account of an admin who is no user.")
    ] = None,
    operator: Annotated[
        bool,
        typer.Option(
            "--operator", help="For an operator, who sees states and settings of all deployments, and no mail."
        ),
    ] = False,
    admin: Annotated[bool, typer.Option("--admin", help="Makes the user an admin of the deployment, too.")] = False,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Prints a link that signs in once, within ten minutes. Makes the account if there is none. Anyone who has the link can use
    it: hand it over as you would a password."""
    if operator == (username is not None) or (operator and (admin or deployment)):
        raise BadInput("name a user, or say --operator alone")
    settings = load()
    with context.opened(settings) as database:
        chosen = None if operator else context.choose(database, deployment)
        account = _operator_or_user(database, chosen, username or _OPERATOR, is_admin=admin)
        token = links.make(database, account.id, chosen.id if chosen else None, context.now())
    url = f"{_page(settings)}/sign-in/link/{token}"
    if as_json:
        output.show_json({"url": url, "account": account.name, "lasts_seconds": int(links.LASTS.total_seconds())})
        return
    output.say(url)
    output.remark(f"It signs {account.name} in once, within ten minutes.")


@changes("account.added", "name")
def add(
    name: NameArgument,
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="U", help="The user whose record it shows. Default: the user of the same name."),
    ] = None,
    admin: Annotated[bool, typer.Option("--admin", help="An admin of the deployment.")] = False,
    operator: Annotated[bool, typer.Option("--operator", help="An operator of all deployments.")] = False,
    email: Annotated[
        str | None,
        typer.Option(
            "--email", metavar="A", help="The address by which OpenID first finds it. Default: the user's mailbox."
        ),
    ] = None,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Makes an account, or gives an existing one a role in a further deployment. 'mailweir web link' signs it in at first."""
    if operator and (user or admin or deployment):
        raise BadInput("--operator excludes --admin, --user and --deployment: an operator belongs to all deployments")
    with context.opened() as database:
        now = context.now()
        if operator:
            made = accounts.add(database, name, now, is_operator=True, email=email)
        else:
            chosen = context.choose(database, deployment)
            role = Role.ADMIN if admin else Role.USER
            made = enrolment.add(database, chosen, name, user, now, role=role, email=email)
    _show(made, as_json, f"The account {made.name} is made: {_roles(made)}.")


@reads
def list_all(deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Lists the accounts, of all deployments if you name none."""
    with context.opened() as database:
        chosen = context.narrow(database, deployment)
        found = accounts.list_all(database) if chosen is None else accounts.of_deployment(database, chosen)
    if as_json:
        output.show_json([_object(one) for one in found])
        return
    columns = ("name", "may", "signs in by", "mail address", "last seen")
    rows = [(one.name, _roles(one), _means(one), one.email or "-", output.moment(one.last_seen_at)) for one in found]
    tables.show(columns, rows, empty="There is no account yet.")


@changes("account.removed", "name")
def remove(
    name: NameArgument, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False
) -> None:
    """Removes an account with all its roles, and ends its sessions. The user and the record stay."""
    with context.opened() as database:
        found = _present(database, name, deployment)
        accounts.remove(database, found.id, context.now())
    _show(found, as_json, f"The account {found.name} is removed, and its sessions have ended.")


@changes("account.password_set", "name")
def password(
    name: NameArgument,
    off: Annotated[bool, typer.Option("--off", help="Take the password away.")] = False,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Sets an account's password, which is asked for, or read from standard input. The account's sessions end."""
    with context.opened() as database:
        found = _present(database, name, deployment)
        digest = None if off else _digest(found)
        credentials.set_password(database, found.id, digest)
    done = "has no password any more" if off else "has a new password"
    _show(found, as_json, f"The account {found.name} {done}, and its sessions have ended.")
    if load().web.openid:
        output.remark("Nobody signs in with a password here: the setting web.openid names the providers for sign-in.")


def _present(database: Database, name: str, deployment: str | None) -> Account:
    """The account. Its change is noted in each deployment in which it has a role."""
    found = enrolment.present(database, name, context.narrow(database, deployment))
    change_notes.of_deployments(one.deployment_id for one in found.memberships)
    return found


def _operator_or_user(database: Database, chosen: Deployment | None, name: str, *, is_admin: bool) -> Account:
    if chosen is None:
        return enrolment.operator(database, name, context.now())
    try:
        return enrolment.user(database, chosen, name, context.now(), is_admin=is_admin)
    except NotFound:
        known = accounts.named(database, name)
        if known is None or is_admin or all(one.deployment_id != chosen.id for one in known.memberships):
            raise
        return known  # an admin who isn't a user


def _page(of_file: Settings) -> str:
    settings = in_force.settings(of_file)  # with the flags that `up` was started with
    if not settings.web.port and not settings.web.public_url:
        raise BadInput("there is no page on this host: set web.port, or web.public_url where another host has it")
    return settings.web.url


def _digest(account: Account) -> str:
    given = _asked(account.name) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    fault = passwords.fault_of(given, account.name)
    if fault is not None:
        raise BadInput(FAULTS[fault])
    return passwords.digest(passwords.typed(given), passwords.CHOSEN)


def _asked(name: str) -> str:
    return str(typer.prompt(f"New password of {name}", hide_input=True, confirmation_prompt=True, err=True))


def _show(account: Account, as_json: bool, words: str) -> None:
    if as_json:
        output.show_json(_object(account))
        return
    output.say(words)


def _object(account: Account) -> dict[str, Any]:
    return output.plain(account)


def _roles(account: Account) -> str:
    said = [f"{one.role} of {one.deployment}{_record(one.username)}" for one in account.memberships]
    return "; ".join([*(["operator"] if account.is_operator else []), *said]) or "nothing"


def _record(username: str | None) -> str:
    return f" (record of {username})" if username else ""


def _means(account: Account) -> str:
    return (
        ", ".join([*([account.issuer] if account.issuer else []), *(["password"] if account.has_password else [])])
        or "link"
    )
