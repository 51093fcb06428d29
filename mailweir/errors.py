"""Named errors: raised where they are found, with the facts, and translated once at an edge (SMTP reply, exit code).

Pure. Never holds a reply code or an exit code itself: the edges know those.
"""


class MailweirError(Exception):
    """Base of all our errors. Its text is one line that says what is wrong and what to do."""


class BadInput(MailweirError):
    """Something that a person gave can't be taken: an address twice, an unknown name, a malformed value."""


class NotFound(BadInput):
    """What was asked for isn't there."""


class SettingsError(MailweirError):
    """The settings file is missing, unreadable, or says something that can't be."""


class DatabaseVersionError(MailweirError):
    """The database is older or newer than this code."""


class DatabaseUnavailable(MailweirError):
    """The database can't be asked right now; the same question may be answered later."""


class DnsUnavailable(MailweirError):
    """DNS gave no answer (timeout, SERVFAIL): unknown, and never to be read as 'there is none'."""


class BackupError(MailweirError):
    """A backup can't be made, or what is to be restored is none of ours."""
