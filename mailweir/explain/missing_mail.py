"""Where is that mail? Everything about a message that the asker is allowed to know, the remedies, and the limits of the answer.

The command line shows everything. A user or an admin of one deployment gets what law 13 allows them to see; of mail that isn't on
the record, an admin gets all decisions, and a user those on the user's own mail. Never writes. Called by `mailweir why` and the
page.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mailweir import address
from mailweir.explain import asked, remedies, tracking
from mailweir.explain.asked import NoKey
from mailweir.explain.explanation import Explanation, explain
from mailweir.explain.refusals import Refusal
from mailweir.explain.remedies import Action, Remedy
from mailweir.explain.tracking import Decided, Refused, Tracked, Waits
from mailweir.reading import search_query
from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import activities, search, visibility
from mailweir.store.record.activities import Activity
from mailweir.store.record.decision_search import Place
from mailweir.store.record.decisions import Asker
from mailweir.store.record.search import Wanted
from mailweir.store.record.visibility import Access, Reader
from mailweir.traces import Traces

_NO_USERS = (0,)  # ids begin with 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """text: a Message-ID, an author's or recipient's address, Postfix's queue id, Gmail's id, or words; as `asked` reads it.

    since: leaves out everything that was decided or recorded before this time. limit: the largest number of decisions, waiting
    messages and refusals together. max_activities: the largest number of activities found by the words of text; 0: activities
    aren't searched. decision_days: how long decisions on ignored mail stay. before: `further` of the previous answer: only older
    decisions. goes_on: searches all decisions; otherwise an answer covers a limited number of them.
    """

    text: str
    since: datetime | None = None
    limit: int | None = None
    max_activities: int = 0
    decision_days: int = 14
    before: Place | None = None
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A known fact about the message, and its remedy."""

    tracked: Tracked
    remedy: Remedy


@dataclass(frozen=True, slots=True)
class Answer:
    """found: decisions, then mail that waits in the sync, then refusals; each the newest first. activities: found by the words,
    the latest recorded first, as the asker may see them. remarks: limits of the answer, how far back the search went, and that
    nothing was found, if so. further: where to continue, if some decisions weren't looked at."""

    found: tuple[Found, ...]
    activities: tuple[Activity, ...]
    remarks: tuple[Explanation, ...]
    further: Place | None = None


def asker(database: Database, deployment: Deployment, username: str | None, *, is_admin: bool = False) -> Asker:
    """The asker with this username. None: an admin who isn't a user, and sees the part of the record that everybody may see.
    Errors: NotFound; ValueError if there is no username and the asker isn't an admin."""
    if username is None:
        if not is_admin:
            raise ValueError("only an admin may ask without a username")
        return Asker(reader=Reader(deployment.id, _NO_USERS), username="", capture_address="", is_admin=True)
    return Asker(
        reader=activities.reader_named(database, deployment, username),
        username=username.lower(),
        capture_address=deployment.capture_address(username.lower()),
        has_tags=deployment.plus_addresses,
        is_admin=is_admin,
    )


def ask(
    database: Database,
    question: Question,
    traces: Traces,
    *,
    deployment: Deployment | None,
    asker: Asker | None = None,
    in_log: Iterable[Refusal] = (),
) -> Answer:
    """Everything that is known of a message.

    deployment: searches only this one; None, for the command line, searches all. asker: of this deployment; None gets everything.
    in_log: refusals that the caller found in Postfix's log; a user who isn't an admin doesn't get them.
    """
    if asker is not None and (deployment is None or deployment.id != asker.reader.deployment_id):
        raise ValueError("the asker is of another deployment")
    wanted = asked.read(question.text)
    question = replace(question, text=wanted.text)
    tracks = tracking.track(
        database,
        question.text,
        traces,
        in_log if asker is None or asker.is_admin else (),
        deployment,
        question.limit,
        asker=asker,
        since=question.since,
        before=question.before,
        goes_on=question.goes_on,
    )
    told: Sequence[Tracked] = tracks.found
    if asker is not None:
        told = _as_told_to(database, asker, deployment, told)
    about = address.normalise_path(question.text) or address.typed(question.text) or ""
    found = tuple(Found(one, _remedy(one, about, asker)) for one in told)
    by_words = _by_words(database, question, deployment, asker)
    remarks = tuple(_remarks(question, wanted.kind, asker, tracks.until, is_found=bool(found or by_words)))
    return Answer(found, by_words, remarks, tracks.further)


def _remarks(
    question: Question, kind: NoKey | None, asker: Asker | None, until: datetime | None, *, is_found: bool
) -> Iterable[Explanation]:
    """kind: set if no decision can be found by the text. until: the time since which the answer covers decisions, if it doesn't
    cover all."""
    if kind is not None:
        yield tracking.not_by(kind, question.text)
    elif not is_found:
        yield tracking.nothing(question.text, question.decision_days, until, is_first=question.before is None)
        if plain := asked.untagged(question.text):
            yield explain("tracking.tagged", plain=plain)
    elif until is not None:
        yield explain("tracking.looked_back", until=until)
    if question.max_activities and "@" not in question.text and kind is None:
        yield explain("tracking.no_subjects")
    if asker is not None and not asker.is_admin:
        yield explain("tracking.own_alone")


def _remedy(found: Tracked, asked: str, asker: Asker | None) -> Remedy:
    if isinstance(found, Waits):
        return remedies.of_waiting(found.waiting)
    if isinstance(found, Refused):
        is_over = found.refusal.is_for_good
        return remedies.NOTHING if is_over else Remedy(Action.WAIT)
    remedy = remedies.of_decision(found.decision, found.hint, asked)
    # another user's rule gets no button
    is_others = remedy.action is Action.CHANGE_RULE and not remedy.subject
    return remedies.NOTHING if is_others and asker is not None else remedy


# --- limited to what the asker may know -------------------------------------------------------------------------------


def _as_told_to(
    database: Database, asker: Asker, deployment: Deployment | None, tracked: Sequence[Tracked]
) -> list[Tracked]:
    """Removes facts that the asker may not know. The query has already left out whole decisions."""
    assert deployment is not None
    ids = [one.decision.activity for one in tracked if isinstance(one, Decided) and one.decision.activity]
    may = visibility.access(database, asker.reader, ids)
    own = {asker.capture_address, deployment.log_address}
    return [_told(one, asker, own, may) if isinstance(one, Decided) else one for one in tracked]


def _told(one: Decided, asker: Asker, own: set[str], may: dict[int, Access]) -> Decided:
    decision = one.decision
    if decision.activity and may.get(decision.activity) is not Access.WHOLE:
        one = replace(one, origins=())
    if asker.is_admin:
        return one
    # other recipients may have been in Bcc
    recipients = tuple(each for each in decision.recipients if _untagged(each, asker) in own)
    decision = replace(decision, recipients=recipients)
    if decision.rule_user is not None and decision.rule_user != asker.username:
        hidden = explain("decision.never_log_of_others")
        return replace(one, decision=replace(decision, rule=None, rule_user=None), reason=hidden)
    return replace(one, decision=decision)


def _untagged(capture_address: str, asker: Asker) -> str:
    local, domain = address.split(capture_address)
    return f"{local.partition('+')[0]}@{domain}" if asker.has_tags else capture_address


def _by_words(
    database: Database, question: Question, deployment: Deployment | None, asker: Asker | None
) -> tuple[Activity, ...]:
    is_first = question.before is None
    terms = search_query.parse(question.text) if question.max_activities and deployment and is_first else ()
    if not terms or deployment is None:
        return ()
    wanted = Wanted(limit=question.max_activities, since=question.since)
    reader = search.of_reader(asker.reader) if asker else None
    found = [hit.activity for hit in search.select(database, deployment, terms, wanted, reader)]
    if asker is None:
        return tuple(found)
    if asker.username:
        return tuple(activities.as_shown_to(database, deployment, asker.username, found))
    return tuple(replace(one, contacts=tuple(each for each in one.contacts if not each.bcc)) for one in found)
