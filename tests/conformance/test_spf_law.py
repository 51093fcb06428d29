"""The law of a suggested SPF record: an address that passed, or that would pass once a slip is repaired, still passes after
it."""

import ipaddress
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailweir.domains.checks import SpfReport, Verdict, check_spf
from mailweir.domains.questions import Questions, resolver_at
from mailweir.domains.spf import evaluate
from mailweir.domains.suggestion import Relay
from tests.conformance.slipped_records import (
    CLIENTS,
    DOMAIN,
    NOBODY,
    OF_A_RECORD,
    OF_A_TERM,
    SLIPPED,
    TERMS,
    UNCLEAR,
    ZONE,
    Slipped,
    quoted,
)
from tests.moody_zone import MoodyZoneServer

OURS = (ipaddress.ip_address("203.0.113.9"), ipaddress.ip_address("2001:db8:1::9"))
INCLUDE = "spf.relay.example"
PLAIN, INCLUDED = Relay(OURS), Relay(OURS, "mx.relay.example", INCLUDE)
IPS = [*OURS, *map(ipaddress.ip_address, CLIENTS)]


@pytest.fixture(scope="module")
def server() -> Iterator[MoodyZoneServer]:
    with MoodyZoneServer() as running:
        yield running


def publish(server: MoodyZoneServer, *values: str) -> None:
    """Publishes these TXT values at the domain."""
    server.records = {
        **ZONE,
        (INCLUDE, "TXT"): [f'"v=spf1 ip4:{OURS[0]} ip6:{OURS[1]} -all"'],
        (DOMAIN, "TXT"): [quoted(value) for value in values],
    }


def asked(server: MoodyZoneServer) -> Questions:
    return Questions(resolver_at("127.0.0.1", server.port, 5.0))


def results(server: MoodyZoneServer) -> dict[str, str]:
    """A receiver's results, by sender."""
    questions = asked(server)
    return {str(ip): evaluate(questions, ip, f"x@{DOMAIN}", DOMAIN).result for ip in IPS}


def passing(found: dict[str, str]) -> set[str]:
    return {ip for ip, result in found.items() if result == "pass"}


def suggested(server: MoodyZoneServer, relay: Relay = INCLUDED) -> tuple[SpfReport, str]:
    """The report on the domain, and the suggested record, or "" for none."""
    report = check_spf(asked(server), DOMAIN, relay)
    record = report.suggestion.record if report.suggestion else None
    return report, record.value if record else ""


def holds(server: MoodyZoneServer, case: Slipped, relay: Relay = INCLUDED) -> None:
    """The law for one record: it must be repaired, and no sender that it was meant to refuse may pass afterwards."""
    wanted: set[str] = set()
    unsure: set[str] = set()
    for values in (*((one,) for one in case.meant), case.published):
        publish(server, *values)
        before = results(server)
        wanted |= passing(before)
        unsure |= {ip for ip, result in before.items() if result == "permerror" and values != case.published}
    report, record = suggested(server, relay)
    if report.verdict is Verdict.AUTHORISED:
        return
    assert record, (case, report.suggestion)
    publish(server, record)
    found = results(server)
    assert {ip: found[ip] for ip in wanted if found[ip] != "pass"} == {}, (case, record)
    assert passing(found) - unsure == (wanted | {str(ip) for ip in OURS}) - unsure, (case, record)


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(case=SLIPPED, relay=st.sampled_from([PLAIN, INCLUDED]))
def test_no_address_that_passes_or_is_meant_to_fails_after_the_suggestion(
    server: MoodyZoneServer, case: Slipped, relay: Relay
) -> None:
    holds(server, case, relay)


@pytest.mark.parametrize("number", range(len(OF_A_TERM)))
def test_each_slip_of_a_term(server: MoodyZoneServer, number: int) -> None:
    fits, slip = OF_A_TERM[number]
    for term in filter(fits, TERMS):
        holds(server, Slipped((f"v=spf1 {term} -all",), (f"v=spf1 {slip(term)} -all",)))
        holds(server, Slipped((f"v=spf1 mx {term} ~all",), (f"v=spf1 mx {slip(term)} ~all",)))


@pytest.mark.parametrize("number", range(len(OF_A_RECORD)))
def test_each_slip_of_a_record(server: MoodyZoneServer, number: int) -> None:
    for end in ("-all", "~all"):
        meant = f"v=spf1 include:provider.example ip4:192.0.2.1 {end}"
        holds(server, Slipped((meant,), (OF_A_RECORD[number](meant),)))


@pytest.mark.parametrize("number", range(len(OF_A_RECORD)))
def test_a_record_that_is_nearly_spf_is_broken_and_not_none(server: MoodyZoneServer, number: int) -> None:
    publish(server, OF_A_RECORD[number]("v=spf1 include:provider.example -all"))
    report, record = suggested(server)
    assert "include:provider.example" in record
    assert report.suggestion is not None
    assert not any("no SPF record yet" in note for note in report.suggestion.notes)
    is_read = report.root.text is not None
    assert is_read or report.verdict is Verdict.BROKEN
    assert is_read or any("nearly SPF" in fault for fault in report.faults)


@pytest.mark.parametrize("term", UNCLEAR)
def test_where_it_is_not_certain_what_is_meant_no_record_is_offered(server: MoodyZoneServer, term: str) -> None:
    publish(server, f"v=spf1 {term} include:provider.example -all")
    report, record = suggested(server)
    assert record == ""
    assert report.verdict in (Verdict.BROKEN, Verdict.NOT_AUTHORISED)
    assert report.suggestion is not None
    (note,) = report.suggestion.notes
    assert note.startswith("settle first")


@pytest.mark.parametrize("values", [("v=spf1 -ip4:192.0.2.1 mx -all", "v=spf1 ip4:192.0.2.1 -all"), ("v=spf1 -a ~all mx -all",),
    ("v=spf1 include:%{i}.a.example -all", "v=spf1 include:%{i}.b.example -all"),
    ("v=spf1 include:gone.example -all", "v=spf1 mx -all"),
])  # fmt: skip
def test_of_several_that_contradict_each_other_none_is_made(server: MoodyZoneServer, values: tuple[str, ...]) -> None:
    publish(server, *values)
    report, record = suggested(server)
    assert record == ""
    assert report.suggestion is not None
    assert report.suggestion.notes[0].startswith("settle first")


def test_what_finds_nothing_for_us_stays(server: MoodyZoneServer) -> None:
    macro = "include:%{i}._ip.%{d}.p.example"
    publish(server, f"v=spf1 {macro} -all")
    _, record = suggested(server)
    # their senders may have ten look-ups already, so our include isn't added
    assert record == f"v=spf1 ip4:{OURS[0]} ip6:{OURS[1]} {macro} -all"
    publish(server, record)
    report, again = suggested(server)
    assert (report.verdict, report.faults, again) == (Verdict.AUTHORISED, (), "")


@pytest.mark.parametrize(
    "term", ["ptr", "ptr:client.example", "a:gone.example", "include:gone.example", "exists:gone.example"]
)
def test_nothing_is_left_out(server: MoodyZoneServer, term: str) -> None:
    publish(server, f"v=spf1 {term} mx:shop.example a:one.gone.example a:two.gone.example a:three.gone.example -all")
    before = passing(results(server))
    _, record = suggested(server)
    assert term in record
    publish(server, record)
    assert passing(results(server)) >= before


@pytest.mark.parametrize(
    "slip", ["include=provider.example", "ip4=192.0.2.1", "-all ip4:192.0.2.1", "redirect=provider.example"]
)
def test_a_slip_that_receivers_do_not_even_see_is_told_and_repaired(server: MoodyZoneServer, slip: str) -> None:
    publish(server, f"v=spf1 ip4:{OURS[0]} ip6:{OURS[1]} {slip} -all")
    report, record = suggested(server)
    assert report.verdict is Verdict.WITH_WARNINGS
    assert report.warnings
    publish(server, record)
    assert {"192.0.2.1", "198.51.100.10"} & passing(results(server))
    assert suggested(server)[0].verdict is Verdict.AUTHORISED


def test_a_strangers_end_is_not_softer_and_not_harder_than_it_was(server: MoodyZoneServer) -> None:
    for end, result in (
        ("-all", "fail"),
        ("~all", "softfail"),
        ("", "softfail"),
        ("?all", "softfail"),
        ("+all", "softfail"),
    ):
        publish(server, f"v=spf1 include:provider.example {end}".rstrip())
        publish(server, suggested(server)[1])
        assert {results(server)[ip] for ip in NOBODY} == {result}
