"""`mailweir gmail`: users' Gmail mailboxes, read by the sync.

This group is lazy, too: the commands that talk to Google load its libraries, which takes a third of a second of CPU. `status`
needs none of them.
"""

import typer

from admin_cli import options
from admin_cli.lazy_group import LazyCommand, LazyGroup


class Commands(LazyGroup):
    """All that can be done with synced mailboxes."""

    lazy = (
        LazyCommand(
            "connect",
            "admin_cli.commands.gmail_connect",
            "Connects a user's Gmail, by the user's consent or by the service account in the settings.",
        ),
        LazyCommand(
            "disconnect",
            "admin_cli.commands.gmail_connect",
            "Disconnects a user's Gmail: gives the consent back to Google and forgets the token.",
        ),
        LazyCommand(
            "forget-consent",
            "admin_cli.commands.gmail_connect",
            "Stops giving a consent back to Google, because the account's owner withdrew it there.",
        ),
        LazyCommand(
            "status",
            "admin_cli.commands.gmail_state",
            "Shows the state of each connected mailbox: last complete sweep, last recorded message, waiting "
            "messages, faults.",
        ),
        LazyCommand("sync", "admin_cli.commands.gmail_now", "Sweeps a mailbox now, until nothing is left to look at."),
        LazyCommand(
            "audit",
            "admin_cli.commands.gmail_now",
            "Compares a mailbox's last 48 hours with the record, and looks at missing messages.",
        ),
        LazyCommand(
            "retry",
            "admin_cli.commands.gmail_state",
            "Tries a mailbox's dead letters again: messages that were given up.",
        ),
    )


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    options.noun(
        app,
        "gmail",
        "Users' Gmail mailboxes, whose mail with contacts is recorded automatically.",
        options.example("mailweir gmail connect richard --inbound --outbound"),
        Commands,
    )
