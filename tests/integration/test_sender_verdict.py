"""The verdict on an author: whose signature proves it, and the results with altered mail, missing keys and silent DNS."""

import ipaddress
import time
from collections.abc import Iterator

import pytest

from admin_cli.demo import signing
from admin_cli.demo.signing import SigningKey
from mailweir import sender_auth
from mailweir.domains import spf
from mailweir.domains.questions import Questions, resolver_at
from mailweir.errors import DnsUnavailable
from mailweir.explain import english
from mailweir.explain import record as explained
from mailweir.sender_auth import DkimProver
from mailweir.sender_verdict import SenderVerdict, Verdict, VerdictReason
from mailweir.settings import Dns
from tests.moody_zone import Mood, MoodyZoneServer
from tests.sealing import seal

SELECTOR = "sel"
AUTHOR = "jane@mail.client.example"
RAW = (
    b"From: Jane <jane@mail.client.example>\r\nTo: richard@firm.example\r\nSubject: An offer\r\n"
    b"Message-ID: <1@client.example>\r\nDate: Tue, 24 Nov 2026 03:12:55 +0000\r\n\r\nhello\r\n"
)
DOMAINS = (
    *("client.example", "mail.client.example", "news.client.example", "evil.example", "github.io", "a.github.io"),
    *("google.com", "xn--bcher-kva.example"),
    *(f"{name}onmicrosoft.com" for name in ("", "a.", "b.", "news.a.", "mail.", "b.mail.")),
)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture
def zone(key: SigningKey) -> Iterator[MoodyZoneServer]:
    """All domains, honest or not, publish the same key."""
    records = {(signing.key_name(SELECTOR, domain), "TXT"): [key.record] for domain in DOMAINS}
    with MoodyZoneServer(records) as server:
        yield server


@pytest.fixture
def prover(zone: MoodyZoneServer) -> DkimProver:
    made = DkimProver(Dns(nameserver="127.0.0.1", port=zone.port, timeout_seconds=2.0), keep_answers=True)
    made.load()
    return made


def verdict_of(prover: DkimProver, raw: bytes, author: str) -> Verdict:
    return prover.verdict(raw, author).value


def sign(
    key: SigningKey, domain: str, raw: bytes = RAW, *, selector: str = SELECTOR, with_length: bool = False
) -> bytes:
    return signing.sign(raw, key, selector=selector, domain=domain, with_length=with_length)


@pytest.mark.parametrize(
    ("domain", "author", "expected"),
    [
        ("mail.client.example", AUTHOR, Verdict.PASS),
        ("client.example", AUTHOR, Verdict.PASS),  # RFC 7489 3.1.1: the same organisation
        ("news.client.example", AUTHOR, Verdict.PASS),
        ("mail.client.example", "jane@client.example", Verdict.PASS),
        ("evil.example", AUTHOR, Verdict.NONE),
        ("client.example", "jane@notclient.example", Verdict.NONE),
        # github.io is a public suffix: its owner doesn't vouch for anybody below it, and neighbours don't for each other
        ("github.io", "jane@a.github.io", Verdict.NONE),
        ("a.github.io", "jane@b.github.io", Verdict.NONE),
        ("a.github.io", "jane@a.github.io", Verdict.PASS),
        ("github.io", "jane@github.io", Verdict.PASS),
        # the same for domains that aren't in the list: Microsoft signs for each tenant without an own key
        ("a.onmicrosoft.com", "jane@a.onmicrosoft.com", Verdict.PASS),
        ("b.onmicrosoft.com", "jane@a.onmicrosoft.com", Verdict.NONE),
        ("onmicrosoft.com", "jane@a.onmicrosoft.com", Verdict.NONE),
        ("news.a.onmicrosoft.com", "jane@a.onmicrosoft.com", Verdict.PASS),
        ("b.mail.onmicrosoft.com", "jane@a.mail.onmicrosoft.com", Verdict.NONE),
        ("mail.onmicrosoft.com", "jane@a.mail.onmicrosoft.com", Verdict.NONE),
    ],
)
def test_only_the_authors_organisation_proves_the_author(
    prover: DkimProver, key: SigningKey, domain: str, author: str, expected: Verdict
) -> None:
    assert verdict_of(prover, sign(key, domain), author) is expected


def test_without_a_signature_there_is_no_verdict(prover: DkimProver, zone: MoodyZoneServer) -> None:
    assert verdict_of(prover, RAW, AUTHOR) is Verdict.NONE
    assert not zone.queries


def test_altered_mail_fails(prover: DkimProver, key: SigningKey) -> None:
    raw = sign(key, "client.example")
    assert verdict_of(prover, raw.replace(b"hello", b"pay to another account"), AUTHOR) is Verdict.FAIL
    assert verdict_of(prover, raw.replace(b"An offer", b"An order"), AUTHOR) is Verdict.FAIL
    assert verdict_of(prover, sign(SigningKey.generate(), "client.example"), AUTHOR) is Verdict.FAIL


def test_one_good_signature_is_enough_and_a_strangers_changes_nothing(prover: DkimProver, key: SigningKey) -> None:
    good = sign(key, "client.example")
    stranger = SigningKey.generate()
    assert verdict_of(prover, sign(stranger, "mail.client.example", good), AUTHOR) is Verdict.PASS
    assert verdict_of(prover, sign(key, "evil.example", good), AUTHOR) is Verdict.PASS
    altered = good.replace(b"hello", b"other")
    assert verdict_of(prover, sign(key, "evil.example", altered), AUTHOR) is Verdict.FAIL


def test_a_signature_that_proves_nothing_is_not_a_bad_one(prover: DkimProver, key: SigningKey) -> None:
    assert verdict_of(prover, sign(key, "client.example", with_length=True), AUTHOR) is Verdict.NONE
    # A withdrawn key: nobody can verify a signature any more.
    assert verdict_of(prover, sign(key, "client.example", selector="gone"), AUTHOR) is Verdict.NONE


def test_only_so_many_signatures_are_looked_at(prover: DkimProver, key: SigningKey) -> None:
    raw = sign(key, "client.example")
    stranger = SigningKey.generate()
    for _ in range(sender_auth.MAX_ALIGNED_SIGNATURES):
        raw = sign(stranger, "client.example", raw)
    assert verdict_of(prover, raw, AUTHOR) is Verdict.NONE


@pytest.mark.parametrize("mood", [Mood.SERVFAIL, Mood.SILENT])
def test_without_dns_nothing_is_known(zone: MoodyZoneServer, key: SigningKey, mood: Mood) -> None:
    # DNS answers late on a busy machine, too
    prover = DkimProver(Dns(nameserver="127.0.0.1", port=zone.port, timeout_seconds=1.0))
    prover.load()
    zone.mood = mood
    with pytest.raises(DnsUnavailable):
        verdict_of(prover, sign(key, "client.example"), AUTHOR)
    zone.mood = Mood.WELL
    assert verdict_of(prover, sign(key, "client.example"), AUTHOR) is Verdict.PASS


def test_a_key_is_asked_for_once_while_it_holds(prover: DkimProver, key: SigningKey, zone: MoodyZoneServer) -> None:
    for _ in range(3):
        assert verdict_of(prover, sign(key, "client.example"), AUTHOR) is Verdict.PASS
    assert zone.queries == {signing.key_name(SELECTOR, "client.example"): 1}


def published(zone: MoodyZoneServer, text: str, domain: str = "client.example") -> None:
    """Publishes this value at the name of the domain's key."""
    zone.records[signing.key_name(SELECTOR, domain), "TXT"] = [
        " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
    ]


@pytest.mark.parametrize(
    ("tags", "expected", "altered"),
    [
        ("h=sha256", Verdict.PASS, Verdict.FAIL),
        ("h=sha1 : SHA256", Verdict.PASS, Verdict.FAIL),
        ("h=sha1", Verdict.NONE, Verdict.NONE),  # RFC 6376 6.1.2: such a record must be ignored
        ("h=sha512", Verdict.NONE, Verdict.NONE),
        ("s=email", Verdict.PASS, Verdict.FAIL),
        ("s=tlsrpt:*", Verdict.PASS, Verdict.FAIL),
        ("s=tlsrpt", Verdict.NONE, Verdict.NONE),
        ("t=s", Verdict.PASS, Verdict.FAIL),
        ("t=y", Verdict.PASS, Verdict.NONE),
        ("k=ed25519", Verdict.NONE, Verdict.NONE),
        ("k=x", Verdict.NONE, Verdict.NONE),
    ],
)
def test_what_a_key_is_for_is_obeyed(
    prover: DkimProver, key: SigningKey, zone: MoodyZoneServer, tags: str, expected: Verdict, altered: Verdict
) -> None:
    published(zone, f"v=DKIM1; {tags}; p={key.public}")
    raw = sign(key, "client.example")
    assert verdict_of(prover, raw, AUTHOR) is expected
    assert verdict_of(prover, raw.replace(b"hello", b"other"), AUTHOR) is altered


def test_a_revoked_key_proves_nothing_either_way(prover: DkimProver, key: SigningKey, zone: MoodyZoneServer) -> None:
    published(zone, "v=DKIM1; p=")
    raw = sign(key, "client.example")
    assert verdict_of(prover, raw, AUTHOR) is Verdict.NONE
    assert verdict_of(prover, raw.replace(b"hello", b"other"), AUTHOR) is Verdict.NONE


@pytest.mark.parametrize(
    ("flags", "expected"), [("", Verdict.PASS), ("t=s; ", Verdict.FAIL), ("t=x:s; ", Verdict.FAIL)]
)
def test_where_the_key_says_so_i_names_no_domain_below(
    prover: DkimProver, key: SigningKey, zone: MoodyZoneServer, flags: str, expected: Verdict
) -> None:
    import dkim

    def signed(identity: bytes) -> bytes:
        covered = [b"from", b"to", b"subject"]
        made: bytes = dkim.sign(
            RAW,
            SELECTOR.encode(),
            b"client.example",
            key.private_pem,
            identity,
            (b"relaxed", b"relaxed"),
            include_headers=covered,
        )
        return made + RAW

    published(zone, f"v=DKIM1; {flags}p={key.public}")
    assert verdict_of(prover, signed(b"jane@mail.client.example"), AUTHOR) is expected
    assert verdict_of(prover, signed(b"jane@client.example"), AUTHOR) is Verdict.PASS


# --- Ed25519 (RFC 8463) -----------------------------------------------------------------------------------------------

# RFC 8463 A.2 and A.3: the key, and the message that it signed
RFC8463_KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
RFC8463_MESSAGE = (
    (
        "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\n d=football.example.com; i=@football.example.com;\n"
        " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\n subject : date : message-id : from : subject : date;\n"
        " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\n"
        " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\n"
        "From: Joe SixPack <joe@football.example.com>\nTo: Suzie Q <suzie@shopping.example.net>\nSubject: Is dinner ready?\n"
        "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\nMessage-ID: <20030712040037.46341.5F8J@football.example.com>\n\n"
        "Hi.\n\nWe lost the game.  Are you hungry yet?\n\nJoe.\n"
    )
    .replace("\n", "\r\n")
    .encode()
)


def test_ed25519_counts(prover: DkimProver, zone: MoodyZoneServer) -> None:
    zone.records["brisbane._domainkey.football.example.com", "TXT"] = [f'"v=DKIM1; k=ed25519; p={RFC8463_KEY}"']
    author = "joe@football.example.com"
    assert verdict_of(prover, RFC8463_MESSAGE, author) is Verdict.PASS
    assert verdict_of(prover, RFC8463_MESSAGE.replace(b"hungry", b"angry"), author) is Verdict.FAIL
    assert verdict_of(prover, RFC8463_MESSAGE.replace(b"dinner", b"supper"), author) is Verdict.FAIL
    for record in ("k=ed25519; p=AAAA", f"p={RFC8463_KEY}", "k=ed25519; h=sha1; p=" + RFC8463_KEY, "k=ed25519; p="):
        zone.records["brisbane._domainkey.football.example.com", "TXT"] = [f'"{record}"']
        fresh = DkimProver(Dns(nameserver="127.0.0.1", port=zone.port, timeout_seconds=2.0))
        fresh.load()
        assert verdict_of(fresh, RFC8463_MESSAGE, author) is Verdict.NONE


# --- why --------------------------------------------------------------------------------------------------------------


def reasons(found: SenderVerdict) -> tuple[str, str]:
    return str(found.reason), found.domain


def test_a_proof_names_whose_signature_it_is(prover: DkimProver, key: SigningKey) -> None:
    found = prover.verdict(sign(key, "client.example"), AUTHOR)
    assert found == SenderVerdict(Verdict.PASS, VerdictReason.DKIM, "client.example", covers_ids=True)


def test_what_is_not_proven_says_why(prover: DkimProver, key: SigningKey, zone: MoodyZoneServer) -> None:
    good = sign(key, "client.example")
    stranger = SigningKey.generate()
    published(zone, "v=DKIM1; p=", "news.client.example")
    for raw, expected in (
        (RAW, ("no_signature", "")),
        (sign(key, "evil.example"), ("other_domain", "evil.example")),
        (good.replace(b"hello", b"hallo"), ("body_changed", "client.example")),
        (good.replace(b"An offer", b"An order"), ("headers_changed", "client.example")),
        (sign(stranger, "mail.client.example"), ("headers_changed", "mail.client.example")),
        (sign(key, "client.example", selector="gone"), ("key_missing", "client.example")),
        (sign(key, "news.client.example"), ("key_revoked", "news.client.example")),
        (sign(key, "client.example", with_length=True), ("covers_too_little", "client.example")),
        (b"To: x\r\n" + good, ("doubled_headers", "")),
        (b"no header\r\n" + good, ("unreadable_headers", "")),
        (b"X: y\r\n" * 301 + good, ("too_many_headers", "")),
        (b"DKIM-Signature: nonsense\r\n" + RAW, ("malformed_signature", "")),
        (b"Authentication-Results: mx.google.com; dkim=pass header.d=client.example\r\n" + RAW, ("no_signature", "")),
    ):
        found = prover.verdict(raw, AUTHOR)
        assert reasons(found) == expected
        assert not found.is_pass


def test_a_signer_in_another_script_is_its_a_label(prover: DkimProver, key: SigningKey) -> None:
    raw = sign(key, "xn--bcher-kva.example")
    assert prover.verdict(raw, "jane@xn--bcher-kva.example").is_pass


# --- seals (RFC 8617) -------------------------------------------------------------------------------------------------

SEALERS = ("google.com", "microsoft.com")
DMARC = b"dmarc=pass header.from=mail.client.example"
SEALED = SenderVerdict(Verdict.PASS, VerdictReason.SEAL, "google.com")


def test_mail_that_a_trusted_mailbox_sent_on_is_proven_by_its_seal(prover: DkimProver, key: SigningKey) -> None:
    """The mailbox added a footer, so the author's own signature isn't valid any more."""
    with_footer = sign(key, "client.example") + b"sent on\r\n"
    assert reasons(prover.verdict(with_footer, AUTHOR, SEALERS)) == ("body_changed", "client.example")
    sealed = seal(key, with_footer, DMARC)
    assert prover.verdict(sealed, AUTHOR, SEALERS) == SEALED
    assert reasons(prover.verdict(sealed, AUTHOR)) == ("body_changed", "client.example")  # no sealer is trusted
    assert prover.verdict(seal(key, RAW, DMARC), AUTHOR, SEALERS) == SEALED
    assert not prover.verdict(seal(key, RAW, DMARC), "jane@client.example", SEALERS).is_pass


def test_the_authors_own_signature_says_more_than_a_seal(prover: DkimProver, key: SigningKey) -> None:
    found = prover.verdict(seal(key, sign(key, "client.example"), DMARC), AUTHOR, SEALERS)
    assert found == SenderVerdict(Verdict.PASS, VerdictReason.DKIM, "client.example", covers_ids=True)


def test_why_a_seal_does_not_prove(prover: DkimProver, key: SigningKey) -> None:
    for raw, expected in (
        (seal(key, RAW, DMARC, "evil.example"), ("seal_not_trusted", "evil.example")),
        (seal(key, RAW, b"dmarc=fail header.from=mail.client.example"), ("seal_saw_no_proof", "google.com")),
        (seal(key, RAW, DMARC).replace(b"hello", b"hallo"), ("seal_broken", "google.com")),
        (seal(key, sign(key, "evil.example"), DMARC, "evil.example"), ("seal_not_trusted", "evil.example")),
        # mail programs may show the second one
        (b"From: eve@evil.example\r\n" + seal(key, RAW, DMARC), ("doubled_headers", "")),
    ):
        assert reasons(prover.verdict(raw, AUTHOR, SEALERS)) == expected


def test_a_seal_proves_while_the_authors_dns_is_silent(
    prover: DkimProver, key: SigningKey, zone: MoodyZoneServer
) -> None:
    assert prover.verdict(seal(key, RAW, DMARC), AUTHOR, SEALERS) == SEALED  # this puts google.com's key into the cache
    zone.mood = Mood.SERVFAIL
    assert prover.verdict(seal(key, sign(key, "client.example"), DMARC), AUTHOR, SEALERS) == SEALED
    with pytest.raises(DnsUnavailable):
        prover.verdict(sign(key, "client.example"), AUTHOR, SEALERS)


def test_a_strangers_seal_asks_no_dns(prover: DkimProver, key: SigningKey, zone: MoodyZoneServer) -> None:
    prover.verdict(seal(key, RAW, DMARC, "evil.example"), AUTHOR, SEALERS)
    assert not zone.queries


def test_why_what_came_through_a_group_is_not_proven(prover: DkimProver, key: SigningKey) -> None:
    group = RAW.replace(b"From: Jane <jane@mail.client.example>", b"From: sales@firm.example")
    noted = b"X-Original-From: Jane <jane@mail.client.example>\r\n"
    signed = noted + sign(key, "client.example").replace(RAW.partition(b"\r\n")[0], group.partition(b"\r\n")[0])
    for raw, expected in (
        (group, ("through_group", "")),
        (noted + group, ("through_group", "")),
        (signed, ("dkim", "client.example")),
        (seal(key, group, DMARC), ("seal", "google.com")),
        (seal(key, group, DMARC, "evil.example"), ("seal_not_trusted", "evil.example")),
        (seal(key, group, b"none"), ("seal_saw_no_proof", "google.com")),
        (b"no header\r\n" + group, ("unreadable_headers", "")),
    ):
        assert reasons(prover.verdict_through_group(raw, AUTHOR, SEALERS)) == expected


@pytest.mark.parametrize("unit", [b" ", b"\r\n", b"a  "])
def test_a_hostile_body_under_many_signatures_and_seals_takes_few_seconds(
    prover: DkimProver, key: SigningKey, unit: bytes
) -> None:
    raw = RAW + unit * (25_000_000 // len(unit)) + b"x\r\n"
    signature = sign(key, "client.example").partition(b"From:")[0]
    signed = signature * 20 + seal(key, RAW, DMARC).removesuffix(RAW) + raw
    begun = time.thread_time()
    assert prover.verdict(signed, AUTHOR, SEALERS).reason is VerdictReason.BODY_CHANGED
    assert time.thread_time() - begun < 5.0


@pytest.mark.parametrize(
    ("sent_by", "result"), [("192.0.2.7", "pass"), ("2001:db8::7", "pass"), ("198.51.100.9", "fail")]
)
def test_spf_of_our_peer_proves_no_author(prover: DkimProver, zone: MoodyZoneServer, sent_by: str, result: str) -> None:
    """The reason why the verdict doesn't use SPF (decision 0032): client.example's mail is hosted at the same provider as
    richard's. An attacker may write to richard with Jane's address as envelope sender. The provider's own servers then pass the
    mail on to the capture address unchanged, and Jane's domain names these servers."""
    zone.records |= {
        ("client.example", "TXT"): ['"v=spf1 include:spf.host.example -all"'],
        ("spf.host.example", "TXT"): ['"v=spf1 ip4:192.0.2.0/28 ip6:2001:db8::/64 -all"'],
    }
    questions = Questions(resolver_at("127.0.0.1", zone.port, 20.0))
    peer = ipaddress.ip_address(sent_by)
    assert spf.evaluate(questions, peer, "jane@client.example", "mx.host.example").result == result
    forged = RAW.replace(b"jane@mail.client.example", b"jane@client.example")
    passed_on = f"Received-SPF: {result} client-ip={sent_by}\r\n".encode() + (
        b"Authentication-Results: mx.host.example; spf=pass smtp.mailfrom=jane@client.example; dmarc=pass"
        b" header.from=client.example\r\nReturn-Path: <jane@client.example>\r\n"
    )
    found = prover.verdict(passed_on + forged, "jane@client.example", SEALERS)
    assert found == SenderVerdict(Verdict.NONE, VerdictReason.NO_SIGNATURE)
    told = explained.verdict_reason(str(found.reason), None)
    assert told is not None
    assert english.text(told) == "it has no signature"
