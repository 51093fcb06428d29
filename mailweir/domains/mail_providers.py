"""The mail provider that receives a domain's mail, and the include that it usually asks its clients to publish.

Used in questions to a person, and never for a suggested record: the mail provider that receives a domain's mail may not send it,
and providers change their requirements. Called by `suggestion`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """include: a domain, or "" where each client has its own."""

    name: str
    include: str


# By the end of an MX host's name; includes from the providers' own instructions for their clients.
_BY_MX = {
    "google.com": Provider("Google", "_spf.google.com"),
    "googlemail.com": Provider("Google", "_spf.google.com"),
    "mail.protection.outlook.com": Provider("Microsoft 365", "spf.protection.outlook.com"),
    "mx.microsoft": Provider("Microsoft 365", "spf.protection.outlook.com"),
    "zoho.com": Provider("Zoho", "zohomail.com"),
    "zoho.eu": Provider("Zoho", "zohomail.eu"),
    "zoho.in": Provider("Zoho", "zohomail.in"),
    "messagingengine.com": Provider("Fastmail", "spf.messagingengine.com"),
    "protonmail.ch": Provider("Proton", "_spf.protonmail.ch"),
    "icloud.com": Provider("iCloud", "icloud.com"),
    "yandex.net": Provider("Yandex", "_spf.yandex.net"),
    "yandex.ru": Provider("Yandex", "_spf.yandex.net"),
    "ovh.net": Provider("OVH", "mx.ovh.com"),
    "gandi.net": Provider("Gandi", "_mailcust.gandi.net"),
    "mailbox.org": Provider("mailbox.org", "mailbox.org"),
    "migadu.com": Provider("Migadu", "spf.migadu.com"),
    "secureserver.net": Provider("GoDaddy", "secureserver.net"),
    "emailsrvr.com": Provider("Rackspace", "emailsrvr.com"),
    "privateemail.com": Provider("Namecheap", "spf.privateemail.com"),
    "infomaniak.ch": Provider("Infomaniak", "spf.infomaniak.ch"),
    "hostinger.com": Provider("Hostinger", "_spf.mail.hostinger.com"),
    "amazonaws.com": Provider("Amazon", "amazonses.com"),
    "ionos.de": Provider("IONOS", "_spf-eu.ionos.com"),
    "kundenserver.de": Provider("IONOS", "_spf-eu.ionos.com"),
    "ionos.com": Provider("IONOS", "_spf-us.ionos.com"),
    "pphosted.com": Provider("Proofpoint", ""),
    "mimecast.com": Provider("Mimecast", ""),
    "barracudanetworks.com": Provider("Barracuda", ""),
}


def of_exchange(host: str) -> Provider | None:
    """The provider of this MX host, by the longest known suffix of its name."""
    labels = host.lower().rstrip(".").split(".")
    ends = (".".join(labels[at:]) for at in range(len(labels)))
    return next((_BY_MX[end] for end in ends if end in _BY_MX), None)
