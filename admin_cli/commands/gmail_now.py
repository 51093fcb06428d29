"""`mailweir gmail sync|audit`: work on one mailbox now, as the sync does it."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from admin_cli import context, options, output, progress
from admin_cli.change_notes import unnoted
from admin_cli.commands.gmail_state import Username
from gmail_sync import job_factory
from gmail_sync.sync_now import SyncNow
from mailweir import log
from mailweir.settings import load
from mailweir.store.gmail import gmail_mailboxes
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox


def register(group: typer.Typer) -> None:
    """Adds the commands to `mailweir gmail`."""
    group.command("sync", epilog=options.example("mailweir gmail sync richard"))(sync)
    group.command("audit", epilog=options.example("mailweir gmail audit richard"))(audit)


@unnoted
def sync(username: Username, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Sweeps a mailbox now, until nothing is left to look at."""
    with _at_once(username, deployment) as (_, work):
        result = work.sweep()
    with context.opened() as database:
        waiting = gmail_mailboxes.find(database, context.choose(database, deployment), username).waiting
    if as_json:
        output.show_json(output.plain(result))
        return
    failed = f", {result.failed} can't be read now and are tried again" if result.failed else ""
    output.say(f"{_messages(result.looked)} looked at, {result.recorded} on the record{failed}.")
    if waiting:
        output.say(f"Waiting for another try: {waiting}; 'mailweir gmail status {username}' shows why.")


@unnoted
def audit(username: Username, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False) -> None:
    """Compares a mailbox's last 48 hours with the record, and looks at missing messages."""
    with _at_once(username, deployment) as (mailbox, work):
        listed, missing = work.audit()
        result = work.sweep()
    if as_json:
        output.show_json({"mailbox": mailbox.address, "listed": listed, "missing": missing, **output.plain(result)})
        return
    output.say(f"{mailbox.address}: {_messages(listed)} within the last 48 hours, {missing} of them never seen.")
    if missing:
        output.say(f"They are looked at now: {result.recorded} went on the record.")


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


@contextmanager
def _at_once(username: str, deployment: str | None) -> Iterator[tuple[GmailMailbox, SyncNow]]:
    """Yields a mailbox and the object that works on it. Shows the progress on a terminal."""
    settings = load()
    with context.opened(settings) as database:
        mailbox = gmail_mailboxes.find(database, context.choose(database, deployment), username)
        services = job_factory.services(settings, log.silent())
        with progress.counting("messages looked at, on the record:") as show:
            try:
                yield mailbox, SyncNow(services, job_factory.JobFactory(services), mailbox.id, show, output.remark)
            finally:
                services.database_pool.close()
