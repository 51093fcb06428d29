"""The verdict on an author: by whose signature, and what of altered mail, missing keys and silent DNS."""

from collections.abc import Iterator

import pytest

from admin_cli.demo import signing
from admin_cli.demo.signing import SigningKey
from admin_cli.demo.zone import Mood, ZoneServer
from mailweir import sender_auth
from mailweir.errors import DnsUnavailable
from mailweir.sender_auth import DkimProver, Verdict
from mailweir.settings import Dns

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
def zone(key: SigningKey) -> Iterator[ZoneServer]:
    """All domains have the key, the honest and the others."""
    records = {(signing.key_name(SELECTOR, domain), "TXT"): [key.record] for domain in DOMAINS}
    with ZoneServer(records) as server:
        yield server


@pytest.fixture
def prover(zone: ZoneServer) -> DkimProver:
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


def test_without_a_signature_there_is_no_verdict(prover: DkimProver, zone: ZoneServer) -> None:
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
def test_without_dns_nothing_is_known(zone: ZoneServer, key: SigningKey, mood: Mood) -> None:
    prover = DkimProver(Dns(nameserver="127.0.0.1", port=zone.port, timeout_seconds=0.3))
    prover.load()
    zone.mood = mood
    with pytest.raises(DnsUnavailable):
        prover.verdict(sign(key, "client.example"), AUTHOR)
    zone.mood = Mood.WELL
    assert prover.verdict(sign(key, "client.example"), AUTHOR) is Verdict.PASS


def test_a_key_is_asked_for_once_while_it_holds(prover: DkimProver, key: SigningKey, zone: ZoneServer) -> None:
    for _ in range(3):
        assert prover.verdict(sign(key, "client.example"), AUTHOR) is Verdict.PASS
    assert zone.queries == {signing.key_name(SELECTOR, "client.example"): 1}
