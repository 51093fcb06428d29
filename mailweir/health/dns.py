"""The provider's own DNS: can the world reach this host, does it know whose addresses those are, and may clients include them.

Only where mail goes out to the world by itself, or it is said by which addresses or resolver: the embedded stack on loopback has
no DNS. Called by `examination` and `health.page`.
"""

import ipaddress
from collections.abc import Iterator, Sequence

from mailweir.domains.checks import check_spf
from mailweir.domains.questions import Questions, resolver_at
from mailweir.domains.spf import evaluate
from mailweir.domains.suggestion import Relay
from mailweir.errors import DnsUnavailable
from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.settings import Settings
from mailweir.store.people.deployments import Deployment

AREA = "DNS"
_UNKNOWN = "see whether the resolver answers ([dns] in the settings), then look again"


def is_meant(settings: Settings) -> bool:
    """Is there a DNS to speak of?"""
    return settings.outbound == "mx" or bool(settings.dns.nameserver) or bool(settings.relay.relay_addresses)


def questions(settings: Settings, within_seconds: float | None = None) -> Questions:
    """within_seconds: nothing is asked after so long. Errors: DnsUnavailable."""
    resolver = resolver_at(settings.dns.nameserver, settings.dns.port, settings.dns.timeout_seconds)
    return Questions(resolver, within_seconds=within_seconds)


def check_host(settings: Settings, asked: Questions) -> Iterator[Finding]:
    """The host's name, its addresses and their way back."""
    name = settings.hostname
    try:
        found = {ipaddress.ip_address(value) for kind in ("A", "AAAA") for value in asked.ask(name, kind).values}
        if not found:
            yield wrong(
                AREA,
                f"{name} has no address",
                f"publish an A record of {name}: other servers look for it",
                key="dns.no_address",
                name=name,
            )
        else:
            yield ok(AREA, f"{name} is {', '.join(sorted(map(str, found)))}", key="dns.address", name=name)
        addresses = settings.relay.relay_addresses
        if not addresses:
            yield note(
                AREA,
                "it isn't known by which addresses mail goes out",
                "set relay.relay_addresses in the settings",
                key="dns.relay_unknown",
            )
        for address in addresses:
            yield _way_back(asked, name, address)
    except DnsUnavailable as error:
        yield note(AREA, str(error), _UNKNOWN, key="dns.no_answer", why=str(error))


def _way_back(asked: Questions, name: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Finding:
    """Large receivers refuse mail from an address whose name doesn't lead back to it."""
    names = [value.lower() for value in asked.ask(address.reverse_pointer, "PTR").values]
    to_do = f"ask who provides {address} to set its PTR record to {name}; where it isn't this host's, mend relay.relay_addresses"
    if not names:
        return wrong(AREA, f"{address} has no name (PTR)", to_do, key="dns.no_ptr", address=str(address))
    kind = "A" if address.version == 4 else "AAAA"
    back = [one for one in names if str(address) in asked.ask(one, kind).values]
    if not back:
        return wrong(
            AREA,
            f"{address} is {names[0]} (PTR), which doesn't lead back to it",
            to_do,
            key="dns.ptr_leads_away",
            address=str(address),
            name=names[0],
        )
    if name.lower() not in back:
        return note(
            AREA,
            f"{address} is {back[0]} (PTR), and not {name}",
            to_do,
            key="dns.ptr_of_another",
            address=str(address),
            name=back[0],
        )
    return ok(AREA, f"{address} is {name} (PTR), and back", key="dns.ptr_fine", address=str(address), name=name)


def check_spf_of_host(settings: Settings, asked: Questions) -> Iterator[Finding]:
    """The null sender's and HELO's SPF (RFC 7208 2.3), and the record that clients include."""
    addresses = settings.relay.relay_addresses
    if not addresses:
        return
    relay = Relay(addresses)
    yield _on_name(asked, settings.hostname, relay, "bounces and confirmations go out under it")
    include = settings.relay.spf_include
    if include:
        yield _on_include(asked, include, relay)


def _on_name(asked: Questions, name: str, relay: Relay, why: str) -> Finding:
    report = check_spf(asked, name, relay)
    results = {str(one.request.ip): one.result for one in report.evaluations}
    bad = [f"{ip} {result}" for ip, result in results.items() if result != "pass"]
    if "temperror" in results.values():
        return note(
            AREA, f"SPF of {name}: {report.root.fault or 'no answer'}", _UNKNOWN, key="dns.spf_no_answer", name=name
        )
    if not bad:
        return ok(AREA, f"SPF of {name} lets the relay send", key="dns.spf_fine", name=name)
    record = report.suggestion.record if report.suggestion else None
    to_do = f"publish at {record.name}: {record.value}" if record else "mend its record"
    return wrong(
        AREA,
        f"SPF of {name} doesn't let the relay send ({', '.join(bad)}): {why}",
        to_do,
        key="dns.spf_fails",
        name=name,
        results=", ".join(bad),
    )


def _on_include(asked: Questions, include: str, relay: Relay) -> Finding:
    """Not for how it ends: an include counts where it passes."""
    results = {ip: evaluate(asked, ip, f"postmaster@{include}", include).result for ip in relay.addresses}
    missing = [str(ip) for ip, result in results.items() if result != "pass"]
    if "temperror" in results.values():
        return note(
            AREA, f"no answer for {include}, which clients include", _UNKNOWN, key="dns.include_no_answer", name=include
        )
    if not missing:
        return ok(
            AREA,
            f"{include}, which clients include, names every address of the relay",
            key="dns.include_fine",
            name=include,
        )
    terms = " ".join(f"ip{ip.version}:{ip}" for ip in relay.addresses)
    return wrong(
        AREA,
        f"{include}, which clients include, doesn't pass for {', '.join(missing)}: their mail fails SPF",
        f"publish at {include}: v=spf1 {terms} -all",
        key="dns.include_fails",
        name=include,
        addresses=", ".join(missing),
    )


def check_mx(settings: Settings, asked: Questions, deployments: Sequence[Deployment]) -> Iterator[Finding]:
    """Mail to each capture domain has to come here."""
    for deployment in deployments:
        to_do = f"publish an MX record of {deployment.domain} that names {settings.hostname}"
        try:
            hosts = [value.partition(" ")[2].lower() for value in asked.ask(deployment.domain, "MX").values]
        except DnsUnavailable as error:
            yield note(AREA, str(error), _UNKNOWN, key="dns.no_answer", why=str(error))
            continue
        if not hosts:
            yield wrong(
                AREA,
                f"{deployment.domain} has no MX record: nobody can write to its capture addresses",
                to_do,
                key="dns.no_mx",
                domain=deployment.domain,
            )
        elif settings.hostname.lower() in hosts:
            yield ok(
                AREA,
                f"mail to {deployment.domain} comes to {settings.hostname} (MX)",
                key="dns.mx_fine",
                domain=deployment.domain,
            )
        else:
            yield note(
                AREA,
                f"mail to {deployment.domain} goes to {', '.join(hosts)} (MX)",
                f"if that isn't this host: {to_do}",
                key="dns.mx_elsewhere",
                domain=deployment.domain,
                hosts=", ".join(hosts),
            )
