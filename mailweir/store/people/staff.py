"""A user's row by the username that a person typed, for everything that hangs on a user: addresses, logins, mailboxes.

Called by `users`, `relay_logins` and `gmail_mailboxes`, with the models bound.
"""

from typing import Any

from mailweir.errors import NotFound
from mailweir.store.database import models
from mailweir.store.people.deployments import Deployment


def present(deployment: Deployment, username: str) -> Any:
    """The row of a user who isn't removed. NotFound, which says where to look."""
    user = models.User.get_or_none(
        models.User.deployment == deployment.id,
        models.User.username == username.lower(),
        models.User.removed_at.is_null(),
    )
    if user is None:
        raise NotFound(f"unknown user '{username}' in {deployment.name}; 'mailweir user list' shows them")
    return user
