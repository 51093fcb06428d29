"""Notes in the log of changes what a form changed, and says it in words. Called by `webapp.pages`.

Within the transaction that makes the change, so that there is neither without the other.
"""

from flask_babel import gettext

from mailweir.store.web import change_log
from webapp import here


def note(what: str, subject: str, detail: str = "") -> None:
    """Notes a change in the deployment that the account looks at. what: a key of `words`."""
    deployment = here.deployment_or_none()
    change_log.note(
        here.database(),
        deployment.id if deployment else None,
        here.account().name,
        what,
        subject,
        detail,
        here.now(),
    )


def words(what: str) -> str:
    """A change's key in words; a key without words stays as it is."""
    return _words().get(what, what)


def _words() -> dict[str, str]:
    return {
        "deployment.added": gettext("made the deployment"),
        "deployment.changed": gettext("changed a setting"),
        "user.added": gettext("added the user"),
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
        "never_log.added": gettext("added the never-log rule"),
        "never_log.removed": gettext("took off the never-log rule"),
        "never_log.looked": gettext("had the record looked through for the never-log rule"),
        "never_log.erased": gettext("erased what is hidden by the never-log rule"),
        "gmail.audit_asked": gettext("asked for an audit of the Gmail of the user"),
    }
