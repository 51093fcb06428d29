"""`mailweir`, the admin's command: puts the nouns together, and turns errors into one line and an exit code.

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted. Imports what a command needs only when it runs: start-up is felt.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from admin_cli import options, output
from admin_cli.commands import (
    activity,
    company,
    config,
    contact,
    db,
    deployment,
    domain,
    gmail,
    group,
    postfix,
    relay,
    spf,
    todo,
    up,
    user,
    why,
)
from admin_cli.demo import command as demo
from admin_cli.doctor import command as doctor
from mailweir.errors import MailweirError

FAILED = 1
INTERRUPTED = 130


def build() -> typer.Typer:
    """The command line with all its commands."""
    app = typer.Typer(
        help="Captures the mail that a firm's people exchange with its clients.",
        epilog=options.example("mailweir user --help", "mailweir why jane@client.example"),
        no_args_is_help=True,
        rich_markup_mode=None,
        add_completion=False,
    )
    app.callback()(_common)
    for noun in (
        up,
        demo,
        deployment,
        user,
        company,
        contact,
        group,
        domain,
        spf,
        relay,
        gmail,
        postfix,
        activity,
        todo,
        why,
        doctor,
        db,
        config,
    ):
        noun.register(app)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        output.say(f"mailweir {version('mailweir')}")
        raise typer.Exit


def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line (default: the process's); its exit code. Any other error is a fault of ours: its traceback."""
    for stream in (sys.stdout, sys.stderr):
        # a terminal that can't show a character gets its number, not a traceback
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
