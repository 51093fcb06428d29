"""What can go wrong between us and Gmail, by what is to be done about it. Raised by `api` and `tokens`; `sweep` acts on it."""

from mailweir.errors import MailweirError


class GmailError(MailweirError):
    """Base of these. Its text is one line in words that an admin understands."""


class Throttled(GmailError):
    """Gmail (429, 403 with a limit's reason), or our own share of the quota, wants this mailbox to wait.

    retry_after_seconds: what the answer said, or None. whole_project: the limit is the project's, not the mailbox's.
    """

    def __init__(self, text: str, retry_after_seconds: float | None = None, *, whole_project: bool = False) -> None:
        super().__init__(text)
        self.retry_after_seconds = retry_after_seconds
        self.whole_project = whole_project


class Unreachable(GmailError):
    """No answer, half an answer, or 5xx: the same question may be answered later.

    retry_after_seconds: what the answer said, or None.
    """

    def __init__(self, text: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_seconds = retry_after_seconds


class MessageGone(GmailError):
    """The message isn't there any more (404)."""


class HistoryExpired(GmailError):
    """The history doesn't reach back to the cursor any more (404)."""


class NeedsReconnect(GmailError):
    """This mailbox can't be read until somebody does something; the text says what.

    is_certain: nothing but a new consent helps. Else the answer may be Google's bad moment, and counts once it lasts.
    """

    def __init__(self, text: str, *, is_certain: bool = False) -> None:
        super().__init__(text)
        self.is_certain = is_certain


class AppRefused(GmailError):
    """Google refuses the app, whichever mailbox is asked for: its admin sets that right, and nobody has to consent for it.

    is_certain: it is the app beyond doubt. Else it is the app where no other mailbox fares better.
    """

    def __init__(self, text: str, *, is_certain: bool = True) -> None:
        super().__init__(text)
        self.is_certain = is_certain


class Refused(GmailError):
    """Gmail refuses this very question (another 4xx): asking again won't help. status: of HTTP, or 0."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class ConsentFailed(GmailError):
    """There is no consent: declined, not given in time, or less of it than was asked for."""
