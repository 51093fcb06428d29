"""Explains the stored words of an activity, and to-dos. Never asks the database. Called by the command line."""

from mailweir.explain.explanation import Explanation, explain, word
from mailweir.explain.keys import PARAMETERS
from mailweir.store.people.auto_contacts import MadeByMail
from mailweir.store.record.activities import Activity
from mailweir.store.record.forwarded_versions import Said
from mailweir.store.record.todos import Todo


def direction(stored: str) -> Explanation:
    """The direction, seen from the firm."""
    return word("direction", stored)


def route(stored: str) -> Explanation:
    """The route of a sighting."""
    return word("route", stored)


def verdict(stored: str) -> Explanation:
    """The sender verdict of an activity, or of one version."""
    return word("verdict", stored)


def verdict_reason(stored: str | None, domain: str | None) -> Explanation | None:
    """The verdict reason of an activity or a version; None if the mail isn't examined yet, or was examined before reasons were
    stored."""
    if stored is None:
        return None
    key = f"verdict_reason.{stored}"
    if not domain:
        key = next((one for one in (f"{key}.nobodys", key) if one in PARAMETERS), key)
    wanted = PARAMETERS.get(key)
    if wanted is None:  # stored by a later version
        return explain("stored.word", word=stored)
    return explain(key, **{"domain": domain or "?"} if wanted else {})


def visibility(stored: str) -> Explanation:
    """The readers of an activity."""
    return word("visibility", stored)


def origin(found: MadeByMail) -> Explanation:
    """How mail from a company's domain made a contact."""
    return explain("contact.company_domain", address=found.address, company=found.company, made_at=found.made_at)


def author(activity: Activity) -> list[Explanation]:
    """Reasons why the author is less certain than usual: From is in doubt, the address is unknown, or the mail came through a
    group. Usually empty."""
    found = [word("author", activity.author_doubt)] if activity.author_doubt else []
    if activity.known_thread and activity.known_thread_of:
        found.append(explain("author.known_thread.naming", names=", ".join(activity.known_thread_of)))
    elif activity.known_thread:
        found.append(explain("author.known_thread"))
    return [*found, explain("author.via", via=activity.via)] if activity.via else found


def forwarded(said: Said) -> Explanation:
    """The user who forwarded the mail by hand, and the original author that this user names."""
    return explain("forwarded.by", user=said.user, original=said.author)


def todo(todo: Todo) -> Explanation:
    """Is it done?"""
    return explain("todo.done", since=todo.done_at) if todo.done_at else explain("todo.open")
