"""The verdict on an author: by whose signature, and what of altered mail, missing keys and silent DNS."""

from collections.abc import Iterator

import pytest

from admin_cli.demo import signing
from admin_cli.demo.signing import SigningKey
from mailweir import sender_auth
from mailweir.errors import DnsUnavailable
from mailweir.sender_auth import DkimProver, Verdict
from mailweir.settings import Dns
from tests.moody_zone import Mood, MoodyZoneServer

SELECTOR = "sel"
AUTHOR = "jane@mail.client.example"
RAW = (
    b"From: Jane <jane@mail.client.example>\r\nTo: richard@firm.example\r\nSubject: An offer\r\n"
    b"Message-ID: <1@client.example>\r\nDate: Tue, 24 Nov 2026 03:12:55 +0000\r\n\r\nhello\r\n"
)
DOMAINS = ("client.example", "mail.client.example", "news.client.example", "evil.example", "github.io", "a.github.io")


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture
def zone(key: SigningKey) -> Iterator[MoodyZoneServer]:
    """All domains have the key, the honest and the others."""
    records = {(signing.key_name(SELECTOR, domain), "TXT"): [key.record] for domain in DOMAINS}
    with MoodyZoneServer(records) as server:
        yield server


@pytest.fixture
def prover(zone: MoodyZoneServer) -> DkimProver:
    made = DkimProver(Dns(nameserver="127.0.0.1", port=zone.port, timeout_seconds=2.0), keep_answers=True)
    made.load()
    return made


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
        # github.io is a public suffix: its owner vouches for nobody below it, and neighbours not for each other
        ("github.io", "jane@a.github.io", Verdict.NONE),
        ("a.github.io", "jane@b.github.io", Verdict.NONE),
        ("a.github.io", "jane@a.github.io", Verdict.PASS),
        ("github.io", "jane@github.io", Verdict.PASS),
    ],
)
def test_only_the_authors_organisation_proves_the_author(
    prover: DkimProver, key: SigningKey, domain: str, author: str, expected: Verdict
) -> None:
    assert prover.verdict(sign(key, domain), author) is expected


def test_without_a_signature_there_is_no_verdict(prover: DkimProver, zone: MoodyZoneServer) -> None:
    assert prover.verdict(RAW, AUTHOR) is Verdict.NONE
    assert not zone.queries


def test_altered_mail_fails(prover: DkimProver, key: SigningKey) -> None:
    raw = sign(key, "client.example")
    assert prover.verdict(raw.replace(b"hello", b"pay to another account"), AUTHOR) is Verdict.FAIL
    assert prover.verdict(raw.replace(b"An offer", b"An order"), AUTHOR) is Verdict.FAIL
    assert prover.verdict(sign(SigningKey.generate(), "client.example"), AUTHOR) is Verdict.FAIL


def test_one_good_signature_is_enough_and_a_strangers_changes_nothing(prover: DkimProver, key: SigningKey) -> None:
    good = sign(key, "client.example")
    stranger = SigningKey.generate()
    assert prover.verdict(sign(stranger, "mail.client.example", good), AUTHOR) is Verdict.PASS
    assert prover.verdict(sign(key, "evil.example", good), AUTHOR) is Verdict.PASS
    altered = good.replace(b"hello", b"other")
    assert prover.verdict(sign(key, "evil.example", altered), AUTHOR) is Verdict.FAIL


def test_a_signature_that_proves_nothing_is_not_a_bad_one(prover: DkimProver, key: SigningKey) -> None:
    assert prover.verdict(sign(key, "client.example", with_length=True), AUTHOR) is Verdict.NONE
    # a key that was withdrawn: nobody can tell any more
    assert prover.verdict(sign(key, "client.example", selector="gone"), AUTHOR) is Verdict.NONE


def test_only_so_many_signatures_are_looked_at(prover: DkimProver, key: SigningKey) -> None:
    raw = sign(key, "client.example")
    stranger = SigningKey.generate()
    for _ in range(sender_auth.MAX_ALIGNED_SIGNATURES):
        raw = sign(stranger, "client.example", raw)
    assert prover.verdict(raw, AUTHOR) is Verdict.NONE


@pytest.mark.parametrize("mood", [Mood.SERVFAIL, Mood.SILENT])
def test_without_dns_nothing_is_known(zone: MoodyZoneServer, key: SigningKey, mood: Mood) -> None:
    # a busy machine's answers are late, too
    prover = DkimProver(Dns(nameserver="127.0.0.1", port=zone.port, timeout_seconds=1.0))
    prover.load()
    zone.mood = mood
    with pytest.raises(DnsUnavailable):
        prover.verdict(sign(key, "client.example"), AUTHOR)
    zone.mood = Mood.WELL
    assert prover.verdict(sign(key, "client.example"), AUTHOR) is Verdict.PASS


def test_a_key_is_asked_for_once_while_it_holds(prover: DkimProver, key: SigningKey, zone: MoodyZoneServer) -> None:
    for _ in range(3):
        assert prover.verdict(sign(key, "client.example"), AUTHOR) is Verdict.PASS
    assert zone.queries == {signing.key_name(SELECTOR, "client.example"): 1}


def published(zone: MoodyZoneServer, text: str, domain: str = "client.example") -> None:
    """This at the name of the domain's key."""
    zone.records[signing.key_name(SELECTOR, domain), "TXT"] = [
        " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
    ]


@pytest.mark.parametrize(
    ("tags", "expected", "altered"),
    [
        ("h=sha256", Verdict.PASS, Verdict.FAIL),
        ("h=sha1 : SHA256", Verdict.PASS, Verdict.FAIL),
        ("h=sha1", Verdict.NONE, Verdict.NONE),  # RFC 6376 6.1.2: such a record is to be ignored
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
    assert prover.verdict(raw, AUTHOR) is expected
    assert prover.verdict(raw.replace(b"hello", b"other"), AUTHOR) is altered


def test_a_revoked_key_proves_nothing_either_way(prover: DkimProver, key: SigningKey, zone: MoodyZoneServer) -> None:
    published(zone, "v=DKIM1; p=")
    raw = sign(key, "client.example")
    assert prover.verdict(raw, AUTHOR) is Verdict.NONE
    assert prover.verdict(raw.replace(b"hello", b"other"), AUTHOR) is Verdict.NONE


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
    assert prover.verdict(signed(b"jane@mail.client.example"), AUTHOR) is expected
    assert prover.verdict(signed(b"jane@client.example"), AUTHOR) is Verdict.PASS


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
    assert prover.verdict(RFC8463_MESSAGE, author) is Verdict.PASS
    assert prover.verdict(RFC8463_MESSAGE.replace(b"hungry", b"angry"), author) is Verdict.FAIL
    assert prover.verdict(RFC8463_MESSAGE.replace(b"dinner", b"supper"), author) is Verdict.FAIL
    for record in ("k=ed25519; p=AAAA", f"p={RFC8463_KEY}", "k=ed25519; h=sha1; p=" + RFC8463_KEY, "k=ed25519; p="):
        zone.records["brisbane._domainkey.football.example.com", "TXT"] = [f'"{record}"']
        fresh = DkimProver(Dns(nameserver="127.0.0.1", port=zone.port, timeout_seconds=2.0))
        fresh.load()
        assert fresh.verdict(RFC8463_MESSAGE, author) is Verdict.NONE
