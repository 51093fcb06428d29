"""Parses the text of an SPF record (RFC 7208 section 12), and expands its macros (section 7).

Pure: makes no queries. Called by `spf`, `spf_slips`, `spf_terms` and `suggestion`.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from mailweir.sentence import said

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

QUALIFIERS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
COUNTED = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})  # 4.6.4: each costs a look-up
MAX_NAME_BYTES = 253  # 7.3
_MAX_SHOWN_CHARS = 80  # of an unreadable term: a record may have 64 kB of it
_MAX_LABEL_DIGITS = 3  # a longer number keeps all labels, because no name has a thousand

_MECHANISM = re.compile(r"([-+~?]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?=[:/]|$)(.*)", re.IGNORECASE | re.DOTALL)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)", re.DOTALL)
_CIDR = re.compile(r"(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?\Z")
_EXPANSION = r"%\{[slodiphcrtv][0-9]*r?[-.+,/_=]*\}|%%|%_|%-"
_MACRO_STRING = re.compile(rf"(?:{_EXPANSION}|[!-$&-~])*\Z", re.IGNORECASE)
_EXPLANATION = re.compile(rf"(?:{_EXPANSION}|[ !-$&-~])*\Z", re.IGNORECASE)
_DOMAIN_END = re.compile(
    rf"(?:(?:{_EXPANSION}|[!-$&-~])*(?:\.(?:[0-9]*[a-z][a-z0-9]*|[a-z0-9]+-[a-z0-9-]*[a-z0-9])\.?|%\{{[^}}]*\}}|%%|%_|%-))\Z",
    re.IGNORECASE,
)
_MACRO = re.compile(r"%(?:\{([a-z])([0-9]*)(r?)([-.+,/_=]*)\}|([%_-]))", re.IGNORECASE)


class SyntaxFault(Exception):
    """The record can't be read: permerror. Its text names the term, and the reason."""


@dataclass(frozen=True, slots=True)
class Term:
    """One mechanism, or `redirect` or `exp`. value: a domain-spec with its macros, or None."""

    text: str
    name: str
    result: str = ""
    value: str | None = None
    network: IpNetwork | None = None
    prefix4: int = 32
    prefix6: int = 128


@dataclass(frozen=True, slots=True)
class Record:
    """mechanisms: in their order. redirect, exp: the two modifiers, or None."""

    mechanisms: tuple[Term, ...]
    redirect: Term | None
    exp: Term | None


def is_spf(text: str) -> bool:
    """Is this TXT value an SPF record (4.5)?"""
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def parse(text: str) -> Record:
    """The record. Errors: SyntaxFault."""
    if not text.isascii():
        raise SyntaxFault(said("the record has bytes that aren't ASCII"))
    mechanisms: list[Term] = []
    modifiers: dict[str, Term] = {}
    for word in text[len("v=spf1") :].split(" "):
        if not word:
            continue
        if matched := _MODIFIER.match(word):
            name = matched[1].lower()
            _require(_MACRO_STRING.match(matched[2]), word, said("has a macro or a character that isn't valid"))
            _require_digits(matched[2], word)
            if name not in ("redirect", "exp"):
                continue
            _require(name not in modifiers, word, said("occurs twice"))
            modifiers[name] = Term(word, name, value=_domain_spec(matched[2], word))
        else:
            mechanisms.append(_mechanism(word))
    return Record(tuple(mechanisms), modifiers.get("redirect"), modifiers.get("exp"))


def _require(condition: object, word: str, fault: str) -> None:
    if not condition:
        raise SyntaxFault(said("'{word}' {fault}", word=_shown(word), fault=fault))


def _shown(word: str) -> str:
    return word if len(word) <= _MAX_SHOWN_CHARS else word[:_MAX_SHOWN_CHARS] + "…"


def _mechanism(word: str) -> Term:
    matched = _MECHANISM.match(word)
    if not matched:
        raise SyntaxFault(said("'{word}' is not a mechanism that SPF knows", word=_shown(word)))
    name, rest = matched[2].lower(), matched[3]
    result = QUALIFIERS[matched[1] or "+"]
    if name == "all":
        _require(not rest, word, said("allows no value"))
        return Term(word, name, result)
    if name in ("ip4", "ip6"):
        return Term(word, name, result, network=_network(name, rest, word))
    if name in ("include", "exists"):
        _require(rest.startswith(":"), word, said("needs a domain"))
        return Term(word, name, result, _domain_spec(rest[1:], word))
    if name == "ptr":
        _require(not rest or rest.startswith(":"), word, said("allows only a domain"))
        return Term(word, name, result, _domain_spec(rest[1:], word) if rest else None)
    return _address_term(word, name, result, rest)


def _address_term(word: str, name: str, result: str, rest: str) -> Term:
    """`a` or `mx`, with or without a domain, with or without prefix lengths."""
    at = min((m.start() for m in re.finditer("/", rest) if _CIDR.match(rest, m.start())), default=len(rest))
    cidr = _CIDR.match(rest, at)
    if cidr is None:
        raise SyntaxFault(said("'{word}' has a prefix length that isn't valid", word=_shown(word)))
    value = _domain_spec(rest[1:at], word) if rest[:at] else None
    prefix4, prefix6 = int(cidr[1] or 32), int(cidr[2] or 128)
    _require(prefix4 <= 32 and prefix6 <= 128, word, said("has a prefix length that isn't valid"))
    return Term(word, name, result, value, prefix4=prefix4, prefix6=prefix6)


def _network(name: str, rest: str, word: str) -> IpNetwork:
    matched = re.match(r":([0-9a-fA-F.:]+)(?:/(0|[1-9][0-9]{0,2}))?\Z", rest)
    if not matched:
        raise SyntaxFault(said("'{word}' has no valid address and prefix length", word=_shown(word)))
    kind = ipaddress.IPv4Network if name == "ip4" else ipaddress.IPv6Network
    try:
        return kind(matched[1] if matched[2] is None else f"{matched[1]}/{matched[2]}", strict=False)
    except ValueError as error:
        raise SyntaxFault(said("'{word}' has no valid address and prefix length", word=_shown(word))) from error


def _domain_spec(text: str, word: str) -> str:
    _require(text, word, said("needs a domain"))
    _require(_MACRO_STRING.match(text) and _DOMAIN_END.match(text), word, said("has no valid domain"))
    _require_digits(text, word)
    _require(not re.search(r"%\{[crt]", text, re.IGNORECASE), word, said("has a macro that is for explanations only"))
    return text


def _require_digits(text: str, word: str) -> None:
    # 7.1: the number of labels is at least one
    _require(not re.search(r"%\{[a-z]0+(?=[^0-9])", text, re.IGNORECASE), word, said("has a macro that keeps no label"))


@dataclass(frozen=True, slots=True)
class Request:
    """The mail to evaluate: the client's address, the envelope sender (whole, with a local part) and HELO."""

    ip: IpAddress
    sender: str
    helo: str
    receiver: str = "unknown"
    time_seconds: int = 0


def expand(text: str, request: Request, domain: str, validated: Callable[[], str]) -> str:
    """The text with its macros expanded (7.3). domain: of the record. validated: returns the client's name, called for `p`
    only."""

    def one(found: re.Match[str]) -> str:
        if found[5]:
            return {"%": "%", "_": " ", "-": "%20"}[found[5]]
        value = _letter(found[1].lower(), request, domain, validated)
        parts = re.split("[" + re.escape(found[4] or ".") + "]", value)
        if found[3]:
            parts.reverse()
        digits = found[2].lstrip("0")
        kept = ".".join(parts[-int(digits) :] if 0 < len(digits) <= _MAX_LABEL_DIGITS else parts)
        return quote(kept, safe="-._~", errors="surrogateescape") if found[1].isupper() else kept

    return _MACRO.sub(one, text)


def _letter(letter: str, request: Request, domain: str, validated: Callable[[], str]) -> str:
    local, _, sender_domain = request.sender.rpartition("@")
    ip = request.ip
    values: dict[str, Callable[[], str]] = {
        "s": lambda: request.sender,
        "l": lambda: local,
        "o": lambda: sender_domain,
        "d": lambda: domain,
        "i": lambda: str(ip) if ip.version == 4 else ".".join(ip.exploded.replace(":", "").upper()),
        "p": validated,
        "v": lambda: "in-addr" if ip.version == 4 else "ip6",
        "h": lambda: request.helo,
        "c": lambda: str(ip),
        "r": lambda: request.receiver,
        "t": lambda: str(request.time_seconds),
    }
    return values[letter]()


def shorten(name: str) -> str:
    """A name without the leftmost labels that make it too long (7.3)."""
    name = name.rstrip(".") if name.endswith(".") else name
    while len(name) > MAX_NAME_BYTES and "." in name:
        name = name.partition(".")[2]
    return name


def is_explanation(text: str) -> bool:
    """Can the text be expanded and shown (6.2)?"""
    if not text.isascii() or not _EXPLANATION.match(text):
        return False
    return not re.search(r"%\{[a-z]0+(?=[^0-9])", text, re.IGNORECASE)
