"""The outside world: mail servers of clients, on peers. Real Postfix, without us."""

import re
from collections.abc import Sequence

from tests.deploy.hosts import Host

_MAIN_CF = """\
compatibility_level = 3.6
myhostname = {name}.example
mydestination =
local_recipient_maps =
mynetworks = 127.0.0.0/8, {network}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
message_size_limit = 50000000
inet_protocols = ipv4
smtp_host_lookup = native, dns
smtp_tls_security_level = may
smtp_connect_timeout = 3s
# what can't be delivered is tried again at once, as it were
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
maillog_file = /var/log/postfix.log
{more}
"""
_KEEPS = """\
default_transport = virtual
virtual_mailbox_base = /var/kept
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_mailbox_limit = 0
"""


def sends(host: Host, network: str, next_hops: Sequence[str]) -> None:
    """A client's server: what it gets from this network goes to the first of the next hops that takes it."""
    _start(host, network, f"relayhost = {', '.join(f'[{one}]' for one in next_hops)}")


def keeps(host: Host, network: str) -> None:
    """A client's server that takes everything and keeps it; see `kept`."""
    host.run("install -d -o nobody -g nogroup /var/kept")
    _start(host, network, _KEEPS)


def _start(host: Host, network: str, more: str) -> None:
    text = _MAIN_CF.format(name=host.name, network=network, more=more)
    host.put({"/etc/postfix/main.cf": text.encode()})
    host.run("cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf; systemctl restart postfix")


def kept(host: Host) -> list[bytes]:
    """The messages that `keeps` has."""
    names = host.says("ls /var/kept/all/new 2>/dev/null || true").split()
    return [host.says(f"cat /var/kept/all/new/{name}").encode() for name in names if re.fullmatch(r"[\w.,=+-]+", name)]


def waiting(host: Host) -> int:
    """How many messages are in its queue."""
    return len(host.says("postqueue -j").splitlines())
