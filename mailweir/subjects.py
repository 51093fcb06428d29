"""Could two subjects be of one mail? Prefixes of replies, forwards, lists and gateways don't count, and a long subject may be cut
off.

Two mails may share one Message-ID, author and second: programs that send invoices do that. Their bodies can't distinguish them
from one mail that a list or gateway changed on its way; their subjects can. Pure; called by `recording` and
`reading.thread_keys`. Standard library only.
"""

import re
import unicodedata
from typing import NamedTuple

MAX_CHARS = 1_000
_MIN_CUT_CHARS = 50  # a shorter subject doesn't count as cut: `Invoice 1` isn't `Invoice 10`
# Re of RFC 5322 3.6.5, and its equivalents in mail programs of other languages; `Re[2]:` and `Re (2):` too. `VS` is an answer in
# Finnish and a forward in Norwegian: it counts as an answer, because those are more frequent.
_REPLY = "re|r|aw|antw|antwort|sv|vs|res|ynt|odp|odg|ats|atb|bls|ref|rif|vá|απ|на|отв|ответ|رد|השב|回复|回覆|答复|答覆|返信|회신|답장|ตอบ"  # noqa: E501
_FORWARD = (
    "fwd?|wg|vb|vl|tr|enc|i|pd|ilt|rv|doorst|fs|trs|redir\\.?|továbbítás|továbbküldött|přeposláno|preposlané|proslijeđeno"
    "|redirec[țţ]ionat|πρθ|пересл|הועבר|إعادة توجيه|転送|轉寄|转发|轉發|전달|ส่งต่อ"
)
_PREFIX = re.compile(
    rf"(?:(?P<forward>{_FORWARD})|{_REPLY})\s*(?:\[\d{{1,3}}\]|\(\d{{1,3}}\))?\s*[:：]\s*", re.IGNORECASE
)
_TAG = re.compile(r"\[[^\[\]]{1,60}\]\s*|\*{2,}[^*]{1,40}\*{2,}\s*|\(fwd\)\s*$", re.IGNORECASE)
_CUT = re.compile(r"\s*(?:\.{2,}|\u2026)$")


class Parts(NamedTuple):
    """A subject taken apart. core: without prefixes, tags in brackets and doubled blanks, in one spelling. is_reply,
    is_forward: by the first of its prefixes. has_forward: by any of them."""

    core: str
    is_reply: bool
    is_forward: bool
    has_forward: bool


def core(subject: str) -> str:
    """See `Parts`."""
    return read(subject).core


def read(subject: str) -> Parts:
    """Takes a subject apart."""
    rest = " ".join(unicodedata.normalize("NFKC", subject[:MAX_CHARS]).split())
    prefixes: list[bool] = []
    begin = 0
    while lead := _PREFIX.match(rest, begin) or _TAG.match(rest, begin):
        if lead.re is _PREFIX:
            prefixes.append(lead["forward"] is not None)
        begin = lead.end()
    return Parts(
        core=_TAG.sub("", rest[begin:]).strip().casefold(),
        is_reply=bool(prefixes) and not prefixes[0],
        is_forward=bool(prefixes) and prefixes[0],
        has_forward=any(prefixes),
    )


def same(one: str, other: str) -> bool:
    """Could both be the subject of one mail? Yes if one is empty or couldn't be decoded, so that nothing is recorded twice."""
    if one == other:
        return True
    if "\ufffd" in one + other:
        return True
    short, long = sorted((core(one), core(other)), key=len)
    cut = _CUT.sub("", short)
    return not short or short == long or (len(cut) >= _MIN_CUT_CHARS and long.startswith(cut))
