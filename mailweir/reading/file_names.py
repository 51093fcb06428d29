"""Names of attachments that are safe for a file system, a header and a terminal. Called by `attachments`. Pure."""

import re
import unicodedata

MAX_NAME_BYTES = 200  # of UTF-8; file systems allow 255
_MAX_READ_CHARS = 4_000
_MAX_EXTENSION_BYTES = 20

_RESERVED = re.compile(r'[<>:"|?*\\/]')  # in Windows, in paths or in a header
_NO_LETTERS = frozenset(
    {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
)  # Cf: bidi controls, which turn a name around; zero width
_BLANKS = re.compile(r"\s+")
_DEVICES = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\.|$)", re.IGNORECASE)
_EXTENSION = re.compile(r"\.[^.\s]+$")


def safe(name: str) -> str:
    """The name without a path and without harmful characters, in NFC, at most MAX_NAME_BYTES; '' if nothing is left."""
    name = name[-_MAX_READ_CHARS:].replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    name = "".join(char for char in name if unicodedata.category(char) not in _NO_LETTERS or char in "\t\r\n")
    name = unicodedata.normalize("NFC", _RESERVED.sub("_", _BLANKS.sub(" ", name)))
    name = name.lstrip(". ").rstrip(". ")
    return _cut(f"_{name}" if _DEVICES.match(name) else name)


def _cut(name: str) -> str:
    """Shortens the name to the allowed bytes, keeping the extension."""
    limit = MAX_NAME_BYTES
    if len(name.encode()) <= limit:
        return name
    match = _EXTENSION.search(name[-_MAX_EXTENSION_BYTES:])
    extension = match[0] if match and len(match[0].encode()) <= _MAX_EXTENSION_BYTES else ""
    stem = name[: len(name) - len(extension)].encode()[: limit - len(extension.encode())].decode("utf-8", "ignore")
    return (stem.rstrip(". ") + extension).rstrip(". ")
