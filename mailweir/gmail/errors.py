"""Errors of requests to Google, one class for each required reaction. Raised in this package; the sync acts on them. Pure."""

from enum import StrEnum

from mailweir.errors import MailweirError


class Whose(StrEnum):
    """The party that a refusal concerns, and so the scope that waits until it is fixed."""

    MESSAGE = "message"  # one message: the others are available
    MAILBOX = "mailbox"  # one mailbox: its user, or the admin for it, has to act
    APP = "app"  # the OAuth client or the service account: all mailboxes
    PROJECT = "project"  # the project at Google Cloud: its limits, its switches
    GOOGLE = "Google"  # Google, or the network: it ends by itself
    HOST = "host"  # this host's clock


class GmailError(MailweirError):
    """The base class. Its text is one line in words that an admin understands.

    whose: the party that it concerns, if an answer said so. retry_after_seconds: from the answer, or None. is_certain: one such
    answer is enough. Otherwise it may be a temporary fault of Google's, and is believed only if it lasts. status: of HTTP, or 0.
    """

    def __init__(
        self,
        text: str,
        retry_after_seconds: float | None = None,
        *,
        whose: Whose | None = None,
        is_certain: bool = False,
        status: int = 0,
    ) -> None:
        super().__init__(text)
        self.retry_after_seconds = retry_after_seconds
        self.whose = whose
        self.is_certain = is_certain
        self.status = status


class Throttled(GmailError):
    """Gmail, or our own share of the quota, requires this mailbox to wait; or all mailboxes, if the limit is the project's."""

    @property
    def whole_project(self) -> bool:
        """Is it the project's limit, and not the mailbox's?"""
        return self.whose is Whose.PROJECT


class Unreachable(GmailError):
    """No answer, half an answer, or 5xx: the same question may be answered later."""


class NotTaken(Unreachable):
    """Google itself reports a temporary fault: the request wasn't executed, so it may be repeated."""


class NotOffered(GmailError):
    """The server lacks this method (404). Gmail has it, but a test server may not."""


class MessageGone(GmailError):
    """The message isn't there any more (404)."""


class HistoryExpired(GmailError):
    """The history doesn't reach back to the cursor any more (404), or is another mailbox's (400)."""


class NeedsReconnect(GmailError):
    """This mailbox can't be read until somebody acts; the text says how. is_certain: only a new consent helps."""


class AppRefused(GmailError):
    """Google refuses the app, for any mailbox: its admin must fix that, and nobody has to consent again for it.

    is_certain: the app is the cause beyond doubt. Otherwise it is the cause if all other mailboxes fail, too.
    """


class Refused(GmailError):
    """Gmail refuses this particular request (another 4xx): repeating it won't help."""


class ConsentFailed(GmailError):
    """There is no consent: declined, not given in time, or less of it than was asked for."""
