"""The reason why signing in by a provider failed. The page has the words for people; the detail is for the log. Pure. Called by
`provider`."""

import enum

from mailweir.errors import MailweirError


class Why(enum.StrEnum):
    """UNREACHABLE: no answer, or no valid one; the next try may work. BUSY: too many requests at the same time. SETTINGS: the
    settings for the provider are wrong. DENIED: the provider doesn't let the person in. TOKEN: the provider's statement isn't
    proven. CODE: the answer was used before, or is too old."""

    UNREACHABLE = "unreachable"
    BUSY = "busy"
    SETTINGS = "settings"
    DENIED = "denied"
    TOKEN = "token"
    CODE = "code"


class ProviderRefusal(MailweirError):
    """why: for the page. The text: for the log, without a secret."""

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(detail)
        self.why = why
