"""`mailweir gmail`: users' Gmail mailboxes, read by the sync.

Lazy in its turn: the commands that talk to Google load its libraries, a third of a second of CPU, and the status needs none.
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
            "Connects a user's Gmail, by the user's consent or the service account of the settings.",
        ),
        LazyCommand(
            "disconnect",
            "admin_cli.commands.gmail_connect",
            "Ends it: gives the consent back to Google and forgets the token.",
        ),
        LazyCommand(
            "status",
            "admin_cli.commands.gmail_state",
            "Shows how each connected mailbox stands: the last whole sweep, the last message on the record, "
            "what waits, what is wrong.",
        ),
        LazyCommand("sync", "admin_cli.commands.gmail_now", "Sweeps a mailbox now, until nothing is left to look at."),
        LazyCommand(
            "audit",
            "admin_cli.commands.gmail_now",
            "Compares a mailbox's last 48 hours with the record, and looks at what is missing.",
        ),
        LazyCommand(
            "retry",
            "admin_cli.commands.gmail_state",
            "Takes up again a mailbox's dead letters: messages that were given up.",
        ),
    )


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    options.noun(
        app,
        "gmail",
        "Users' Gmail mailboxes, whose mail with contacts is recorded by itself.",
        options.example("mailweir gmail connect richard --inbound --outbound"),
        Commands,
    )
