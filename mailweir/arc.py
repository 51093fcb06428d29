"""Does a sealer whom we trust vouch that a mail was proven when it came to him (RFC 8617), before a group changed it?

Anybody can seal, so only the sealers count that the settings name, and only where nobody else sealed after them. The chain is
verified by dkimpy. Called by `sender_auth`, within its deadline and limits.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from mailweir import dates, dkim_tags
from mailweir.headers import MAX_PROVABLE_HEADERS

MAX_SETS = 10
MAX_RESULTS_BYTES = 8_192  # Google's have 1,500
MIN_RSA_BITS = 1024  # RFC 8301 3.2
# Their domain says nothing of the person: everybody may have an address there, and a signature covers whatever From it covered
_FOR_EVERYBODY = (
    "aol.com fastmail.com freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com hotmail.com hotmail.co.uk"
    " icloud.com libero.it live.com mac.com mail.com mail.ru me.com msn.com orange.fr outlook.com proton.me protonmail.com qq.com"
    " t-online.de tutanota.com wanadoo.fr web.de yahoo.com yahoo.co.jp yahoo.co.uk yahoo.de yahoo.fr yandex.ru ymail.com zoho.com"
    " 126.com 163.com"
)
FOR_EVERYBODY = frozenset(_FOR_EVERYBODY.split())
_SPACES = re.compile(rb"[ \t]+")
_NAMES = (b"arc-seal", b"arc-message-signature", b"arc-authentication-results")
_INSTANCE = re.compile(rb"\s*i\s*=\s*([1-9][0-9]?)\s*;")
_SHORT_NAMES = frozenset({"header.from", "header.i", "header.d"})
# What dkimpy lets through besides its own exceptions where it stumbles over malformed headers
_STUMBLES = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError)


class Result(NamedTuple):
    """One result of an Authentication-Results header (RFC 8601 2.2): method, result, and those properties that name a domain."""

    method: str
    result: str
    domains: Mapping[str, str]


def vouches(
    raw: bytes, is_aligned: Callable[[str], bool], sealers: AbstractSet[str], txt: Callable[[str], bytes]
) -> bool:
    """Did one of the sealers see the mail (CRLF) proven by DMARC or DKIM for an aligned domain, and is his word still whole?

    sealers: domains in lower case. txt: a key's record by its name, empty where there is none. Errors: whatever txt raises.
    """
    import dkim  # when it is needed, as in `sender_auth`

    try:
        message = dkim.ARC(raw, minkey=MIN_RSA_BITS)
    except (dkim.DKIMException, *_STUMBLES):
        return False
    if not _is_worth_reading(message.headers, sealers):
        return False
    message.body = _SPACES.sub(b" ", message.body)  # RFC 6376 3.4.4, which dkimpy takes quadratic time for
    try:
        state, sets, _ = message.verify(dnsfunc=lambda name, timeout=0: txt(name.decode("ascii", "replace")))
        if state != dkim.CV_Pass:
            return False
        return any(_is_proven(read_results(one["aar-value"]), is_aligned) for one in _trusted(sets, sealers))
    except (dkim.DKIMException, *_STUMBLES):
        return False


def _is_worth_reading(headers: Sequence[tuple[bytes, bytes]], sealers: AbstractSet[str]) -> bool:
    """Is the chain whole, small, and sealed last by somebody who counts, over From and the whole body, not too long ago?"""
    names = [name.strip().lower() for name, _ in headers]
    if len(headers) > MAX_PROVABLE_HEADERS or dkim_tags.has_additions(headers):
        return False
    found: dict[tuple[bytes, int], bytes] = {}
    for name, (_, value) in zip(names, headers, strict=True):
        if name in _NAMES:
            instance = _INSTANCE.match(value) if len(value) <= MAX_RESULTS_BYTES else None
            key = (name, int(instance[1])) if instance else None
            if key is None or key in found:
                return False
            found[key] = value
    last = len(found) // len(_NAMES)
    if not 1 <= last <= MAX_SETS or found.keys() != {(name, i) for name in _NAMES for i in range(1, last + 1)}:
        return False
    seal, signature = dkim_tags.read(found[_NAMES[0], last]), dkim_tags.read(found[_NAMES[1], last])
    is_theirs = dkim_tags.domain(seal) in sealers and dkim_tags.domain(signature) in sealers
    is_current = dkim_tags.is_timely(signature, time.time())
    return is_theirs and is_current and dkim_tags.is_relaxed(signature) and dkim_tags.proves_something(signature)


def _trusted(sets: Sequence[Mapping[str, Any]], sealers: AbstractSet[str]) -> Iterator[Mapping[str, Any]]:
    """The sets of sealers who count, from the last one on, as long as nobody else's lies between. sets: the last one first."""
    for one in sets:
        if one["as-domain"].lower().decode("ascii", "replace") not in sealers:
            return
        yield one


def read_results(value: bytes) -> list[Result]:
    """The results of an ARC-Authentication-Results header; none where it quotes something.

    A quote could hold what a sender chose, such as a local part, and look like a result. None of the properties that count needs
    one, and comments go.
    """
    text = value.decode("utf-8", "replace")
    if '"' in text or "\\" in text:
        return []
    outside, _ = dates.without_comments(text)
    found = []
    for part in outside.split(";")[2:]:  # behind the instance and who says so
        words = part.split()
        method, equals, result = words[0].partition("=") if words else ("", "", "")
        if equals:
            pairs = (word.lower().partition("=") for word in words[1:])
            domains = {name: text.rpartition("@")[2] for name, _, text in pairs if name in _SHORT_NAMES}
            found.append(Result(method.lower().partition("/")[0], result.lower(), domains))
    return found


def _is_proven(results: Sequence[Result], is_aligned: Callable[[str], bool]) -> bool:
    """Is the author's domain proven? A DKIM signature doesn't say what stood in From, so nothing may say that it was another."""
    if not all(is_aligned(one.domains["header.from"]) for one in results if "header.from" in one.domains):
        return False
    return any(one.result == "pass" and _tells(one, is_aligned) for one in results)


def _tells(one: Result, is_aligned: Callable[[str], bool]) -> bool:
    if one.method == "dmarc":
        return "header.from" in one.domains
    signer = one.domains.get("header.d") or one.domains.get("header.i")
    return one.method == "dkim" and signer is not None and is_aligned(signer) and signer not in FOR_EVERYBODY
