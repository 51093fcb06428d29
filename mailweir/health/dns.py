"""The DNS of this host: do other servers find it, do its addresses lead back to its name, and does the SPF record that clients
include allow them?

Checked only if mail goes out directly, or if the settings name addresses or a resolver: the embedded stack on loopback has no
DNS. Called by `examination` and `health.page`.
"""

import ipaddress
from collections.abc import Iterator, Sequence

from mailweir.domains.checks import check_spf
from mailweir.domains.questions import Questions, resolver_at
from mailweir.domains.spf import evaluate
from mailweir.domains.suggestion import Relay
from mailweir.errors import DnsUnavailable
from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.sentence import said
from mailweir.settings import Settings
from mailweir.store.people.deployments import Deployment

AREA = "DNS"
_UNKNOWN = said("see whether the resolver answers ([dns] in the settings), then look again")


def is_meant(settings: Settings) -> bool:
    """Is there any DNS to check?"""
    return settings.outbound == "mx" or bool(settings.dns.nameserver) or bool(settings.relay.relay_addresses)


def questions(settings: Settings, within_seconds: float | None = None) -> Questions:
    """within_seconds: the limit for all queries. Errors: DnsUnavailable."""
    resolver = resolver_at(settings.dns.nameserver, settings.dns.port, settings.dns.timeout_seconds)
    return Questions(resolver, within_seconds=within_seconds)


def check_host(settings: Settings, asked: Questions) -> Iterator[Finding]:
    """The host's name, its addresses, and the names to which the addresses lead back."""
    name = settings.hostname
    try:
        found = {ipaddress.ip_address(value) for kind in ("A", "AAAA") for value in asked.ask(name, kind).values}
        if not found:
            yield wrong(
                AREA,
                said("{name} has no address", name=name),
                said("publish an A record of {name}: other servers look for it", name=name),
                key="dns.no_address",
                name=name,
            )
        else:
            yield ok(
                AREA,
                said("{name} is {addresses}", name=name, addresses=", ".join(sorted(map(str, found)))),
                key="dns.address",
                name=name,
            )
        addresses = settings.relay.relay_addresses
        if not addresses:
            yield note(
                AREA,
                said("the addresses by which mail goes out aren't known"),
                said("set relay.relay_addresses in the settings"),
                key="dns.relay_unknown",
            )
        for address in addresses:
            yield _way_back(asked, name, address)
    except DnsUnavailable as error:
        yield note(AREA, str(error), _UNKNOWN, key="dns.no_answer", why=str(error))


def _way_back(asked: Questions, name: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Finding:
    """Large receivers refuse mail from an address whose name doesn't lead back to it."""
    names = [value.lower() for value in asked.ask(address.reverse_pointer, "PTR").values]
    to_do = said(
        "ask the provider of {address} to set its PTR record to {name}; if it isn't this host's, correct relay.relay_addresses",
        address=address,
        name=name,
    )
    if not names:
        return wrong(
            AREA, said("{address} has no name (PTR)", address=address), to_do, key="dns.no_ptr", address=str(address)
        )
    kind = "A" if address.version == 4 else "AAAA"
    back = [one for one in names if str(address) in asked.ask(one, kind).values]
    if not back:
        return wrong(
            AREA,
            said("{address} is {other} (PTR), which doesn't lead back to it", address=address, other=names[0]),
            to_do,
            key="dns.ptr_leads_away",
            address=str(address),
            name=names[0],
        )
    if name.lower() not in back:
        return note(
            AREA,
            said("{address} is {other} (PTR), and not {name}", address=address, other=back[0], name=name),
            to_do,
            key="dns.ptr_of_another",
            address=str(address),
            name=back[0],
        )
    return ok(
        AREA,
        said("{address} is {name} (PTR), and back", address=address, name=name),
        key="dns.ptr_fine",
        address=str(address),
        name=name,
    )


def check_spf_of_host(settings: Settings, asked: Questions) -> Iterator[Finding]:
    """The null sender's and HELO's SPF (RFC 7208 2.3), and the record that clients include."""
    addresses = settings.relay.relay_addresses
    if not addresses:
        return
    relay = Relay(addresses)
    yield _on_name(asked, settings.hostname, relay, said("bounces and confirmations go out under it"))
    include = settings.relay.spf_include
    if include:
        yield _on_include(asked, include, relay)


def _on_name(asked: Questions, name: str, relay: Relay, why: str) -> Finding:
    report = check_spf(asked, name, relay)
    results = {str(one.request.ip): one.result for one in report.evaluations}
    bad = [f"{ip} {result}" for ip, result in results.items() if result != "pass"]
    if "temperror" in results.values():
        return note(
            AREA,
            said("SPF of {name}: {fault}", name=name, fault=report.root.fault or said("no answer")),
            _UNKNOWN,
            key="dns.spf_no_answer",
            name=name,
        )
    if not bad:
        return ok(AREA, said("SPF of {name} lets the relay send", name=name), key="dns.spf_fine", name=name)
    record = report.suggestion.record if report.suggestion else None
    to_do = (
        said("publish at {name}: {value}", name=record.name, value=record.value) if record else said("mend its record")
    )
    return wrong(
        AREA,
        said("SPF of {name} doesn't let the relay send ({results}): {why}", name=name, results=", ".join(bad), why=why),
        to_do,
        key="dns.spf_fails",
        name=name,
        results=", ".join(bad),
    )


def _on_include(asked: Questions, include: str, relay: Relay) -> Finding:
    """The record's final `all` doesn't matter: an include matches if its record passes."""
    results = {ip: evaluate(asked, ip, f"postmaster@{include}", include).result for ip in relay.addresses}
    missing = [str(ip) for ip, result in results.items() if result != "pass"]
    if "temperror" in results.values():
        return note(
            AREA,
            said("no answer for {include}, which the deployments' domains include", include=include),
            _UNKNOWN,
            key="dns.include_no_answer",
            name=include,
        )
    if not missing:
        return ok(
            AREA,
            said(
                "{include}, which the deployments' domains include, names every address of the relay", include=include
            ),
            key="dns.include_fine",
            name=include,
        )
    terms = " ".join(f"ip{ip.version}:{ip}" for ip in relay.addresses)
    return wrong(
        AREA,
        said(
            "{include}, which the deployments' domains include, doesn't pass for {missing}: their mail fails SPF",
            include=include,
            missing=", ".join(missing),
        ),
        said("publish at {include}: v=spf1 {terms} -all", include=include, terms=terms),
        key="dns.include_fails",
        name=include,
        addresses=", ".join(missing),
    )


def check_mx(settings: Settings, asked: Questions, deployments: Sequence[Deployment]) -> Iterator[Finding]:
    """Mail to each capture domain has to come here."""
    for deployment in deployments:
        to_do = said(
            "publish an MX record of {domain} that names {hostname}",
            domain=deployment.domain,
            hostname=settings.hostname,
        )
        try:
            hosts = [value.partition(" ")[2].lower() for value in asked.ask(deployment.domain, "MX").values]
        except DnsUnavailable as error:
            yield note(AREA, str(error), _UNKNOWN, key="dns.no_answer", why=str(error))
            continue
        if not hosts:
            yield wrong(
                AREA,
                said("{domain} has no MX record: nobody can write to its capture addresses", domain=deployment.domain),
                to_do,
                key="dns.no_mx",
                domain=deployment.domain,
            )
        elif settings.hostname.lower() in hosts:
            yield ok(
                AREA,
                said("mail to {domain} comes to {hostname} (MX)", domain=deployment.domain, hostname=settings.hostname),
                key="dns.mx_fine",
                domain=deployment.domain,
            )
        else:
            yield note(
                AREA,
                said("mail to {domain} goes to {hosts} (MX)", domain=deployment.domain, hosts=", ".join(hosts)),
                said("if that isn't this host: {to_do}", to_do=to_do),
                key="dns.mx_elsewhere",
                domain=deployment.domain,
                hosts=", ".join(hosts),
            )
