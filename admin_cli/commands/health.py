"""`mailweir health`: the hosts' health reports. `mailweir up`, or a timer of the Ansible role, runs `report` each
minute."""

from typing import Annotated

import typer

from admin_cli import context, health_report, options, output
from admin_cli.change_notes import unnoted
from admin_cli.processes import still_ending_with_parent
from mailweir.errors import NotFound
from mailweir.settings import load
from mailweir.store.database.moments import rfc3339
from mailweir.store.record import health_reports


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(app, "health", "The hosts' health reports.", options.example("mailweir health report"))
    group.command("report", epilog=options.example("mailweir health report"))(report)
    group.command("forget", epilog=options.example("mailweir health forget mail2.example.net"))(forget)


@unnoted
def report(
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing if all went well.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Checks this host as root, and reports it for 'mailweir doctor' on any host. Also records the mail that Postfix refused
    since the last time. 'mailweir up', or the Ansible role's timer, runs this command each minute."""
    health_report.check_root()
    settings = load()
    with health_report.alone(settings) as is_alone, still_ending_with_parent():
        reports = health_report.make(settings, context.now()) if is_alone else []
    if as_json:
        output.show_json(
            [{"host": one.host, "check": one.check, "state": one.state, "at": rfc3339(one.at)} for one in reports]
        )
    elif not is_alone:
        output.remark("mailweir: another check is running; nothing was done")
    elif not quiet:
        output.say(f"Reported {len(reports)} checks of {reports[0].host}.")


@unnoted
def forget(
    host: Annotated[str, typer.Argument(metavar="HOST", help="The host's name, as 'mailweir doctor' shows it.")],
    as_json: options.JsonOption = False,
) -> None:
    """Forgets the reports of a host that is gone. Mailweir forgets them by itself after three days."""
    with context.opened() as database:
        count = health_reports.forget(database, host)
    if not count:
        raise NotFound(f"no host {host} has reported")
    if as_json:
        output.show_json({"host": host, "forgotten": count})
        return
    output.say(f"Forgot {count} reports of {host}.")
