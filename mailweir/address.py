"""The normal form of addresses, domains and usernames.

The filter, the look-ups and the command line share this one normaliser, so that an address is the same everywhere
(`"richard"@Demo.example.net.` is `richard@demo.example.net`). Never guesses: an ambiguous input gives None. Never raises, on any
input, and its time is linear in the input's length. Pure. Domains in other scripts are read by `idna` (IDNA 2008): Python's own
codec (RFC 3490) maps `straße.example` to `strasse.example`, which may belong to somebody else.
"""

import functools
import re
import unicodedata

import idna

MAX_ADDRESS_CHARS = 320  # local part 64 + @ + domain 255, the maximum by RFC 5321 4.5.3.1
MAX_DOMAIN_CHARS = 253  # RFC 1035 2.3.4: 255 octets including the length octets of the first label and of the root
LOG_LOCAL_PART = "log"
BOUNCE_LOCAL_PART = "bounce"  # bounce+TOKEN@ is the sender of a redirected confirmation
ROLE_LOCAL_PARTS = frozenset({"postmaster", "abuse"})
RESERVED_LOCAL_PARTS = ROLE_LOCAL_PARTS | {LOG_LOCAL_PART, BOUNCE_LOCAL_PART, "mailer-daemon"}

# RFC 5322 3.2.3 and RFC 6532 3.2. Dots may stand anywhere: Japanese mobile carriers have addresses like `a..b@` and `a.@`.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-\u0080-\ud7ff\ue000-\U0010ffff]+")
_QUOTED_LOCAL = re.compile(r'"((?:[^"\\\x00-\x1f\x7f\ud800-\udfff]|\\[\x20-\x7e])*)"')
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?")
_MAX_LABEL_CHARS = 63  # RFC 1035 2.3.4: the limit of an A-label, which is never shorter than its U-label
# The form of nearly every address; this shortcut gives the same result as the full parser in a fifth of the time.
_ORDINARY = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?){0,9}"
)
MAX_ORDINARY_CHARS = 250
_LITERAL = re.compile(r"\[[0-9A-Za-z.:\-]+\]")
_USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9._\-]{0,62}[a-z0-9])?")


def normalise(text: str) -> str | None:
    """One address (RFC 5321 `Mailbox`, without angle brackets) in its normal form, or None if it isn't an address.

    The local part is unquoted where possible, in NFC and lower case; the domain is lower-case ASCII (A-labels, RFC 5891) without
    its final dot. A domain literal stays as it is, in lower case.
    """
    if len(text) <= MAX_ORDINARY_CHARS and _ORDINARY.fullmatch(text):
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
    text = unicodedata.normalize("NFC", text)  # first, because it turns U+037E into `;`
    # Not printable: a no-break space, or a bidirectional control, which makes an address look like another one.
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
    """A domain name in lower-case ASCII without its final dot, or None if it isn't a domain name."""
    text = text.removesuffix(".")
    if len(text) > MAX_DOMAIN_CHARS:  # an A-label is never shorter than its U-label
        return None
    if not text.isascii():
        text = ".".join(_a_label(label) for label in text.split("."))
    text = text.lower()
    if not text or len(text) > MAX_DOMAIN_CHARS or not all(_LABEL.fullmatch(label) for label in text.split(".")):
        return None
    return text


@functools.lru_cache(maxsize=1024)  # a message repeats few domains; converting one takes 50 microseconds
def _a_label(label: str) -> str:
    """The A-label of a label (RFC 5891 5.4), or an empty string if the label has none. An ASCII label is its own A-label.

    Upper case is mapped to lower case, letter by letter, and a final Σ to ς (RFC 5895 2); nothing else is mapped.
    """
    if len(label) > _MAX_LABEL_CHARS:
        return ""
    label = _lower(unicodedata.normalize("NFC", label))
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except UnicodeError:  # idna.IDNAError is a subclass
        return ""


def typed_domain(text: str) -> str | None:
    """A domain as a person types or pastes it, in the form of `normalise_domain`, or None if it isn't a domain.

    A text that isn't a domain as it stands is mapped as browsers do (UTS 46): full-width letters and dots become plain ones, and
    invisible characters are dropped. Don't use it for names from mail: such a name may be made to look like another one.
    """
    return normalise_domain(text) or normalise_domain(_mapped(text))


def typed(text: str) -> str | None:
    """An address as a person types or pastes it, in the form of `normalise`; `typed_domain` reads its domain."""
    found = normalise(text)
    if found is None and len(text) <= MAX_ADDRESS_CHARS:
        local, _, domain = text.rpartition("@")
        found = normalise(f"{local}@{_mapped(domain)}")
    return found


def _mapped(domain: str) -> str:
    """A domain mapped by UTS 46, or an empty string."""
    try:
        return idna.uts46_remap(domain) if len(domain) <= MAX_DOMAIN_CHARS else ""
    except UnicodeError:
        return ""


def _domain_literal(text: str) -> str | None:
    return text.lower() if _LITERAL.fullmatch(text) else None


def normalise_path(text: str) -> str | None:
    """An envelope address as given in MAIL FROM or RCPT TO, in its normal form; None if it isn't an address.

    Accepts angle brackets and drops a source route (RFC 5321 4.1.1.3). The null sender `<>` is the empty string.
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
    """A username in lower case: letters, digits, `.`, `_`, `-`, at most 64, and no reserved name. None for all else."""
    text = text.lower()
    return text if _USERNAME.fullmatch(text) and text not in RESERVED_LOCAL_PARTS else None
