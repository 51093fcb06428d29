"""Whose an address is: the checks that an address can be given to a user or contact.

Called by `users`, `contacts` and `groups` within the transaction that writes it, with the models bound. `contact_import` asks
for many addresses at once in its own way, and shares the errors.
"""

from typing import Any

from mailweir import address
from mailweir.errors import BadInput
from mailweir.store.database import models
from mailweir.store.people.deployments import Deployment


def refuse_twice(addresses: list[str]) -> None:
    """BadInput where one of the addresses, in normal form, stands there twice."""
    seen: set[str] = set()
    for found in addresses:
        if found in seen:
            raise BadInput(f"the address {found} is given twice")
        seen.add(found)


def refuse_taken(deployment: Deployment, found: str) -> None:
    """BadInput, saying whose it is, where the address, in any spelling that counts, is a user's, group's or contact's of it."""
    refuse_own(deployment, found)
    contact = _holders(deployment, found).first()
    if contact:
        raise held_by_contact(deployment, found, contact[0])


def refuse_own(deployment: Deployment, found: str) -> None:
    """BadInput, saying whose it is, where the address is the firm's own: a user's or group's of this deployment."""
    key = deployment.folding.key(found)
    user = (
        models.UserAddress.select(models.User.username)
        .join(models.User)
        .where(models.UserAddress.deployment == deployment.id, models.UserAddress.match_key == key)
        .tuples()
        .first()
    )
    if user:
        raise held_by_user(deployment, found, user[0])
    group = (models.GroupAddress.deployment == deployment.id) & (models.GroupAddress.match_key == key)
    if models.GroupAddress.select().where(group).exists():
        raise held_by_group(deployment, found)


def refuse_namesake(deployment: Deployment, found: str, name: str) -> None:
    """BadInput where a contact of this name has the address: two contacts may share one, but then they have two names."""
    for (held_by,) in _holders(deployment, found):
        if held_by.casefold() == name.casefold():
            raise held_by_contact(deployment, found, held_by)


def refuse_own_domain(deployment: Deployment, found: str) -> None:
    """BadInput where the address is within the deployment's own capture domain: no contact is there."""
    if address.split(found)[1] == deployment.domain:
        raise BadInput(f"{found} is within the capture domain of {deployment.name}: no contact is there")


def held_by_user(deployment: Deployment, found: str, username: str) -> BadInput:
    """The error that an address is a user's."""
    return BadInput(f"{found} is already an address of the user {username} in {deployment.name}")


def held_by_group(deployment: Deployment, found: str) -> BadInput:
    """The error that an address is a group's."""
    return BadInput(f"{found} is already a group of {deployment.name}; 'mailweir group remove {found}' takes it off")


def held_by_contact(deployment: Deployment, found: str, name: str) -> BadInput:
    """The error that an address is a contact's."""
    return BadInput(f"{found} is already an address of the contact {name} in {deployment.name}")


def _holders(deployment: Deployment, found: str) -> Any:
    key = deployment.folding.key(found)
    return (
        models.ContactAddress.select(models.Contact.name)
        .join(models.Contact)
        .where(models.ContactAddress.deployment == deployment.id, models.ContactAddress.match_key == key)
        .tuples()
    )


def refuse_captured(found: str) -> None:
    """BadInput where the address is within any capture domain: what is forwarded from there would come back for ever."""
    domain = address.split(found)[1]
    row = models.Deployment.get_or_none(models.Deployment.domain == domain)
    if row:
        raise BadInput(
            f"{found} is within the capture domain of the deployment {row.name}, so mail to it would loop; "
            "give the mailbox that the user reads"
        )
