"""Whose an address is: the checks that an address can be given to a user or contact.

Called by `users` and `contacts` within the transaction that writes it, with the models bound.
"""

from mailweir import address
from mailweir.errors import BadInput
from mailweir.store import models
from mailweir.store.deployments import Deployment


def refuse_twice(addresses: list[str]) -> None:
    """BadInput where one of the addresses, in normal form, stands there twice."""
    for found in addresses:
        if addresses.count(found) > 1:
            raise BadInput(f"the address {found} is given twice")


def refuse_taken(deployment: Deployment, found: str) -> None:
    """BadInput, saying whose it is, where the address, in any spelling that counts, is a user's or contact's of it."""
    key = deployment.folding.key(found)
    user = (
        models.UserAddress.select(models.User.username)
        .join(models.User)
        .where(models.UserAddress.deployment == deployment.id, models.UserAddress.match_key == key)
        .tuples()
        .first()
    )
    if user:
        raise BadInput(f"{found} is already an address of the user {user[0]} in {deployment.name}")
    contact = (
        models.ContactAddress.select(models.Contact.name)
        .join(models.Contact)
        .where(models.ContactAddress.deployment == deployment.id, models.ContactAddress.match_key == key)
        .tuples()
        .first()
    )
    if contact:
        raise BadInput(f"{found} is already an address of the contact {contact[0]} in {deployment.name}")


def refuse_captured(found: str) -> None:
    """BadInput where the address is within any capture domain: what is forwarded from there would come back for ever."""
    domain = address.split(found)[1]
    row = models.Deployment.get_or_none(models.Deployment.domain == domain)
    if row:
        raise BadInput(
            f"{found} is within the capture domain of the deployment {row.name}, so mail to it would loop; "
            "give the mailbox that the user reads"
        )
