"""Addresses: one address in its normal form, and an address list that reads one way or not at all.

The filter, the look-ups and the command line share this one normaliser, so that an address is the same everywhere
(`"richard"@Demo.example.net.` is `richard@demo.example.net`). Never guesses: what reads two ways is None. Never raises, on
any input, and its time grows with the input's length only. Standard library only.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

MAX_ADDRESS_CHARS = 320  # local part 64 + @ + domain 255, the most that RFC 5321 4.5.3.1 lets any field hold
MAX_DOMAIN_CHARS = 253  # RFC 1035 2.3.4: 255 octets with the lengths of the first label and of the root
LOG_LOCAL_PART = "log"
BOUNCE_LOCAL_PART = "bounce"  # bounce+TOKEN@ is the sender of a redirected confirmation
ROLE_LOCAL_PARTS = frozenset({"postmaster", "abuse"})
RESERVED_LOCAL_PARTS = ROLE_LOCAL_PARTS | {LOG_LOCAL_PART, BOUNCE_LOCAL_PART, "mailer-daemon"}

# RFC 5322 3.2.3 and RFC 6532 3.2. Dots anywhere: addresses like `a..b@` and `a.@` exist at Japanese mobile carriers.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-\u0080-\ud7ff\ue000-\U0010ffff]+")
_QUOTED_LOCAL = re.compile(r'"((?:[^"\\\x00-\x1f\x7f\ud800-\udfff]|\\[\x20-\x7e])*)"')
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?")
# RFC 5892 2: letters, digits and marks; of 2.6 and 2.7 what needs no look at its neighbours to be harmless
_LABEL_CATEGORIES = frozenset(("Ll", "Lo", "Lm", "Mn", "Mc", "Nd"))
_LABEL_EXCEPTIONS = frozenset("ßς་〇·・-")
# What nearly every address and author looks like; these shortcuts answer as the full reading does, in a fifth of its time.
_ORDINARY = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?){0,9}"
)
_MAX_ORDINARY_CHARS = 250
_ORDINARY_ITEM = re.compile(
    r"""(?:[^@<>()\[\]\\",:;\x00-\x1f\x7f]*|"[^@<>"\\\x00-\x1f\x7f]*"[ ]?)<([^@<>()\[\]\\",:;\s]+@[^@<>()\[\]\\",:;\s]+)>"""
)
_LITERAL = re.compile(r"\[[0-9A-Za-z.:\-]+\]")
_USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9._\-]{0,62}[a-z0-9])?")
_FORWARDER = re.compile(r"(?P<local>.+)\+caf_=(?P<capture>.+)")


def normalise(text: str) -> str | None:
    """One address (RFC 5321 `Mailbox`, without angle brackets) in its normal form, or None where it isn't one.

    The local part is unquoted where it can be, NFC and lower case; the domain is lower-case ASCII (A-labels, RFC 5891)
    without its final dot. A domain literal stays as it is, in lower case.
    """
    if len(text) <= _MAX_ORDINARY_CHARS and _ORDINARY.fullmatch(text):
        return text.lower()
    if len(text) > MAX_ADDRESS_CHARS:
        return None
    local_text, at, domain_text = text.rpartition("@")
    if not at:
        return None
    local = _normalise_local(local_text)
    domain = normalise_domain(domain_text) or _domain_literal(domain_text)
    return f"{local}@{domain}" if local and domain else None


def _normalise_local(text: str) -> str | None:
    text = unicodedata.normalize("NFC", text)  # first: it makes a `;` of U+037E
    # not printable: a no-break space or a mark that turns the reading direction, which looks like another address
    if not text.isprintable():
        return None
    if not _LOCAL.fullmatch(text):
        quoted = _QUOTED_LOCAL.fullmatch(text)
        if quoted is None:
            return None
        plain = re.sub(r"\\(.)", r"\1", quoted[1])
        if not _LOCAL.fullmatch(plain):
            return '"' + re.sub(r'(["\\])', r"\\\1", _lower(plain)) + '"' if plain else None
        text = plain
    return _lower(text)


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text.lower())


def normalise_domain(text: str) -> str | None:
    """A domain name in lower-case ASCII without its final dot, or None where it isn't one."""
    text = text.removesuffix(".")
    if len(text) > MAX_DOMAIN_CHARS:  # an A-label is never shorter than what it stands for
        return None
    if not text.isascii():
        text = ".".join(_a_label(label) for label in text.split("."))
    text = text.lower()
    if not text or len(text) > MAX_DOMAIN_CHARS or not all(_LABEL.fullmatch(label) for label in text.split(".")):
        return None
    return text


def _a_label(label: str) -> str:
    """The A-label of a label, or an empty string where there is none.

    RFC 5891, and not Python's `idna` codec (RFC 3490): that reads `ß` as `ss` and drops joiners, so that one domain would be
    taken for another one that somebody else may own.
    """
    label = _lower(unicodedata.normalize("NFC", label))
    if label.isascii():
        return label
    if unicodedata.category(label[0]).startswith("M") or not all(_is_stable(char) for char in label):
        return ""
    return "xn--" + label.encode("punycode").decode("ascii")


def _is_stable(char: str) -> bool:
    """RFC 5892 3: a character that stands for itself, not one that is read as another (`ｃ` as `c`, U+2024 as a full stop)."""
    if char in _LABEL_EXCEPTIONS:
        return True
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", char).casefold())
    return folded == char and unicodedata.category(char) in _LABEL_CATEGORIES


def _domain_literal(text: str) -> str | None:
    return text.lower() if _LITERAL.fullmatch(text) else None


def normalise_path(text: str) -> str | None:
    """An envelope address as it was typed in MAIL FROM or RCPT TO, in its normal form; None where it isn't an address.

    Takes angle brackets and drops a source route (RFC 5321 4.1.1.3). The null sender `<>` is the empty string.
    """
    text = text.strip()
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    if not text:
        return ""
    if text.startswith("@"):
        text = text.partition(":")[2]
    return normalise(text)


def split(address: str) -> tuple[str, str]:
    """Local part and domain of an address in its normal form."""
    local, _, domain = address.rpartition("@")
    return local, domain


def normalise_username(text: str) -> str | None:
    """A username in lower case: letters, digits, `.`, `_`, `-`, at most 64, no reserved name; else None."""
    text = text.lower()
    return text if _USERNAME.fullmatch(text) and text not in RESERVED_LOCAL_PARTS else None


def forwarded_for(sender: str) -> tuple[str, str] | None:
    """Who forwarded, and to which capture address, from Gmail's `user+caf_=local=domain@gmail.com` as envelope sender.

    Both in normal form; None where the sender isn't of that kind. The capture address is split at its last `=`, for its
    local part may hold `=` and `+`.
    """
    local, domain = split(sender)
    match = _FORWARDER.fullmatch(local)
    if match is None:
        return None
    forwarder = normalise(f"{match['local']}@{domain}")
    capture_local, _, capture_domain = match["capture"].rpartition("=")
    capture = normalise(f"{capture_local}@{capture_domain}")
    return (forwarder, capture) if forwarder and capture else None


@dataclass(frozen=True, slots=True)
class AddressList:
    """What an address list (From, To, Cc …) says.

    addresses: in normal form, in order, each once. readable: every item is an address. groups: a group was seen.
    one_way: nothing in the list can be taken for another address than those in `addresses`.
    """

    addresses: tuple[str, ...]
    readable: bool
    groups: bool
    one_way: bool


_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<quoted>"(?:[^"\\]|\\.)*")
      | (?P<literal>\[[^\[\]\\<>,"]*\])
      | (?P<special>[<>,;:@("])
      | (?P<atom>[^ \t\r\n"<>,;:@(\[]+|\[)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_STEP = re.compile(r"[^()\\]+|\\.|\\|[()]", re.DOTALL)

_Token = tuple[str, str]  # kind (an atom, quoted, literal, comment, or the special character itself; "broken"), text


def _tokens(text: str) -> Iterator[_Token]:
    """RFC 5322 3.2 tokens, white space left out. What never ends (a quote, a comment) is one token `broken` to the end."""
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match["special"] == '"':
            yield "broken", text[position:]
            return
        position = match.end()
        kind = match.lastgroup or ""
        if kind == "space":
            continue
        if match["special"] == "(":
            end = _comment_end(text, position)
            yield ("comment" if end else "broken"), text[position : (end or len(text) + 1) - 1]
            if end is None:
                return
            position = end
        else:
            yield (match[0] if kind == "special" else kind), match[0]


def _comment_end(text: str, position: int) -> int | None:
    depth = 1
    for step in _COMMENT_STEP.finditer(text, position):
        depth += {"(": 1, ")": -1}.get(step[0], 0)
        if depth == 0:
            return step.end()
    return None


def read_list(text: str) -> AddressList:
    """Reads a From, To or Cc value (unfolded or not). Each item is read for itself: a broken one doesn't spoil the others."""
    bare = text.strip(" \t\r\n")
    ordinary = _ORDINARY_ITEM.fullmatch(bare)
    address = normalise(ordinary[1]) if ordinary else normalise(bare) if _ORDINARY.fullmatch(bare) else None
    return AddressList((address,), readable=True, groups=False, one_way=True) if address else _read_in_full(text)


def _read_in_full(text: str) -> AddressList:
    addresses: dict[str, None] = {}
    readable, one_way, groups, inside_group, address_begun = True, True, False, False, False
    item: list[_Token] = []

    def finish() -> None:
        nonlocal readable, one_way, address_begun
        if item:
            address = _read_item(item)
            if address:
                addresses[address] = None
            else:
                readable = False
                one_way = one_way and not any(kind in ("@", "<", "broken") or "@" in part for kind, part in item)
            item.clear()
        address_begun = False

    for kind, part in _tokens(text):
        if kind == ",":
            finish()
        elif kind == ":" and not inside_group and not address_begun:
            groups = inside_group = True
            item.clear()
        elif kind == ";" and inside_group:
            finish()
            inside_group = False
        else:
            item.append((kind, part))
            address_begun = address_begun or kind in ("<", "@")
    finish()
    return AddressList(tuple(addresses), readable, groups, one_way)


def _read_item(tokens: list[_Token]) -> str | None:
    """The one address of a list's item, or None where there is none or another reader could take another one."""
    comments = [part.strip() for kind, part in tokens if kind == "comment"]
    tokens = [token for token in tokens if token[0] != "comment"]
    kinds = [kind for kind, _ in tokens]
    if kinds.count("<") == 0:
        address, display = _read_addr_spec(tokens), []
    elif kinds.count("<") == 1 and kinds[-1:] == [">"] and kinds.count(">") == 1:
        start = kinds.index("<")
        address, display = _read_addr_spec(_without_route(tokens[start + 1 : -1])), tokens[:start]
    else:
        return None
    if address is None or "broken" in kinds:
        return None
    # `alice@a.example <bob@b.example>`: some readers answer alice. The same address twice reads one way.
    if any(kind == "@" for kind, _ in display) and _read_addr_spec(display) != address:
        return None
    if any(kind == "literal" and "@" in part for kind, part in display):
        return None
    if any("@" in comment and normalise(comment) != address for comment in comments):
        return None
    return address


def _without_route(tokens: list[_Token]) -> list[_Token]:
    """Drops RFC 5322 4.4's `@a:`. Of `@a,@b:` the comma can't come here: `read_list` has split the item there."""
    return tokens[3:] if [kind for kind, _ in tokens[:3]] == ["@", "atom", ":"] else tokens


def _read_addr_spec(tokens: list[_Token]) -> str | None:
    if [kind for kind, _ in tokens] not in (
        ["atom", "@", "atom"],
        ["quoted", "@", "atom"],
        ["atom", "@", "literal"],
        ["quoted", "@", "literal"],
    ):
        return None
    return normalise("".join(part for _, part in tokens))


def read_author(text: str) -> str | None:
    """The address of a From value, only where it reads one way: one address, no group, nothing else that looks like one."""
    found = read_list(text)
    if len(found.addresses) != 1 or found.groups or not found.one_way:
        return None
    return found.addresses[0]
