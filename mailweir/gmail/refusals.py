"""The meaning of Google's refusals: one table. A row states the matching answers, the concerned party, and the error in words.

The first matching row counts, and each table ends with rows that match everything left. Pure. Called by `error_mapping`.

Sources: Gmail API, "Resolve errors" and "Usage limits"; RFC 6749 4.1.2.1 and 5.2, RFC 7009 2.2.1; and bug reports of other
integrations, for further answers of Google's.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from mailweir.gmail.errors import (
    AppRefused,
    ConsentFailed,
    GmailError,
    HistoryExpired,
    MessageGone,
    NeedsReconnect,
    NotOffered,
    NotTaken,
    Refused,
    Throttled,
    Unreachable,
    Whose,
)
from mailweir.sentence import template


class Asked(StrEnum):
    """The kind of request: the same answer has a different meaning for each."""

    PROFILE = "a mailbox's profile"
    MESSAGE = "a message"
    HISTORY = "the history since the cursor"
    PAGE = "a further page of that history"
    OTHER = "anything else of Gmail"
    USER_TOKEN = "an access token, by a user's consent"
    ROBOT_TOKEN = "an access token, by a service account"
    CODE = "the token for a consent's code"
    END = "the end of a consent"


_MESSAGE = frozenset({Asked.MESSAGE})
_HISTORY = frozenset({Asked.HISTORY, Asked.PAGE})
_GMAIL = frozenset({Asked.PROFILE, Asked.OTHER}) | _MESSAGE | _HISTORY
_USER = frozenset({Asked.USER_TOKEN, Asked.CODE, Asked.END})
_ROBOT = frozenset({Asked.ROBOT_TOKEN})
_CODE = frozenset({Asked.CODE})
_TOKENS = _USER | _ROBOT


@dataclass(frozen=True, slots=True)
class Meaning:
    """One row.

    statuses: of HTTP; empty: any. reasons: the answer has one of them; empty: any or none. words: the answer's text has one of
    them; empty: any text. needs_form: matches only answers in Google's form; if False, also those of a proxy. says: the error's
    text; {said} is Google's text, {status} its status.
    """

    asked: frozenset[Asked]
    whose: Whose
    error: type[GmailError]
    says: str
    statuses: Collection[int] = ()
    reasons: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    needs_form: bool = True
    is_certain: bool = False

    def fits(self, asked: Asked, status: int, reasons: Collection[str], text: str, *, has_form: bool) -> bool:
        """Does the row match this answer?"""
        return (
            asked in self.asked
            and (has_form or not self.needs_form)
            and (not self.statuses or status in self.statuses)
            and (not self.reasons or not self.reasons.isdisjoint(reasons))
            and (not self.words or any(word in text for word in self.words))
        )


_BAD = frozenset({400})
_FORBIDDEN = frozenset({403})
_MISSING = frozenset({404})
_TOO_MANY = frozenset({429})
_OUTAGE = range(500, 1000)
_NO_VERDICT = frozenset({*range(400), 407, 408, *_OUTAGE})

_LIMITS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "concurrentLimitExceeded"})
_DAILY_LIMITS = frozenset({"dailyLimitExceeded", "quotaExceeded"})
_DAILY_WORDS = ("PerDay", "per day")
_PROJECT_WORDS = ("PerProject", "per minute'")
_DAILY = template("Gmail says that the project's daily limit is reached{said}")
_PROJECT = template("Gmail says that the project's limit is reached{said}")
_MAILBOX = template("Gmail says that the mailbox's limit is reached{said}")

_API_OFF = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_PRECONDITION = frozenset({"failedPrecondition"})
_SCOPE = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
_TRUST = template(
    "the Workspace doesn't let this app read its mail: in the Admin console under Security, API "
    "controls, trust the app; then the mailbox continues by itself{said}"
)

_PASSING = frozenset({"temporarily_unavailable", "server_error", "internal_failure", "backend_error"})
_CLIENT_GONE = frozenset({"invalid_client", "deleted_client", "disabled_client"})
_GRANT = frozenset({"invalid_grant"})
_POLICY = frozenset({"access_denied", "admin_policy_enforced", "org_internal"})
_WRONG_CLIENT = frozenset({"unauthorized_client"})
_WRONG_SCOPE = frozenset({"invalid_scope"})
_OUTAGE_SAYS = template("Gmail answered {status}{said}")
_REFUSES = template("Gmail refuses with {status}{said}")
_TOKEN_OUTAGE = template("Google's token endpoint answered {status}{said}")

_OF_GMAIL = (
    Meaning(frozenset({Asked.PROFILE}), Whose.GOOGLE, NotOffered, "{status}{said}", _MISSING, needs_form=False),
    # limits, which a proxy may report too
    Meaning(_GMAIL, Whose.PROJECT, Throttled, _DAILY, _TOO_MANY | _FORBIDDEN, _DAILY_LIMITS),
    Meaning(_GMAIL, Whose.PROJECT, Throttled, _DAILY, _TOO_MANY, words=_DAILY_WORDS),
    Meaning(_GMAIL, Whose.PROJECT, Throttled, _DAILY, _FORBIDDEN, _LIMITS, _DAILY_WORDS),
    Meaning(_GMAIL, Whose.PROJECT, Throttled, _PROJECT, _TOO_MANY, words=_PROJECT_WORDS),
    Meaning(_GMAIL, Whose.PROJECT, Throttled, _PROJECT, _FORBIDDEN, _LIMITS, _PROJECT_WORDS),
    Meaning(_GMAIL, Whose.MAILBOX, Throttled, _MAILBOX, _TOO_MANY, needs_form=False),
    Meaning(_GMAIL, Whose.MAILBOX, Throttled, _MAILBOX, _FORBIDDEN, _LIMITS),
    Meaning(_GMAIL, Whose.MAILBOX, Throttled, _MAILBOX, _FORBIDDEN, words=("Too many concurrent requests",)),
    Meaning(_GMAIL, Whose.GOOGLE, Unreachable, _OUTAGE_SAYS, _NO_VERDICT, needs_form=False),
    # the requested object doesn't exist
    Meaning(_MESSAGE, Whose.MESSAGE, MessageGone, template("Gmail no longer has it{said}"), _MISSING),
    Meaning(_HISTORY, Whose.MAILBOX, HistoryExpired, template("Gmail no longer has it{said}"), _MISSING),
    # 401 in spite of a fresh token: the token endpoint has just confirmed the consent, so this is temporary, like an outage of
    # Google's sign-in
    Meaning(
        _GMAIL,
        Whose.MAILBOX,
        Unreachable,
        template("Gmail doesn't accept the account's fresh token{said}: is the account suspended?"),
        frozenset({401}),
    ),
    Meaning(
        _GMAIL,
        Whose.PROJECT,
        AppRefused,
        template(
            "the Gmail API is off in the Google Cloud project: in its console under APIs & Services, Library, enable it{said}"
        ),
        reasons=_API_OFF,
        is_certain=True,
    ),
    Meaning(_MESSAGE, Whose.MESSAGE, Refused, _REFUSES, _BAD, _PRECONDITION),
    Meaning(
        _GMAIL,
        Whose.MAILBOX,
        NeedsReconnect,
        template("the consent doesn't cover reading mail: connect again and leave its box ticked{said}"),
        reasons=_SCOPE,
    ),
    Meaning(_GMAIL, Whose.MAILBOX, NeedsReconnect, _TRUST, reasons=frozenset({"domainPolicy"})),
    Meaning(
        _GMAIL,
        Whose.MAILBOX,
        NeedsReconnect,
        template(
            "Gmail isn't on for this account: in the Admin console switch Gmail on for it, or give it a licence; "
            "then the mailbox continues by itself{said}"
        ),
        _BAD,
        _PRECONDITION,
    ),
    Meaning(
        _GMAIL,
        Whose.MAILBOX,
        NeedsReconnect,
        template("this account may not read that mailbox{said}: connect the mailbox's own account"),
        _FORBIDDEN,
        words=("Delegation denied",),
    ),
    # the cursor is not a number of this mailbox's history
    Meaning(frozenset({Asked.HISTORY}), Whose.MAILBOX, HistoryExpired, _REFUSES, _BAD),
    Meaning(_MESSAGE, Whose.MESSAGE, Refused, _REFUSES),
    Meaning(_GMAIL, Whose.MAILBOX, Refused, _REFUSES),
    Meaning(_GMAIL, Whose.GOOGLE, Unreachable, _OUTAGE_SAYS, needs_form=False),
)

_OF_TOKENS = (
    Meaning(
        _TOKENS,
        Whose.PROJECT,
        Throttled,
        template("Google limits how often tokens are asked for{said}"),
        _TOO_MANY,
        needs_form=False,
    ),
    Meaning(_CODE, Whose.GOOGLE, NotTaken, _TOKEN_OUTAGE, _OUTAGE, needs_form=False),
    Meaning(_TOKENS, Whose.GOOGLE, Unreachable, _TOKEN_OUTAGE, _NO_VERDICT - {407, 408}, needs_form=False),
    Meaning(_TOKENS, Whose.GOOGLE, Unreachable, _TOKEN_OUTAGE, reasons=_PASSING),
    # a wrong clock may be fixed without a person; otherwise a person would have to reconnect all mailboxes
    Meaning(
        _TOKENS,
        Whose.HOST,
        Unreachable,
        template("Google says that this host's clock is wrong: set it{said}"),
        reasons=_GRANT,
        words=("reasonable timeframe",),
    ),
    # a service account: nobody has consented, so nobody has to consent again
    Meaning(
        _ROBOT,
        Whose.APP,
        AppRefused,
        template("Google doesn't know the service account's key: put a new one into gmail.service_account_file{said}"),
        reasons=_GRANT,
        words=("Invalid JWT", "account not found"),
        is_certain=True,
    ),
    Meaning(
        _ROBOT,
        Whose.MAILBOX,
        Refused,
        template("the Workspace has no such mailbox: look up its address{said}"),
        reasons=_GRANT,
    ),
    Meaning(
        _ROBOT,
        Whose.APP,
        AppRefused,
        template("Google doesn't know the service account's key: put a new one into gmail.service_account_file{said}"),
        reasons=_CLIENT_GONE,
        is_certain=True,
    ),
    Meaning(
        _ROBOT,
        Whose.APP,
        AppRefused,
        template(
            "the service account may not read the Workspace's mail: in the Admin console under Security, API controls, "
            "Domain-wide delegation, add its client ID with the scope gmail.readonly{said}"
        ),
        reasons=_WRONG_CLIENT | _WRONG_SCOPE,
    ),
    Meaning(
        _ROBOT,
        Whose.APP,
        AppRefused,
        template("the Workspace doesn't let the service account in: see its Admin console{said}"),
        reasons=_POLICY,
    ),
    # a user's consent
    Meaning(
        _CODE,
        Whose.MAILBOX,
        ConsentFailed,
        template("Google doesn't accept the code: it works once, and for some minutes; try again"),
        reasons=_GRANT,
    ),
    Meaning(
        _USER,
        Whose.MAILBOX,
        NeedsReconnect,
        template(
            "the Workspace wants its users to sign in again and again: in the Admin console under Security, Google Cloud session "
            "control, exempt trusted apps, and trust this one; then connect it again{said}"
        ),
        reasons=_GRANT,
        words=("rapt",),
        is_certain=True,
    ),
    Meaning(
        _USER,
        Whose.MAILBOX,
        NeedsReconnect,
        template(
            "the consent is no longer valid (withdrawn, unused for six months, the password changed, or the app is in testing): "
            "connect again{said}"
        ),
        reasons=_GRANT,
        is_certain=True,
    ),
    Meaning(
        _USER,
        Whose.APP,
        AppRefused,
        template(
            "Google doesn't accept the OAuth client: put its right file where gmail.oauth_client_file says, and "
            "all mailboxes continue by themselves; another client needs a new consent of each user{said}"
        ),
        reasons=_CLIENT_GONE,
        is_certain=True,
    ),
    Meaning(
        _USER,
        Whose.APP,
        AppRefused,
        template(
            "the users consented to another OAuth client than the one in gmail.oauth_client_file: put that "
            "client's file back, and all mailboxes continue by themselves; or connect them again{said}"
        ),
        reasons=_WRONG_CLIENT,
    ),
    Meaning(_CODE, Whose.MAILBOX, ConsentFailed, _TRUST, reasons=_POLICY),
    Meaning(_USER, Whose.MAILBOX, NeedsReconnect, _TRUST, reasons=_POLICY),
    Meaning(
        _CODE,
        Whose.MAILBOX,
        ConsentFailed,
        template("Google gives no token for that consent: connect again{said}"),
        reasons=_WRONG_SCOPE,
    ),
    Meaning(
        _USER,
        Whose.MAILBOX,
        NeedsReconnect,
        template("Google gives no token: connect again{said}"),
        reasons=_WRONG_SCOPE,
    ),
    # no known verdict on the consent, or not in Google's form
    Meaning(_TOKENS, Whose.GOOGLE, Unreachable, "Google gives no token{said}"),
    Meaning(_TOKENS, Whose.GOOGLE, Unreachable, _TOKEN_OUTAGE, needs_form=False),
)

TABLE = (*_OF_GMAIL, *_OF_TOKENS)


def find(asked: Asked, status: int, reasons: Collection[str], text: str, *, has_form: bool) -> Meaning:
    """The row for an answer. text: Google's text, with the names of the exceeded limits. has_form: it is in Google's form."""
    return next(row for row in TABLE if row.fits(asked, status, reasons, text, has_form=has_form))
