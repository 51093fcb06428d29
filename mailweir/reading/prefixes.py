"""The meaning of a subject's first prefix: a forward, or a reply.

Pure. Called by `openings`.
"""

import re
import unicodedata

from mailweir.reading.label_words import FORWARD_PREFIX, REPLY_PREFIX

_TAG = re.compile(r"\[[^\[\]]{1,60}\]\s*|\*{2,}[^*]{1,40}\*{2,}\s*|(?:external|extern)\s*:\s*", re.IGNORECASE)
_MAX_TAGS = 5
_MAX_CHARS = 300
# `VS:` is a forward in Danish and Norwegian, and a reply in Finnish
_FINNISH = re.compile(r"vs\s*:", re.IGNORECASE)
_FINNISH_FROM = "lähettäjä"


def is_forward(subject: str, from_label: str = "") -> bool:
    """Does a forward's prefix come first? from_label: the From label of the header in the text, in the form of `label_words`."""
    head = _head(subject)
    if _FINNISH.match(head) and from_label == _FINNISH_FROM:
        return False
    return FORWARD_PREFIX.match(head) is not None


def is_reply(subject: str, from_label: str = "") -> bool:
    """Does a reply's prefix come first?"""
    head = _head(subject)
    return REPLY_PREFIX.match(head) is not None or (_FINNISH.match(head) is not None and from_label == _FINNISH_FROM)


def _head(subject: str) -> str:
    head = unicodedata.normalize("NFKC", subject[:_MAX_CHARS]).strip()
    # A Turkish İ counts as I here, in any locale.
    head = head.replace("İ", "I").strip("\u200e\u200f\u202a\u202b\u202c\ufeff ")
    for _ in range(_MAX_TAGS):
        tag = _TAG.match(head)
        if tag is None:
            break
        head = head[tag.end() :]
    return head
