"""A link that signs a user in, and the account that it needs. Called by `mailweir web link` and by the demo."""

from datetime import datetime

from mailweir.store.database.connection import Database
from mailweir.store.people import staff
from mailweir.store.people.deployments import Deployment
from mailweir.store.web import accounts, links
from mailweir.store.web.accounts import Role


def for_user(database: Database, deployment: Deployment, username: str, now: datetime) -> str:
    """A one-time link's token. The account of that name is made where there is none, with the user's own record. NotFound."""
    member = staff.present(database, deployment, username)
    account = accounts.named(database, member.username) or accounts.add(database, member.username, now)
    if not any(one.deployment_id == deployment.id for one in account.memberships):
        accounts.give_role(database, account.id, deployment, Role.USER, member.id)
    return links.make(database, account.id, deployment.id, now)
