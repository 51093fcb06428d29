"""The options of `spf check` and `domain check`, and the request that they make.

Usage errors exit with 64: the codes from 0 to 4 are results for the domain. Called by `commands.spf` and `commands.domain_check`.
"""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from admin_cli import output
from mailweir import address
from mailweir.domains import relay
from mailweir.domains.questions import Questions, resolver_at
from mailweir.domains.suggestion import Relay
from mailweir.errors import DatabaseUnavailable, DnsUnavailable, MailweirError, SettingsError
from mailweir.settings import Dns, Settings, load, path_in_force

USAGE = 64  # EX_USAGE of sysexits.h
UNKNOWN = 4
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # typer has no public name for it

DomainArgument = Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain to check.")]
IpOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ip", metavar="A", help="A sending address. You can repeat this option. Default: relay.relay_addresses."
    ),
]
SenderOption = Annotated[
    str | None, typer.Option("--mail-from", metavar="S", help="The envelope sender. Default: postmaster@DOMAIN.")
]
NameserverOption = Annotated[
    str | None, typer.Option("--nameserver", metavar="H", help="The resolver's address. Default: dns.nameserver.")
]
PortOption = Annotated[
    int | None, typer.Option("--port", metavar="P", help="The resolver's port. Default: dns.port, 53.")
]
WholeOption = Annotated[bool, typer.Option("--all", help="Show every term of the tree.")]


class CheckCommand(TyperCommand):
    """A command whose usage errors exit with 64."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Does what the library does, except for the exit code."""
        try:
            return super().parse_args(ctx, args)
        except _UsageError as error:
            vars(error)["exit_code"] = USAGE
            raise


@contextmanager
def own_codes() -> Iterator[None]:
    """Errors of the check itself are no result for the domain: exit 4 if they may go away, 64 if somebody has to act."""
    try:
        yield
    except MailweirError as error:
        output.complain(str(error))
        raise typer.Exit(UNKNOWN if isinstance(error, (DatabaseUnavailable, DnsUnavailable)) else USAGE) from error


def refuse(text: str) -> NoReturn:
    """Prints one line, and exits with the code of a usage error."""
    output.complain(text)
    raise typer.Exit(USAGE)


def settings_if_any() -> Settings | None:
    """The settings, or None if there is no file: you can check a domain from any host."""
    if not path_in_force().exists():
        return None
    try:
        return load()
    except SettingsError as error:
        refuse(str(error))


def domain_of(text: str) -> str:
    """The domain in normal form: lower case, IDN as A-labels."""
    domain = address.typed_domain(text.strip().rstrip("."))
    if domain is None or domain.startswith("[") or "." not in domain:
        refuse(f"'{text}' is no domain, such as client.example")
    return domain


def sender_of(text: str | None) -> str:
    """The envelope sender in normal form, or "" for the default."""
    if text is None:
        return ""
    return address.typed(text) or refuse(f"--mail-from '{text}' is no mail address")


def relay_of(settings: Settings | None, ips: list[str] | None) -> Relay:
    """The sending addresses: the given ones, or else those of the settings."""
    addresses = []
    for text in ips or ():
        try:
            addresses.append(relay.sending_address(text))
        except ValueError:
            refuse(f"--ip '{text}' is no IPv4 or IPv6 address that could send mail")
    return relay.relay(settings, addresses) or refuse(
        "no sending address is known: give --ip, or set relay.relay_addresses in the settings"
    )


def questions_to(settings: Settings | None, nameserver: str | None, port: int | None) -> tuple[Questions, str]:
    """Questions to the chosen resolver, and its address and port for a person. Errors: DnsUnavailable."""
    dns = settings.dns if settings else Dns()
    host = nameserver if nameserver is not None else dns.nameserver
    if host:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            refuse(f"--nameserver '{host}' is no address")
    if port is not None and not 1 <= port <= 65_535:
        refuse(f"--port {port} is no port")
    number = port or (53 if nameserver is not None else dns.port)
    resolver = resolver_at(host, number, dns.timeout_seconds)
    return Questions(resolver), f"{resolver.nameservers[0]}:{number}"
