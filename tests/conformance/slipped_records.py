"""SPF records as they were meant and as they were mistyped, for Hypothesis; and a zone in which each term lets some sender
pass."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

DOMAIN = "client.example"
# By term: the senders that only this term allows.
TERMS = {
    "ip4:192.0.2.1": "192.0.2.1",
    "ip4:192.0.2.64/26": "192.0.2.65",
    "ip6:2001:db8:5::/48": "2001:db8:5::1",
    "ip6:2001:db8:6::6": "2001:db8:6::6",
    "include:provider.example": "198.51.100.10",
    "include:_spf.news.example": "198.51.100.20",
    "include:%{i}._ip.%{d}.p.example": "198.51.100.30",
    "include:%{d}.crm.example": "198.51.100.40",
    "exists:%{ir}.%{v}.list.example": "198.51.100.50",
    "a": "198.51.100.60",
    "a:web.client.example": "198.51.100.70",
    "a:web.client.example/28": "198.51.100.71",
    "mx": "198.51.100.80",
    "mx:shop.example": "198.51.100.90",
}
NOBODY = ("203.0.113.200", "2001:db8:ffff::1")
ZONE: Mapping[tuple[str, str], Sequence[str]] = {
    ("provider.example", "TXT"): ['"v=spf1 include:deep.provider.example ~all"'],
    ("deep.provider.example", "TXT"): ['"v=spf1 ip4:198.51.100.10 -all"'],
    ("_spf.news.example", "TXT"): ['"v=spf1 redirect=deep.news.example"'],
    ("deep.news.example", "TXT"): ['"v=spf1 ip4:198.51.100.20 ?all"'],
    ("198.51.100.30._ip.client.example.p.example", "TXT"): ['"v=spf1 include:deep.p.example -all"'],
    ("deep.p.example", "TXT"): ['"v=spf1 ip4:198.51.100.30 -all"'],
    ("client.example.crm.example", "TXT"): ['"v=spf1 ip4:198.51.100.40 -all"'],
    ("50.100.51.198.in-addr.list.example", "A"): ["127.0.0.2"],
    (DOMAIN, "A"): ["198.51.100.60"],
    ("web.client.example", "A"): ["198.51.100.70"],
    (DOMAIN, "MX"): ["10 in.client.example."],
    ("in.client.example", "A"): ["198.51.100.80"],
    ("shop.example", "MX"): ["10 in.shop.example."],
    ("in.shop.example", "A"): ["198.51.100.90"],
    **{
        (name, "AAAA"): ["2001:db8:7::7"]
        for name in (DOMAIN, "web.client.example", "in.client.example", "in.shop.example")
    },
}
CLIENTS = (*dict.fromkeys(TERMS.values()), "2001:db8:7::7", *NOBODY)
ENDS = ("-all", "~all", "?all", "-all", "-ALL", "")


def _ip(term: str) -> bool:
    return term.startswith("ip")


def _spec(term: str) -> bool:
    return ":" in term


# (the terms, the mistyped form): each form has only one possible meaning.
OF_A_TERM: Sequence[tuple[Callable[[str], bool], Callable[[str], str]]] = (
    (lambda term: True, lambda term: term + ";"),
    (lambda term: True, lambda term: term + ","),
    (lambda term: True, lambda term: ";" + term),
    (lambda term: True, lambda term: term + " ;"),
    (lambda term: True, lambda term: f'"{term}"'),
    (lambda term: True, lambda term: f"\u201c{term}\u201d"),
    (lambda term: True, lambda term: "\u200b" + term),
    (lambda term: True, lambda term: term + "\ufeff"),
    (lambda term: True, lambda term: "\u00a0" + term + "\u3000"),
    (lambda term: True, lambda term: "\t" + term),
    (lambda term: True, lambda term: "+" + term),  # no slip at all
    (lambda term: True, lambda term: "++" + term),
    (lambda term: True, lambda term: term.upper() if "%" not in term else term),
    (_spec, lambda term: term.replace(":", ": ", 1)),
    (_spec, lambda term: term.replace(":", " :", 1)),
    (_spec, lambda term: term.replace(":", " : ", 1)),
    (_spec, lambda term: term.replace(":", "=", 1)),
    (_spec, lambda term: term.replace(":", "::", 1)),
    (_spec, lambda term: term.replace(":", "\uff1a", 1)),
    (_spec, lambda term: term.partition(":")[0] + ":" + term),
    (_ip, lambda term: term.replace("ip", "ipv", 1)),
    (_ip, lambda term: term.replace("ip4", "ip", 1).replace("ip6", "ip", 1)),
    (_ip, lambda term: "a:" + term.partition(":")[2]),
    (_ip, lambda term: "mx:" + term.partition(":")[2]),
    (_ip, lambda term: "include:" + term.partition(":")[2]),
    (_ip, lambda term: term.partition(":")[2]),
    (_ip, lambda term: term.replace("ip4", "ip9", 1).replace("ip6", "ip4", 1).replace("ip9", "ip6", 1)),
    (lambda term: term.endswith("/26"), lambda term: term.replace("/26", "/255.255.255.192")),
    (lambda term: term.endswith("/26"), lambda term: term.replace("/26", "/0.0.0.63")),
    (lambda term: term.endswith("/26"), lambda term: term.replace("/26", " /26")),
    (lambda term: term.endswith("/28"), lambda term: term.replace("/28", "/255.255.255.240")),
    (lambda term: term.startswith("include:"), lambda term: term.replace("include", "inlcude")),
    (lambda term: term.startswith("include:"), lambda term: term.replace("include:", "includes:")),
    (lambda term: term.startswith("include:"), lambda term: term.replace(":", " ", 1)),
    (lambda term: term.startswith("include:"), lambda term: term.replace(":", ":https://")),
    (lambda term: term.startswith("include:"), lambda term: term.replace(":", ":<") + ">"),
    (lambda term: term.startswith("include:"), lambda term: term.replace(":", ":@")),
)
# slips of the whole record
OF_A_RECORD: Sequence[Callable[[str], str]] = (
    lambda text: " " + text,
    lambda text: "\u00a0" + text,
    lambda text: "\ufeff" + text,
    lambda text: '"' + text,
    lambda text: text + '"',
    lambda text: f'"{text}"',
    lambda text: f"\u201e{text}\u201c",
    lambda text: text.replace("v=spf1", "v=spf1;"),
    lambda text: text.replace("v=spf1 ", "v=spf1;"),
    lambda text: text.replace("v=spf1 ", "v=spf1,"),
    lambda text: text.replace("v=spf1 ", "v=spf1\u00a0"),
    lambda text: text.replace("v=spf1 ", "v=spf1"),
    lambda text: text.replace("v=spf1", "v=spf10"),
    lambda text: text.replace("v=spf1", "v=spf1.0"),
    lambda text: text.replace("v=spf1", "v=spf2"),
    lambda text: text.replace("v=spf1", "SPF1"),
    lambda text: text.replace("v=spf1", "v=spf 1"),
    lambda text: text.replace("v=spf1", "v = spf1"),
    lambda text: text.replace("v=spf1", "v:spf1"),
    lambda text: text.replace("v=spf1", "spf2.0/pra"),
    lambda text: text.replace("v=spf1", "spf2.0/mfrom,pra"),
    lambda text: text.replace("v=spf1", "v=spf1 v=spf1"),
    lambda text: text.replace("v=spf1", "V=SPF1"),  # no slip at all
    lambda text: text.replace(" ", "\u00a0"),
    lambda text: text.replace(" ", "\t"),
    lambda text: text.replace(" ", ", "),
    lambda text: text.replace(" ", ";"),
    lambda text: text.replace("-all", "-all."),
    lambda text: text.replace("-all", "\u2013all"),
    lambda text: text.replace("-all", "- all"),
    lambda text: text.replace("~all", "~~all"),
    lambda text: text.replace(" -all", "-all"),
    lambda text: text.replace(" ~all", "~all"),
    lambda text: text.replace(" include:", "include:"),
    lambda text: text.replace("v=spf1", "v=spf1 -all"),
    lambda text: text + " -all",
    lambda text: "client.example. IN TXT " + f'"{text}"',
)
# Forms that may mean several things.
UNCLEAR = (
    "ip4:192.0.2.1/33", "ip4:300.1.1.1", "ip4:192.0.2", "ip6:2001:db8::/129", "provider.example", "include:", "include",
    "a:web.client.example/99", "include:*.provider.example", "include:provider", "-~all", "a:%{z}", "ip4:192.0.2.1/", "redirect=",
    "include:provider..example", "include:%{i.provider.example", "ip4:", "hello", "all:x", "foo:bar",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slipped:
    """meant: the records without their slips; each of them is to count. published: the TXT values in DNS."""

    meant: tuple[str, ...]
    published: tuple[str, ...]


def _slipped(terms: list[str], end: str, seed: int, *, split: bool) -> Slipped:
    dice = random.Random(seed)
    written = [_term_slipped(dice, term) if dice.random() < 0.5 else term for term in terms]
    if split and len(written) > 1:  # somebody began a second record, and left the first one there
        at = dice.randrange(1, len(written))
        meant, published = ((_record(some[:at], end), _record(some[at:], end)) for some in (terms, written))
        return Slipped(meant, published)
    text = _record(written, end)
    # A record in which blanks themselves are mistakes, with terms that contain blanks: nobody could read that.
    may_slip = not any(" " in term for term in written) and dice.random() < 0.5
    return Slipped((_record(terms, end),), (dice.choice(OF_A_RECORD)(text) if may_slip else text,))


def _record(terms: list[str], end: str) -> str:
    return " ".join(["v=spf1", *terms, end]).rstrip()


def _term_slipped(dice: random.Random, term: str) -> str:
    return dice.choice([slip for fits, slip in OF_A_TERM if fits(term)])(term)


TERM_LISTS = st.lists(st.sampled_from(list(TERMS)), min_size=1, max_size=4, unique=True)
SLIPPED = st.builds(
    _slipped, TERM_LISTS, st.sampled_from(ENDS), st.integers(0, 10**9), split=st.sampled_from([False] * 4 + [True])
)


def quoted(value: str) -> str:
    """A TXT value for the zone, in strings of at most 255 bytes, with escapes for all bytes except ASCII letters."""
    raw = value.encode()
    parts = [raw[at : at + 255] for at in range(0, len(raw), 255)]
    return " ".join('"' + "".join(f"\\{byte:03d}" for byte in part) + '"' for part in parts)
