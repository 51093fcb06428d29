"""The findings of `mailweir doctor` about the provider's own DNS, with a real DNS server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mailweir.health import dns
from mailweir.health.findings import Finding, Level
from mailweir.settings import Settings
from mailweir.store.people.deployments import Deployment
from tests.moody_zone import Mood, MoodyZoneServer

HOST, IP, IPV6, INCLUDE = "mx.relay.example", "192.0.2.9", "2001:db8::9", "spf.relay.example"
REVERSE, REVERSE6 = "9.2.0.192.in-addr.arpa", "9." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"
SPF = f'"v=spf1 ip4:{IP} ip6:{IPV6} -all"'
WELL = {
    (HOST, "A"): [IP],
    (HOST, "AAAA"): [IPV6],
    (REVERSE, "PTR"): [f"{HOST}."],
    (REVERSE6, "PTR"): [f"{HOST}."],
    (HOST, "TXT"): [SPF],
    (INCLUDE, "TXT"): [SPF],
    ("demo.example.net", "MX"): [f"10 {HOST}."],
}


@pytest.fixture
def zone() -> Iterator[MoodyZoneServer]:
    with MoodyZoneServer(WELL) as running:
        yield running


def look(zone: MoodyZoneServer, tmp_path: Path, **changes: Any) -> list[Finding]:
    """All findings."""
    relay: Any = {"relay_addresses": [IP, IPV6], "spf_include": INCLUDE} | changes
    server: Any = {"nameserver": "127.0.0.1", "port": zone.port, "timeout_seconds": 1.0}
    settings = Settings(data_dir=tmp_path, hostname=HOST, dns=server, relay=relay)
    assert dns.is_meant(settings)
    asked = dns.questions(settings)
    deployment = Deployment(1, "demo", "demo.example.net", datetime(2026, 11, 24, tzinfo=UTC))
    return [
        *dns.check_host(settings, asked),
        *dns.check_spf_of_host(settings, asked),
        *dns.check_mx(settings, asked, [deployment]),
    ]


def test_where_all_is_well_nothing_else_is_said(zone: MoodyZoneServer, tmp_path: Path) -> None:
    found = look(zone, tmp_path)
    assert [one.level for one in found] == [Level.OK] * 6


@pytest.mark.parametrize(
    ("key", "values", "level", "words"),
    [
        ((HOST, "A"), [], Level.WRONG, "doesn't lead back"),
        ((REVERSE, "PTR"), [], Level.WRONG, "192.0.2.9 has no name"),
        ((REVERSE, "PTR"), ["other.example."], Level.WRONG, "doesn't lead back"),
        ((HOST, "TXT"), ['"v=spf1 -all"'], Level.WRONG, f"SPF of {HOST} doesn't let"),
        ((INCLUDE, "TXT"), [f'"v=spf1 ip4:{IP} -all"'], Level.WRONG, f"doesn't pass for {IPV6}"),
        ((INCLUDE, "TXT"), [], Level.WRONG, f"doesn't pass for {IP}"),
        (("demo.example.net", "MX"), [], Level.WRONG, "has no MX record"),
        (("demo.example.net", "MX"), ["10 elsewhere.example."], Level.NOTE, "goes to elsewhere.example"),
    ],
)
def test_what_is_missing_is_said_with_what_to_publish(
    zone: MoodyZoneServer, tmp_path: Path, key: tuple[str, str], values: list[str], level: Level, words: str
) -> None:
    zone.records = {one: value for one, value in {**WELL, key: values}.items() if value}
    (found,) = [one for one in look(zone, tmp_path) if words in one.sentence]
    assert found.level is level
    assert found.to_do


def test_dns_that_gives_no_answer_is_no_fault_of_the_records(zone: MoodyZoneServer, tmp_path: Path) -> None:
    zone.mood = Mood.SERVFAIL
    assert {one.level for one in look(zone, tmp_path)} == {Level.NOTE}


def test_addresses_that_are_not_set_are_asked_for(zone: MoodyZoneServer, tmp_path: Path) -> None:
    assert any("set relay.relay_addresses" in one.to_do for one in look(zone, tmp_path, relay_addresses=[]))


def test_the_embedded_stack_on_loopback_has_no_dns(tmp_path: Path) -> None:
    assert not dns.is_meant(Settings(data_dir=tmp_path))
