"""Notes a form's changes in the log of changes, and puts them into words. Called by `webapp.pages`.

A change is noted within the transaction that makes it, so that neither exists without the other.
"""

from collections.abc import Iterable

from flask_babel import gettext

from mailweir.store.web import change_log
from webapp import here


def note(what: str, subject: str, detail: str = "") -> None:
    """Notes a change in the deployment that the account looks at. what: a key of `words`."""
    deployment = here.deployment_or_none()
    note_in([deployment.id if deployment else None], what, subject, detail)


def note_in(deployment_ids: Iterable[int | None], what: str, subject: str, detail: str = "") -> None:
    """Notes a change in the log of each of these deployments. None is the log of changes that belong to no deployment."""
    for deployment_id in deployment_ids:
        change_log.note(here.database(), deployment_id, here.account().name, what, subject, detail, here.now())


def by(changed_by: str) -> str:
    """The author of a change, in words."""
    login = changed_by.removeprefix(change_log.COMMAND_LINE)
    return changed_by if login == changed_by else gettext("command line: %(login)s", login=login)


def words(what: str) -> str:
    """A change's key in words; a key without words stays as it is."""
    return _words().get(what, what)


def _words() -> dict[str, str]:
    return {
        "deployment.added": gettext("added the deployment"),
        "deployment.changed": gettext("changed a setting"),
        "user.added": gettext("added the user"),
        "user.changed": gettext("changed the user"),
        "user.removed": gettext("removed the user"),
        "user.address_added": gettext("added an address to the user"),
        "user.address_removed": gettext("removed an address from the user"),
        "user.visibility": gettext("changed who may read the new mail of the user"),
        "contact.added": gettext("added the contact"),
        "contact.changed": gettext("changed the contact"),
        "contact.removed": gettext("removed the contact"),
        "contact.address_added": gettext("added an address to the contact"),
        "contact.address_removed": gettext("removed an address from the contact"),
        "contact.visibility": gettext("changed who may read new mail with the contact"),
        "contacts.imported": gettext("imported the file of contacts"),
        "contacts.exported": gettext("exported all contacts"),
        "company.added": gettext("added the company"),
        "company.changed": gettext("changed the company"),
        "company.removed": gettext("removed the company"),
        "company.visibility": gettext("changed who may read new mail with the company"),
        "company.auto_contacts": gettext("changed whether mail adds contacts to the company"),
        "group.added": gettext("added the group"),
        "group.removed": gettext("removed the group"),
        "never_log.added": gettext("added the never-log rule"),
        "never_log.removed": gettext("removed the never-log rule"),
        "never_log.looked": gettext("searched the record for mail that the never-log rule hides"),
        "never_log.erased": gettext("erased the mail that the never-log rule hides"),
        "account.password": gettext("changed the account's own password"),
        "account.password_set": gettext("set the password of the account"),
        "account.added": gettext("created the account"),
        "account.role": gettext("changed what the account may do"),
        "account.linked": gettext("created a link that signs in as the account"),
        "account.signed_out": gettext("signed the account out everywhere"),
        "account.role_removed": gettext("removed the account's rights here"),
        "account.removed": gettext("removed the account"),
        "dkim.added": gettext("created the first DKIM key of the domain"),
        "dkim.next": gettext("created the next DKIM key of the domain"),
        "dkim.activated": gettext("started to sign with the next DKIM key of the domain"),
        "dkim.removed": gettext("removed a DKIM key of the domain"),
        "domain.removed": gettext("removed the domain with its DKIM keys"),
        "activity.visibility": gettext("changed who may read the activity"),
        "relay.connected": gettext("created a password for the relay"),
        "relay.rotated": gettext("created a new password for the relay"),
        "relay.disconnected": gettext("removed the password for the relay"),
        "gmail.connected": gettext("connected the Gmail mailbox"),
        "gmail.directions_set": gettext("changed which mail of the Gmail mailbox is synced"),
        "gmail.retried": gettext("made the sync retry the messages given up"),
        "gmail.disconnected": gettext("disconnected the Gmail mailbox"),
        "gmail.consent_forgotten": gettext("ended the return of the mailbox's consent to Google"),
        "gmail.audit_asked": gettext("requested an audit of the user's Gmail"),
    }
