"""Zones full of SPF records, good and bad, for Hypothesis."""

from collections.abc import Sequence

from hypothesis import strategies as st

Records = dict[tuple[str, str], Sequence[str]]
NAMES = [f"d{n}.example.com" for n in range(5)]
IPS = ["192.0.2.9", "192.0.2.130", "198.51.100.7", "2001:db8::9"]
NAME = st.sampled_from([*NAMES, "absent.example.com"])
QUALIFIER = st.sampled_from(["", "", "", "-", "~", "?", "+"])
CIDR = st.sampled_from(["", "", "/24", "//64", "/25//48"])
TERM = st.one_of(
    st.builds(
        "{}ip4:{}".format, QUALIFIER, st.sampled_from(["192.0.2.9", "192.0.2.0/25", "198.51.100.0/24", "0.0.0.0/0"])
    ),
    st.builds("{}ip6:{}".format, QUALIFIER, st.sampled_from(["2001:db8::9", "2001:db8::/32", "2001:db9::/32"])),
    st.builds("{}include:{}".format, QUALIFIER, NAME),
    st.builds("{}a{}".format, QUALIFIER, CIDR),
    st.builds("{}a:{}{}".format, QUALIFIER, NAME, CIDR),
    st.builds("{}mx:{}".format, QUALIFIER, NAME),
    st.builds("{}exists:{}".format, QUALIFIER, st.one_of(NAME, st.just("%{ir}.%{d}"), st.just("%{l1r-}.%{d2}"))),
    st.sampled_from(
        ["-all", "~all", "?all", "all", "foo:bar", "x=%{d}", "ip4:300.1.1.1", "include:", "a:%{z}", "exp=%{d}"]
    ),
)
RECORD = st.lists(TERM, max_size=6).map(lambda terms: " ".join(["v=spf1", *terms]))
REDIRECTED = st.builds("{} redirect={}".format, RECORD, NAME)
TEXTS = st.lists(st.one_of(RECORD, RECORD, REDIRECTED, st.just("unrelated")), max_size=2)
HOST = st.fixed_dictionaries(
    {
        "TXT": TEXTS.map(lambda texts: [f'"{text}"' for text in dict.fromkeys(texts)]),
        "A": st.lists(st.sampled_from(IPS[:3]), max_size=2, unique=True),
        "AAAA": st.lists(st.sampled_from(IPS[3:]), max_size=1),
        "MX": st.lists(NAME.map("10 {}.".format), max_size=2, unique=True),
    }
)
ZONE = st.lists(HOST, min_size=len(NAMES), max_size=len(NAMES))


def records_of(hosts: list[dict[str, list[str]]]) -> Records:
    """The records by name and type, as a ZoneServer has them. No record includes itself."""
    return {
        (NAMES[n], kind): [_without_loop(value, NAMES[n]) for value in values]
        for n, host in enumerate(hosts)
        for kind, values in host.items()
        if values
    }


def _without_loop(value: str, name: str) -> str:
    return value.replace(f"include:{name}", "include:absent.example.com").replace(
        f"redirect={name}", "redirect=absent.example.com"
    )
