r"""Makes text of unknown origin safe for a terminal or a page: control and invisible characters appear as their code (`\x1b`).

These are: control characters (Cc), line and paragraph separators (Zl, Zp), lone surrogates, all characters that Unicode calls
default ignorable (UAX #44: bidirectional controls, zero-width characters, tags, fillers, variation selectors), and the rest of
category Cf. Some stay where they belong, and nowhere else: the joiners of Indic, Arabic and other scripts (RFC 5892 A.1, A.2),
the joiners and selectors within emoji, the selectors of ideographs (Japanese names have them) and of Mongolian, and Arabic's
number signs, which are visible. So `Jane` with an invisible joiner in it doesn't look like `Jane`.

Pure. Called by the command line and the page; JSON holds the exact text, as JSON escapes it.
"""

import re

_UNSEEN = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)

# Letters and marks of the scripts in which a joiner changes the text's appearance: Arabic and related scripts, Indic ones,
# Tibetan to Mongolian.
_JOINED = (
    "\u0620-\u06dc\u06de-\u0dff\u0f00-\u109f\u1780-\u17b3\u17b6-\u17ff\u1820-\u18aa\u1980-\u1aff\u1b00-\u1cff\ua840-\ua877"
    "\ua880-\ua8ff\ua980-\ua9df\uaa00-\uaa5f\uabc0-\uabff\ufb50-\ufdff\ufe70-\ufefc\U00010ac0-\U00010aff\U00011000-\U00011fff"
    "\U0001e900-\U0001e95f"
)
_VIRAMA = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca"
_JOINER = f"(?:(?<=[{_JOINED}])[\u200c\u200d](?=[{_JOINED}])|(?<=[{_VIRAMA}])[\u200c\u200d])"

_SKIN = "\U0001f3fb-\U0001f3ff"
_PICTURE = (
    "\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030"
    "\u303d\u3297\u3299\U0001f000-\U0001f3fa\U0001f400-\U0001faff"
)
_ONE_EMOJI = f"[{_PICTURE}](?:[{_SKIN}]|[\ufe0e\ufe0f])?"
_EMOJI = f"{_ONE_EMOJI}(?:\u200d{_ONE_EMOJI})*|[0-9#*]\ufe0f\u20e3"
# The three flags that Unicode builds from tags (England, Scotland, Wales); any other tags are invisible text.
_FLAGS = "|".join(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(char)) for char in name) + "\U000e007f"
    for name in ("gbeng", "gbsct", "gbwls")
)
_IDEOGRAPH = "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff][\ufe00-\ufe02\U000e0100-\U000e01ef]"
_MONGOLIAN = "[\u1820-\u18aa][\u180b-\u180d\u180f]"

_STEP = re.compile(f"({_FLAGS}|{_EMOJI}|{_IDEOGRAPH}|{_MONGOLIAN}|{_JOINER})|[{_UNSEEN}]")


def printable(text: str) -> str:
    """The text with unsafe characters shown as their code. Idempotent."""
    if text.isascii() and text.isprintable():
        return text
    return _STEP.sub(lambda match: match[1] or match[0].encode("unicode_escape").decode("ascii"), text)


def printable_lines(text: str) -> str:
    """The same, but keeps line ends and tabs: for a whole message or file."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in lines)
