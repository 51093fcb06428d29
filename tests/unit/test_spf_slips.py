"""The reading of a mistyped SPF record, texts that aren't near-records, and the time that strange input takes."""

import time

import pytest

from mailweir.domains import spf_slips


def as_asked(text: str) -> str:
    """A TXT value in the form of `Questions`."""
    return text.encode().decode("latin-1")


def terms(text: str) -> list[str]:
    """The reading of a record, with a line for each part."""
    (reading,) = spf_slips.read_all([as_asked(text)])
    assert not reading.unclear, reading
    return [
        " ".join([*part.terms, part.end, *(["redirect=" + part.redirect] if part.redirect else [])]).strip()
        for part in reading.parts
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=spf1 a:2001:db8::1 -all", "ip6:2001:db8::1 -all"),
        ("v=spf1 ip4:192.0.2.* ip4:192.0.2/24 -all", "ip4:192.0.2.0/24 ip4:192.0.2.0/24 -all"),
        ("v=spf1 ip4:192.0.2.1,192.0.2.2 -all", "ip4:192.0.2.1 ip4:192.0.2.2 -all"),
        ("v=spf1 include:a.example,b.example -all", "include:a.example include:b.example -all"),
        ("v=spf1 ip4:mail.a.example -all", "a:mail.a.example -all"),
        ("v=spf1 +a+mx+ip4:192.0.2.1 -all", "+a +mx +ip4:192.0.2.1 -all"),
        ("v=spf1 include:a.exampleinclude:b.example~all", "include:a.example include:b.example ~all"),
        ("v=spf1 redirect:a.example", "redirect=a.example"),
        ("v=spf1 include:b\u00fccher.example -all", "include:xn--bcher-kva.example -all"),
        ('"v=spf1 include:a.exa" "mple -all"', "include:a.example -all"),
        ('"v=spf1 a" "mx -all"', "a mx -all"),
        ("v=spf1\\;include:a.example\\; -all", "include:a.example -all"),
        ("include:a.example ~all", "include:a.example ~all"),
        # unusual, but correct
        ("V=SPF1 INCLUDE:A.EXAMPLE. +MX//64 x=%{d} exp=%{d} ?ALL", "INCLUDE:A.EXAMPLE. +MX//64 x=%{d} exp=%{d} ?ALL"),
        ("v=spf1 exists:%{ir,}.%{l}+x.%{d}.example -all", "exists:%{ir,}.%{l}+x.%{d}.example -all"),
    ],
)
def test_what_it_is_read_as(text: str, expected: str) -> None:
    assert terms(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "google-site-verification=abc",
            "MS=ms123",
            "spf-verify=1",
            "SPF record: see the wiki",
            "we love spf 1",
            "spf2024",
            "",
        ),
        *(
            "v=DKIM1; p=abc",
            "v=DMARC1; p=none",
            "v=STSv1; id=1",
            "v=TLSRPTv1; rua=mailto:x@y",
            "v=BIMI1; l=",
            "v=mc1 foo -all",
        ),
        *("all", "a", "mx", "hello all", "all good -all", "v=verify include", "\xff\xfe"),
    ],
)
def test_what_is_not_even_nearly_spf(text: str) -> None:
    assert spf_slips.read_all([as_asked(text)]) == ()


def test_sender_ids_record_beside_spfs_is_no_slip() -> None:
    both = spf_slips.read_all(["v=spf1 mx -all", "spf2.0/pra mx -all"])
    assert [one.text for one in both] == ["v=spf1 mx -all"]


def test_a_cut_that_can_be_read_in_two_ways_is_unclear() -> None:
    (reading,) = spf_slips.read_all(['"v=spf1 a:b.example" "a -all"'])
    assert reading.unclear


@pytest.mark.parametrize("head", ["v=spf1 ", "", " v=spf1", '"v=spf1'])
@pytest.mark.parametrize(
    "rest",
    [
        *(
            '"' * 60_000,
            '" "' * 20_000,
            "\u00a0" * 20_000,
            " " * 60_000,
            "- " * 30_000,
            ": " * 30_000,
            "; " * 30_000,
            "a " * 30_000,
        ),
        *(
            "\\" * 60_000,
            "+" * 60_000,
            "ip4: " * 12_000,
            "v=spf1 " * 9_000,
            "a:" + "." * 32_000 + "/",
            "a:" + "%{" * 16_000,
        ),
        *("include:" * 60, "http:" * 99, "ip4:" * 120, "-all" * 120, "a," * 240, "0." * 240, "*." * 240, "<" * 490),
    ],
    ids=lambda rest: repr(rest[:8]),
)
def test_a_hostile_record_is_read_fast(head: str, rest: str) -> None:
    begun = time.process_time()
    spf_slips.read_all([as_asked(head + rest)])
    assert time.process_time() - begun < 1
