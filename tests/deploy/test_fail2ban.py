"""The jail bans a client that guesses passwords from the relay's ports. It never bans an address of Google's, listed or not."""

import json
from pathlib import Path

import pytest

from tests.deploy.conftest import MakeHost, offline
from tests.deploy.hosts import Host
from tests.deploy.playbook import Site

pytestmark = pytest.mark.slow

NOBODYS, LISTED, IN_GOOGLES_RECORD = "198.51.100.9", "209.85.128.9", "203.0.113.9"
_RECORD = {"host": "_spf.google.com.", "value": "v=spf1 ip4:203.0.113.0/24 ~all"}
_TELL = """\
import urllib.request
urllib.request.urlopen("http://127.0.0.1:8055/set-txt", {record!r})
"""
_TRIES = 3


@pytest.fixture(scope="module")
def host(make_host: MakeHost) -> Host:
    return make_host("guarded")


@pytest.fixture(scope="module")
def guesser(make_host: MakeHost) -> Host:
    """A host with all the addresses, which also serves DNS with Google's record."""
    made = make_host.peer("guesser")
    made.run("systemd-run --quiet pebble-challtestsrv -dns01 :53 -http01 '' -https01 '' -tlsalpn01 ''")
    made.put({"/root/tell.py": _TELL.format(record=json.dumps(_RECORD).encode()).encode()})
    made.wait_until(lambda: made.run("python3 /root/tell.py", code=None)[0] == 0, "the record is known")
    for address in (NOBODYS, LISTED, IN_GOOGLES_RECORD):
        made.run(f"ip address add {address}/32 dev lo")
    return made


@pytest.fixture(scope="module")
def converged(host: Host, guesser: Host, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A host in service. It asks the guesser's DNS, and has a route back to its addresses."""
    variables = offline(mailweir_wheel=str(wheel), mailweir_outbound="outbox", mailweir_fail2ban_max_retry=_TRIES)
    Site(
        tmp_path_factory.mktemp("site"), {"front_ends": [host.name], "sync_hosts": [host.name]}, **variables
    ).converge()
    host.run("mailweir user add richard --email richard@firm.example; mailweir relay connect richard")
    for address in (NOBODYS, LISTED, IN_GOOGLES_RECORD):
        host.run(f"ip route add {address} via {guesser.address}")
    host.run(f"echo nameserver {guesser.address} > /etc/resolv.conf")
    return host


def guess(host: Host, guesser: Host, address: str, times: int) -> None:
    """Tries wrong passwords from that address."""
    for _ in range(times):
        code, said = guesser.run(
            f"swaks --server {host.address} --port 587 -tls --local-interface {address} --auth PLAIN"
            " --auth-user richard@demo.example.net --auth-password wrong --quit-after AUTH --timeout 10",
            code=None,
        )
        assert code != 0
        assert "535 " in said, said


def banned(host: Host) -> list[str]:
    """The addresses that the jail bans now."""
    return host.says("fail2ban-client get mailweir banip").split()


def test_google_is_never_banned_and_others_are(converged: Host, guesser: Host) -> None:
    for address in (LISTED, IN_GOOGLES_RECORD, NOBODYS):
        guess(converged, guesser, address, _TRIES)
    converged.wait_until(lambda: NOBODYS in banned(converged), "the guesser is banned")
    assert banned(converged) == [NOBODYS]
    assert connects(guesser, converged, NOBODYS, 587) is False
    assert connects(guesser, converged, NOBODYS, 25) is True
    guess(converged, guesser, LISTED, 1)
    guess(converged, guesser, IN_GOOGLES_RECORD, 1)


def connects(guesser: Host, host: Host, address: str, port: int) -> bool:
    """Can that address connect to that port?"""
    script = f"import socket; socket.create_connection(('{host.address}', {port}), timeout=3, source_address=('{address}', 0))"
    return guesser.run(f'python3 -c "{script}"', code=None)[0] == 0


def test_nobody_is_banned_while_dns_says_nothing(converged: Host, guesser: Host) -> None:
    converged.run("fail2ban-client unban --all; systemctl restart fail2ban")  # it caches DNS's answers
    converged.wait_until(lambda: converged.run("fail2ban-client get mailweir banip", code=None)[0] == 0, "it is back")
    converged.run("echo nameserver 127.0.0.9 > /etc/resolv.conf")
    guess(converged, guesser, NOBODYS, 2 * _TRIES)
    assert banned(converged) == []
