"""A reading: all data that is read from one version of a message. Pure. Made by `message`, carried by `frame`."""

from dataclasses import dataclass

from mailweir.reading.attachments import Attachment
from mailweir.reading.folds import Fold
from mailweir.reading.forwarded import Original
from mailweir.reading.html_view import View
from mailweir.reading.invitation import Invitation
from mailweir.reading.labels import Label
from mailweir.reading.thread_keys import ThreadKeys

READER_VERSION = 2  # a higher number makes the digest read the whole record again

TEXT_CUT = "text_cut"
HTML_CUT = "html_cut"
HTML_TOO_LARGE = "html_too_large"
PROBLEMS = frozenset({TEXT_CUT, HTML_CUT, HTML_TOO_LARGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """subject, snippet: one line each. text: the whole text; folds: the parts of it that are folded at first.

    view: the HTML, safe to show, or None; sanitizer_version: of the sanitizer that made it. original: of a message that was
    forwarded by hand. attachments: their numbers begin with 1. problems: of `PROBLEMS`.
    """

    subject: str
    snippet: str
    text: str
    view: View | None
    sanitizer_version: int
    folds: tuple[Fold, ...]
    original: Original | None
    labels: frozenset[Label]
    attachments: tuple[Attachment, ...]
    invitation: Invitation | None
    thread_keys: ThreadKeys
    problems: tuple[str, ...]
