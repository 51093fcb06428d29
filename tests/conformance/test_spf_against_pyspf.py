"""Our SPF evaluator and pyspf on the same generated zones, both over UDP: they must come to the same result.

The generated zones exclude cases that pyspf deliberately handles differently:
- exchanges without an address: it queries all of them before it compares, so a void look-up may come before the match;
- `ptr`: its order of names;
- a record that includes itself: to pyspf that is a syntax error, also after a match; RFC 7208 has the limit of look-ups for that;
- an unknown modifier twice in a record: it refuses this, although RFC 7208 6 ignores it;
- `%{d0}`: it accepts this, although RFC 7208 7.3 forbids it.

One difference is tolerated: pyspf counts a `redirect=` even if a term before it matches. So it may find more than ten look-ups
where a receiver makes fewer.
"""

import ipaddress
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dns.resolver
import pytest
import spf

from mailweir.domains.questions import Questions, resolver_at
from mailweir.domains.spf import MAX_LOOKUPS, Evaluation, Node, evaluate
from tests.conformance.spf_zone import SuiteZone

ZONES = 400
NAMES = [f"d{number}.example.com" for number in range(8)]
IPS = ("192.0.2.9", "192.0.2.200", "198.51.100.7", "2001:db8::9", "2001:db8:1::7")
# a run of this size must meet each of these, or it compares next to nothing
RESULTS = ("pass", "fail", "softfail", "neutral", "none", "permerror")
_NETWORKS = ("192.0.2.0/25", "192.0.2.9", "198.51.100.0/24", "203.0.113.1", "0.0.0.0/0")
_NETWORKS6 = ("2001:db8::/64", "2001:db8::9", "2001:db8:1::/48", "2001:db8:2::1")
_BROKEN = (
    *("ip4:192.0.2.256", "ip4:192.0.2.1/08", "ip6:2001:db8::g", "a/33", "a//129", "a:x.example.com/", "mx:localhost"),
    *("include", "all:x", "foo", "exists:%{z}.example.com", "redirect="),
)


def _term(dice: random.Random, own: str) -> str:
    name = dice.choice([*NAMES, "nothing.example.com"])
    kinds = {
        f"ip4:{dice.choice(_NETWORKS)}": 5,
        f"ip6:{dice.choice(_NETWORKS6)}": 4,
        f"a:{name}": 3,
        f"a:{name}/{dice.randint(20, 32)}//{dice.randint(40, 128)}": 3,
        "a": 1,
        "mx": 1,
        f"mx:{name}/{dice.randint(20, 32)}": 2,
        f"include:{dice.choice([one for one in NAMES if one != own])}": 7,
        f"exists:%{{{dice.choice('ilodhsv')}{dice.choice(('', '1', '2r', 'r'))}}}.{name}": 2,
        f"exists:{name}": 1,
        f"x{dice.randrange(10**9)}=%{{d}}": 1,
        dice.choice(_BROKEN): 0.3,
    }
    term = dice.choices(list(kinds), list(kinds.values()))[0]
    return term if "=" in term.partition(":")[0] else dice.choice(("", "", "", "+", "-", "~", "?")) + term


def _record(dice: random.Random, own: str) -> str:
    terms = [_term(dice, own) for _ in range(dice.randint(0, 5))]
    end = dice.choices(
        ["-all", "~all", "?all", "", f"redirect={dice.choice(NAMES)}", "+all", "-ALL"], [5, 4, 1, 2, 3, 0.3, 1]
    )
    return dice.choice((" ", " ", "  ")).join(["v=spf1", *terms, *filter(None, end)])


def _zone(dice: random.Random) -> dict[str, list[Any]]:
    zone: dict[str, list[Any]] = {"mail.example.com": [{"A": "192.0.2.9"}, {"AAAA": "2001:db8::9"}]}
    for name in NAMES:
        entries: list[Any] = [{"TXT": _record(dice, name)} for _ in range(dice.choices([1, 0, 2], [20, 1, 1])[0])]
        if dice.random() < 0.8:
            entries += [{"A": dice.choice(IPS[:3])}, {"AAAA": dice.choice(IPS[3:])}, {"MX": [10, "mail.example.com"]}]
        entries.append({"HINFO": "x y"})
        zone[name] = entries
    return zone


@pytest.fixture(scope="module")
def server() -> Iterator[SuiteZone]:
    with SuiteZone({}) as running:
        yield running


def _theirs(ip: str, sender: str, helo: str) -> tuple[str, str]:
    result, _, text = spf.query(i=ip, s=sender, h=helo, strict=True, timeout=20).check()
    return str(result), str(text)


def _unfollowed(node: Node) -> int:
    """The number of redirects that were read and not followed, in records whose terms counted."""
    live = [step for step in node.steps if step.live]
    followed = bool(live) and live[-1].text.startswith("redirect=")
    below = sum(_unfollowed(step.child) for step in live if step.child)
    return below + ("redirect=" in (node.text or "") and not followed)


def _agree(ours: Evaluation, theirs: tuple[str, str]) -> bool:
    if theirs[0] == "permerror" and theirs[1].endswith("Too many DNS lookups"):
        return ours.result == "permerror" or ours.lookups_to_match + _unfollowed(ours.root) > MAX_LOOKUPS
    return ours.result == theirs[0]


def test_same_results(server: SuiteZone, monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = resolver_at("127.0.0.1", server.port, 5)
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
    met: Counter[str] = Counter()
    for seed in range(ZONES):
        zone = _zone(random.Random(seed))
        server.zone = SuiteZone.parsed(zone)
        for ip in IPS:
            sender = f"jane.doe-x@{NAMES[0]}"
            ours = evaluate(Questions(resolver), ipaddress.ip_address(ip), sender, "mail.example.com")
            theirs = _theirs(ip, sender, "mail.example.com")
            met[ours.result] += 1
            assert _agree(ours, theirs), (seed, ip, ours.result, theirs, zone)
    assert [result for result in RESULTS if met[result] < 10] == [], met
