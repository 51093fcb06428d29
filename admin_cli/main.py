"""`mailweir`, the admin's command: puts the commands together, and turns errors into one line and an exit code.

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted. Each command pays for this module's imports, so a command's own module is
loaded only when it is needed.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from admin_cli import options, output
from admin_cli.lazy_group import LazyCommand, LazyGroup
from mailweir.errors import MailweirError

FAILED = 1
INTERRUPTED = 130


class Commands(LazyGroup):
    """All that the command line can do."""

    lazy = (
        LazyCommand(
            "up",
            "admin_cli.commands.up",
            "Runs Postfix, the look-ups, the relay's logins, the filter, the page and, if it is set up, Gmail's "
            "sync, until you press Ctrl-C.",
        ),
        LazyCommand(
            "demo",
            "admin_cli.demo.command",
            "Starts a stack of its own, delivers five real mails, prints the result of each, and stops.",
        ),
        LazyCommand(
            "why",
            "admin_cli.commands.why",
            "Explains what happened to mail, newest first; then lists mail that waits in the sync or that Postfix refused.",
        ),
        LazyCommand("doctor", "admin_cli.doctor.command", "Checks the stack, and says how to solve each problem."),
        LazyCommand("deployment", "admin_cli.commands.deployment", "Tenants and their capture domains."),
        LazyCommand("user", "admin_cli.commands.user", "The firm's staff, whose mail with contacts is captured."),
        LazyCommand("company", "admin_cli.commands.company", "The companies that contacts work for."),
        LazyCommand("contact", "admin_cli.commands.contact", "People outside the firm whose mail is captured."),
        LazyCommand(
            "group",
            "admin_cli.commands.group",
            "The firm's groups and lists, which pass mail on under their own address.",
        ),
        LazyCommand(
            "never-log",
            "admin_cli.commands.never_log",
            "Addresses and domains whose mail isn't recorded.",
        ),
        LazyCommand("domain", "admin_cli.commands.domain", "Domains that mail is sent for, and their DKIM keys."),
        LazyCommand("spf", "admin_cli.commands.spf", "SPF records."),
        LazyCommand(
            "relay",
            "admin_cli.commands.relay",
            'Logins for sending through this host, as Gmail\'s "Send mail as" does.',
        ),
        LazyCommand(
            "gmail",
            "admin_cli.commands.gmail",
            "Users' Gmail mailboxes, whose mail with contacts is recorded automatically.",
        ),
        LazyCommand("postfix", "admin_cli.commands.postfix", "Configuration of Postfix."),
        LazyCommand("activity", "admin_cli.commands.activity", "The messages on the record."),
        LazyCommand(
            "digest", "admin_cli.commands.digest", "The reading of recorded mail, and the proof of its authors."
        ),
        LazyCommand(
            "search",
            "admin_cli.commands.search",
            "Finds activities by the words of text, subject, names, addresses and file names, the most recently recorded first.",
        ),
        LazyCommand("todo", "admin_cli.commands.todo", "Activities on users' lists until they are done."),
        LazyCommand("web", "admin_cli.commands.web", "The accounts that may sign in to the page."),
        LazyCommand("health", "admin_cli.commands.health", "The hosts' health reports."),
        LazyCommand("db", "admin_cli.commands.db", "The database."),
        LazyCommand("config", "admin_cli.commands.config", "The settings."),
    )


def build() -> typer.Typer:
    """The command line with all its commands."""
    app = typer.Typer(
        cls=Commands,
        help="Captures the mail that a firm's people exchange with its clients.",
        epilog=options.example("mailweir user --help", "mailweir why jane@client.example"),
        no_args_is_help=True,
        rich_markup_mode=None,
        add_completion=False,
    )
    app.callback()(_common)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # takes a fifth of the time of a start, and is needed only here

        output.say(f"mailweir {version('mailweir')}")
        raise typer.Exit


def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line (default: the process's); returns its exit code. Errors other than MailweirError
    are bugs, and give a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # if a terminal can't show a character, it shows the character's number, not a traceback
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    try:
        typer.main.get_command(build())(args=arguments, prog_name="mailweir")
    except MailweirError as error:
        output.complain(str(error))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FAILED
    return 0
