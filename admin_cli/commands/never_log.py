"""`mailweir never-log`: addresses and domains whose mail isn't recorded."""

import sys
from typing import Annotated, Any

import typer

from admin_cli import context, options, output, progress, tables
from admin_cli.change_notes import changes, reads
from mailweir.errors import BadInput
from mailweir.printable import printable
from mailweir.store.people import never_log_rules
from mailweir.store.people.never_log_rules import Rule
from mailweir.store.record import hidden_by_rule
from mailweir.store.record.hidden_by_rule import Hidden

Pattern = Annotated[
    str,
    typer.Argument(metavar="ADDRESS|@DOMAIN", help="An address, or a domain with its subdomains: @bank.example."),
]
UserOption = Annotated[
    str | None, typer.Option("--user", metavar="U", help="Only for this user's record, not for the deployment.")
]


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    lines = "mailweir never-log add @bank.example", "mailweir never-log add doctor@home.example --user richard --erase"
    group = options.noun(app, "never-log", "Addresses and domains whose mail isn't recorded.", options.example(*lines))
    group.command("add", epilog=options.example(*lines))(add)
    group.command("remove", epilog=options.example("mailweir never-log remove @bank.example"))(remove)
    group.command("list", epilog=options.example("mailweir never-log list --user richard"))(list_all)


@changes("never_log.added", "pattern")
def add(
    pattern: Pattern,
    user: UserOption = None,
    erase: Annotated[
        bool, typer.Option("--erase", help="Also erase its mail from the record, for good. Asks first.")
    ] = False,
    is_confirmed: Annotated[bool, typer.Option("--yes", help="Don't ask before erasing.")] = False,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Stops recording mail from this address or domain, and mail that users write to it alone. Applies to new messages; no mail
    is refused. Shows how much of it is on the record already."""
    if erase and not is_confirmed and not sys.stdin.isatty():
        raise BadInput("--erase can't ask here: give --yes too")
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        rule = never_log_rules.add(database, chosen, pattern, user, context.now())
        if not as_json:
            output.say(f"{_named(rule)}: mail that it hides isn't recorded any more.")
        with progress.copying("Looking through the record") as show:
            hidden = hidden_by_rule.find(database, chosen, rule, show)
        is_erased = bool(erase and hidden.count) and (is_confirmed or _agrees(hidden))
        if is_erased:
            with progress.copying("Erasing") as show:
                hidden_by_rule.erase(database, rule, hidden, show)
    if as_json:
        output.show_json(_object(rule, hidden, is_erased))
        return
    _say(hidden, is_erased)


@changes("never_log.removed", "pattern")
def remove(
    pattern: Pattern,
    user: UserOption = None,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Removes a rule. Synced mailboxes are searched for the mail that it hid; users can send other mail to log@ again."""
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        removed = never_log_rules.remove(database, chosen, pattern, user, context.now())
    if as_json:
        output.show_json(output.plain(removed))
        return
    output.say(f"{_named(removed)} is removed. Synced mailboxes are searched for the mail that it hid.")


@reads
def list_all(
    user: Annotated[str | None, typer.Option("--user", metavar="U", help="Only this user's own rules.")] = None,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Lists the rules, those of the deployment first."""
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        found = never_log_rules.list_all(database, chosen, user)
    if as_json:
        output.show_json([output.plain(rule) for rule in found])
        return
    rows = [(rule.pattern, rule.user or "everybody", output.moment(rule.created_at)) for rule in found]
    tables.show(("address or domain", "for", "added"), rows, empty=f"There is no never-log rule in {chosen.name}.")


def _named(rule: Rule) -> str:
    whose = f"the user {rule.user}" if rule.user else rule.deployment
    return f"The never-log rule {rule.pattern} of {whose}"


def _object(rule: Rule, hidden: Hidden, is_erased: bool) -> dict[str, Any]:
    """For JSON. on_record: number of activities that the rule hides. in_part: number of those that stay for others, without this
    user or these contacts."""
    counts = {"on_record": len(hidden.whole), "in_part": hidden.count - len(hidden.whole)}
    return {**output.plain(rule), **counts, "erased": is_erased}


def _in_words(hidden: Hidden) -> str:
    """The numbers of hidden activities."""
    words = []
    if hidden.whole:
        words.append(f"{_activities(len(hidden.whole))} that it hides")
    if hidden.of_others:
        words.append(f"{_activities(len(hidden.of_others))} of this user that others have too")
    if hidden.contacts:
        words.append(f"{_activities(len(hidden.contacts))} that it names beside other contacts")
    return " and ".join(words)


def _activities(count: int) -> str:
    return "1 activity" if count == 1 else f"{count:,} activities"


def _agrees(hidden: Hidden) -> bool:
    return typer.confirm(printable(f"Erase {_in_words(hidden)}, for good?"), err=True)


def _say(hidden: Hidden, is_erased: bool) -> None:
    if not hidden.count:
        output.say("It hides no recorded mail.")
        return
    if not is_erased:
        output.say(f"On the record there is {_in_words(hidden)}; the same command with --erase removes it.")
        return
    if hidden.whole:
        output.say(f"Erased: {_activities(len(hidden.whole))}.")
    if hidden.of_others:
        output.say(f"Taken off this user's record: {_activities(len(hidden.of_others))}.")
    if hidden.contacts:
        output.say(f"Taken off the record of the contacts it names: {_activities(len(hidden.contacts))}.")
