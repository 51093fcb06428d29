"""Named errors. The code that finds a fault raises one with the facts; an edge translates it once, to an SMTP reply or an exit
code.

Pure. An error never holds a reply code or an exit code: the edges choose it.
"""


class MailweirError(Exception):
    """Base of all our errors. Its text is one line that says what is wrong and what to do."""


class BadInput(MailweirError):
    """A value that a person gave is not acceptable: a duplicate address, an unknown name, a malformed value."""


class NotFound(BadInput):
    """The requested object doesn't exist."""


class SettingsError(MailweirError):
    """The settings file is missing, unreadable or invalid."""


class DatabaseVersionError(MailweirError):
    """The database is older or newer than this code."""


class DatabaseUnavailable(MailweirError):
    """The database isn't available right now; the same query may work later."""


class DnsUnavailable(MailweirError):
    """DNS gave no answer (timeout, SERVFAIL): the result is unknown. Never treat it as 'no such record'."""


class BackupError(MailweirError):
    """A backup can't be made, or the file to restore isn't a Mailweir backup."""
