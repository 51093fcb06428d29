"""Why a provider's sign-in came to nothing. The page has the words; the detail is for the log. Pure. Called by `provider`."""

import enum

from mailweir.errors import MailweirError


class Why(enum.StrEnum):
    """UNREACHABLE: no answer, or none that makes sense; the next try may have one. BUSY: too many ask at the same time. SETTINGS:
    what the settings say of the provider is wrong. DENIED: it doesn't let the person in. TOKEN: what it says isn't proven.
    CODE: the answer was used before, or is too old."""

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
