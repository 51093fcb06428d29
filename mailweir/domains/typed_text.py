"""The text of a typed or pasted TXT value, in plain characters: blanks, dashes, quotes, full-width forms.

Pure: makes no queries. Called by `checks`, `dmarc_record` and `spf_slips`.
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
_LOOK_EMPTY = "\u2800\u3164\u115f\u1160\uffa0"  # letters and a symbol in Unicode; all are invisible
_NO_WIDTH = "\u034f\u17b4\u17b5" + "".join(map(chr, range(0xFE00, 0xFE10)))


def cleaned(value: str) -> str:
    """The text with plain blanks, dashes and quotes, and without invisible characters. value: bytes as latin-1."""
    if value.isascii() and value.isprintable() and "\\" not in value:
        return value.replace("'", '"').replace("`", '"')
    text = decoded(value)
    # A zone file's escapes that were typed into a form (RFC 1035 5.1).
    text = re.sub(r"\\([01][0-9]{2}|2[0-4][0-9]|25[0-5])", lambda found: chr(int(found[1])), text)
    text = re.sub(r"\\(.)", r"\1", text)
    return "".join(_plain(char) for char in text.translate(_SIGNS))


def decoded(value: str) -> str:
    """The text of a TXT value: UTF-8, or Windows-1252 if it isn't UTF-8. value: bytes as latin-1."""
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
