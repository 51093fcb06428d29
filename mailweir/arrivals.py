"""The recipients of an envelope that are capture addresses, by deployment.

Pure: asks the directory that it is given. Called by the filter, before it matches. Standard library only.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mailweir import address
from mailweir.directory import DeploymentRef, Directory, UserRef
from mailweir.envelope import Recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """The capture addresses of one deployment in an envelope. addresses: all of them. owners: the users among them, by address.
    at_log: is the log address one of them? bounce_tokens: the token of each `bounce+TOKEN@`."""

    deployment: DeploymentRef
    addresses: tuple[str, ...]
    owners: Mapping[str, UserRef]
    at_log: bool
    bounce_tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """An envelope's recipients. ours: removed from the message. others: passed on (roles, the outside world)."""

    arrivals: tuple[Arrival, ...] = ()
    ours: tuple[Recipient, ...] = ()
    others: tuple[Recipient, ...] = ()


def sort_recipients(recipients: Collection[Recipient], directory: Directory) -> Sorted:
    """Which recipients are capture addresses, and whose."""
    domains = {address.split(r.address)[1] for r in recipients if r.address}
    deployments = directory.deployments(domains) if domains else {}
    by_domain: dict[str, list[str]] = {}
    ours: list[Recipient] = []
    others: list[Recipient] = []
    for recipient in recipients:
        local, domain = address.split(recipient.address or "")
        if domain in deployments and local not in address.ROLE_LOCAL_PARTS:
            ours.append(recipient)
            by_domain.setdefault(domain, []).append(local)
        else:
            others.append(recipient)
    arrivals = tuple(_arrival(deployments[domain], locals_, directory) for domain, locals_ in by_domain.items())
    return Sorted(arrivals=arrivals, ours=tuple(ours), others=tuple(others))


def _arrival(deployment: DeploymentRef, local_parts: list[str], directory: Directory) -> Arrival:
    local_parts = list(dict.fromkeys(local_parts))
    names = {local: deployment.folding.without_tag(local) for local in local_parts}
    owners = directory.users_named(deployment.id, set(names.values()))
    prefix = address.BOUNCE_LOCAL_PART + "+"
    return Arrival(
        deployment=deployment,
        addresses=tuple(f"{local}@{deployment.domain}" for local in local_parts),
        owners={f"{local}@{deployment.domain}": owners[name] for local, name in names.items() if name in owners},
        at_log=address.LOG_LOCAL_PART in names.values(),
        bounce_tokens=tuple(local.removeprefix(prefix) for local in local_parts if local.startswith(prefix)),
    )
