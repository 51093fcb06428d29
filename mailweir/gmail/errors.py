"""What can go wrong between us and Google, by what is to be done about it. Raised in this package; the sync acts on it. Pure."""

from enum import StrEnum

from mailweir.errors import MailweirError


class Whose(StrEnum):
    """Whom a refusal concerns, and so what waits until it is mended."""

    MESSAGE = "message"  # one message: the others can be had
    MAILBOX = "mailbox"  # one mailbox: its user, or the admin for it, does something
    APP = "app"  # the OAuth client or the service account: all mailboxes
    PROJECT = "project"  # the project at Google Cloud: its limits, its switches
    GOOGLE = "Google"  # Google, or what stands between: it passes by itself
    HOST = "host"  # this host's clock


class GmailError(MailweirError):
    """Base of these. Its text is one line in words that an admin understands.

    whose: whom it concerns, where an answer said so. retry_after_seconds: what the answer said, or None. is_certain: one such
    answer is enough. Else it may be Google's bad moment, and counts once it lasts. status: of HTTP, or 0.
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
    """Gmail, or our own share of the quota, wants this mailbox to wait; or all of them, where the limit is the project's."""

    @property
    def whole_project(self) -> bool:
        """Is it the project's limit, and not the mailbox's?"""
        return self.whose is Whose.PROJECT


class Unreachable(GmailError):
    """No answer, half an answer, or 5xx: the same question may be answered later."""


class NotTaken(Unreachable):
    """Google's own word that it has a bad moment: what was asked wasn't done, so it may be asked again."""


class NotOffered(GmailError):
    """A method that Gmail has, and a server in its place may not (404)."""


class MessageGone(GmailError):
    """The message isn't there any more (404)."""


class HistoryExpired(GmailError):
    """The history doesn't reach back to the cursor any more (404), or is another one (400)."""


class NeedsReconnect(GmailError):
    """This mailbox can't be read until somebody does something; the text says what. is_certain: only a new consent helps."""


class AppRefused(GmailError):
    """Google refuses the app, whichever mailbox is asked for: its admin sets that right, and nobody has to consent for it.

    is_certain: it is the app beyond doubt. Else it is the app where no other mailbox fares better.
    """


class Refused(GmailError):
    """Gmail refuses this very question (another 4xx): asking again won't help."""


class ConsentFailed(GmailError):
    """There is no consent: declined, not given in time, or less of it than was asked for."""
