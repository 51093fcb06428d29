"""The intended term for a mistyped term of an SPF record, if exactly one is possible.

Pure: makes no queries, and guesses nothing. Called by `spf_slips`.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from mailweir import address
from mailweir.domains import spf_record
from mailweir.domains.spf_record import SyntaxFault

_DOMAIN_MECHANISMS = ("include", "a", "mx", "ptr", "exists")
_MODIFIERS = ("redirect", "exp")
_LONG_NAMES = ("include", "redirect", "exists")  # long enough that a misspelling isn't another word
_CLOSE_ENOUGH = 0.75
_MAX_WORD_CHARS = 500  # longer words aren't examined: a name has at most 253, and a record may have 64 kB

_EXPANSION = re.compile(r"%\{[^{}]*\}|%[%_-]")
_PLAIN_NAME = re.compile(r"\.?(?:[a-z0-9_-]+\.)*[a-z0-9_-]*\.?\Z", re.IGNORECASE)
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+[a-z][a-z0-9-]*[a-z0-9]\.?\Z", re.IGNORECASE)
_NAMED = re.compile(r"([a-z][a-z0-9._-]*)[:=]+(.*)\Z", re.IGNORECASE | re.DOTALL)
_IP_NAME = re.compile(r"ip[-_.]?v?[-_.]?[46]?s?\Z", re.IGNORECASE)
_ALL = re.compile(r"all[.;:,]*\Z", re.IGNORECASE)
_GLUED_ALL = re.compile(r"[-+~?]+all\.?\Z", re.IGNORECASE)
_SEPARATORS = re.compile(r"[,;|&]+")
_SEAM = re.compile(
    r"(?<=[\w.%}/])(?=[-+~?]?(?:include|exists|ip[46]|ipv[46])[:=]|redirect[:=])"  # no host name contains these
    r"|(?<=[\w.}])(?=[+~?](?:all|include|ip[46]|a|mx|ptr|exists)(?:[:/+~?-]|\Z))"
    r"|(?<=[\w.}])(?=-all\Z)",
    re.IGNORECASE,
)
_PART_OF_ADDRESS = re.compile(r"((?:[0-9]{1,3}\.){1,3})((?:\*|x)(?:\.(?:\*|x))*)\Z", re.IGNORECASE)
_SHORT_NETWORK = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3}){1,2})\.?/([1-9][0-9]?)\Z")
_BRACKETS = "<>()[]{}"


def is_sound(word: str) -> bool:
    """Is it a correct term? A mistyped mechanism may be readable too, as an unknown modifier (`ip4=192.0.2.1`), and isn't
    correct."""
    parsed = _parsed(word)
    if parsed is None:
        return False
    name, value = _parts(word)
    if word[len(name) :].startswith("="):
        return (name.lower() in _MODIFIERS and _is_plain(value)) or not _is_misplaced(name)
    return _is_plain(value)


def _parsed(word: str) -> spf_record.Record | None:
    try:
        return spf_record.parse(f"v=spf1 {word}")
    except SyntaxFault:
        return None


def may_be_right(word: str) -> bool:
    """Is it an unusual term that receivers can read, and that may be correct? A name from macros may contain any character."""
    parsed = _parsed(word)
    return "%{" in word and parsed is not None and bool(parsed.mechanisms)


def _parts(word: str) -> tuple[str, str]:
    """Name and value of a readable term; the value without a prefix length."""
    name = re.match(r"[-+~?]?[a-z0-9._-]*", word, re.IGNORECASE)
    assert name is not None
    value = word[name.end() + 1 :] if word[name.end() : name.end() + 1] in (":", "=") else ""
    if name[0].lower().lstrip("-+~?") in ("a", "mx"):
        value = re.sub(r"(?:/[0-9]+)?(?://[0-9]+)?\Z", "", value)
    return name[0], "" if name[0].lower().lstrip("-+~?") in ("ip4", "ip6") else value


def _is_plain(value: str) -> bool:
    """Is it a name that a domain can have? RFC 7208 12 allows a comma or a colon in it, but nobody has such a name."""
    bare = _EXPANSION.sub("x", value)
    return bool(_PLAIN_NAME.match(bare)) and not (bare.startswith(".") or _GLUED_ALL.search(bare))


def _is_misplaced(name: str) -> bool:
    """Is a mechanism written as a modifier? By RFC 7208 6, receivers ignore it silently."""
    return name.lower() in (*_DOMAIN_MECHANISMS, "all", "v", "spf") or bool(_IP_NAME.match(name)) or _close(name) != ""


def _close(name: str) -> str:
    return next(iter(get_close_matches(name.lower(), _LONG_NAMES, 1, _CLOSE_ENOUGH)), "")


def meant(word: str) -> list[str] | None:
    """The intended terms of a word; None if uncertain. A correct one is returned as it is."""
    if is_sound(word):
        return [word]
    if len(word) > _MAX_WORD_CHARS:
        return None
    pieces = [piece for part in _split_outside_macros(word) for piece in _SEAM.split(part) if piece]
    found = _all_meant(pieces) if pieces != [word] else None
    return _one_meant(word) if found is None else found


def _all_meant(pieces: Iterable[str]) -> list[str] | None:
    """The intended terms of a word's pieces; None if one is uncertain. In `include:a.example,b.example` the second piece is an
    include, too."""
    found: list[str] = []
    listed = ""
    for piece in pieces:
        terms = [piece] if is_sound(piece) else _one_meant(piece)
        if terms is None and listed and _HOST.match(piece):
            terms = [f"{listed}:{piece}"]
        if terms is None:
            return None
        found += terms
        name = terms[-1].partition(":")[0]
        listed = name if name.lower().lstrip("-+~?") in _DOMAIN_MECHANISMS and ":" in terms[-1] else ""
    return found


def _split_outside_macros(word: str) -> Sequence[str]:
    # A delimiter within a macro (%{i,}) separates nothing.
    kept = _EXPANSION.sub(lambda macro: re.sub(r"[,;|&]", "x", macro[0]), word)
    cuts = [(found.start(), found.end()) for found in _SEPARATORS.finditer(kept)]
    starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(word)]
    return [word[start:end] for start, end in zip(starts, ends, strict=True)]


def _one_meant(word: str) -> list[str] | None:
    signs = re.match(r"[-+~?]*", word)
    assert signs is not None
    if len(set(signs[0])) > 1:
        return None
    sign, body = signs[0][:1], _without_brackets(word[signs.end() :])
    if _ALL.match(body):
        return [f"{sign}all"]
    named = _NAMED.match(body)
    known = _known(named[1]) if named else ""  # looked for before an address: `a:2001:db8::1` is also an IPv6 address
    if named and known:
        return _repaired(sign, known, _without_brackets(named[2]))
    if network := _network(body):
        return [sign + network]
    return None if named else _without_colon(sign, body)


def _without_colon(sign: str, body: str) -> list[str] | None:
    """The intended term for `ip41.2.3.4` or `a/255.255.255.0`, or for a mechanism without a value and a full stop after it."""
    if matched := re.match(r"ip[46][ ;]?((?:[0-9]{1,3}\.){3}[0-9]{1,3}(?:/.*)?)\Z", body, re.IGNORECASE):
        return _sound_or_none(_network(matched[1]) or "", sign)
    if matched := re.match(r"(a|mx)(/.*)\Z", body, re.IGNORECASE):
        return _sound_or_none(matched[1] + _prefix(matched[2]), sign)
    return _sound_or_none(body.rstrip("."), sign)


def _sound_or_none(term: str, sign: str = "") -> list[str] | None:
    return [sign + term] if term and is_sound(sign + term) else None


def _known(name: str) -> str:
    """The intended mechanism or modifier, `ip` for both ip4 and ip6; "" if there is none."""
    lower = name.lower()
    if _IP_NAME.match(name):
        return "ip"
    return lower if lower in (*_DOMAIN_MECHANISMS, *_MODIFIERS) else _close(name)


def _repaired(sign: str, known: str, value: str) -> list[str] | None:
    if inner := _NAMED.match(value):
        return _nested(sign, known, inner[1], value)
    value = re.sub(r"^(?:@|\.(?=[a-z0-9_]))", "", value, flags=re.IGNORECASE)
    network = _network(value.lstrip(":")) or _network(value)
    if known in _MODIFIERS:
        return None if sign else _sound_or_none(f"{known}={_name(value)}")
    if network:
        return [sign + network]
    if known == "ip":
        host = _name(value)
        return _sound_or_none(f"a:{host}", sign) if _HOST.match(host) else None
    if known in ("a", "mx"):
        return _addressed(sign, known, value)
    return _sound_or_none(f"{known}:{_name(value)}", sign)


def _nested(sign: str, known: str, inner: str, value: str) -> list[str] | None:
    """The intended term for `include:include:x`, `ip:ip4:x`, `a:ip4:x` or `include:https://x`."""
    if inner.lower() in ("http", "https"):
        return _repaired(sign, known, re.sub(r"^https?:/*", "", value, flags=re.IGNORECASE).rstrip("/"))
    same = inner.lower() == known or known == "ip"
    if same or _IP_NAME.match(inner):
        return _one_meant(sign + value)
    # An IPv6 address, too, looks like a name and a value.
    network = _network(value)
    return [sign + network] if network else None


def _addressed(sign: str, name: str, value: str) -> list[str] | None:
    host, slash, mask = value.partition("/")
    cut = _prefix(slash + mask)
    if slash and not cut:
        return None
    return _sound_or_none(f"{name}:{_name(host)}{cut}" if host else f"{name}{cut}", sign)


def _name(value: str) -> str:
    """A domain without parts that certainly don't belong to it, and IDN as A-labels; unchanged if that isn't a domain."""
    value = value.rstrip(":'\"/")
    return value if value.isascii() else address.typed_domain(value) or value


def _without_brackets(text: str) -> str:
    if text[:1] in _BRACKETS or (text[-1:] in _BRACKETS and not text.endswith("}")):
        return text.strip(_BRACKETS) if "%{" not in text else text.strip("<>()[]")
    return text


def _prefix(text: str) -> str:
    """`/24` for `/24`, `/024`, `/255.255.255.0` or `/0.0.0.255`; `//64` stays. "" if it isn't a prefix length."""
    if re.match(r"(?:/[1-9][0-9]?)?(?://[1-9][0-9]{0,2})?\Z", text):
        return text if int(text[1:].partition("/")[0] or 32) <= 32 else ""
    if matched := re.match(r"/0*([1-9][0-9]?)\Z", text):
        return f"/{matched[1]}" if int(matched[1]) <= 32 else ""
    try:
        length = ipaddress.IPv4Network("0.0.0.0" + text).prefixlen if "." in text else 0
    except ValueError:
        return ""
    return f"/{length}" if length else ""  # 0.0.0.0 as a mask would be the whole internet: nobody intends that


def _network(text: str) -> str:
    """`ip4:` or `ip6:` with the address or network in a text, or ""."""
    text = text.rstrip(".,;:") if not text.endswith("::") else text
    if matched := _PART_OF_ADDRESS.match(text):
        octets = matched[1].rstrip(".").split(".")
        if len(octets) + len(re.findall(r"[*x]", matched[2], re.IGNORECASE)) > 4:
            return ""
        text = ".".join([*octets, *["0"] * (4 - len(octets))]) + f"/{8 * len(octets)}"
    if (matched := _SHORT_NETWORK.match(text)) and int(matched[2]) <= 8 * (matched[1].count(".") + 1):
        text = matched[1] + ".0" * (3 - matched[1].count(".")) + f"/{matched[2]}"
    host, slash, mask = text.partition("/")
    host = _without_brackets(host)
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.scope_id is not None:
        return ""
    cut = _prefix(slash + mask) if ip.version == 4 else slash + mask.lstrip("0")
    if slash and cut in ("", "/"):
        return ""
    term = f"ip{ip.version}:{host}{cut}"
    return term if _parsed(term) else ""
