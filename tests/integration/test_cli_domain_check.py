"""`mailweir spf check` and `mailweir domain check` against a real DNS server: exit codes, words, JSON."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailweir.store.database.connection import Database
from tests import frozen
from tests.moody_zone import Mood, MoodyZoneServer

Mailweir = Any
DOMAIN, IP, IPV6 = "client.example.com", "192.0.2.9", "2001:db8::9"
GOOD = f'"v=spf1 ip4:{IP} -all"'
DMARC = ("_dmarc.client.example.com", "TXT")


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """On SQLite only: DNS doesn't depend on the database."""
    return sqlite_database


@pytest.fixture
def zone() -> Iterator[MoodyZoneServer]:
    with MoodyZoneServer({(DOMAIN, "TXT"): [GOOD], DMARC: ['"v=DMARC1; p=reject"']}) as running:
        yield running


@pytest.fixture
def check(mailweir: Mailweir, zone: MoodyZoneServer) -> Callable[..., Any]:
    """Runs `mailweir NOUN check …`, which asks this server."""

    def run(noun: str, *arguments: str, ips: tuple[str, ...] = (IP,)) -> Any:
        own = [word for ip in ips for word in ("--ip", ip)]
        return mailweir(noun, "check", *arguments, *own, "--nameserver", "127.0.0.1", "--port", str(zone.port))

    return run


@pytest.mark.parametrize(
    ("record", "mood", "code"),
    [
        (GOOD, Mood.WELL, 0),
        ('"v=spf1 -all"', Mood.WELL, 1),
        ('"unrelated"', Mood.WELL, 1),
        (f'"v=spf1 ip4:{IP} ?all"', Mood.WELL, 2),
        (f'"v=spf1 ip4:{IP} ipv6:x -all"', Mood.WELL, 3),
        ('"v=spf1 include:gone.example.com -all"', Mood.WELL, 3),
        (GOOD, Mood.SERVFAIL, 4),
    ],
)
def test_the_exit_code_says_what_is_so(
    check: Callable[..., Any], zone: MoodyZoneServer, record: str, mood: Mood, code: int
) -> None:
    zone.records[DOMAIN, "TXT"] = [record]
    zone.mood = mood
    assert check("spf", DOMAIN).code == code
    assert check("spf", DOMAIN, "--json").json["verdict"] == {
        0: "authorised", 1: "not_authorised", 2: "with_warnings", 3: "broken", 4: "unknown",
    }[code]  # fmt: skip


def test_the_json_keeps_its_keys(check: Callable[..., Any], mailweir: Mailweir, zone: MoodyZoneServer) -> None:
    assert mailweir("deployment", "add", "demo", "--domain", "demo.example.net").code == 0
    found: list[str] = []
    for record in (GOOD, '"v=spf1 include:gone.example.com -all"', '"v=spf1 -all"', '"unrelated"'):
        zone.records[DOMAIN, "TXT"] = [record]
        for noun in ("spf", "domain"):
            found += frozen.shape(f"{noun} check", check(noun, DOMAIN, "--json").json)
    assert mailweir("domain", "add", DOMAIN).code == 0
    found += frozen.shape("domain check", check("domain", DOMAIN, "--json").json)
    file = Path(__file__).parents[1] / "unit" / "frozen" / "json_of_domains.txt"
    frozen.compare(file, sorted(set(found)))


def test_a_failure_of_dns_is_never_called_not_authorised(check: Callable[..., Any], zone: MoodyZoneServer) -> None:
    zone.mood = Mood.SERVFAIL
    for noun in ("spf", "domain"):
        ran = check(noun, DOMAIN)
        assert ran.code == 4
        assert "no answer" in ran.out
        assert "v=spf1" not in ran.out
        assert f"no answer for {DOMAIN} TXT: SERVFAIL\n" in ran.out  # once, and nothing more
        assert "DO     try again" in ran.out


def test_a_server_that_is_silent_is_told_in_one_short_line(check: Callable[..., Any], zone: MoodyZoneServer) -> None:
    zone.mood = Mood.SILENT
    ran = check("spf", DOMAIN)
    assert (ran.code, ran.out.count("timed out")) == (4, 1)


def test_an_envelope_sender_of_another_domain_is_named_and_asked_about(
    check: Callable[..., Any], zone: MoodyZoneServer
) -> None:
    zone.records["plain.example.com", "TXT"] = ['"unrelated"']
    for noun in ("spf", "domain"):
        ran = check(noun, DOMAIN, "--mail-from", "x@plain.example.com")
        assert ran.code == 1
        assert f"{DOMAIN}: may" in ran.out
        assert "send for it as x@plain.example.com?" in ran.out
        assert "no SPF record at plain.example.com\n" in ran.out
        assert " as " not in check(noun, DOMAIN).out.splitlines()[0]


@pytest.mark.parametrize(
    "arguments", [("spf", "bogus"), ("spf",), ("domain", "bogus"), ("domain",), ("--bogus", "spf")]
)
def test_a_usage_error_before_the_command_is_2_as_everywhere(mailweir: Mailweir, arguments: tuple[str, ...]) -> None:
    assert mailweir(*arguments).code == 2


def test_every_address_of_the_relay_has_to_pass(check: Callable[..., Any]) -> None:
    ran = check("spf", DOMAIN, "--json", ips=(IP, IPV6))
    assert ran.code == 1
    assert [(one["ip"], one["result"]) for one in ran.json["results"]] == [(IP, "pass"), (IPV6, "fail")]
    assert ran.json["suggestion"]["record"] == f"v=spf1 ip4:{IP} ip6:{IPV6} -all"


@pytest.mark.parametrize(
    "arguments",
    [
        ("spf", "check"),
        ("spf", "check", DOMAIN, "--what"),
        ("spf", "check", DOMAIN, "--ip", "1.2.3"),
        ("spf", "check", "nodots", "--ip", IP),
        ("spf", "check", "a..b", "--ip", IP),
        ("spf", "check", "\udcff.example", "--ip", IP),
        ("spf", "check", DOMAIN),  # no known sender
        ("spf", "check", DOMAIN, "--ip", IP, "--nameserver", "dns.example"),
        ("spf", "check", DOMAIN, "--ip", IP, "--port", "0"),
        ("spf", "check", DOMAIN, "--ip", IP, "--mail-from", "nobody"),
        ("domain", "check", DOMAIN, "--ip", IP, "--selector", "a b"),
    ],
)
def test_a_usage_error_is_64_and_says_what_is_wrong(mailweir: Mailweir, arguments: tuple[str, ...]) -> None:
    ran = mailweir(*arguments)
    assert (ran.code, ran.out) == (64, "")
    assert ran.err


def test_without_a_settings_file_a_domain_can_be_checked(
    check: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MAILWEIR_CONFIG", str(tmp_path / "absent.toml"))
    assert check("spf", DOMAIN).code == 0
    assert check("domain", DOMAIN).code == 2  # no key of ours


def test_an_international_name_is_asked_for_in_ascii(check: Callable[..., Any], zone: MoodyZoneServer) -> None:
    zone.records["xn--bcher-kva.example.com", "TXT"] = [GOOD]
    for name in ("bücher.example.com", "XN--BCHER-KVA.example.com."):
        assert check("spf", name).code == 0


@pytest.mark.parametrize(
    ("publish", "code", "words"),
    [
        (lambda ours: [], 2, "isn't published"),
        (lambda ours: [ours], 0, "matches our signing key"),
        (lambda ours: ['"v=DKIM1; k=rsa; p="'], 2, "revoked"),
        (lambda ours: ['"v=DKIM1; k=ed25519; p=AAAA"'], 2, "another kind"),
    ],
    ids=["nothing", "ours", "revoked", "another kind"],
)
def test_our_key_is_looked_for_in_dns(
    mailweir: Mailweir,
    check: Callable[..., Any],
    zone: MoodyZoneServer,
    publish: Callable[[str], list[str]],
    code: int,
    words: str,
) -> None:
    assert mailweir("deployment", "add", "demo", "--domain", "demo.example.net").code == 0
    (made,) = mailweir("domain", "add", DOMAIN, "--json").json["records"]
    zone.records[made["name"], "TXT"] = publish(" ".join(f'"{part}"' for part in made["strings"]))
    ran = check("domain", DOMAIN)
    assert words in ran.out
    assert ran.code == code
    assert ("SPF and DKIM" in ran.out) is (code == 0)


@pytest.mark.parametrize(
    ("dmarc", "expected"),
    [
        ({DMARC: ['"v=DMARC1; p=reject"']}, ("reject", DOMAIN)),
        ({("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=reject; sp=quarantine"']}, ("quarantine", "example.com")),
        ({("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=reject"']}, ("reject", "example.com")),
        ({DMARC: ['"v=DMARC1; p=reject"', '"v=DMARC1; p=none"']}, ("none", "")),  # two count as none
        ({DMARC: ['"v=DMARC1; p=sometimes"']}, ("none", DOMAIN)),
        ({DMARC: [GOOD]}, ("none", "")),
    ],
)
def test_the_policy_is_the_domains_or_its_organisations(
    check: Callable[..., Any], zone: MoodyZoneServer, dmarc: dict[tuple[str, str], list[str]], expected: tuple[str, str]
) -> None:
    zone.records = {(DOMAIN, "TXT"): [GOOD], **dmarc}
    found = check("domain", DOMAIN, "--json").json["dmarc"]
    assert (found["policy"], found["found_at"]) == expected


@pytest.mark.parametrize(
    ("aspf", "sender", "code", "outcome"),
    [
        ("r", "bounces@mail.example.com", 2, "DMARC passes today through SPF only"),
        ("s", "bounces@mail.example.com", 1, "DMARC fails today: receivers are asked to refuse it (p=reject)"),
        ("s", f"bounces@{DOMAIN}", 2, "DMARC passes today through SPF only"),
        ("r", "bounces@other.com", 1, "DMARC fails today: receivers are asked to refuse it (p=reject)"),
    ],
)
def test_alignment_decides_what_dmarc_makes_of_it(
    check: Callable[..., Any], zone: MoodyZoneServer, aspf: str, sender: str, code: int, outcome: str
) -> None:
    zone.records[DMARC] = [f'"v=DMARC1; p=reject; aspf={aspf}"']
    zone.records[sender.partition("@")[2], "TXT"] = [GOOD]
    ran = check("domain", DOMAIN, "--mail-from", sender, "--json")
    assert ran.json["outcome"] == outcome
    assert ran.code == code


@pytest.mark.parametrize(
    "near",
    [
        "v=DMARC1 p=reject",
        "v=DMARC1, p=reject",
        " v=DMARC1; p=reject",
        "'v=DMARC1; p=reject'",
        "v=DMARC1\\\\; p=reject",
        "v=dmarc1; p=reject",
    ],
)
def test_what_is_nearly_a_dmarc_record_is_broken_and_no_other_one_is_asked_for(
    check: Callable[..., Any], zone: MoodyZoneServer, near: str
) -> None:
    zone.records[DMARC] = [f'"{near}"']
    ran = check("domain", DOMAIN)
    assert ran.code == 2
    assert "DMARC  BROKEN  no record that counts\n" in ran.out
    assert "nearly one" in ran.out
    assert "add no second one beside it" in ran.out
    assert "require one" not in ran.out
    # Then the organisation's record counts; the near-record is still reported.
    zone.records["_dmarc.example.com", "TXT"] = ['"v=DMARC1; p=quarantine"']
    ran = check("domain", DOMAIN)
    assert "DMARC  BROKEN  p=quarantine (example.com)" in ran.out
    assert "nearly one" in ran.out


def test_the_versions_name_has_no_case_and_its_value_has(check: Callable[..., Any], zone: MoodyZoneServer) -> None:
    zone.records[DMARC] = ['"V=DMARC1; P=Reject; ASPF=S"']
    found = check("domain", DOMAIN, "--json").json["dmarc"]
    assert (found["policy"], found["found_at"], found["strict_spf"], found["fault"]) == ("reject", DOMAIN, True, "")
    assert found["rfc9989"]["policy"] == "reject"
    assert found["differences"] == []


ABOVE, TOP = ("_dmarc.example.com", "TXT"), ("_dmarc.com", "TXT")


@pytest.mark.parametrize(
    ("records", "old", "new"),
    [
        # two at the domain: the old way ends there, the new way leaves both out
        (
            {DMARC: ["v=DMARC1; p=none", "v=DMARC1; p=none; x=1"], ABOVE: ["v=DMARC1; p=reject"]},
            ("none", ""),
            ("reject", "example.com"),
        ),
        # above the organisation, where only a walk looks
        ({TOP: ["v=DMARC1; p=quarantine; psd=y"]}, ("none", ""), ("quarantine", "com")),
        (
            {ABOVE: ["v=DMARC1; p=none"], TOP: ["v=DMARC1; p=reject; psd=y"]},
            ("none", "example.com"),
            ("none", "example.com"),
        ),
        # without psd=y it is the organisation's, however far above it is
        ({TOP: ["v=DMARC1; p=reject"]}, ("none", ""), ("reject", "com")),
        (
            {ABOVE: ["v=DMARC1; p=none; psd=n"], TOP: ["v=DMARC1; p=reject"]},
            ("none", "example.com"),
            ("none", "example.com"),
        ),
        ({ABOVE: ["v=DMARC1; p=none; sp=reject; np=quarantine"]}, ("reject", "example.com"), ("reject", "example.com")),
        ({DMARC: ["v=DMARC1; p=none"], ABOVE: ["v=DMARC1; p=reject"]}, ("none", DOMAIN), ("none", DOMAIN)),
    ],
)
def test_both_ways_to_find_a_policy_are_shown(
    check: Callable[..., Any],
    zone: MoodyZoneServer,
    records: dict[tuple[str, str], list[str]],
    old: tuple[str, str],
    new: tuple[str, str],
) -> None:
    zone.records = {(DOMAIN, "TXT"): [GOOD], **{key: [f'"{text}"' for text in texts] for key, texts in records.items()}}
    found = check("domain", DOMAIN, "--json").json["dmarc"]
    assert (found["policy"], found["found_at"]) == old
    assert (found["rfc9989"]["policy"], found["rfc9989"]["found_at"]) == new
    assert any("by RFC 9989 the policy is" in one for one in found["differences"]) is (old != new)


def test_of_a_domain_that_is_not_there_np_counts_by_rfc_9989_alone(
    check: Callable[..., Any], zone: MoodyZoneServer
) -> None:
    zone.records = {ABOVE: ['"v=DMARC1; p=none; sp=quarantine; np=reject"']}
    found = check("domain", "gone.example.com", "--json").json["dmarc"]
    assert (found["policy"], found["rfc9989"]["policy"]) == ("quarantine", "reject")
    zone.records["gone.example.com", "A"] = ["192.0.2.1"]
    assert check("domain", "gone.example.com", "--json").json["dmarc"]["rfc9989"]["policy"] == "quarantine"


@pytest.mark.parametrize(
    ("tag", "says"), [("t=y", "isn't to be applied yet"), ("pct=20", "20 of 100"), ("t=n", ""), ("pct=100", "")]
)
def test_what_only_one_of_both_knows_is_told(
    check: Callable[..., Any], zone: MoodyZoneServer, tag: str, says: str
) -> None:
    zone.records[DMARC] = [f'"v=DMARC1; p=reject; {tag}"']
    zone.records["other.com", "TXT"] = [GOOD]
    ran = check("domain", DOMAIN, "--mail-from", "x@other.com")
    assert says in ran.out
    assert ("RFC 9989" in ran.out) is bool(says)
    assert ("by RFC 9989: DMARC fails today" in ran.out) is (tag == "t=y")


def test_a_sibling_is_aligned_by_the_list_of_suffixes_and_not_by_a_walk(
    check: Callable[..., Any], zone: MoodyZoneServer
) -> None:
    zone.records["mail.example.com", "TXT"] = [GOOD]
    ran = check("domain", DOMAIN, "--mail-from", "x@mail.example.com")
    assert ran.code == 2
    assert "isn't aligned with the author's by RFC 9989" in ran.out
    zone.records[ABOVE] = ['"v=DMARC1; p=none"']  # which makes example.com the organisation of both
    assert "isn't aligned" not in check("domain", DOMAIN, "--mail-from", "x@mail.example.com").out


def test_a_long_name_is_walked_in_eight_questions(check: Callable[..., Any], zone: MoodyZoneServer) -> None:
    name = "a.b.c.d.e.f.g.h.i.j.example.com"
    zone.records[name, "TXT"] = [GOOD]
    zone.records[ABOVE] = ['"v=DMARC1; p=reject"']
    assert check("domain", name, "--json").json["dmarc"]["rfc9989"]["policy"] == "reject"
    asked = {one for one in zone.queries if one.startswith("_dmarc.")}
    assert asked == {f"_dmarc.{one}" for one in (
        name, "f.g.h.i.j.example.com", "g.h.i.j.example.com", "h.i.j.example.com", "i.j.example.com", "j.example.com",
        "example.com", "com",
    )}  # fmt: skip


def test_the_whole_tree_is_shown_where_it_is_asked_for(check: Callable[..., Any], zone: MoodyZoneServer) -> None:
    zone.records[DOMAIN, "TXT"] = ['"v=spf1 include:a.example.com -all"']
    zone.records["a.example.com", "TXT"] = [f'"v=spf1 ip4:198.51.100.1 ip4:{IP} -all"']
    short, whole = check("spf", DOMAIN).out, check("spf", DOMAIN, "--all").out
    assert "├ ip4:198.51.100.1" in whole
    assert "ip4:198.51.100.1" not in short
    assert "include:a.example.com" in short


def test_a_slip_is_named_and_the_repaired_record_is_shown(check: Callable[..., Any], zone: MoodyZoneServer) -> None:
    zone.records[DOMAIN, "TXT"] = ['" v=spf1 include:provider.example; -all"']
    zone.records["provider.example", "TXT"] = ['"v=spf1 ip4:198.51.100.1 -all"']
    ran = check("spf", DOMAIN)
    assert ran.code == 3
    assert f"no SPF record at {DOMAIN} that counts\n" in ran.out
    assert "a TXT record is nearly SPF" in ran.out
    assert "this record takes the place of the TXT record that is nearly SPF" in ran.out
    assert "'include:provider.example;' is read as 'include:provider.example'" in ran.out
    assert f"       v=spf1 ip4:{IP} include:provider.example -all\n" in ran.out


def test_where_a_slip_is_unclear_one_sentence_says_what_to_settle(
    check: Callable[..., Any], zone: MoodyZoneServer
) -> None:
    zone.records[DOMAIN, "TXT"] = ['"v=spf1 ip4:198.51.100.1/33 -all"']
    ran = check("spf", DOMAIN)
    assert ran.code == 3
    assert (
        "DO     settle first, then check again: it isn't certain what 'ip4:198.51.100.1/33' is meant to be\n" in ran.out
    )
    assert f"v=spf1 ip4:{IP}" not in ran.out


def test_a_record_of_several_strings_is_no_fault(check: Callable[..., Any], zone: MoodyZoneServer) -> None:
    first = " ".join(["v=spf1", f"ip4:{IP}", *(f"ip4:198.51.100.{n}" for n in range(12)), ""])
    second = " ".join([*(f"ip4:203.0.113.{n}" for n in range(9)), "-all"])
    zone.records[DOMAIN, "TXT"] = [f'"{first}" "{second}"']
    ran = check("spf", DOMAIN)
    assert ran.code == 0
    assert f"{len(first + second)} bytes" in ran.out
    assert "/255" not in ran.out
    assert "!!" not in ran.out


def test_hostile_records_do_not_speak_to_the_terminal(check: Callable[..., Any], zone: MoodyZoneServer) -> None:
    zone.records[DOMAIN, "TXT"] = ['"v=spf1 \\027[2J -all"']
    assert "\x1b" not in check("spf", DOMAIN, "--all").out


def test_several_dmarc_records_are_none_and_the_organisations_does_not_step_in(
    check: Callable[..., Any], zone: MoodyZoneServer
) -> None:
    zone.records[DMARC] = ['"v=DMARC1; p=none"', '"v=DMARC1; p=quarantine"']
    zone.records["_dmarc.example.com", "TXT"] = ['"v=DMARC1; p=reject"']
    found = check("domain", DOMAIN)
    assert found.code == 2
    assert "2 DMARC records" in found.out
    assert "p=reject" not in found.out


def test_a_mapped_address_is_the_ipv4_one(check: Callable[..., Any], zone: MoodyZoneServer) -> None:
    assert check("spf", DOMAIN, ips=(f"::ffff:{IP}",)).code == 0
    zone.records[DOMAIN, "TXT"] = ['"v=spf1 -all"']
    assert f"v=spf1 ip4:{IP} -all" in check("spf", DOMAIN, ips=(f"::ffff:{IP}",)).out


def test_an_address_of_a_link_is_a_usage_error(check: Callable[..., Any]) -> None:
    assert check("spf", DOMAIN, ips=("fe80::1%eth0",)).code == 64
