"""`mailweir domain check`: SPF, DKIM and DMARC of a domain, and what its owner has to publish."""

import time
from typing import Annotated

import typer

from admin_cli import context, domain_options, domain_report, options, output
from admin_cli.change_notes import reads
from mailweir import signing_keys
from mailweir.domains.checks import check_domain
from mailweir.domains.dkim_published import Key
from mailweir.errors import NotFound
from mailweir.settings import Settings
from mailweir.store.people import dkim_keys

SelectorsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--selector", metavar="S", help="A DKIM selector. You can repeat this option. Default: Mailweir's keys."
    ),
]


@reads
def check(
    domain: domain_options.DomainArgument,
    ip: domain_options.IpOption = None,
    mail_from: domain_options.SenderOption = None,
    selector: SelectorsOption = None,
    nameserver: domain_options.NameserverOption = None,
    port: domain_options.PortOption = None,
    whole: domain_options.WholeOption = False,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Checks SPF, DKIM and DMARC. Exit codes: 0 all well, 1 not authorised, 2 with warnings, 3 broken, 4 no answer from DNS."""
    settings = domain_options.settings_if_any()
    name = domain_options.domain_of(domain)
    sender = domain_options.sender_of(mail_from)
    relay = domain_options.relay_of(settings, ip)
    with domain_options.own_codes():
        keys = _named(selector) if selector else _ours(settings, name, deployment)
        began = time.monotonic()
        questions, resolver = domain_options.questions_to(settings, nameserver, port)
        report = check_domain(questions, name, relay, keys, sender)
    if as_json:
        output.show_json(domain_report.domain_object(report))
    else:
        who = ", ".join(str(address) for address in relay.addresses)
        named = f"{relay.name} ({who})" if relay.name else who
        output.say(domain_report.asked_line(name, named, sender, resolver, time.monotonic() - began))
        advice = domain_report.advice_lines(report.spf.suggestion, report.verdict)
        for line in (*domain_report.domain_lines(report, whole=whole), *advice):
            output.say(line)
    raise typer.Exit(int(report.verdict))


def _named(selectors: list[str]) -> list[Key]:
    return [Key(dkim_keys.clean_selector(text)) for text in selectors]


def _ours(settings: Settings | None, domain: str, deployment: str | None) -> list[Key]:
    """The keys that sign for the domain now or later; none if it isn't one of ours."""
    if settings is None:
        return []
    with context.opened(settings) as database:
        try:
            return signing_keys.to_check(database, context.choose(database, deployment), domain)
        except NotFound:
            if deployment is not None:
                raise
            return []
