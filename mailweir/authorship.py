"""The author of a message: From, or the original author where a group's address stands in From.

Pure: asks the directory that it is given. Called by `matching`. Standard library only.
"""

from collections.abc import Collection
from typing import NamedTuple

from mailweir.decision import Doubt
from mailweir.directory import DeploymentRef, Directory, People, are_groups, people_among
from mailweir.headers import HeaderView
from mailweir.original_author import Original


class Author(NamedTuple):
    """The author, in normal form. via: the firm's own address, or its group's, that stands in From instead."""

    address: str
    doubt: Doubt | None = None
    via: str | None = None


def who_wrote(
    deployment: DeploymentRef, view: HeaderView, recipients: Collection[str], directory: Directory
) -> tuple[Author | None, People]:
    """The author, and the known people among author and recipients. The author is None if it isn't certain."""
    original = (view.original.address,) if view.original else ()
    people = people_among(deployment, (*view.candidates, *original, *recipients), directory)
    author = _in_from(view, people)
    if not author or not view.original:
        return author, people
    author = _behind_group(deployment, author, view.original, people, directory)
    involved = {*recipients, *((author.address,) if author.via else view.candidates)}
    users = {a: user for a, user in people.users.items() if a in involved}
    return author, People(users, {a: refs for a, refs in people.contacts.items() if a in involved})


def _behind_group(
    deployment: DeploymentRef, author: Author, original: Original, people: People, directory: Directory
) -> Author:
    """The original author, if From is the firm's own address or its group's; else the author in From."""
    users, contacts = people
    if author.address == original.address or author.doubt is Doubt.SEVERAL:
        return author
    if author.address in contacts and author.address not in users:
        return author
    if author.address not in users and not are_groups(deployment, [author.address], directory):
        return author
    # A list may direct answers to itself, so the address in Reply-To counts only if it is a contact's and no user's.
    if original.is_reply_to and (original.address in users or original.address not in contacts):
        return author
    return Author(original.address, doubt=author.doubt, via=author.address)


def _in_from(view: HeaderView, people: People) -> Author | None:
    """The author in From: the only candidate, or one of several that all belong to the same contact; None if it isn't certain."""
    if len(view.candidates) == 1:
        return Author(view.candidates[0], doubt=Doubt.REPAIRED if view.repaired else None)
    if any(one in people.users for one in view.candidates):
        return None
    owners = {frozenset(ref.id for ref in people.contacts.get(one, ())) for one in view.candidates}
    return Author(view.candidates[0], doubt=Doubt.SEVERAL) if len(owners) == 1 and len(*owners) == 1 else None


def named(view: HeaderView) -> tuple[str, ...]:
    """All addresses that From and the headers of a group could name; empty if that is the author alone."""
    if view.original:
        return tuple(dict.fromkeys((*view.named_in_from, view.original.address)))
    return () if view.named_in_from == view.candidates and view.author else view.named_in_from
