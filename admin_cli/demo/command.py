"""`mailweir demo`: real mail over a real Postfix on loopback, and what became of it, within seconds.

Touches nothing outside of a folder of its own, which is gone afterwards.
"""

import contextlib
import os
import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from admin_cli import options, output
from admin_cli.change_notes import unnoted
from admin_cli.demo import mail, report, scenario
from admin_cli.processes import CannotStart

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("demo", epilog=options.example("sudo mailweir demo", "sudo mailweir demo --keep"))(demo)


@unnoted
def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Let it run until Ctrl-C, with its page, and keep its folder.")
    ] = False,
) -> None:
    """Starts a stack of its own, delivers five real mails, prints the result of each, and stops. Needs root."""
    if os.geteuid() != 0:
        raise CannotStart("'mailweir demo' needs root (it runs a Postfix of its own): run it with sudo")
    for number in _STOP_SIGNALS:
        signal.signal(number, _interrupt)
    with scenario.folder(keep) as data_dir:
        with scenario.playing(data_dir, lambda text: output.remark(f"demo: {text}")) as findings:
            report.show(findings)
            if keep:
                _run_on(data_dir)
        if keep:
            output.say(f"To run it again: sudo mailweir up --data {data_dir}")
            output.say(f"To remove it: sudo rm -r {data_dir}")
        else:
            output.say("")
            output.say(
                "With --keep it runs on, and prints a link that signs you in to its page: make demo DEMO_OPTIONS=--keep"
            )


def _run_on(data_dir: Path) -> None:
    """Waits for a signal to stop."""
    _say_how_to_look(data_dir)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def _interrupt(*_: int | FrameType | None) -> None:
    """Ends the demo, which then clears up: a second Ctrl-C must not interrupt that."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _say_how_to_look(data_dir: Path) -> None:
    output.say("")
    output.say(f"The page, signed in as {mail.USERNAME}; the link works once, within ten minutes:")
    output.say(f"  {scenario.sign_in_link(data_dir)}")
    output.say(f"It runs until Ctrl-C. The data is kept in {data_dir}. To look around in another terminal:")
    for command in ("activity list", "activity raw 1", f"why {mail.CLIENT}"):
        output.say(f"  sudo MAILWEIR_CONFIG={data_dir}/mailweir.toml mailweir {command}")
