"""The verdict on an author whose mail a group or list passed on: by the From that the group noted, or by a trusted sealer's
seal."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import dkim
import pytest

from admin_cli.demo import signing
from admin_cli.demo.signing import SigningKey
from mailweir import arc_results
from mailweir.errors import DnsUnavailable
from mailweir.sender_auth import DkimProver
from mailweir.sender_verdict import Verdict
from mailweir.settings import Dns
from tests.moody_zone import Mood, MoodyZoneServer

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly

SELECTOR = "sel"
JANE = "jane@client.example"
SEALERS = ["google.com"]
DOMAINS = ("client.example", "mail.client.example", "firm.example", "google.com", "evil.example", "gmail.com")
REST = (
    b"To: sales@firm.example\r\nSubject: An offer\r\nMessage-ID: <1@client.example>\r\n"
    b"Date: Tue, 24 Nov 2026 03:12:55 +0000\r\nMIME-Version: 1.0\r\n\r\nhello\r\n"
)
DIRECT = b"From: Jane <jane@client.example>\r\n" + REST
VIA = b'From: "Jane via Sales" <sales@firm.example>\r\n'
NOTED = b"X-Original-From: Jane <jane@client.example>\r\n"
NOTHING = b"spf=none smtp.mailfrom=x@firm.example"
DMARC = (
    b"dkim=pass header.i=@client.example; spf=fail smtp.mailfrom=x@firm.example; dmarc=pass header.from=client.example"
)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture
def zone(key: SigningKey) -> Iterator[MoodyZoneServer]:
    """All domains, honest or not, publish the same key."""
    with MoodyZoneServer({(signing.key_name(SELECTOR, one), "TXT"): [key.record] for one in DOMAINS}) as server:
        yield server


@pytest.fixture
def prover(zone: MoodyZoneServer) -> DkimProver:
    made = DkimProver(Dns(nameserver="127.0.0.1", port=zone.port, timeout_seconds=2.0))
    made.load()
    return made


def seal(key: SigningKey, raw: bytes, results: bytes, domain: str = "google.com", chain: str = "none") -> bytes:
    """The seal of a sealer that saw these results. chain: its statement about the earlier seals."""
    results = results if chain == "none" else results + b"; arc=" + chain.encode()
    message = dkim.ARC(b"Authentication-Results: mx.example; " + results + b"\r\n" + raw)
    lines = message.sign(SELECTOR.encode(), domain.encode(), key.private_pem, b"mx.example")
    assert lines, "no seal was made"
    return b"".join(b"%s\r\n" % line.strip() for line in lines) + raw


def verdict(prover: DkimProver, raw: bytes, author: str = JANE) -> Verdict:
    return prover.verdict_through_group(raw, author, SEALERS).value


# --- by a signature ---------------------------------------------------------------------------------------------------


def test_a_signature_over_the_from_that_the_group_noted_proves_it(prover: DkimProver, key: SigningKey) -> None:
    signed = signing.sign(DIRECT, key, selector=SELECTOR, domain="client.example")
    passed_on = NOTED + signed.replace(b"From: Jane <jane@client.example>\r\n", VIA)
    assert verdict(prover, passed_on) is Verdict.PASS
    assert verdict(prover, passed_on.replace(b"hello", b"hello, with a footer")) is Verdict.NONE
    assert verdict(prover, passed_on.replace(NOTED, b"X-Original-Sender: jane@client.example\r\n")) is Verdict.NONE
    assert verdict(prover, passed_on.replace(NOTED, NOTED.replace(b"Jane <", b"Jane Smith <"))) is Verdict.NONE


@pytest.mark.parametrize("domain", ["firm.example", "evil.example", "client.example"])
def test_a_signature_over_the_groups_from_proves_nothing(prover: DkimProver, key: SigningKey, domain: str) -> None:
    """This holds even if the contact's own domain signed it: somebody else there could write the group's address, and name
    anybody as the original author."""
    raw = signing.sign(NOTED + VIA + REST, key, selector=SELECTOR, domain=domain)
    assert verdict(prover, raw) is Verdict.NONE


# --- by a seal --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("results", "author", "expected"),
    [
        (DMARC, JANE, Verdict.PASS),
        (DMARC, "jane@mail.client.example", Verdict.PASS),
        (DMARC, "jane@evil.example", Verdict.NONE),
        (b"dmarc=pass header.from=client.example", JANE, Verdict.PASS),
        (b"dkim=pass header.i=@client.example", JANE, Verdict.PASS),
        (b"dkim=pass header.d=mail.client.example", JANE, Verdict.PASS),
        (b"dkim=pass header.i=@evil.example", JANE, Verdict.NONE),
        (b"dkim=fail header.i=@client.example", JANE, Verdict.NONE),
        (b"dmarc=fail header.from=client.example", JANE, Verdict.NONE),
        (b"spf=pass smtp.mailfrom=jane@client.example", JANE, Verdict.NONE),
        # Signed there, but with a From that differs from the one now named as the original.
        (b"dkim=pass header.i=@client.example; dmarc=pass header.from=firm.example", JANE, Verdict.NONE),
        (b"dkim=pass header.i=@client.example; dmarc=none header.from=evil.example", JANE, Verdict.NONE),
        # anybody may have an address there, and write any From
        (b"dkim=pass header.i=@gmail.com", "jane@gmail.com", Verdict.NONE),
        (b"dkim=pass header.i=@gmail.com; dmarc=pass header.from=gmail.com", "jane@gmail.com", Verdict.PASS),
        (b"none", JANE, Verdict.NONE),
    ],
)
def test_a_trusted_seal_proves_what_it_saw(
    prover: DkimProver, key: SigningKey, results: bytes, author: str, expected: Verdict
) -> None:
    assert verdict(prover, seal(key, NOTED + VIA + REST, results), author) is expected


def test_anybody_can_seal(prover: DkimProver, key: SigningKey) -> None:
    raw = seal(key, VIA + REST, DMARC, domain="evil.example")
    assert verdict(prover, raw) is Verdict.NONE
    assert verdict(prover, seal(SigningKey.generate(), VIA + REST, DMARC)) is Verdict.NONE
    # A trusted seal above a stranger's report doesn't make it count. No report below a stranger's counts either.
    assert verdict(prover, seal(key, raw, NOTHING, chain="pass")) is Verdict.NONE
    trusted = seal(key, VIA + REST, DMARC)
    assert verdict(prover, seal(key, trusted, NOTHING, chain="pass")) is Verdict.PASS
    assert verdict(prover, seal(key, trusted, NOTHING, domain="evil.example", chain="pass")) is Verdict.NONE


ALTERATIONS: dict[str, Callable[[bytes], bytes]] = {
    "the body": lambda raw: raw.replace(b"hello", b"pay to another account"),
    "the subject": lambda raw: raw.replace(b"An offer", b"An order"),
    "a second subject": lambda raw: raw.replace(b"Subject:", b"Subject: x\r\nSubject:"),
    "the results": lambda raw: raw.replace(b"header.from=client.example", b"header.from=client.Example"),
    "no seal": lambda raw: raw.replace(b"ARC-Seal:", b"X-Seal:"),
    "no results": lambda raw: raw.replace(b"ARC-Authentication-Results:", b"X-Results:"),
    "results twice": lambda raw: raw[: raw.index(b"ARC-Message")] + raw,
    "another instance": lambda raw: raw.replace(b"i=1;", b"i=2;"),
    "no instance": lambda raw: raw.replace(b"ARC-Seal: i=1;", b"ARC-Seal: x=1;"),
    "a huge seal": lambda raw: raw.replace(b"ARC-Seal: i=1;", b"ARC-Seal: i=1; " + b"x" * 9_000 + b"=1;"),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_what_was_altered_after_the_seal_proves_nothing(prover: DkimProver, key: SigningKey, name: str) -> None:
    sealed = seal(key, VIA + REST, DMARC)
    altered = ALTERATIONS[name](sealed)
    assert altered != sealed
    assert verdict(prover, altered) is Verdict.NONE


@pytest.mark.parametrize("mood", [Mood.SERVFAIL, Mood.SILENT])
def test_without_dns_nothing_is_known(zone: MoodyZoneServer, key: SigningKey, mood: Mood) -> None:
    # DNS answers late on a busy machine, too
    prover = DkimProver(Dns(nameserver="127.0.0.1", port=zone.port, timeout_seconds=1.0))
    prover.load()
    zone.mood = mood
    with pytest.raises(DnsUnavailable):
        verdict(prover, seal(key, VIA + REST, DMARC))
    zone.mood = Mood.WELL
    assert verdict(prover, seal(key, VIA + REST, DMARC)) is Verdict.PASS


def test_mail_that_no_trusted_one_sealed_costs_no_dns(
    prover: DkimProver, zone: MoodyZoneServer, key: SigningKey
) -> None:
    verdict(prover, seal(key, VIA + REST, DMARC, domain="evil.example"))
    verdict(prover, VIA + REST)
    assert not zone.queries


# --- results ----------------------------------------------------------------------------------------------------------


def test_results_are_read_as_google_writes_them() -> None:
    value = (
        b" i=1; mx.google.com;\r\n       dkim=pass header.i=@client.example header.s=sel header.b=AbC;\r\n"
        b"       spf=pass (google.com: domain of jane@client.example designates 192.0.2.1 as permitted sender)"
        b" smtp.mailfrom=jane@client.example;\r\n       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=Client.example"
    )
    assert [(one.method, one.result, dict(one.domains)) for one in arc_results.read(value)] == [
        ("dkim", "pass", {"header.i": "client.example"}),
        ("spf", "pass", {"smtp.mailfrom": "client.example"}),
        ("dmarc", "pass", {"header.from": "client.example"}),
    ]


@pytest.mark.parametrize(
    "injected",
    [
        b'spf=none smtp.mailfrom="; dmarc=pass header.from=client.example; x="@evil.example',
        b'spf=none (domain of "x) ; dmarc=pass header.from=client.example ("@evil.example) smtp.mailfrom=x@evil.example',
        b"spf=none (domain of x\\) ; dmarc=pass header.from=client.example (@evil.example)",
    ],
)
def test_what_a_sender_chose_is_no_result(injected: bytes) -> None:
    assert arc_results.read(b"i=1; mx.google.com; " + injected) == []


@pytest.mark.parametrize(
    "value", [b"", b";", b";;;", b"i=1", b"i=1; mx", b"\xff;\xff;\xff=\xff", b"i=1;mx;=;a=;=b;(", b")" * 99]
)
def test_results_of_any_form_are_read_without_an_error(value: bytes) -> None:
    assert all(one.result in ("", "b") or one.method for one in arc_results.read(value))


@pytest.mark.parametrize("scrap", [b"(a=b) ;", b"(", b"; a=b header.from=c", b")("])
def test_the_time_grows_with_the_length(scrap: bytes, grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: arc_results.read(b"i=1; mx; " + scrap * (size // len(scrap))))
