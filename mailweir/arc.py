"""Does a trusted sealer vouch that a mail was proven when the sealer received it (ARC, RFC 8617)?

Anybody can seal, so only the sealers in the settings count, compared by their exact domain. There are two questions. `vouched` is
for mail that names its author in From: it reads what a trusted sealer saw, if the message is still as sealed. `vouched_for_group`
is for mail that a group changed and sealed again: it reads what a trusted sealer saw before the change. Called by `sender_auth`,
within its deadline.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from mailweir import arc_results, dkim_tags, dkim_verifying, sender_verdict
from mailweir.dkim_message import Message, header_text
from mailweir.dkim_verifying import Signature, Txt
from mailweir.sender_verdict import SenderVerdict, Verdict, VerdictReason

MAX_SETS = 10
_RESULTS, _SIGNATURE, _SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
_NAMES = (_RESULTS, _SIGNATURE, _SEAL)  # in the order in which a seal covers them (RFC 8617 5.1.1)
_INSTANCE = re.compile(rb"\s*i\s*=\s*([1-9][0-9]?)\s*;")
_NUMBER = re.compile(rb"[1-9][0-9]?")
_MANDATORY = {
    _SIGNATURE: (b"i", b"a", b"b", b"bh", b"c", b"d", b"h", b"s"),
    _SEAL: (b"i", b"a", b"b", b"cv", b"d", b"s"),
}
_ALGORITHM = b"rsa-sha256"  # the only one in RFC 8617

IsAligned = Callable[[str], bool]


class _Set(NamedTuple):
    """The ARC set of one sealer. results: the header."""

    results: tuple[bytes, bytes]
    signature: Signature
    seal: Signature

    def is_by(self, sealers: AbstractSet[str]) -> bool:
        return self.seal.domain in sealers and self.signature.domain in sealers


def vouched(
    message: Message, author_domain: str, is_aligned: IsAligned, sealers: AbstractSet[str], txt: Txt, now: float
) -> SenderVerdict | None:
    """The result of a trusted sealer for the author in From, if the sealer's seal and message signature hold for the message as
    it is now.

    Later sealers don't change that, unless they say that the chain is broken. author_domain: in normal form. sealers: domains in
    normal form. txt, now: see `dkim_verifying.check`. None if nothing is sealed. Errors: whatever txt raises.
    """
    sets = _read(message)
    if sets is None:
        return None
    if not sets:
        return sender_verdict.none(VerdictReason.SEAL_BROKEN)
    if not _is_continued(sets):
        return sender_verdict.none(VerdictReason.SEAL_BROKEN, sets[-1].seal.domain)
    told = sender_verdict.none(VerdictReason.SEAL_NOT_TRUSTED, sets[-1].seal.domain)
    for number in range(len(sets), 0, -1):
        one = sets[number - 1]
        if not one.is_by(sealers):
            continue
        if _covers_now(message, one.signature, txt, now) and _is_sealed(sets[:number], txt):
            proof = arc_results.proof(arc_results.read(one.results[1]), author_domain, is_aligned)
            if proof is not None:
                return SenderVerdict(Verdict.PASS, proof, one.seal.domain)
            told = sender_verdict.none(VerdictReason.SEAL_SAW_NO_PROOF, one.seal.domain)
        elif told.reason is VerdictReason.SEAL_NOT_TRUSTED:
            told = sender_verdict.none(VerdictReason.SEAL_BROKEN, one.seal.domain)
    return told


def vouched_for_group(
    message: Message, is_aligned: IsAligned, sealers: AbstractSet[str], txt: Txt, now: float
) -> SenderVerdict | None:
    """The result of a trusted sealer for an author whom a group removed from From. All later sealers could have changed it.

    So all of them must be trusted, the whole chain must hold, and the last one's message signature must hold now. None if nothing
    is sealed. Otherwise as `vouched`.
    """
    sets = _read(message)
    if sets is None:
        return None
    last = sets[-1].seal.domain if sets else ""
    if not sets or not _is_continued(sets):
        return sender_verdict.none(VerdictReason.SEAL_BROKEN, last)
    if not sets[-1].is_by(sealers):
        return sender_verdict.none(VerdictReason.SEAL_NOT_TRUSTED, last)
    if not _covers_now(message, sets[-1].signature, txt, now):
        return sender_verdict.none(VerdictReason.SEAL_BROKEN, last)
    if not all(_is_sealed(sets[:number], txt) for number in range(len(sets), 0, -1)):
        return sender_verdict.none(VerdictReason.SEAL_BROKEN, last)
    for one in _trusted(sets, sealers):
        if arc_results.is_proven(arc_results.read(one.results[1]), is_aligned):
            return SenderVerdict(Verdict.PASS, VerdictReason.SEAL, one.seal.domain)
    return sender_verdict.none(VerdictReason.SEAL_SAW_NO_PROOF, last)


def _trusted(sets: list[_Set], sealers: AbstractSet[str]) -> Iterator[_Set]:
    """The trusted sealers' sets, from the last one backwards, until a set whose sealer isn't trusted."""
    for one in reversed(sets):
        if not one.is_by(sealers):
            return
        yield one


def _read(message: Message) -> list[_Set] | None:
    """The chain's sets, the first one first; empty if the chain isn't complete (RFC 8617 5.2), None if there is no chain."""
    found: dict[tuple[bytes, int], tuple[bytes, bytes]] = {}
    is_whole = True
    for name in _NAMES:
        for header in message.named(name):
            number = _instance(name, header[1])
            is_whole = is_whole and number is not None and (name, number) not in found
            found[name, number or 0] = header
    if not found:
        return None
    last = len(found) // len(_NAMES)
    if not is_whole or not 1 <= last <= MAX_SETS:
        return []
    if found.keys() != {(name, number) for name in _NAMES for number in range(1, last + 1)}:
        return []
    sets = [_set_of(found, number) for number in range(1, last + 1)]
    is_well_formed = all(_is_well_formed(one) for one in sets)
    return sets if is_well_formed else []


def _set_of(found: Mapping[tuple[bytes, int], tuple[bytes, bytes]], number: int) -> _Set:
    read = dkim_verifying.read
    return _Set(found[_RESULTS, number], read(found[_SIGNATURE, number]), read(found[_SEAL, number]))


def _instance(name: bytes, value: bytes) -> int | None:
    if name == _RESULTS:
        match = _INSTANCE.match(value) if len(value) <= arc_results.MAX_BYTES else None
        return int(match[1]) if match else None
    number = dkim_tags.read(value).get(b"i", b"")
    return int(number) if _NUMBER.fullmatch(number) else None


def _is_well_formed(one: _Set) -> bool:
    pairs = ((_SIGNATURE, one.signature), (_SEAL, one.seal))
    fits = all(dkim_verifying.is_well_formed(signature, _MANDATORY[name]) for name, signature in pairs)
    # RFC 8617 4.1.2, 4.1.3: a seal can't choose which headers it covers, and a message signature must not cover seals.
    return fits and b"h" not in one.seal.tags and _SEAL not in dkim_tags.covered(one.signature.tags)


def _is_continued(sets: list[_Set]) -> bool:
    """Does each sealer say that the chain was valid on arrival (RFC 8617 4.1.3, cv=)?"""
    said = [one.seal.tags[b"cv"] for one in sets]
    return said == [b"none", *[b"pass"] * (len(sets) - 1)]


def _covers_now(message: Message, signature: Signature, txt: Txt, now: float) -> bool:
    """Does this message signature match the message as it is now, with From and the whole body?"""
    tags = signature.tags
    forms = dkim_tags.forms(tags)
    if not forms or not forms[1] or tags[b"a"] != _ALGORITHM:
        return False
    if not dkim_tags.proves_something(tags) or not dkim_tags.is_timely(tags, now):
        return False
    key = dkim_verifying.published_key(signature, txt)
    return not isinstance(key, VerdictReason) and dkim_verifying.fault(message, signature, key) is None


def _is_sealed(sets: list[_Set], txt: Txt) -> bool:
    """Does the last set's seal hold over all of these sets (RFC 8617 5.1.1)?"""
    seal = sets[-1].seal
    if seal.tags[b"a"] != _ALGORITHM:
        return False
    key = dkim_verifying.published_key(seal, txt)
    if isinstance(key, VerdictReason):
        return False
    headers = [header for one in sets for header in (one.results, one.signature.header, one.seal.header)]
    name, value = headers.pop()
    emptied = header_text((name, dkim_tags.unsigned(value)), is_relaxed=True)[:-2]
    text = b"".join([*(header_text(header, is_relaxed=True) for header in headers), emptied])
    return dkim_verifying.fault_of_text(text, seal, key) is None
