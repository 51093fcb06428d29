"""Notes in the log of changes what a form changed, and says it in words. Called by `webapp.pages`.

Within the transaction that makes the change, so that there is neither without the other.
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
    """Notes a change in each of these deployments; None: in what belongs to no deployment, which operators see."""
    for deployment_id in deployment_ids:
        change_log.note(here.database(), deployment_id, here.account().name, what, subject, detail, here.now())


def by(changed_by: str) -> str:
    """Who it was, in words."""
    login = changed_by.removeprefix(change_log.COMMAND_LINE)
    return changed_by if login == changed_by else gettext("command line: %(login)s", login=login)


def words(what: str) -> str:
    """A change's key in words; a key without words stays as it is."""
    return _words().get(what, what)


def _words() -> dict[str, str]:
    return {
        "deployment.added": gettext("made the deployment"),
        "deployment.changed": gettext("changed a setting"),
        "user.added": gettext("added the user"),
        "user.changed": gettext("changed the user"),
        "user.removed": gettext("removed the user"),
        "user.address_added": gettext("gave an address to the user"),
        "user.address_removed": gettext("took an address off the user"),
        "user.visibility": gettext("changed who may read the new mail of the user"),
        "contact.added": gettext("added the contact"),
        "contact.changed": gettext("changed the contact"),
        "contact.removed": gettext("removed the contact"),
        "contact.address_added": gettext("gave an address to the contact"),
        "contact.address_removed": gettext("took an address off the contact"),
        "contact.visibility": gettext("changed who may read new mail with the contact"),
        "contacts.imported": gettext("imported the file of contacts"),
        "contacts.exported": gettext("exported all contacts"),
        "company.added": gettext("added the company"),
        "company.changed": gettext("changed the company"),
        "company.removed": gettext("removed the company"),
        "company.visibility": gettext("changed who may read new mail with the company"),
        "company.auto_contacts": gettext("changed whether mail makes contacts of the company"),
        "group.added": gettext("added the group"),
        "group.removed": gettext("removed the group"),
        "never_log.added": gettext("added the never-log rule"),
        "never_log.removed": gettext("took off the never-log rule"),
        "never_log.looked": gettext("had the record looked through for the never-log rule"),
        "never_log.erased": gettext("erased what is hidden by the never-log rule"),
        "account.password": gettext("changed the own password of the account"),
        "account.password_set": gettext("gave the account another password"),
        "account.added": gettext("made the account"),
        "account.role": gettext("changed what the account may do"),
        "account.linked": gettext("made a link that signs in as the account"),
        "account.signed_out": gettext("signed the account out everywhere"),
        "account.role_removed": gettext("took away what the account may do here"),
        "account.removed": gettext("removed the account"),
        "dkim.added": gettext("made the first DKIM key of the domain"),
        "dkim.next": gettext("made the next DKIM key of the domain"),
        "dkim.activated": gettext("let the next DKIM key of the domain sign"),
        "dkim.removed": gettext("removed a DKIM key of the domain"),
        "domain.removed": gettext("removed the domain with its DKIM keys"),
        "activity.visibility": gettext("changed who may read the activity"),
        "relay.connected": gettext("got a password for the relay"),
        "relay.rotated": gettext("got a new password for the relay"),
        "relay.disconnected": gettext("gave up the password for the relay"),
        "gmail.connected": gettext("connected the Gmail mailbox"),
        "gmail.directions_set": gettext("changed what is synced of the Gmail mailbox"),
        "gmail.retried": gettext("had the sync try again what was given up"),
        "gmail.disconnected": gettext("disconnected the Gmail mailbox"),
        "gmail.consent_forgotten": gettext("ended the return of the Google consent of the mailbox"),
        "gmail.audit_asked": gettext("asked for an audit of the Gmail of the user"),
    }
