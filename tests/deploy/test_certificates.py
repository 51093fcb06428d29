"""Certificates: the admin's own files, and certbot's, from an ACME server of these tests (RFC 8555), up to a renewal."""

import json
from pathlib import Path

import pytest

from tests.deploy.conftest import MakeHost, offline
from tests.deploy.hosts import Host
from tests.deploy.playbook import Site

pytestmark = pytest.mark.slow

NAME = "certified"
FULL_NAME = f"{NAME}.host.example"
OWN = {"mailweir_certificate_file": "/etc/ssl/own/chain.pem", "mailweir_certificate_key_file": "/etc/ssl/own/key.pem"}
# Nobody trusts the authority's own certificate.
_ARGUMENTS = ["--standalone", "--server", "https://authority:14000/dir", "--no-verify-ssl"]


@pytest.fixture(scope="module")
def host(make_host: MakeHost) -> Host:
    return make_host(NAME)


@pytest.fixture(scope="module")
def authority(make_host: MakeHost, host: Host) -> Host:
    """An ACME server that asks port 80 of the host, for any name."""
    made = make_host.peer("authority")
    made.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout /root/key -out /root/cert 2>&1"
    )
    settings = {
        "listenAddress": "0.0.0.0:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": "/root/cert",
        "privateKey": "/root/key",
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
    }
    made.put({"/root/pebble.json": json.dumps({"pebble": settings}).encode()})
    names = f"pebble-challtestsrv -defaultIPv4 {host.address} -defaultIPv6 '' -http01 '' -https01 '' -tlsalpn01 ''"
    for command in (names, "env PEBBLE_VA_NOSLEEP=1 pebble -config /root/pebble.json -dnsserver 127.0.0.1:8053"):
        made.run(f'systemd-run --quiet sh -c "exec {command}"')
    made.wait_until(lambda: made.run("ss -ltn | grep -q :14000", code=None)[0] == 0, "the authority listens")
    return made


@pytest.fixture(scope="module")
def site(host: Host, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    variables = offline(mailweir_wheel=str(wheel), mailweir_outbound="outbox", mailweir_fail2ban=False)
    return Site(tmp_path_factory.mktemp("site"), {"front_ends": [host.name], "sync_hosts": [host.name]}, **variables)


def shown(host: Host, what: str) -> str:
    """Postfix's certificate, as a TLS client gets it."""
    return host.says(
        f"openssl s_client -starttls smtp -connect 127.0.0.1:587 </dev/null 2>/dev/null | openssl x509 -noout -{what}"
    ).strip()


def test_a_missing_file_is_refused_before_anything_is_touched(site: Site, host: Host) -> None:
    ran = site.run(mailweir_certificate="files", **OWN)
    assert ran.code != 0
    assert f"there is no {OWN['mailweir_certificate_file']} on {NAME}" in ran.failure
    assert ran.changed == {NAME: 0}


def test_the_admins_own_files_are_used(site: Site, host: Host) -> None:
    host.run(
        "install -d -m 0700 /etc/ssl/own; openssl req -x509 -newkey rsa:2048 -nodes -days 40 -subj /CN=by-hand"
        f" -addext subjectAltName=DNS:{FULL_NAME} -keyout {OWN['mailweir_certificate_key_file']}"
        f" -out {OWN['mailweir_certificate_file']} 2>&1"
    )
    site.converge(mailweir_certificate="files", **OWN)
    assert "by-hand" in shown(host, "subject")
    assert any("valid for 39 days more" in one for one in host.doctor()["ok"])


def test_until_certbot_has_one_a_self_signed_one_serves(site: Site, host: Host) -> None:
    site.converge(mailweir_certificate="certbot")
    assert FULL_NAME in shown(host, "subject")
    assert shown(host, "subject").removeprefix("subject=") == shown(host, "issuer").removeprefix("issuer=")


def test_certbot_obtains_one_and_postfix_serves_it_and_each_renewal(site: Site, host: Host, authority: Host) -> None:
    variables = {
        "mailweir_certificate": "certbot",
        "mailweir_certbot_obtain": True,
        "mailweir_certbot_email": "admin@firm.example",
        "mailweir_certbot_arguments": _ARGUMENTS,
    }
    site.converge(**variables)
    assert "Pebble" in shown(host, "issuer")
    assert FULL_NAME in shown(host, "ext subjectAltName")
    again = site.converge(**variables)
    assert (again.changed, again.tasks) == ({NAME: 0}, [])
    before = shown(host, "serial")
    host.run("certbot renew --quiet --force-renewal --no-random-sleep-on-renew --no-verify-ssl")
    host.wait_until(
        lambda: shown(host, "serial") != before, "Postfix offers the renewed certificate without a run of the playbook"
    )
    assert [one for one in host.doctor()["wrong"] if not one.startswith("DNS")] == []
