"""Are two subjects one mail's? What replies, forwards, lists and gateways put in front doesn't count, nor where a long one is
cut.

Two mails may come under one Message-ID, author and second: programs that send invoices do that. Their bodies can't tell them
from one mail that a list or gateway changed on its way; their subjects can. Pure; called by `recording`. Standard library only.
"""

import re
import unicodedata

_MIN_CUT_CHARS = 50  # a shorter subject that begins another one is one of its own: `Invoice 1`, `Invoice 10`
# RFC 5322 3.6.5's Re, and what stands for it, and for a forward, in mail programs of other languages; `Re[2]:` and `Re (2):` too
_PREFIX = re.compile(
    r"(?:re|fwd?|fw|aw|antw|antwort|wg|sv|vs|vb|vl|rv|res|enc|tr|rif|ynt|ilt|odp|pd|doorst|bls|atb|ref|回复|回覆|答复|轉寄|转发)"
    r"\s*(?:\[\d{1,3}\]|\(\d{1,3}\))?\s*[:：]\s*",
    re.IGNORECASE,
)
_TAG = re.compile(r"\[[^\[\]]{1,60}\]\s*|\*{2,}[^*]{1,40}\*{2,}\s*|\(fwd\)\s*$", re.IGNORECASE)
_CUT = re.compile(r"\s*(?:\.{2,}|\u2026)$")


def core(subject: str) -> str:
    """What is left without prefixes, tags in brackets and doubled blanks, in one spelling."""
    rest = " ".join(unicodedata.normalize("NFKC", subject).split())
    while lead := _PREFIX.match(rest) or _TAG.match(rest):
        rest = rest[lead.end() :]
    return _TAG.sub("", rest).strip().casefold()


def same(one: str, other: str) -> bool:
    """Could both be the subject of one mail? Where one is empty or couldn't be decoded: yes, for nothing is to be doubled."""
    if one == other:
        return True
    if "\ufffd" in one + other:
        return True
    short, long = sorted((core(one), core(other)), key=len)
    cut = _CUT.sub("", short)
    return not short or short == long or (len(cut) >= _MIN_CUT_CHARS and long.startswith(cut))
