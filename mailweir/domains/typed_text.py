"""The text of a TXT value as somebody typed or pasted it, in plain characters: blanks, dashes, quotes, full-width forms.

Pure: asks nothing. Called by `checks`, `dmarc_record` and `spf_slips`.
"""

import re
import unicodedata

_TILDES = "\u02dc\u223c\u301c\u2053"
_SIGNS = {
    **dict.fromkeys(map(ord, _TILDES), "~"),
    **dict.fromkeys(map(ord, "\u2212\u207b"), "-"),
    **dict.fromkeys(map(ord, "\ua789\u2236\u02d0"), ":"),
    **dict.fromkeys(map(ord, "\u3001\u060c"), ","),
    **dict.fromkeys(map(ord, "\u037e\u061b"), ";"),
    **dict.fromkeys(map(ord, "\u2044\u2215"), "/"),
    **dict.fromkeys(map(ord, "\u3002\uff61"), "."),
    **dict.fromkeys(map(ord, "\"'`\u00b4\u2032\u2033\u201a\u201e"), '"'),
    **{0xFF01 + n: chr(0x21 + n) for n in range(94)},  # the full-width forms of ASCII
}
_LOOK_EMPTY = "\u2800\u3164\u115f\u1160\uffa0"  # by Unicode letters and a symbol; nothing is seen of them
_NO_WIDTH = "\u034f\u17b4\u17b5" + "".join(map(chr, range(0xFE00, 0xFE10)))


def cleaned(value: str) -> str:
    """The text with plain blanks, dashes and quotes, and without what can't be seen. value: bytes as latin-1."""
    if value.isascii() and value.isprintable() and "\\" not in value:
        return value.replace("'", '"').replace("`", '"')
    text = decoded(value)
    # a zone file's escapes that were typed into a form (RFC 1035 5.1)
    text = re.sub(r"\\([01][0-9]{2}|2[0-4][0-9]|25[0-5])", lambda found: chr(int(found[1])), text)
    text = re.sub(r"\\(.)", r"\1", text)
    return "".join(_plain(char) for char in text.translate(_SIGNS))


def decoded(value: str) -> str:
    """The text of a TXT value: UTF-8, or as Windows writes it where it is none. value: bytes as latin-1."""
    raw = value.encode("latin-1", "replace")
    for encoding in ("utf-8", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return value


def _plain(char: str) -> str:
    if char.isascii() and char.isprintable():
        return char
    kind = unicodedata.category(char)
    if char.isspace() or kind.startswith("Z") or char in _LOOK_EMPTY:
        return " "
    if kind in ("Cf", "Cc") or char in _NO_WIDTH:
        return ""
    return "-" if kind == "Pd" else '"' if kind in ("Pi", "Pf") else char
