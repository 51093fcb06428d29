"""TXT records from the resolver that the settings name. Called by `commands.domain`."""

import dns.exception
import dns.resolver

from mailweir.errors import DnsUnavailable
from mailweir.settings import Dns


def look_up(name: str, settings: Dns) -> list[bytes]:
    """Each TXT record at the name, with its strings joined. DnsUnavailable if DNS gives no answer."""
    resolver = dns.resolver.Resolver(configure=not settings.nameserver)
    if settings.nameserver:
        resolver.nameservers = [settings.nameserver]
        resolver.port = settings.port
    try:
        answer = resolver.resolve(name, "TXT", lifetime=settings.timeout_seconds, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise DnsUnavailable(
            f"DNS gives no answer for {name}: {error}; try again, or skip this check with --force"
        ) from error
    return [b"".join(record.strings) for record in answer]
