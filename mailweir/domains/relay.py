"""The sender for a domain: the relay of the settings, or given addresses. Called by the command line."""

import ipaddress
from collections.abc import Sequence

from mailweir.domains.spf_record import IpAddress
from mailweir.domains.suggestion import Relay
from mailweir.settings import Settings


def sending_address(text: str) -> IpAddress:
    """An address as receivers see it: an IPv4-mapped one becomes IPv4. ValueError if it is invalid, or link-local."""
    ip = ipaddress.ip_address(text)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is not None:
            raise ValueError(text)
        return ip.ipv4_mapped or ip
    return ip


def relay(settings: Settings | None, asked: Sequence[IpAddress] = ()) -> Relay | None:
    """The given addresses, otherwise those of the settings; None if there are none."""
    known = settings.relay.relay_addresses if settings else ()
    chosen = tuple(dict.fromkeys(asked)) or known
    if not chosen:
        return None
    # The include's record has the relay's own addresses only.
    include = settings.relay.spf_include if settings and set(chosen) <= set(known) else ""
    return Relay(chosen, settings.hostname if settings else "", include)
