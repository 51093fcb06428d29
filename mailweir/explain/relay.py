"""The relay, explained: a login's state, and the reasons why Gmail can't use this host.

Never asks the database. Called by the command line, and by `send_mail_as`.
"""

import ipaddress

from mailweir.explain.explanation import Explanation, explain
from mailweir.settings import Settings
from mailweir.store.people.relay_logins import RelayLogin

GMAILS_PORTS = (587, 465)  # submission and submissions: the only ones that Gmail's form offers


def login(found: RelayLogin) -> Explanation:
    """Is a login in use or suspended?"""
    if found.suspended_at is None:
        return explain("login.in_use")
    return explain("login.suspended", reason=found.suspended_reason or "")


def hindrances(settings: Settings) -> list[Explanation]:
    """Settings that keep Gmail, which connects over the internet, from sending through this host; empty if there are none."""
    smtp, found = settings.smtp, []
    if ipaddress.ip_address(smtp.bind_address.strip("[]")).is_loopback:
        found.append(explain("relay.loopback_only", address=smtp.bind_address))
    if (smtp.submission_port, smtp.submissions_port) != GMAILS_PORTS:
        found.append(explain("relay.other_ports"))
    if not smtp.tls_certificate_file:
        found.append(explain("relay.self_signed"))
    return found
