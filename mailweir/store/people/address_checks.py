"""The owner of an address: the checks before an address is given to a user or contact.

Called by `users`, `contacts` and `groups` within the transaction that writes it. An import has its own queries, for many
addresses at once (`contact_plan`), and raises the same errors.
"""

from mailweir import address
from mailweir.errors import BadInput
from mailweir.sentence import said
from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment


def refuse_twice(addresses: list[str]) -> None:
    """BadInput if an address, in normal form, occurs twice."""
    seen: set[str] = set()
    for found in addresses:
        if found in seen:
            raise BadInput(said("the address {found} is given twice", found=found))
        seen.add(found)


def refuse_taken(database: Database, deployment: Deployment, found: str) -> None:
    """BadInput, naming the owner, if the address belongs to a user, group or contact of the deployment. Spellings that `folding`
    treats as one address count."""
    refuse_own(database, deployment, found)
    for held_by in _holders(database, deployment, found):
        raise held_by_contact(deployment, found, held_by)


def refuse_own(database: Database, deployment: Deployment, found: str) -> None:
    """BadInput, naming the owner, if the address is the firm's own: a user's or group's of this deployment."""
    key = deployment.id, deployment.folding.key(found)
    users = (
        "SELECT u.username FROM user_addresses a JOIN users u ON u.id = a.user_id"
        " WHERE a.deployment_id = ? AND a.match_key = ?"
    )
    user = database.execute(users, key).fetchone()
    if user:
        raise held_by_user(deployment, found, user[0])
    groups = "SELECT 1 FROM group_addresses WHERE deployment_id = ? AND match_key = ?"
    if database.execute(groups, key).fetchone():
        raise held_by_group(deployment, found)


def refuse_namesake(database: Database, deployment: Deployment, found: str, name: str) -> None:
    """BadInput if a contact of this name has the address: two contacts may share one, but they need two names."""
    for held_by in _holders(database, deployment, found):
        if held_by.casefold() == name.casefold():
            raise held_by_contact(deployment, found, held_by)


def refuse_own_domain(deployment: Deployment, found: str) -> None:
    """BadInput if the address is within the deployment's own capture domain: no contact has an address there."""
    if address.split(found)[1] == deployment.domain:
        raise BadInput(
            said(
                "{found} is within the capture domain of {deployment}: contacts have no address there",
                found=found,
                deployment=deployment.name,
            )
        )


def held_by_user(deployment: Deployment, found: str, username: str) -> BadInput:
    """The error that an address is a user's."""
    return BadInput(
        said(
            "{found} is already an address of the user {username} in {deployment}",
            found=found,
            username=username,
            deployment=deployment.name,
        )
    )


def held_by_group(deployment: Deployment, found: str) -> BadInput:
    """The error that an address is a group's."""
    return BadInput(
        said(
            "{found} is already a group of {deployment}; 'mailweir group remove {found}' removes it",
            found=found,
            deployment=deployment.name,
        )
    )


def held_by_contact(deployment: Deployment, found: str, name: str) -> BadInput:
    """The error that an address is a contact's."""
    return BadInput(
        said(
            "{found} is already an address of the contact {name} in {deployment}",
            found=found,
            name=name,
            deployment=deployment.name,
        )
    )


def _holders(database: Database, deployment: Deployment, found: str) -> list[str]:
    """The names of the contacts that have the address."""
    sql = (
        "SELECT c.name FROM contact_addresses a JOIN contacts c ON c.id = a.contact_id"
        " WHERE a.deployment_id = ? AND a.match_key = ? ORDER BY a.id"
    )
    held = database.execute(sql, (deployment.id, deployment.folding.key(found))).fetchall()
    return [name for (name,) in held]


def refuse_captured(database: Database, found: str) -> None:
    """BadInput if the address is within any capture domain: mail forwarded from there would loop."""
    sql = "SELECT name FROM deployments WHERE domain = ?"
    row = database.execute(sql, (address.split(found)[1],)).fetchone()
    if row:
        raise BadInput(
            said(
                "{found} is within the capture domain of the deployment {deployment}, so mail to it would loop; give the "
                "mailbox that the user reads",
                found=found,
                deployment=row[0],
            )
        )
