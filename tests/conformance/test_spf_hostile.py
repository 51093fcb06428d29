"""Zones made to mislead or to exhaust an evaluator; each over UDP, from a server of ours."""

import ipaddress
import time
from typing import Any

import pytest

from mailweir.domains import spf
from mailweir.domains.questions import Questions, resolver_at
from mailweir.domains.spf import MAX_BESIDE_LOOKUPS, Evaluation, evaluate
from tests.conformance.spf_zone import SuiteZone

RELAY: dict[str, Any] = {"relay.example.com": [{"A": "192.0.2.9"}]}
DEAD = "v=spf1 -ip4:0.0.0.0/0 "  # the terms that follow come after the match


def _txt(text: str) -> list[Any]:
    return [{"TXT": [text[at : at + 250] for at in range(0, len(text), 250)]}]


def _evaluate(zone: dict[str, Any], sender: str = "jane@d.example.com", patience_seconds: float = 2.0) -> Evaluation:
    with SuiteZone(zone) as server:
        questions = Questions(resolver_at("127.0.0.1", server.port, patience_seconds))
        return evaluate(questions, ipaddress.ip_address("192.0.2.9"), sender, "mail.example.com")


def test_terms_past_the_match_take_no_look_up_from_those_that_count() -> None:
    dead = DEAD + " ".join(f"a:x{number}.example.com" for number in range(MAX_BESIDE_LOOKUPS + 10))
    zone = {
        "d.example.com": _txt("v=spf1 include:c.example.com a:relay.example.com -all"),
        "c.example.com": _txt(dead),
        **RELAY,
    }
    found = _evaluate(zone)
    assert (found.result, found.lookups_to_match) == ("pass", 2)


def test_terms_past_the_match_take_no_time_from_those_that_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spf, "BESIDE_SECONDS", 1.0)
    silent: dict[str, Any] = {f"x{number}.example.com": ["TIMEOUT"] for number in range(40)}
    dead = DEAD + " ".join(f"a:{name}" for name in silent)
    zone = {"d.example.com": _txt("v=spf1 include:c.example.com a:relay.example.com -all"), "c.example.com": _txt(dead)}
    began = time.monotonic()
    with SuiteZone({**zone, **silent, **RELAY}) as server:
        questions = Questions(resolver_at("127.0.0.1", server.port, 1.0))
        for _ in range(4):  # one for each of the relay's addresses
            found = evaluate(questions, ipaddress.ip_address("192.0.2.9"), "jane@d.example.com", "mail.example.com")
            assert found.result == "pass"
    assert time.monotonic() - began < 4 * 1.0 + 5  # without that limit, it takes 40 s


@pytest.mark.parametrize(
    "record",
    ["v=spf1 include:d.example.com -all", "v=spf1 -ip4:0.0.0.0/0 include:d.example.com redirect=d.example.com"],
)
def test_a_loop_ends(record: str) -> None:
    began = time.monotonic()
    found = _evaluate({"d.example.com": _txt(record)})
    assert found.result in ("permerror", "fail")
    assert time.monotonic() - began < 5


def test_a_tree_that_doubles_at_each_level_ends() -> None:
    zone = {
        f"t{n}.example.com": _txt(f"{DEAD}include:t{n + 1}.example.com include:t{n + 1}.example.com") for n in range(40)
    }
    zone["d.example.com"] = _txt(f"{DEAD}include:t0.example.com")
    began = time.process_time()
    assert _evaluate(zone).result == "fail"
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 exists:%{d" + "9" * 5000 + "}.example.com -all",  # more digits than Python converts to an int
        "v=spf1 -all exp=e.example.com",
    ],
)
def test_a_number_of_labels_without_end_keeps_them_all(record: str) -> None:
    assert _evaluate({"d.example.com": _txt(record), "e.example.com": _txt("%{d" + "9" * 5000 + "}")}).result == "fail"


@pytest.mark.parametrize("macro", ["l", "L", "s"])
def test_a_sender_that_is_no_text_is_no_traceback(macro: str) -> None:
    zone = {"d.example.com": _txt(f"v=spf1 exists:%{{{macro}}}.example.com -all")}
    assert _evaluate(zone, "\udcff@d.example.com").result == "fail"


@pytest.mark.parametrize(
    "term",
    [
        *("a:" + "." * 32_000 + "/", "a:" + "/" * 32_000 + "x", "a:x." + "1" * 32_000 + "-", "a:x." + "a-" * 16_000),
        *("a:" + "%{" * 16_000, "x" * 32_000, "ip6:" + ":" * 32_000, "ip4:" + "1" * 32_000),
    ],
    ids=lambda term: term[:10],
)
def test_a_long_term_is_read_fast_and_told_in_short(term: str) -> None:
    began = time.process_time()
    found = _evaluate({"d.example.com": _txt(f"v=spf1 {term} -all")})
    assert found.result == "permerror"
    assert len(found.root.fault) < 200
    assert time.process_time() - began < 1


def test_a_macro_that_keeps_no_label_is_a_fault_of_syntax() -> None:
    assert _evaluate({"d.example.com": _txt("v=spf1 a:%{d0}.example.com +all")}).result == "permerror"


def test_what_comes_after_all_is_counted_by_nobody() -> None:
    zone = {"d.example.com": _txt("v=spf1 ip4:192.0.2.9 -all " + "a " * 11)}
    found = _evaluate(zone)
    assert (found.result, found.root.lookups, found.root.voids) == ("pass", 0, 0)
