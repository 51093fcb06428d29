"""The record, explained: the words of an activity, and to-dos. Never asks the database. Called by the command line."""

from mailweir.explain.explanation import Explanation, explain, word
from mailweir.explain.keys import PARAMETERS
from mailweir.store.people.auto_contacts import MadeByMail
from mailweir.store.record.activities import Activity
from mailweir.store.record.forwarded_versions import Said
from mailweir.store.record.todos import Todo


def direction(stored: str) -> Explanation:
    """Seen from the firm."""
    return word("direction", stored)


def route(stored: str) -> Explanation:
    """The way in which a message was seen."""
    return word("route", stored)


def verdict(stored: str) -> Explanation:
    """Was the author's address proven, of an activity or of one version."""
    return word("verdict", stored)


def verdict_reason(stored: str | None, domain: str | None) -> Explanation | None:
    """The reason, for an activity or a version; None if it isn't examined yet, or was examined before reasons were stored."""
    if stored is None:
        return None
    key = f"verdict_reason.{stored}"
    if not domain:
        key = next((one for one in (f"{key}.nobodys", key) if one in PARAMETERS), key)
    wanted = PARAMETERS.get(key)
    if wanted is None:  # of a later version
        return explain("stored.word", word=stored)
    return explain(key, **{"domain": domain or "?"} if wanted else {})


def visibility(stored: str) -> Explanation:
    """The readers of an activity."""
    return word("visibility", stored)


def origin(found: MadeByMail) -> Explanation:
    """The way in which a contact was made."""
    return explain("contact.company_domain", address=found.address, company=found.company, made_at=found.made_at)


def author(activity: Activity) -> list[Explanation]:
    """Reasons why the author is less certain than usual: nobody knows the address, or the mail came by a group's address. Usually
    empty."""
    found = [word("author", activity.author_doubt)] if activity.author_doubt else []
    if activity.known_thread and activity.known_thread_of:
        found.append(explain("author.known_thread.naming", names=", ".join(activity.known_thread_of)))
    elif activity.known_thread:
        found.append(explain("author.known_thread"))
    return [*found, explain("author.via", via=activity.via)] if activity.via else found


def forwarded(said: Said) -> Explanation:
    """The user who forwarded it by hand, and the author that this user names."""
    return explain("forwarded.by", user=said.user, original=said.author)


def todo(todo: Todo) -> Explanation:
    """Is it done?"""
    return explain("todo.done", since=todo.done_at) if todo.done_at else explain("todo.open")
