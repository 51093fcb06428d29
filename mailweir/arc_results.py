"""Reads an ARC-Authentication-Results header (RFC 8617 4.1.1, RFC 8601). Strict, because a sender chose parts of its text.

Linear in time, and never raises, on any bytes. Pure. Called by `arc`.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from mailweir import address, dates
from mailweir.sender_verdict import VerdictReason

MAX_BYTES = 8_192  # Google's have 1,500
# A signature of these domains doesn't prove the person: anybody may have an address there, and write any From.
_FOR_EVERYBODY = (
    "aol.com fastmail.com freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com hotmail.com hotmail.co.uk"
    " icloud.com libero.it live.com mac.com mail.com mail.ru me.com msn.com orange.fr outlook.com proton.me protonmail.com qq.com"
    " t-online.de tutanota.com wanadoo.fr web.de yahoo.com yahoo.co.jp yahoo.co.uk yahoo.de yahoo.fr yandex.ru ymail.com zoho.com"
    " 126.com 163.com"
)
FOR_EVERYBODY = frozenset(_FOR_EVERYBODY.split())
_PROPERTIES = frozenset({"header.from", "header.i", "header.d", "smtp.mailfrom"})
# A quoted value (of `prvs=…` and the like) without anything that could look like a result; quotes aren't allowed anywhere else.
_QUOTED = re.compile(r'(?<==)"[^"\\;()\s@]+(?:@[^"\\;()\s@]+)?"(?=[@;\s]|\Z)')
# DMARC's results for a domain without a policy: RFC 7489 11.2 has `none`, Microsoft also `bestguesspass`.
_NO_POLICY = frozenset({"none", "bestguesspass"})


class Result(NamedTuple):
    """One result. domains: by property, in normal form; "" if the value isn't a domain."""

    method: str
    result: str
    domains: Mapping[str, str]


def read(value: bytes) -> list[Result]:
    """The results; none if a quote, a backslash or a bracket stands where it could make a sender's text look like a result.

    A local part could hold text that a sender chose. None of the properties that count needs a quote, and comments are dropped.
    """
    if len(value) > MAX_BYTES:
        return []
    text = _QUOTED.sub(lambda match: match[0].strip('"'), value.decode("utf-8", "replace"))
    if '"' in text or "\\" in text or text.count("(") != text.count(")"):
        return []
    outside, _ = dates.without_comments(text)
    found = []
    for part in outside.split(";")[2:]:  # after the instance and the authserv-id
        words = part.split()
        method, equals, result = words[0].partition("=") if words else ("", "", "")
        if not equals:
            continue
        domains = _domains(words[1:])
        if domains is None:
            return []
        found.append(Result(method.lower().partition("/")[0], result.lower(), domains))
    return found


def _domains(words: Sequence[str]) -> dict[str, str] | None:
    """Domains by property; None if a property occurs twice with different values."""
    domains: dict[str, str] = {}
    for word in words:
        name, _, text = word.partition("=")
        name = name.lower()
        if name in _PROPERTIES:
            domain = address.normalise_domain(text.rpartition("@")[2]) or ""
            if domains.setdefault(name, domain) != domain:
                return None
    return domains


def proof(results: Sequence[Result], author_domain: str, is_aligned: Callable[[str], bool]) -> VerdictReason | None:
    """How the server that wrote these results proved the author in From; None if it didn't.

    DMARC proves the author. If the author's domain has no policy, a signature or SPF of the author's organisation does, except at
    domains where anybody may have an address. No result may name another From.
    """
    policies = [one for one in results if one.method == "dmarc"]
    if any(one.domains["header.from"] != author_domain for one in results if "header.from" in one.domains):
        return None
    if policies and all(one.result == "pass" and "header.from" in one.domains for one in policies):
        return VerdictReason.SEAL
    if any(one.result not in _NO_POLICY for one in policies):
        return None
    if any(_is_pass(one, "dkim", ("header.d", "header.i"), is_aligned) for one in results):
        return VerdictReason.SEAL
    is_by_spf = any(_is_pass(one, "spf", ("smtp.mailfrom",), is_aligned) for one in results)
    return VerdictReason.SEAL_SPF if is_by_spf else None


def is_proven(results: Sequence[Result], is_aligned: Callable[[str], bool]) -> bool:
    """Was the author's domain proven, in a mail whose From no longer has the author? A DKIM signature doesn't say what From was,
    so no result may name another From. SPF doesn't count: the envelope sender says nothing about the author."""
    if not all(is_aligned(one.domains["header.from"]) for one in results if "header.from" in one.domains):
        return False
    return any(_tells(one, is_aligned) for one in results)


def _tells(one: Result, is_aligned: Callable[[str], bool]) -> bool:
    if one.method == "dmarc":
        return one.result == "pass" and "header.from" in one.domains
    return _is_pass(one, "dkim", ("header.d", "header.i"), is_aligned)


def _is_pass(one: Result, method: str, properties: Collection[str], is_aligned: Callable[[str], bool]) -> bool:
    """Did this method pass for an aligned domain? Every property that is present must name an aligned domain."""
    if one.method != method or one.result != "pass":
        return False
    named = [one.domains[name] for name in properties if name in one.domains]
    return bool(named) and all(is_aligned(domain) and domain not in FOR_EVERYBODY for domain in named)
