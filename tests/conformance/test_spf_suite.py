"""The 203 cases of RFC 7208's test suite, over real UDP. The suite is read in place."""

import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.resolver
import pytest
import yaml

from mailweir.domains.questions import Questions, resolver_at
from mailweir.domains.spf import evaluate
from tests.conformance.spf_zone import SuiteZone
from tests.needs import lacks

_SHARED = Path(os.environ.get("MAILWEIR_SHARED") or Path(__file__).parents[3] / "shared")
SUITE = _SHARED / "spf" / "rfc7208-tests.yml"
CASES_IN_SUITE = 203
SILENCE_SECONDS = 1.0


def _scenarios() -> list[dict[str, Any]]:
    if not SUITE.is_file():
        return []
    return [scenario for scenario in yaml.safe_load_all(SUITE.read_text("utf-8")) if scenario]


SCENARIOS = _scenarios()
CASES = [(number, name) for number, one in enumerate(SCENARIOS) for name in one["tests"]]


@pytest.fixture(scope="module")
def zones() -> Iterator[dict[int, dns.resolver.Resolver]]:
    """A resolver for each scenario's own server."""
    servers = [SuiteZone(scenario["zonedata"]) for scenario in SCENARIOS]
    try:
        for server in servers:
            server.__enter__()
        yield {n: resolver_at("127.0.0.1", server.port, SILENCE_SECONDS) for n, server in enumerate(servers)}
    finally:
        for server in servers:
            server.__exit__()


def test_the_suite_is_whole() -> None:
    SUITE.is_file() or lacks(f"no suite at {SUITE}; MAILWEIR_SHARED may name the folder above")
    assert len(CASES) == CASES_IN_SUITE


def _listed(result: str | list[str]) -> list[str]:
    """The suite allows several results for some cases."""
    return result if isinstance(result, list) else [result]


@pytest.mark.parametrize(("number", "name"), CASES, ids=[name for _, name in CASES])
def test_case(number: int, name: str, zones: dict[int, dns.resolver.Resolver]) -> None:
    case = SCENARIOS[number]["tests"][name]
    found = evaluate(
        Questions(zones[number]), ipaddress.ip_address(case["host"]), case["mailfrom"], case["helo"], "receiver.example"
    )
    assert found.result in _listed(case["result"]), found.root
    assert found.result != "fail" or found.explanation == case.get("explanation", found.explanation)
