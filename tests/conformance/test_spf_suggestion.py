"""The suggested record, published unchanged: then every address of the relay passes, within RFC 7208's limits."""

import ipaddress
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from mailweir.domains.checks import SpfReport, Verdict, check_spf
from mailweir.domains.questions import Questions, resolver_at
from mailweir.domains.spf import MAX_LOOKUPS, evaluate
from mailweir.domains.spf_record import IpAddress
from mailweir.domains.suggestion import Relay
from tests.conformance.generated_zones import IPS, NAMES, ZONE, Records, records_of
from tests.conformance.spf_zone import SuiteZone
from tests.moody_zone import MoodyZoneServer

IPV4, IPV6 = ipaddress.ip_address("203.0.113.9"), ipaddress.ip_address("2001:db8:1::9")
INCLUDE = "spf.relay.example"
PLAIN = Relay((IPV4, IPV6))
INCLUDED = Relay((IPV4, IPV6), "mx.relay.example", INCLUDE)
OURS: Records = {(INCLUDE, "TXT"): [f'"v=spf1 ip4:{IPV4} ip6:{IPV6} -all"']}
DOMAIN = "client.example"


@pytest.fixture(scope="module")
def server() -> Iterator[MoodyZoneServer]:
    with MoodyZoneServer() as running:
        yield running


def checked(server: MoodyZoneServer, records: Records, relay: Relay = INCLUDED, domain: str = DOMAIN) -> SpfReport:
    """The report on a domain."""
    server.records = {**OURS, **records}
    return check_spf(Questions(resolver_at("127.0.0.1", server.port, 5.0)), domain, relay)


def published(server: MoodyZoneServer, report: SpfReport) -> SpfReport:
    """The report after the suggestion is published. The report has to be good."""
    assert report.suggestion is not None
    record = report.suggestion.record
    assert record is not None, report.suggestion.notes
    assert all(len(part.encode()) <= 255 for part in record.strings)
    server.records[record.name, "TXT"] = [" ".join(f'"{part}"' for part in record.strings)]
    relay = Relay(tuple(one.request.ip for one in report.evaluations))
    again = check_spf(Questions(resolver_at("127.0.0.1", server.port, 5.0)), report.domain, relay)
    assert [one.result for one in again.evaluations] == ["pass"] * len(relay.addresses)
    assert again.root.lookups <= MAX_LOOKUPS
    return again


OTHERS = [ipaddress.ip_address(ip) for ip in IPS]


def result_for(server: MoodyZoneServer, ip: IpAddress, domain: str = DOMAIN) -> str:
    """A receiver's result for mail from this address, with the current records."""
    return evaluate(Questions(resolver_at("127.0.0.1", server.port, 5.0)), ip, f"x@{domain}", domain).result


def txt(*texts: str) -> Records:
    """The SPF records of the domain."""
    return {(DOMAIN, "TXT"): [f'"{text}"' for text in texts]}


def _passes(server: MoodyZoneServer, report: SpfReport) -> bool:
    """With the suggested record, all senders still pass that passed before. If there is no suggestion, the report says why."""
    assert report.suggestion is not None
    if not report.suggestion.record:
        return re.match("settle first|no record fits", report.suggestion.notes[0]) is not None
    passed = [ip for ip in OTHERS if result_for(server, ip, NAMES[0]) == "pass"]
    published(server, report)
    return all(result_for(server, ip, NAMES[0]) == "pass" for ip in passed)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(hosts=ZONE)
def test_whatever_is_there_the_suggestion_passes(server: MoodyZoneServer, hosts: list[dict[str, list[str]]]) -> None:
    for relay in (PLAIN, INCLUDED):
        report = checked(server, records_of(hosts), relay, NAMES[0])
        is_asked_for = report.verdict in (Verdict.NOT_AUTHORISED, Verdict.BROKEN)
        assert not is_asked_for or _passes(server, report)


@pytest.mark.parametrize(
    ("records", "relay", "expected"),
    [
        ({}, INCLUDED, f"v=spf1 include:{INCLUDE} ~all"),
        ({}, PLAIN, f"v=spf1 ip4:{IPV4} ip6:{IPV6} ~all"),
        ({(DOMAIN, "MX"): ["10 mx.client.example."], ("mx.client.example", "A"): ["192.0.2.1"],
          ("mx.client.example", "AAAA"): ["2001:db8::1"]}, INCLUDED, f"v=spf1 include:{INCLUDE} mx ~all"),
        ({(DOMAIN, "MX"): ["0 ."]}, INCLUDED, f"v=spf1 include:{INCLUDE} ~all"),  # null MX
        (txt("v=spf1 ip4:192.0.2.1 -all"), INCLUDED, f"v=spf1 include:{INCLUDE} ip4:192.0.2.1 -all"),
        # terms after -all don't count, but were intended
        (txt("v=spf1 -all ip4:192.0.2.1"), INCLUDED, f"v=spf1 include:{INCLUDE} ip4:192.0.2.1 -all"),
        (txt("v=spf1 redirect=other.example") | {("other.example", "TXT"): ['"v=spf1 ip4:192.0.2.1 -all"']}, INCLUDED,
         f"v=spf1 include:{INCLUDE} redirect=other.example"),
        (txt("v=spf1 ip4:192.0.2.1 -all", "v=spf1 ip4:192.0.2.2 ~all"), INCLUDED,
         f"v=spf1 include:{INCLUDE} ip4:192.0.2.1 ip4:192.0.2.2 ~all"),
        (txt("v=spf1 ip4:192.0.2.1 ipv4:192.0.2.2 -all"), INCLUDED,
         f"v=spf1 include:{INCLUDE} ip4:192.0.2.1 ip4:192.0.2.2 -all"),
        # a name that may be misspelt
        (txt("v=spf1 include:gone.example ip4:192.0.2.1 -all"), INCLUDED,
         f"v=spf1 include:{INCLUDE} include:gone.example ip4:192.0.2.1 -all"),
        (txt("v=spf1 +all"), INCLUDED, f"v=spf1 include:{INCLUDE} ~all"),
        (txt("v=spf1 ip4:192.0.2.1"), INCLUDED, f"v=spf1 include:{INCLUDE} ip4:192.0.2.1 ~all"),
    ],
    ids=["none", "no include", "MX", "null MX", "-all", "behind -all", "redirect", "two records", "syntax", "include of nothing",
         "+all", "no all"],
)  # fmt: skip
def test_the_record_to_paste(server: MoodyZoneServer, records: Records, relay: Relay, expected: str) -> None:
    report = checked(server, records, relay)
    assert report.suggestion is not None
    assert report.suggestion.record is not None
    assert report.suggestion.record.value == expected
    published(server, report)


@pytest.mark.parametrize(
    ("exchange", "question"),
    [
        ("aspmx.l.google.com.", "include:_spf.google.com"),
        ("client-example.mail.protection.outlook.com.", "include:spf.protection.outlook.com"),
        ("mx1.smallhost.com.", "smallhost.com receives its mail"),
    ],
)
def test_of_a_first_record_it_is_asked_who_else_sends(server: MoodyZoneServer, exchange: str, question: str) -> None:
    report = checked(server, {(DOMAIN, "MX"): [f"20 second.{exchange}", f"10 {exchange}"]})
    assert report.suggestion is not None
    assert report.suggestion.record is not None
    # A question, and not part of the record: the suggestion refuses no sender that may have been forgotten.
    assert report.suggestion.record.value == f"v=spf1 include:{INCLUDE} ~all"
    (asked,) = [note for note in report.suggestion.notes if question in note]
    assert "does it send, too?" in asked
    assert exchange.rstrip(".") in asked
    assert any("who else sends" in note for note in report.suggestion.notes)


def test_where_an_include_below_lets_us_send_nothing_is_suggested(server: MoodyZoneServer) -> None:
    report = checked(
        server, {**txt("v=spf1 include:a.example -all"), ("a.example", "TXT"): [f'"v=spf1 include:{INCLUDE} -all"']}
    )
    assert (report.verdict, report.suggestion) == (Verdict.AUTHORISED, None)


def test_the_record_of_an_alias_is_changed_where_it_stands() -> None:
    zone = {DOMAIN: [{"CNAME": "other.example."}], "other.example": [{"TXT": "v=spf1 -all"}]}
    with SuiteZone(zone) as server:
        report = check_spf(Questions(resolver_at("127.0.0.1", server.port, 5.0)), DOMAIN, PLAIN)
    assert report.suggestion is not None
    assert report.suggestion.record is not None
    assert report.suggestion.record.name == "other.example"
    assert any("alias" in one for one in report.warnings)


def full(lookups: int) -> Records:
    """A record that takes this many look-ups."""
    names = [f"i{n}.example" for n in range(lookups)]
    return {
        **txt(" ".join(["v=spf1", *(f"include:{name}" for name in names), "-all"])),
        **{(name, "TXT"): ['"v=spf1 ip4:198.51.100.1 -all"'] for name in names},
    }


def test_a_full_record_takes_addresses_and_no_include(server: MoodyZoneServer) -> None:
    report = checked(server, full(10))
    assert report.suggestion is not None
    assert report.suggestion.record is not None
    assert f"ip4:{IPV4} ip6:{IPV6} include:i0.example" in report.suggestion.record.value
    assert INCLUDE not in report.suggestion.record.value
    assert published(server, report).root.lookups == 10


def test_of_too_full_a_record_none_is_made(server: MoodyZoneServer) -> None:
    report = checked(server, full(11))
    assert report.verdict is Verdict.BROKEN
    assert report.suggestion is not None
    assert report.suggestion.record is None
    assert "need 11" in report.suggestion.notes[0]


def test_a_long_record_is_split(server: MoodyZoneServer) -> None:
    many = [f"ip4:198.51.100.{n}" for n in range(40)]
    report = checked(server, txt_in_parts(" ".join(["v=spf1", *many, "-all"])))
    assert report.suggestion is not None
    assert report.suggestion.record is not None
    assert len(report.suggestion.record.strings) > 2
    published(server, report)


def txt_in_parts(text: str) -> Records:
    return {(DOMAIN, "TXT"): [" ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))]}


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (full(8), "8 of 10"),
        (
            {**txt(f"v=spf1 include:{INCLUDE} include:wide.example -all"), ("wide.example", "TXT"): ['"v=spf1 +all"']},
            "anyone may",
        ),
        (txt(f"v=spf1 include:{INCLUDE} ?all"), "anyone may"),
        (txt(f"v=spf1 include:{INCLUDE} ptr -all"), "ptr"),
        (txt(f"v=spf1 include:{INCLUDE} a:gone.example -all"), "look-ups without a result"),
    ],
)
def test_what_is_warned_of(server: MoodyZoneServer, records: Records, words: str) -> None:
    report = checked(server, records)
    assert any(words in one for one in report.warnings), report.warnings
    assert report.verdict in (Verdict.WITH_WARNINGS, Verdict.NOT_AUTHORISED)


def test_the_whole_tree_counts_past_the_match(server: MoodyZoneServer) -> None:
    terms = [f"include:{name}" for (name, kind) in full(10) if name != DOMAIN]
    report = checked(server, {**full(10), **txt(" ".join(["v=spf1", f"include:{INCLUDE}", *terms, "-all"]))})
    assert [one.result for one in report.evaluations] == ["pass", "pass"]
    assert (report.root.lookups, report.verdict) == (11, Verdict.BROKEN)
    evaluation = evaluate(Questions(resolver_at("127.0.0.1", server.port, 5.0)), IPV4, f"x@{DOMAIN}", DOMAIN)
    assert evaluation.lookups_to_match == 1


ONLY_IPV4: Records = {
    **txt(f"v=spf1 ip4:{IPV4} ip6:{IPV6} a:a.client.example a:b.client.example a:c.client.example -all"),
    **{(f"{letter}.client.example", "A"): ["198.51.100.9"] for letter in "abc"},
}


def test_the_order_of_the_addresses_changes_nothing(server: MoodyZoneServer) -> None:
    first, second = (checked(server, ONLY_IPV4, Relay(ips)) for ips in ((IPV4, IPV6), (IPV6, IPV4)))
    assert first.verdict is second.verdict is Verdict.BROKEN
    assert first.faults == second.faults


def test_what_only_the_other_address_family_finds_stays_in_the_suggestion(server: MoodyZoneServer) -> None:
    found = txt("v=spf1 a:a.client.example a:b.client.example a:c.client.example -all")
    report = checked(server, {**ONLY_IPV4, **found}, Relay((IPV6,)))
    assert report.suggestion is not None
    assert report.suggestion.record is not None
    text = "".join(report.suggestion.record.strings)
    assert [letter for letter in "abc" if f"a:{letter}.client.example" not in text] == []


def test_what_nobody_finds_may_be_misspelt_and_stays(server: MoodyZoneServer) -> None:
    terms = [f"a:{letter}.client.example" for letter in "abc"]
    report = checked(server, txt(" ".join(["v=spf1", *terms, "-all"])), Relay((IPV6,)))
    assert report.suggestion is not None
    assert report.suggestion.record is not None
    assert report.suggestion.record.value == " ".join(["v=spf1", f"ip6:{IPV6}", *terms, "-all"])
    assert any("correct those terms" in note for note in report.suggestion.notes)
