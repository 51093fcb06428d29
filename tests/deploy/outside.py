"""The outside world: clients' mail servers, on peers. They run real Postfix, without Mailweir."""

import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.deploy.hosts import Failed, Host

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
# The kernel of a host that stands still goes on taking connections: what ends those is the wait for a greeting, five minutes by
# default. Ours comes late where its filter hangs, after 10 s.
smtp_helo_timeout = 15s
smtp_mail_timeout = 30s
smtp_rcpt_timeout = 30s
smtp_data_init_timeout = 30s
smtp_data_xfer_timeout = 30s
smtp_data_done_timeout = 60s
smtp_starttls_timeout = 30s
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
    """A client's server: it sends mail from this network to the first of the next hops that accepts it."""
    _start(host, network, f"relayhost = {', '.join(f'[{one}]' for one in next_hops)}")


def keeps(host: Host, network: str) -> None:
    """A client's server that accepts and keeps all mail; see `kept`."""
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
    """The number of messages in its queue."""
    return len(host.says("postqueue -j").splitlines())


@contextlib.contextmanager
def explained(sender: Host, ours: Host) -> Iterator[None]:
    """If mail is late, the failure says where it waited and why: at the client's server, or at ours."""
    try:
        yield
    except Failed as error:
        raise Failed(f"{error}\n\n{_who_waited(sender)}\n\n{_seen_by(sender, ours)}") from error


def _who_waited(sender: Host) -> str:
    left = [json.loads(line) for line in sender.says("postqueue -j").splitlines()]
    if not left:
        return "The client's server has nothing left: all of it was acknowledged by a front end, or refused for good."
    reasons = Counter(one["recipients"][0].get("delay_reason", "no answer yet to this try") for one in left)
    told = "\n".join(f"  {times} x {why}" for why, times in reasons.items())
    connections = sender.says("ss -tnp dport = :25")
    return f"The client's server still has {len(left)}, for it heard:\n{told}\nIts connections:\n{connections}"


def _seen_by(sender: Host, ours: Host) -> str:
    log = sender.says("grep -v 'postfix/.*smtpd' /var/log/postfix.log | tail -n 60")
    decisions = ours.run("mailweir why jane@client.example --limit 20", code=None)[1]
    return f"The client's log:\n{log}\n{ours.name} decided:\n{decisions}"
