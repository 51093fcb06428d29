"""Checks of typed names, addresses and domains: their normal form, or BadInput with one line that says what is wrong.

Pure: the modules that write a name check whether it is taken. Called by the modules of `store/` before they change anything.
"""

import re
import unicodedata

from mailweir import address
from mailweir.errors import BadInput
from mailweir.sentence import said

MAX_NAME_CHARS = 200

_DEPLOYMENT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# Control characters, surrogates (bytes that weren't UTF-8), line separators, and bidirectional controls.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean_name(text: str, what: str) -> str:
    """A person's or company's name: NFC, one space between words, 1 to 200 characters. what: whose name it is, for errors."""
    if _UNPRINTABLE.search(text):
        raise BadInput(said("the {what} name '{text}' holds a control character", what=what, text=text))
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if not name:
        raise BadInput(said("the {what} name is empty", what=what))
    if len(name) > MAX_NAME_CHARS:
        raise BadInput(said("the {what} name is longer than {most} characters", what=what, most=MAX_NAME_CHARS))
    return name


def clean_deployment_name(text: str) -> str:
    """A deployment's name."""
    if not _DEPLOYMENT.fullmatch(text):
        raise BadInput(
            said(
                "'{text}' can't be a deployment's name: use a-z, 0-9 and '-' (not first or last), at most 63 "
                "characters",
                text=text,
            )
        )
    return text


def clean_username(text: str) -> str:
    """A username in lower case."""
    if text.lower() in address.RESERVED_LOCAL_PARTS:
        raise BadInput(said("the username '{text}' is reserved; choose another one", text=text.lower()))
    username = address.normalise_username(text)
    if username is None:
        raise BadInput(
            said(
                "'{text}' can't be a username: use letters a-z, digits, '.', '_' and '-', at most 64 characters",
                text=text,
            )
        )
    return username


def clean_address(text: str) -> str:
    """A mail address in its normal form, without white space around it."""
    normal = None if _UNPRINTABLE.search(text) else address.typed(text.strip())
    if normal is None:
        raise BadInput(said("'{text}' is not a mail address; one looks like jane@example.com", text=text))
    return normal


def clean_domain(text: str) -> str:
    """A full domain name in its normal form."""
    domain = address.typed_domain(text.strip())
    # An IPv4 address has the form of a domain name, but no last label of a domain is a number (RFC 3696 2).
    if domain is None or "." not in domain or domain.rpartition(".")[2].isdigit():
        raise BadInput(said("'{text}' is not a domain name; one looks like demo.example.net", text=text))
    return domain
