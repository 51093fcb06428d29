"""`mailweir gmail status|retry`: the state of the synced mailboxes, and another try for dead letters."""

from typing import Annotated

import typer

from admin_cli import context, options, output, tables
from admin_cli.change_notes import changes, reads
from mailweir.explain import english, synced
from mailweir.store.gmail import gmail_app, gmail_mailboxes, gmail_waiting, gmail_workers
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox

COLUMNS = ("username", "mailbox", "syncs", "state", "last sweep", "last message", "waiting", "dead", "missing", "note")

Username = Annotated[str, typer.Argument(metavar="USERNAME", help="The user, as 'mailweir user list' shows it.")]


def register(group: typer.Typer) -> None:
    """Adds the commands to `mailweir gmail`."""
    group.command("status", epilog=options.example("mailweir gmail status", "mailweir gmail status richard"))(status)
    group.command("retry", epilog=options.example("mailweir gmail retry richard"))(retry)


@reads
def status(
    username: Annotated[
        str | None,
        typer.Argument(metavar="USERNAME", help="Only this user's mailboxes, with the messages that can't be read."),
    ] = None,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Shows the state of each connected mailbox: last complete sweep, last recorded message, waiting messages, faults."""
    with context.opened() as database:
        app = gmail_app.find(database)
        is_swept = gmail_workers.alive(database, context.now()) > 0
        chosen = context.choose(database, deployment)
        found = (
            gmail_mailboxes.list_all(database, chosen)
            if username is None
            else [gmail_mailboxes.find(database, chosen, username)]
        )
        dead = gmail_waiting.dead_letters(database, found[0].id) if username is not None else []
        failing = gmail_waiting.failing(database, found[0].id) if username is not None else []
    if as_json:
        extra = {"failing": [*map(output.plain, failing)], "dead_letters": [*map(output.plain, dead)]}
        extra = extra if username is not None else {}
        output.show_json([{**output.plain(one), **extra} for one in found])
        return
    empty = f"No mailbox of {chosen.name} is connected: 'mailweir gmail connect USERNAME --inbound --outbound' does it."
    tables.show(COLUMNS, [_row(one, app.error if app else None) for one in found], empty=empty)
    for hindrance in synced.hindrances(app, is_swept=is_swept) if found else []:
        output.remark(english.text(hindrance))
    if failing:
        output.say("")
        rows = [(one.message_id, str(one.attempts), output.moment(one.next_try_at), one.error) for one in failing]
        tables.show(("message", "tries", "again", "error"), rows, empty="")
    if dead:
        output.say("")
        rows = [(one.message_id, str(one.attempts), output.moment(one.dead_at), one.error) for one in dead]
        tables.show(("dead letter", "tries", "given up", "error"), rows, empty="")


def _row(one: GmailMailbox, app_error: str | None) -> tuple[str, ...]:
    directions = [name for name, wanted in (("inbound", one.inbound), ("outbound", one.outbound)) if wanted]
    note = synced.note(one, app_error)
    return (
        one.username,
        one.address,
        ", ".join(directions),
        english.text(synced.state(one)),
        output.moment(one.swept_at) if one.swept_at else "never",
        output.moment(one.last_message_at) if one.last_message_at else "–",
        str(one.waiting),
        str(one.dead),
        "not audited" if one.audited_at is None else f"{one.audit_missing} of {one.audit_listed}",
        english.text(note) if note else "",
    )


@changes("gmail.retried", "username")
def retry(username: Username, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Tries a mailbox's dead letters again: messages that were given up."""
    with context.opened() as database:
        mailbox = gmail_mailboxes.find(database, context.choose(database, deployment), username)
        count = gmail_waiting.revive(database, mailbox.id, context.now())
    if as_json:
        output.show_json({"mailbox": mailbox.address, "revived": count})
        return
    if not count:
        output.say(f"There are no dead letters of {mailbox.address}.")
        return
    letters = "1 dead letter" if count == 1 else f"{count} dead letters"
    output.say(f"{letters} of {mailbox.address} will be tried again with the next sweep.")
