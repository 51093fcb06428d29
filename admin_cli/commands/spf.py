"""`mailweir spf check`: checks whether addresses may send for a domain, by its SPF record alone."""

import time

import typer

from admin_cli import domain_options, domain_report, options, output
from admin_cli.change_notes import reads
from mailweir.domains.checks import check_spf


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    line = "mailweir spf check client.example --ip 192.0.2.9"
    group = options.noun(app, "spf", "SPF records.", options.example(line))
    group.command("check", cls=domain_options.CheckCommand, epilog=options.example(line))(check)


@reads
def check(
    domain: domain_options.DomainArgument,
    ip: domain_options.IpOption = None,
    mail_from: domain_options.SenderOption = None,
    nameserver: domain_options.NameserverOption = None,
    port: domain_options.PortOption = None,
    whole: domain_options.WholeOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Checks a domain's SPF record and says what to publish. Exit codes: 0 authorised, 1 not, 2 with warnings, 3 broken, 4 no
    answer."""
    settings = domain_options.settings_if_any()
    name = domain_options.domain_of(domain)
    sender = domain_options.sender_of(mail_from)
    relay = domain_options.relay_of(settings, ip)
    began = time.monotonic()
    with domain_options.own_codes():
        questions, resolver = domain_options.questions_to(settings, nameserver, port)
        report = check_spf(questions, name, relay, sender)
    if as_json:
        output.show_json(domain_report.spf_object(report))
    else:
        who = ", ".join(str(address) for address in relay.addresses)
        output.say(domain_report.asked_line(name, who, sender, resolver, time.monotonic() - began))
        advice = domain_report.advice_lines(report.suggestion, report.verdict)
        for line in (*domain_report.spf_lines(report, whole=whole), *advice):
            output.say(line)
    raise typer.Exit(int(report.verdict))
