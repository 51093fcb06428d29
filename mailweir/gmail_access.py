"""Connecting and disconnecting a user's Gmail: which mailbox a consent opens, and what remains at Google afterwards.

The caller (the command line, a page) brings the consent, and words the errors and results in its own way. The database is open
for short moments only, because Google may be slow.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from mailweir import address as addresses
from mailweir import secrets_file
from mailweir.errors import BadInput, MailweirError, NotFound, SettingsError
from mailweir.gmail import oauth_files, renaming, tokens
from mailweir.gmail.api import Api, MailboxReader
from mailweir.gmail.consent import Consent
from mailweir.gmail.oauth_files import OAuthClient, ServiceAccount
from mailweir.gmail.parse import Profile
from mailweir.gmail.patience import patiently
from mailweir.secrets_file import Seals
from mailweir.sentence import said
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_connections, gmail_mailboxes, gmail_workers
from mailweir.store.gmail.gmail_connections import Connected
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox, token_purpose
from mailweir.store.people.deployments import Deployment

OpenDatabase = Callable[[], AbstractContextManager[Database]]


class AnotherAccount(BadInput):
    """The consent belongs to another account than the named one. found: that account's address."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(
            said(
                "that is the Google account of {found}, and not of {wanted}: choose the other account",
                found=found,
                wanted=wanted,
            )
        )
        self.found = found
        self.wanted = wanted


class AnotherMailbox(BadInput):
    """The user is connected with another mailbox, and the new one isn't that one renamed. found: the new mailbox's address.
    may_be_renamed: too little is recorded to tell, so a person may confirm the renaming by naming the address."""

    def __init__(self, before: str, found: str, *, may_be_renamed: bool) -> None:
        super().__init__(
            said(
                "{before} is connected, and {found} is another mailbox: disconnect the first",
                before=before,
                found=found,
            )
        )
        self.before = before
        self.found = found
        self.may_be_renamed = may_be_renamed


@dataclass(frozen=True, slots=True)
class Wanted:
    """The mailbox to connect. address: of the intended mailbox; is_exact: a person named it, so no other mailbox is accepted.
    before: the user's connected mailbox, if any."""

    address: str
    before: Connected | None
    is_exact: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """A mailbox that Gmail lets us read. token_sealed: the consent's token, or None for a service account. consent_ends_at: None
    if it lasts."""

    profile: Profile
    token_sealed: bytes | None = field(repr=False)
    consent_ends_at: datetime | None


@contextmanager
def proven(
    settings: Settings,
    open_database: OpenDatabase,
    wanted: Wanted,
    identity: OAuthClient | ServiceAccount,
    consent: tuple[Consent, Seals] | None,
) -> Iterator[Proof]:
    """Yields the mailbox that Gmail lets us read; the caller's block records it. If the block fails, the consent is given back.

    consent: with the object that seals its token; None for a service account. Errors: AnotherAccount, AnotherMailbox, BadInput,
    GmailError.
    """
    given, secrets = consent or (None, None)
    whose = [wanted.before.address if wanted.before else wanted.address]
    token = given.refresh_token if given else None
    reader = Api(settings.gmail).mailbox(tokens.credentials(identity, wanted.address, token), lambda units: None)
    try:
        profile = _profile_of(reader, wanted, whose, is_delegated=given is None)
        sealed = secrets.seal(token.encode(), token_purpose(profile.address)) if secrets and token else None
        yield Proof(profile, sealed, given.ends_at if given else None)
    except MailweirError:
        if given and isinstance(identity, OAuthClient):
            _give_back(settings, open_database, identity, given, whose[-1])
        raise


def _give_back(
    settings: Settings, open_database: OpenDatabase, client: OAuthClient, given: Consent, address: str
) -> None:
    """Revokes an unused consent at Google, unless the mailbox is already read by the same consent."""
    with open_database() as database:
        is_read = gmail_mailboxes.is_read(database, address)
    if not is_read:
        with suppress(MailweirError):
            tokens.revoke(client, given.refresh_token, settings.gmail.timeout_seconds)


def _profile_of(reader: MailboxReader, wanted: Wanted, whose: list[str], *, is_delegated: bool) -> Profile:
    """The profile of the mailbox; its address is added to `whose` as soon as it is known."""
    profile, before = patiently(reader.profile), wanted.before
    # With a service account, we named the mailbox in the request.
    found = addresses.normalise(profile.address) or (wanted.address if is_delegated else None)
    whose += [found] if found else []
    if found is None:
        raise BadInput(said("Gmail doesn't say whose mailbox that is"))
    if wanted.is_exact and found != wanted.address:
        raise AnotherAccount(found, wanted.address)
    if before and found != before.address:
        same = renaming.is_same(reader, before.cursor, before.recorded_ids, is_vouched_for=wanted.is_exact)
        if not same:
            raise AnotherMailbox(before.address, found, may_be_renamed=not wanted.is_exact)
    return replace(profile, address=found)


@dataclass(frozen=True, slots=True)
class Directions:
    """Which mail is recorded: mail from contacts to the user, mail from the user to contacts."""

    inbound: bool
    outbound: bool


@dataclass(frozen=True, slots=True)
class Connection:
    """A connected mailbox. renamed_from: its former address, if it has a new one. is_swept: a sync is running."""

    mailbox: GmailMailbox
    renamed_from: str | None
    is_swept: bool


def directions_before(database: Database, deployment: Deployment, username: str) -> Directions | None:
    """The directions of the mailbox that is already connected; None if none is."""
    try:
        found = gmail_mailboxes.find(database, deployment, username)
    except NotFound:
        return None
    return Directions(found.inbound, found.outbound)


def connect(
    settings: Settings,
    open_database: OpenDatabase,
    deployment: Deployment,
    username: str,
    *,
    wanted: Wanted,
    directions: Directions,
    identity: OAuthClient | ServiceAccount,
    consent: tuple[Consent, Seals] | None,
    clock: Callable[[], datetime],
) -> Connection:
    """Connects the mailbox that Gmail lets us read, or reconnects the same one. Errors: those of `proven`, and of
    `gmail_connections.connect`."""
    before = wanted.before
    with proven(settings, open_database, wanted, identity, consent) as proof, open_database() as database:
        is_renamed = before is not None and proof.profile.address != before.address
        made = gmail_connections.connect(
            database,
            deployment,
            username,
            proof.profile.address,
            inbound=directions.inbound,
            outbound=directions.outbound,
            token_sealed=proof.token_sealed,
            now=clock(),
            first_days=settings.gmail.first_days,
            cursor=proof.profile.history_id,
            is_renamed=is_renamed,
            consent_ends_at=proof.consent_ends_at,
            client_id=identity.client_id if isinstance(identity, OAuthClient) else None,
        )
        is_swept = gmail_workers.alive(database, clock()) > 0
    return Connection(made, before.address if before and is_renamed else None, is_swept)


class Left(StrEnum):
    """The access that remains at Google after a mailbox was disconnected."""

    NOTHING = "nothing"
    SERVICE_ACCOUNT = "service account"  # it can still read this mailbox, as it can all mailboxes
    SHARED = "shared"  # another user's mailbox uses the same consent
    UNTOLD = "untold"  # Google couldn't be notified


def main_client_id(settings: Settings) -> str | None:
    """The id of the OAuth client in the settings, which tokens without a client's id belong to; None if there is none, or its
    file can't be read."""
    try:
        main = oauth_files.load_all(settings.gmail).main
    except SettingsError:
        return None
    return main.client_id if isinstance(main, OAuthClient) else None


def give_up(
    settings: Settings, address: str, sealed: bytes | None, *, is_shared: bool, client_id: str | None = None
) -> tuple[Left, str]:
    """Gives a mailbox's consent back; returns what remains at Google, and why if Google couldn't be notified.

    sealed: the token, or None for a service account. is_shared: another user's mailbox is read by the same consent. client_id: of
    the client that the token belongs to.
    """
    if sealed is None:
        return Left.SERVICE_ACCOUNT, ""
    if is_shared:
        return Left.SHARED, ""
    try:
        client = oauth_files.load_all(settings.gmail).of(client_id)
        if not isinstance(client, OAuthClient):
            raise SettingsError(said("the settings name no OAuth client any more"))
        token = secrets_file.load(settings.token_key_path).open(sealed, token_purpose(address)).decode()
        tokens.revoke(client, token, settings.gmail.timeout_seconds)
    except MailweirError as error:
        return Left.UNTOLD, str(error)
    return Left.NOTHING, ""
