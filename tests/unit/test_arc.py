"""A trusted sealer's statement about the author in From: its proof, and what a stranger gains by seals of their own."""

import time
from collections.abc import Callable

import dkim
import pytest

from admin_cli.demo import signing
from admin_cli.demo.signing import SigningKey
from mailweir import arc, arc_results, dkim_message
from mailweir.sender_verdict import SenderVerdict, Verdict, VerdictReason
from tests.sealing import SELECTOR, seal

DOMAIN = "client.example"
SEALERS = frozenset({"google.com", "microsoft.com"})
RAW = (
    b"From: Jane <jane@client.example>\r\nTo: richard@firm.example\r\nSubject: An offer\r\nMessage-ID: <1@client.example>\r\n"
    b"Date: Tue, 24 Nov 2026 03:12:55 +0000\r\n\r\nhello \t world \r\n\r\n"
)
DMARC = b"dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=client.example"
MICROSOFTS = (
    b"spf=pass (sender ip is 192.0.2.1)\r\n smtp.rcpttodomain=firm.example smtp.mailfrom=client.example; dmarc=pass"
    b" (p=none sp=none\r\n pct=100) action=none header.from=client.example; dkim=pass (signature was\r\n verified)"
    b" header.d=client.example; arc=none (0)"
)
GOOGLES = (
    b"\r\n       dkim=pass header.i=@client.example header.s=sel header.b=AbC;\r\n       spf=pass (google.com: domain of"
    b" prvs=1=jane@client.example designates 192.0.2.1 as permitted sender)"
    b' smtp.mailfrom="prvs=1=jane@client.example";\r\n       ' + DMARC
)
NOT_PROVEN = SenderVerdict(Verdict.NONE, VerdictReason.SEAL_SAW_NO_PROOF, "google.com")
BROKEN = SenderVerdict(Verdict.NONE, VerdictReason.SEAL_BROKEN, "google.com")
UNREADABLE = SenderVerdict(Verdict.NONE, VerdictReason.SEAL_BROKEN)


def by(domain: str = "google.com", reason: VerdictReason = VerdictReason.SEAL) -> SenderVerdict:
    """The verdict that a sealer's statement gives."""
    return SenderVerdict(Verdict.PASS, reason, domain)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    """The key of all domains, honest or not."""
    return SigningKey.generate()


@pytest.fixture
def vouched(key: SigningKey) -> Callable[..., SenderVerdict | None]:
    """The verdict on a mail's author in From, by its seals. All domains except gone.example have keys."""

    def look(raw: bytes, author_domain: str = DOMAIN) -> SenderVerdict | None:
        message = dkim_message.read(raw)
        assert message
        aligned = (author_domain, f"mail.{author_domain}").__contains__
        return arc.vouched(message, author_domain, aligned, SEALERS, lambda name: _record(key, name), time.time())

    return look


def _record(key: SigningKey, name: str) -> bytes:
    return b"" if "gone.example" in name else f"v=DKIM1; p={key.public}".encode()


Look = Callable[..., SenderVerdict | None]


@pytest.mark.parametrize("domain", ["google.com", "microsoft.com"])
@pytest.mark.parametrize("results", [DMARC, MICROSOFTS, GOOGLES], ids=["dmarc", "microsoft's", "google's"])
def test_a_trusted_seal_proves_the_author_whom_dmarc_proved(
    vouched: Look, key: SigningKey, domain: str, results: bytes
) -> None:
    assert vouched(seal(key, RAW, results, domain)) == by(domain)


def test_dkimpy_takes_these_seals_for_good(key: SigningKey) -> None:
    """Otherwise the tests' sealer and our reader could both be wrong in the same way."""
    twice = seal(key, seal(key, RAW, DMARC), b"arc=pass", "firm.example")
    for raw in (seal(key, RAW, GOOGLES), twice):
        assert dkim.arc_verify(raw, dnsfunc=lambda name, timeout=5: _record(key, name.decode()))[0] == dkim.CV_Pass


def test_what_dkimpy_seals_holds(vouched: Look, key: SigningKey) -> None:
    raw = b"Authentication-Results: mx.example; dmarc=pass header.from=client.example\r\n" + RAW
    lines = dkim.ARC(raw).sign(SELECTOR.encode(), b"google.com", key.private_pem, b"mx.example")
    assert vouched(b"".join(b"%s\r\n" % line.strip() for line in lines) + RAW) == by()


def test_a_broken_signature_of_the_author_does_not_matter(vouched: Look, key: SigningKey) -> None:
    """A footer that the mailbox added before it sealed the mail."""
    signed = signing.sign(RAW, key, selector=SELECTOR, domain=DOMAIN)
    assert vouched(seal(key, signed + b"-- \r\nsent on by the firm\r\n", DMARC)) == by()


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (b"dmarc=pass header.from=Client.Example.", by()),
        (b"dmarc=pass header.from=client.example; dmarc=fail header.from=client.example", NOT_PROVEN),
        (b"dmarc=pass header.from=evil.example", NOT_PROVEN),
        (b"dmarc=pass header.from=client.example header.from=evil.example", NOT_PROVEN),
        (b"dmarc=pass header.from=mail.client.example", NOT_PROVEN),  # From says client.example
        (b"dmarc=pass", NOT_PROVEN),
        (b"dmarc=fail header.from=client.example; dkim=pass header.d=client.example", NOT_PROVEN),
        (b"dmarc=temperror header.from=client.example; dkim=pass header.d=client.example", NOT_PROVEN),
        # without a policy
        (b"dkim=pass header.i=@client.example", by()),
        (b"dkim=pass header.d=mail.client.example; dmarc=none header.from=client.example", by()),
        (b"dkim=pass header.d=client.example; dmarc=bestguesspass header.from=client.example", by()),
        (b"dkim=pass header.d=client.example header.i=@evil.example", NOT_PROVEN),
        (b"dkim=pass header.d=evil.example", NOT_PROVEN),
        (b"dkim=fail header.d=client.example", NOT_PROVEN),
        (b"spf=pass smtp.mailfrom=jane@client.example", by(reason=VerdictReason.SEAL_SPF)),
        (b"spf=pass smtp.mailfrom=x@evil.example", NOT_PROVEN),
        (b"spf=softfail smtp.mailfrom=jane@client.example", NOT_PROVEN),
        (b"spf=pass smtp.helo=client.example", NOT_PROVEN),
        (b"", NOT_PROVEN),
        (b"none", NOT_PROVEN),
        # text that a sender chose
        (b'spf=none smtp.mailfrom="; dmarc=pass header.from=client.example; x="@evil.example', NOT_PROVEN),
        (b'spf=none smtp.mailfrom=""; dmarc=pass header.from=client.example; x=""@evil.example', NOT_PROVEN),
        (b'spf=none smtp.mailfrom=x"; dmarc=pass header.from=client.example; x="@evil.example', NOT_PROVEN),
        (b"spf=none (domain of x); dmarc=pass header.from=client.example designates 192.0.2.1)", NOT_PROVEN),
        (b"spf=none (x (evil); dmarc=pass header.from=client.example", NOT_PROVEN),
        (b"spf=none (x\\); dmarc=pass header.from=client.example (\\)", NOT_PROVEN),
        (b"(dmarc=pass header.from=client.example)", NOT_PROVEN),
        (b"spf=none (; dmarc=pass header.from=client.example;)", NOT_PROVEN),
    ],
)
def test_only_what_the_sealer_saw_counts(
    vouched: Look, key: SigningKey, results: bytes, expected: SenderVerdict
) -> None:
    assert vouched(seal(key, RAW, results)) == expected


def test_a_domain_where_everybody_may_have_an_address_takes_dmarc(vouched: Look, key: SigningKey) -> None:
    raw = RAW.replace(b"client.example", b"gmail.com")
    weak = b"dkim=pass header.d=gmail.com; spf=pass smtp.mailfrom=x@gmail.com"
    assert vouched(seal(key, raw, weak), "gmail.com") == NOT_PROVEN
    assert vouched(seal(key, raw, b"dmarc=pass header.from=gmail.com"), "gmail.com") == by()


def test_a_domain_in_another_script_is_known_in_both_forms(vouched: Look, key: SigningKey) -> None:
    for written in ("bücher.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example"):
        raw = seal(key, RAW, b"dmarc=pass header.from=" + written.encode())
        assert vouched(raw, "xn--bcher-kva.example") == by()


def test_who_seals_after_a_trusted_one_changes_nothing_while_the_mail_is_whole(vouched: Look, key: SigningKey) -> None:
    trusted = seal(key, RAW, DMARC)
    assert vouched(seal(key, trusted, b"none", "firm.example")) == by()
    assert vouched(seal(key, trusted, b"dmarc=fail header.from=client.example", "microsoft.com")) == by()
    # a seal that doesn't verify changes nothing either: it says nothing about the mail
    assert vouched(seal(SigningKey.generate(), trusted, b"none", "firm.example")) == by()


def test_a_strangers_seal_over_changed_mail_proves_nothing(vouched: Look, key: SigningKey) -> None:
    """The chain is valid, and dkimpy says `pass`: the stranger only has to claim that it was valid when it arrived."""
    changed = seal(key, RAW, DMARC).replace(b"hello", b"pay to another account")
    forged = seal(key, changed, b"arc=pass; " + DMARC, "evil.example")
    found = dkim.arc_verify(forged, dnsfunc=lambda name, timeout=5: _record(key, name.decode()))
    assert found[0] == dkim.CV_Pass
    assert vouched(forged) == BROKEN


def test_a_strangers_word_is_none_whoever_seals_after_him(vouched: Look, key: SigningKey) -> None:
    strangers = seal(key, RAW, DMARC, "evil.example")
    assert vouched(strangers) == SenderVerdict(Verdict.NONE, VerdictReason.SEAL_NOT_TRUSTED, "evil.example")
    assert vouched(seal(key, strangers, b"arc=pass")) == NOT_PROVEN
    assert vouched(RAW) is None


@pytest.mark.parametrize(
    "domain",
    [
        "client-com.20230601.gappssmtp.com",
        "firm.onmicrosoft.com",
        "mail.google.com",
        "google.com.evil.example",
        "xgoogle.com",
        "GOOGLE.COM.evil.example",
        "g\u043e\u043egle.com",  # two letters of another script
    ],
)
def test_a_trusted_sealers_customer_is_a_stranger(vouched: Look, key: SigningKey, domain: str) -> None:
    found = vouched(seal(key, RAW, DMARC, domain))
    assert found is not None
    assert found.reason in (VerdictReason.SEAL_NOT_TRUSTED, VerdictReason.SEAL_BROKEN)
    # a sealer of only one half of the set is a stranger, too
    for tags in ({"signature_tags": {"d": domain}}, {"seal_tags": {"d": domain}}):
        half = vouched(seal(key, RAW, DMARC, **tags))  # type: ignore[arg-type]
        assert half is not None
        assert half.value is Verdict.NONE


def test_the_sealers_name_counts_in_any_case(vouched: Look, key: SigningKey) -> None:
    assert vouched(seal(key, RAW, DMARC, "Google.COM")) == by()


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"l": "5"}, BROKEN),
        ({"x": "1"}, UNREADABLE),  # before t=
        ({"t": "", "x": "1764000000"}, BROKEN),
        ({"t": str(int(time.time()) + 1_000_000)}, BROKEN),
        ({"h": "to:subject"}, BROKEN),
        ({"h": "from:to:arc-seal"}, UNREADABLE),
        ({"c": "relaxed/simple"}, BROKEN),
        ({"c": ""}, UNREADABLE),
        ({"a": "rsa-sha1"}, BROKEN),
        ({"bh": "AAAA"}, BROKEN),
        ({"s": ""}, UNREADABLE),
        ({"i": "0"}, UNREADABLE),
        ({"i": "99"}, UNREADABLE),
        ({"d": "gone.example"}, SenderVerdict(Verdict.NONE, VerdictReason.SEAL_NOT_TRUSTED, "google.com")),
    ],
)
def test_a_message_signature_must_cover_the_mail_now(
    vouched: Look, key: SigningKey, tags: dict[str, str], expected: SenderVerdict
) -> None:
    assert vouched(seal(key, RAW, DMARC, signature_tags=tags)) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"cv": "fail"}, BROKEN),  # the sealer ended the chain
        ({"cv": "pass"}, BROKEN),  # there is no earlier set
        ({"cv": ""}, UNREADABLE),
        ({"h": "from"}, UNREADABLE),
        ({"a": "ed25519-sha256"}, BROKEN),
    ],
)
def test_a_seal_must_be_one(vouched: Look, key: SigningKey, tags: dict[str, str], expected: SenderVerdict) -> None:
    assert vouched(seal(key, RAW, DMARC, seal_tags=tags)) == expected


@pytest.mark.parametrize("chain", ["fail", "none"])
def test_a_chain_that_is_ended_says_nothing(vouched: Look, key: SigningKey, chain: str) -> None:
    """The sealer that ended it could have altered the mail, too."""
    for domain in ("google.com", "firm.example"):
        ended = vouched(seal(key, seal(key, RAW, DMARC), DMARC, domain, chain=chain))
        assert ended == SenderVerdict(Verdict.NONE, VerdictReason.SEAL_BROKEN, domain)


ALTERATIONS: dict[str, Callable[[bytes], bytes]] = {
    "the body": lambda raw: raw.replace(b"hello", b"hallo"),
    "the author": lambda raw: raw.replace(b"Jane <", b"Joe <"),
    "the results": lambda raw: raw.replace(b"=REJECT", b"=NONE", 1),
    "no results": lambda raw: raw.replace(b"ARC-Authentication-Results:", b"X-Results:"),
    "no seal": lambda raw: raw.replace(b"ARC-Seal:", b"X-Seal:"),
    "a set twice": lambda raw: raw[: raw.index(b"From:")] + raw,
    "results in place of others": lambda raw: (
        b"ARC-Authentication-Results: i=1; x; dmarc=pass header.from=a.example\r\n" + raw
    ),
    "another instance": lambda raw: raw.replace(b"i=1;", b"i=2;"),
    "huge results": lambda raw: raw.replace(b"mx.example;", b"mx.example; " + b"x" * arc_results.MAX_BYTES),
    "the instance in a comment": lambda raw: raw.replace(b"Results: i=1;", b"Results: (i=2;) i=1;"),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_what_was_altered_after_the_seal_proves_nothing(vouched: Look, key: SigningKey, name: str) -> None:
    sealed = seal(key, RAW, DMARC)
    altered = ALTERATIONS[name](sealed)
    assert altered != sealed
    found = vouched(altered)
    assert found is not None
    assert found.reason is VerdictReason.SEAL_BROKEN


def test_a_set_of_one_mail_proves_no_other(vouched: Look, key: SigningKey) -> None:
    sealed = seal(key, RAW, DMARC)
    other = RAW.replace(b"hello", b"pay to another account")
    assert vouched(sealed.removesuffix(RAW) + other) == BROKEN


def test_space_may_change_where_its_form_lets_it(vouched: Look, key: SigningKey) -> None:
    sealed = seal(key, RAW, DMARC)
    assert vouched(sealed.replace(b"hello \t world \r\n", b"hello world\r\n")) == by()
    assert vouched(sealed.replace(b"Subject: An offer", b"SUBJECT:   An\r\n\toffer  ")) == by()


def test_more_sets_than_a_chain_may_have_are_not_read(vouched: Look, key: SigningKey) -> None:
    raw = RAW
    for _ in range(arc.MAX_SETS):
        raw = seal(key, raw, DMARC)
    assert vouched(raw) == by()
    assert vouched(seal(key, raw, DMARC)) == UNREADABLE


def test_a_sealer_without_a_key_says_nothing(key: SigningKey) -> None:
    message = dkim_message.read(seal(key, RAW, DMARC))
    assert message
    found = arc.vouched(message, DOMAIN, DOMAIN.__eq__, SEALERS, lambda _: b"", time.time())
    assert found == BROKEN


def test_keys_are_asked_for_only_of_trusted_sealers(key: SigningKey) -> None:
    message = dkim_message.read(seal(key, RAW, DMARC, "evil.example"))
    assert message
    asked: list[str] = []
    arc.vouched(message, DOMAIN, DOMAIN.__eq__, SEALERS, lambda name: bytes(asked.append(name) or b""), time.time())  # type: ignore[func-returns-value]
    assert asked == []
