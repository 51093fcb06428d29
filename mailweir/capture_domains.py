"""A deployment's capture domain: its DNS record, and the domains that the settings rule out.

Called by `mailweir deployment`.
"""

from datetime import datetime

from mailweir import address
from mailweir.errors import BadInput
from mailweir.sentence import said
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.people.deployments import Deployment


def add(database: Database, settings: Settings, name: str, domain: str, now: datetime) -> Deployment:
    """Creates a deployment. BadInput: as for `deployments.add`, and if mail to the admin would come back into the domain."""
    if address.split(settings.admin_address)[1].lower() == address.typed_domain(domain):
        raise BadInput(
            said(
                "{domain} can't be a capture domain: mail to its postmaster goes to {admin_address}, which is in "
                "that domain; set admin_mailbox in the settings to a mailbox elsewhere",
                domain=domain,
                admin_address=settings.admin_address,
            )
        )
    return deployments.add(database, name, domain, now)


def mx_record(settings: Settings, deployment: Deployment) -> str:
    """The record to publish, as a line of a zone file."""
    return f"{deployment.domain}.  IN  MX  10  {settings.hostname}."


def has_public_name(settings: Settings) -> bool:
    """Does the record name a host that other hosts can resolve?"""
    return not settings.hostname.startswith("localhost")
