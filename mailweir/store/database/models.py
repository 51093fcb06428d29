"""peewee's models of the tables that admins write. Plain SQL also reads these tables, and reads and writes all others.

The models are never used outside `store/`: rows leave it as frozen dataclasses. `migrations/` makes the tables; a test compares
them with the models. Models use the connection that `Database.bound()` sets for the thread, because there is no module-level one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mailweir.store.database.lean_peewee import peewee

_CONNECTION: ContextVar[peewee.Database | None] = ContextVar("connection", default=None)


class _Connection(peewee.DatabaseProxy):
    """The context's own connection. peewee would bind the models for all threads at a time, and the threads would have to wait
    for each other."""

    __slots__ = ()

    def __init__(self) -> None:
        object.__setattr__(self, "_callbacks", [])

    @property
    def obj(self) -> peewee.Database | None:
        """See peewee.Proxy."""
        return _CONNECTION.get()


@contextmanager
def bound_to(connection: peewee.Database) -> Iterator[None]:
    """Makes the models use this connection: in this thread, until the block ends."""
    before = _CONNECTION.set(connection)
    try:
        yield
    finally:
        _CONNECTION.reset(before)


class _Base(peewee.Model):
    # peewee makes these attributes and `<foreign key>_id` by itself: annotations are for mypy
    id: Any

    class Meta:
        database = _Connection()
        legacy_table_names = False


class Deployment(_Base):
    """A tenant."""

    name = peewee.TextField()
    domain = peewee.TextField()
    created_at = peewee.TextField()
    plus_addresses = peewee.IntegerField(default=0)
    gmail_dots = peewee.IntegerField(default=0)
    private_words = peewee.TextField(default="")
    restricts_people = peewee.IntegerField(default=0)
    held_forwards = peewee.IntegerField(default=1)
    has_auto_contacts = peewee.IntegerField(default=0)
    known_threads = peewee.IntegerField(default=0)
    automatic_todos = peewee.IntegerField(default=0)

    class Meta:
        table_name = "deployments"


class User(_Base):
    """A member of the staff; `removed_at` is None until the user is removed."""

    deployment = peewee.ForeignKeyField(Deployment)
    username = peewee.TextField()
    name = peewee.TextField()
    mailbox = peewee.TextField()
    created_at = peewee.TextField()
    removed_at = peewee.TextField(null=True)
    visibility = peewee.TextField(default="everyone")

    class Meta:
        table_name = "users"


class UserAddress(_Base):
    """One of a user's own addresses, the main mailbox included."""

    deployment = peewee.ForeignKeyField(Deployment)
    user = peewee.ForeignKeyField(User, backref="addresses")
    address = peewee.TextField()
    match_key = peewee.TextField(default="")
    user_id: int

    class Meta:
        table_name = "user_addresses"


class GroupAddress(_Base):
    """An address of one of the firm's groups or lists."""

    deployment = peewee.ForeignKeyField(Deployment)
    address = peewee.TextField()
    match_key = peewee.TextField()
    created_at = peewee.TextField()

    class Meta:
        table_name = "group_addresses"


class NeverLogRule(_Base):
    """An address or domain whose mail isn't recorded; `user` is None if it holds for the deployment."""

    deployment = peewee.ForeignKeyField(Deployment)
    user = peewee.ForeignKeyField(User, null=True)
    pattern = peewee.TextField()
    match_key = peewee.TextField()
    created_at = peewee.TextField()
    user_id: int | None

    class Meta:
        table_name = "never_log_rules"


class NeverLogRemoval(_Base):
    """A rule that was removed."""

    deployment = peewee.ForeignKeyField(Deployment)
    user = peewee.ForeignKeyField(User, null=True)
    pattern = peewee.TextField()
    removed_at = peewee.TextField()

    class Meta:
        table_name = "never_log_removals"


class Company(_Base):
    """A company that contacts work for."""

    deployment = peewee.ForeignKeyField(Deployment)
    name = peewee.TextField()
    domain = peewee.TextField(null=True)
    created_at = peewee.TextField()
    visibility = peewee.TextField(default="everyone")
    auto_contacts = peewee.IntegerField(default=0)

    class Meta:
        table_name = "companies"


class AutoContactSwitch(_Base):
    """A time at which a company's domain was switched on to make contacts."""

    deployment = peewee.ForeignKeyField(Deployment)
    domain = peewee.TextField()
    switched_at = peewee.TextField()

    class Meta:
        table_name = "auto_contact_switches"


class Contact(_Base):
    """An outside person; `removed_at` is None until the contact is removed."""

    deployment = peewee.ForeignKeyField(Deployment)
    company = peewee.ForeignKeyField(Company, null=True)
    name = peewee.TextField()
    created_at = peewee.TextField()
    removed_at = peewee.TextField(null=True)
    visibility = peewee.TextField(default="everyone")
    origin = peewee.TextField(default="admin")
    company_id: int | None

    class Meta:
        table_name = "contacts"


class ContactAddress(_Base):
    """One of a contact's addresses."""

    deployment = peewee.ForeignKeyField(Deployment)
    contact = peewee.ForeignKeyField(Contact, backref="addresses")
    address = peewee.TextField()
    match_key = peewee.TextField(default="")
    contact_id: int

    class Meta:
        table_name = "contact_addresses"


class RemovedAddress(_Base):
    """An address that an admin removed from a contact."""

    deployment = peewee.ForeignKeyField(Deployment)
    address = peewee.TextField()
    match_key = peewee.TextField()
    removed_at = peewee.TextField()

    class Meta:
        table_name = "removed_addresses"


class DkimKey(_Base):
    """A key that signs for a deployment's domain; `private_key_sealed` is empty once the key is retired."""

    deployment = peewee.ForeignKeyField(Deployment)
    domain = peewee.TextField()
    selector = peewee.TextField()
    private_key_sealed = peewee.BlobField()
    public_key_der = peewee.BlobField()
    created_at = peewee.TextField()
    activated_at = peewee.TextField(null=True)
    retired_at = peewee.TextField(null=True)

    class Meta:
        table_name = "dkim_keys"


class RelayLogin(_Base):
    """A user's login at the relay; `disconnected_at` is None until it is disconnected."""

    deployment = peewee.ForeignKeyField(Deployment)
    user = peewee.ForeignKeyField(User)
    password_hash = peewee.TextField()
    created_at = peewee.TextField()
    rotated_at = peewee.TextField(null=True)
    disconnected_at = peewee.TextField(null=True)
    suspended_at = peewee.TextField(null=True)
    suspended_reason = peewee.TextField(null=True)
    user_id: int

    class Meta:
        table_name = "relay_logins"


class RelayUse(_Base):
    """The use of a login within one hour; `refused`: the messages that were refused because of its limit."""

    login = peewee.ForeignKeyField(RelayLogin)
    hour = peewee.TextField()
    messages = peewee.IntegerField()
    recipients = peewee.IntegerField()
    refused = peewee.IntegerField()

    class Meta:
        table_name = "relay_uses"
        primary_key = peewee.CompositeKey("login", "hour")


class GmailMailbox(_Base):
    """A user's Gmail mailbox; `disconnected_at` is None until it is disconnected. See `gmail_mailboxes`."""

    deployment = peewee.ForeignKeyField(Deployment)
    user = peewee.ForeignKeyField(User)
    address = peewee.TextField()
    inbound = peewee.IntegerField()
    outbound = peewee.IntegerField()
    token_sealed = peewee.BlobField(null=True)
    state = peewee.TextField()
    error = peewee.TextField(null=True)
    connected_at = peewee.TextField()
    disconnected_at = peewee.TextField(null=True)
    covered_since = peewee.TextField()
    cursor = peewee.TextField(null=True)
    list_since = peewee.TextField(null=True)
    backfilled_address_id = peewee.IntegerField()
    next_sweep_at = peewee.TextField()
    swept_at = peewee.TextField(null=True)
    last_message_at = peewee.TextField(null=True)
    failures = peewee.IntegerField()
    units = peewee.IntegerField()
    units_at = peewee.TextField()
    audit_due_at = peewee.TextField()
    audited_at = peewee.TextField(null=True)
    audit_listed = peewee.IntegerField(null=True)
    audit_missing = peewee.IntegerField(null=True)
    lease_owner = peewee.TextField(null=True)
    lease_until = peewee.TextField(null=True)
    epoch = peewee.IntegerField()
    backfilled_group_id = peewee.IntegerField(default=0)
    refused_since = peewee.TextField(null=True)
    refusals = peewee.IntegerField(default=0)
    consent_ends_at = peewee.TextField(null=True)
    backfilled_removal_id = peewee.IntegerField(default=0)
    backfilled_switch_id = peewee.IntegerField(default=0)
    client_id = peewee.TextField(null=True)
    user_id: int

    class Meta:
        table_name = "gmail_mailboxes"


ALL = (
    Deployment,
    User,
    UserAddress,
    GroupAddress,
    NeverLogRule,
    NeverLogRemoval,
    Company,
    AutoContactSwitch,
    Contact,
    ContactAddress,
    RemovedAddress,
    DkimKey,
    RelayLogin,
    RelayUse,
    GmailMailbox,
)
