"""Addresses: one address in its normal form.

The filter, the look-ups and the command line share this one normaliser, so that an address is the same everywhere
(`"richard"@Demo.example.net.` is `richard@demo.example.net`). Never guesses: what reads two ways is None. Never raises, on
any input, and its time grows with the input's length only. Standard library only.
"""

import re
import unicodedata

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
# What nearly every address looks like; this shortcut answers as the full reading does, in a fifth of its time.
_ORDINARY = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?){0,9}"
)
_MAX_ORDINARY_CHARS = 250
_LITERAL = re.compile(r"\[[0-9A-Za-z.:\-]+\]")
_USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9._\-]{0,62}[a-z0-9])?")


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
