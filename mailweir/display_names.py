"""The name of a contact that mail creates: the display name beside the address in From, To or Cc, if it is harmless.

Anybody can choose a display name, so a name that could pass for another address or for a known person is dropped, and the local
part takes its place. Never raises, and its time is linear in the headers' length. Pure. Called where contacts are made by a
company's domain. Standard library only.
"""

import re
import unicodedata
from collections.abc import Iterable

from mailweir import address, encoded_words

MAX_NAME_CHARS = 80
MAX_ADDRESS_CHARS = 200  # of an address in place of a name
MAX_VALUE_BYTES = 60_000
_MAX_BEFORE_CHARS = 600  # of the text before an address: encoded words are longer than the text that they encode
_MAX_INSIDE_CHARS = 340  # of an address with its angle brackets
_ENDS = re.compile(r'[,;:>"]')
# An address or a link, in any spelling.
_LIKE_AN_ADDRESS = re.compile(
    r"[@\uff20\ufe6b]|://|\bwww\.|\.(?:com|net|org|[a-z]{2})\b|\b(?:at|dot)\b.{1,40}\b(?:at|dot)\b", re.IGNORECASE
)
_QUOTES = "\"'\u2018\u2019\u201c\u201d\u00ab\u00bb`"
# Scripts with letters that look like another script's.
_ALIKE = ("LATIN", "CYRILLIC", "GREEK", "CHEROKEE", "ARMENIAN")


def of(normal: str, values: Iterable[bytes]) -> str:
    """The name for an address. normal: the address in normal form. values: of From, or of To and Cc."""
    for value in values:
        found = _beside(normal, value[:MAX_VALUE_BYTES].decode("utf-8", "replace"))
        if name := cleaned(found):
            return name
    return _of_local_part(normal)


def unless_taken(name: str, normal: str, taken: Iterable[str]) -> str:
    """The name; the local part if the name is taken, for example by staff; the address if both are."""
    refused = {_folded(one) for one in taken}
    fitting = (one for one in (name, _of_local_part(normal)) if one and _folded(one) not in refused)
    return next(fitting, normal[:MAX_ADDRESS_CHARS])


def _of_local_part(normal: str) -> str:
    local, _ = address.split(normal)
    # `j.li` looks like a domain.
    return cleaned(local) or cleaned(local.replace(".", " ")) or normal[:MAX_ADDRESS_CHARS]


def cleaned(text: str) -> str:
    """A name as one line without invisible characters; "" if it is no name or could mislead."""
    text = unicodedata.normalize("NFC", encoded_words.decode(text.encode("utf-8", "replace"), max_chars=1_000))
    name = " ".join("".join(char if _is_seen(char) else " " for char in text).split())
    name = name.strip(_QUOTES + " ").strip()
    if not name or len(name) > MAX_NAME_CHARS or not name[0].isalnum() or "\ufffd" in name:
        return ""
    is_name = any(char.isalpha() for char in name)
    return name if is_name and not _LIKE_AN_ADDRESS.search(_plain(name)) and not _is_mixed(name) else ""


def _is_seen(char: str) -> bool:
    """Is it visible: no control or format character, separator, or unassigned or private-use character?"""
    return unicodedata.category(char)[0] not in "CZ"


def _plain(name: str) -> str:
    """The name as a reader sees it: full-width letters and dots become plain ones."""
    return unicodedata.normalize("NFKC", name)


def _folded(name: str) -> str:
    return " ".join(_plain(name).casefold().split())


def _is_mixed(name: str) -> bool:
    """Does a word mix letters of two scripts that look alike?"""
    return any(len({script for char in word if (script := _script(char))}) > 1 for word in name.split())


def _script(char: str) -> str:
    return next((one for one in _ALIKE if unicodedata.name(char, "").startswith(one)), "")


def _beside(normal: str, value: str) -> str:
    """The text before an address in angle brackets, without quotes; "" if there is none."""
    at = value.find("<")
    while at >= 0:
        end = value.find(">", at, at + _MAX_INSIDE_CHARS)
        if end >= 0 and address.normalise(value[at + 1 : end].strip()) == normal:
            return _last_name(value[max(0, at - _MAX_BEFORE_CHARS) : at])
        at = value.find("<", at + 1)
    return ""


def _last_name(before: str) -> str:
    before = before.rstrip()
    if not before.endswith('"'):
        ends = [match.end() for match in _ENDS.finditer(before)]
        return before[ends[-1] :] if ends else before
    start = before.rfind('"', 0, -1)
    while start > 0 and before[start - 1] == "\\":
        start = before.rfind('"', 0, start)
    return re.sub(r"\\(.)", r"\1", before[start + 1 : -1]) if start >= 0 else ""
