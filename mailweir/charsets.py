"""Decodes bytes under a charset label, by the meaning that the label has in real mail.

Labels are wrong in the same ways everywhere: mail labelled gb2312 is GBK, and mail labelled iso-8859-1 is windows-1252. The
WHATWG Encoding Standard (4.2, its table of labels) records that, and this module follows it with three exceptions: charsets that
it replaces as unsafe in a page (hz-gb-2312, iso-2022-kr) are decoded here, UTF-7 is decoded because mail has it, and us-ascii is
tried as UTF-8 first. Never raises on any bytes or label; unreadable bytes become U+FFFD. Called by `encoded_words` and the reader
of vCards. Pure.
"""

import codecs
import encodings
import pkgutil
import re
from encodings.aliases import aliases
from functools import lru_cache

_MAX_LABEL_CHARS = 64  # of each label that is cached
_NOISE = re.compile(r"[^a-z0-9]+")  # ISO_8859-1:1987, iso8859-1 and iso88591 are the same
_EXPERIMENTAL = re.compile(r"^(?:x|cs)+")  # x-gbk, x-x-big5, csGB2312
# Python's codecs that aren't charsets: bytes to bytes, text to text, or specific to this host.
_NO_TEXT = frozenset(
    "aliases base64_codec bz2_codec hex_codec quopri_codec rot_13 uu_codec zlib_codec"  # noqa: SIM905
    " idna punycode undefined unicode_escape raw_unicode_escape mbcs oem charmap".split()
)
# Labels that Python doesn't know, without the noise.
_MORE_LABELS = {
    **dict.fromkeys(("unicode11utf8", "unicode20utf8"), "utf_8"),
    **dict.fromkeys(("unicode", "unicodefeff", "ucs2", "iso10646ucs2"), "utf_16"),
    "unicodefffe": "utf_16_be",
    **dict.fromkeys(("iso88596e", "iso88596i"), "iso8859_6"),
    "suneugreek": "iso8859_7",
    **dict.fromkeys(("iso88598e", "iso88598i", "visual", "logical"), "iso8859_8"),
    "isolatin9": "iso8859_15",
    **dict.fromkeys(("koi", "koi8"), "koi8_r"),
    "koi8ru": "koi8_u",
    "mac": "mac_roman",
    "macukrainian": "mac_cyrillic",
    "dos874": "cp874",
    "cnbig5": "big5hkscs",
    "eucpkdfmtjapanese": "euc_jp",
    **dict.fromkeys(("cp50220", "cp50221", "cp50222", "iso2022jpms"), "iso2022_jp"),
    "windows31j": "cp932",
    **dict.fromkeys(("isoir149", "ksc56011989"), "cp949"),
}
# By Python's name: the superset that mail with this label really uses.
_SUPERSETS = {
    "latin_1": "cp1252",
    "iso8859_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    **dict.fromkeys(("big5", "cp950"), "big5hkscs"),
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "iso2022_jp": "iso2022_jp_ext",
}
# Symbols that WHATWG and Microsoft map otherwise than Python's codecs do.
_JIS_SYMBOLS = str.maketrans("〜‖−¢£¬", "～∥－￠￡￢")
_SYMBOLS = {
    "euc_jp": _JIS_SYMBOLS,
    "iso2022_jp_ext": _JIS_SYMBOLS,
    "big5hkscs": str.maketrans("•､‾∼♁☉¥¢£", "‧﹑¯～⊕⊙￥￠￡"),
}
# Microsoft added the euro sign at an unused position: code pages 936 and 950.
_EURO = {"gb18030": b"\x80", "big5hkscs": b"\xa3\xe1"}
_MEND = "mailweir.charsets"


def decode(data: bytes, label: str) -> str:
    """Text of `data`, in any charset that Python decodes; as UTF-8 if the label names none. UTF-7 may give lone surrogates."""
    codec = _codec_of(label[:_MAX_LABEL_CHARS]) or "utf_8"
    if codec == "ascii":
        codec = "utf_8" if _is_utf_8(data) else "cp1252"
    try:
        text = data.decode(codec, "replace" if codec.startswith("utf") else _MEND)
    except ValueError:  # some of Python's codecs raise in spite of "replace"
        text = data.decode("utf-8", "replace")
    if codec in _SYMBOLS:
        text = text.translate(_SYMBOLS[codec])
    return text.removeprefix("\ufeff")


def is_known(label: str) -> bool:
    """Does the label name a charset?"""
    return _codec_of(label[:_MAX_LABEL_CHARS]) is not None


@lru_cache(maxsize=256)
def _codec_of(label: str) -> str | None:
    # Python isn't asked for any other name: it would try to import a module for it, and cache the failure forever.
    name = _NOISE.sub("", label.lower())
    found = _CODECS.get(name) or _CODECS.get(_EXPERIMENTAL.sub("", name))
    return _SUPERSETS.get(found, found) if found else None


def _codecs_by_label() -> dict[str, str]:
    modules = {module.name for module in pkgutil.iter_modules(encodings.__path__)} - _NO_TEXT
    names = {name: name for name in modules} | {alias: name for alias, name in aliases.items() if name in modules}
    labels = {_NOISE.sub("", name): codec for name, codec in names.items()}
    labels |= {f"windows{label[2:]}": codec for label, codec in labels.items() if label.startswith("cp")}
    return labels | _MORE_LABELS


_CODECS = _codecs_by_label()


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _mend(error: UnicodeError) -> tuple[str, int]:
    """Decodes bytes that a codec of Python's can't read but the superset can. Returns a text, and the position to continue at, as
    `codecs.register_error` requires."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    raw, start = error.object, error.start
    if (
        error.encoding == "charmap" and 0x80 <= raw[start] < 0xA0
    ):  # WHATWG 9: windows-1252 and similar charsets have C1 controls there
        return chr(raw[start]), start + 1
    euro = _EURO.get(error.encoding)
    if euro and raw.startswith(euro, start):
        return "€", start + len(euro)
    if error.encoding in ("euc_jp", "iso2022_jp_ext"):
        char = _from_jis(raw[start : start + 2], eight_bits=error.encoding == "euc_jp")
        if char:
            return char, start + 2
    # An escape within the unreadable bytes still counts: a character was cut off in front of it.
    escape = raw.find(b"\x1b", start + 1, error.end)
    return "\ufffd", escape if escape > 0 else error.end


def _from_jis(pair: bytes, *, eight_bits: bool) -> str:
    """The character in a row and cell of JIS X 0208, by Microsoft's code page, which includes NEC's and IBM's extensions; or an
    empty string."""
    row, cell = (byte & 0x7F for byte in pair) if len(pair) == 2 else (0, 0)
    if not (0x21 <= row <= 0x7E and 0x21 <= cell <= 0x7E and all((byte > 0x7F) == eight_bits for byte in pair)):
        return ""
    lead = (row - 0x21 >> 1) + (0x81 if row < 0x5F else 0xC1)
    trail = cell + (0x7E if row % 2 == 0 else 0x1F if cell < 0x60 else 0x20)
    try:
        return bytes((lead, trail)).decode("cp932")
    except UnicodeDecodeError:
        return ""


codecs.register_error(_MEND, _mend)
