"""A user's login for the relay, with all values for Gmail's form "Send mail as".

The password is made here, shown once and stored nowhere: only its hash is stored. Called by `mailweir relay`.
"""

from dataclasses import dataclass, field
from datetime import datetime

from mailweir import passwords
from mailweir.explain import relay
from mailweir.explain.explanation import Explanation
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.people import relay_logins
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.relay_logins import RelayLogin


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A login with a new password, which is shown only this once."""

    login: RelayLogin
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The values for Gmail's form. username: the login. hindrances: why Gmail can't use the login yet."""

    host: str
    submission_port: int
    submissions_port: int
    username: str
    password: str = field(repr=False)
    hindrances: tuple[Explanation, ...]


def connect(database: Database, deployment: Deployment, username: str, now: datetime) -> NewPassword:
    """Makes a user's login. NotFound if the user is unknown, BadInput if there is already a login."""
    password = passwords.generate()
    return NewPassword(relay_logins.connect(database, deployment, username, passwords.digest(password), now), password)


def rotate(database: Database, deployment: Deployment, username: str, now: datetime) -> NewPassword:
    """Gives a login a new password: the old one is refused from now on, and a suspension is lifted. NotFound if there is no
    login."""
    password = passwords.generate()
    return NewPassword(relay_logins.rotate(database, deployment, username, passwords.digest(password), now), password)


def form(settings: Settings, made: NewPassword) -> Form:
    """The form, filled in. settings: those that the running processes use."""
    return Form(
        host=settings.hostname,
        submission_port=settings.smtp.submission_port,
        submissions_port=settings.smtp.submissions_port,
        username=made.login.login,
        password=made.password,
        hindrances=tuple(relay.hindrances(settings)),
    )
