"""A verdict in a few bytes and back: nothing else is taken for a verdict, whatever a child sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.sender_verdict import MAX_PACKED_BYTES, PROOFS, SenderVerdict, Verdict, VerdictReason

_DOMAINS = st.from_regex(r"[a-z0-9._-]{0,253}", fullmatch=True)


@given(st.sampled_from(VerdictReason), _DOMAINS, st.sampled_from([Verdict.FAIL, Verdict.NONE]), st.booleans())
def test_a_verdict_comes_back_as_it_was(reason: VerdictReason, domain: str, otherwise: Verdict, ids: bool) -> None:
    value = {True: Verdict.PASS, False: otherwise}[reason in PROOFS]
    found = SenderVerdict(value, reason, domain, covers_ids=ids and reason in PROOFS)
    packed = found.pack()
    assert len(packed) <= MAX_PACKED_BYTES
    assert packed.isascii()
    assert SenderVerdict.parse(packed) == found


def test_the_longest_fits() -> None:
    longest = max(VerdictReason, key=len)
    assert len(SenderVerdict(Verdict.NONE, longest, "x" * 253).pack()) <= MAX_PACKED_BYTES


@pytest.mark.parametrize("domain", ["", "a b", "Client.Example", "b\u00fccher.example", "x" * 254, "a\nb", "\udcff"])
def test_a_domain_that_cannot_be_said_is_left_out(domain: str) -> None:
    packed = SenderVerdict(Verdict.NONE, VerdictReason.OTHER_DOMAIN, domain).pack()
    assert SenderVerdict.parse(packed) == SenderVerdict(Verdict.NONE, VerdictReason.OTHER_DOMAIN)


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"pass",
        b"none",
        b"pass no_signature",  # no proof
        b"none dkim client.example",
        b"fail seal google.com",
        b"pass dkim Client.example",
        b"pass dkim client.example more",
        b"pass dkim +ids client.example",
        b"pass dkim client.example +ids +ids",
        b"none no_signature +ids",  # an unproven verdict proves no ids
        b"+ids",
        b"pass  dkim client.example",
        b"pass dkim client.example\n",
        b"pass dkim " + b"x" * 300,
        b"pending dkim x.example",
        b"pass another x.example",
        b"pass dkim b\xc3\xbccher.example",
        b"\xff" * 20,
    ],
)
def test_nothing_else_is_taken_for_one(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        SenderVerdict.parse(packed)


@given(st.binary(max_size=400))
def test_any_bytes_raise_nothing_else(packed: bytes) -> None:
    for found in _parsed(packed):
        assert found.pack() == packed


def _parsed(packed: bytes) -> list[SenderVerdict]:
    try:
        return [SenderVerdict.parse(packed)]
    except ValueError:
        return []
