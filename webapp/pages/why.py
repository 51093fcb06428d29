"""Explains a missing mail: a sentence says what became of it, with a button for the remedy. Askers learn only what they may know.

Postfix's log isn't read here, because Postfix's refusals are in the database.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime

import flask
from flask_babel import gettext

from mailweir import address
from mailweir.explain import asked, missing_mail
from mailweir.explain.missing_mail import Answer, Found, Question
from mailweir.explain.remedies import Action, Remedy
from mailweir.explain.tracking import Decided, Refused, Waits
from mailweir.store.people import contact_lists, users
from mailweir.store.record.decision_search import Place
from mailweir.store.record.decisions import Asker
from mailweir.traces import Traces
from webapp import explained, forms, here, mending, rows
from webapp.access import Access, open_to
from webapp.mending import Mend
from webapp.rows import Row

blueprint = flask.Blueprint("why", __name__)
_MOST_FOUND, _MOST_ACTIVITIES = 20, 10
_MAX_CHARS = 500
_PLACE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """One known fact about the mail. at: UTC. is_kept: is the mail on the record? url: of the activity."""

    at: datetime
    sentence: str
    about: tuple[str, ...]
    is_kept: bool
    url: str | None
    mend: Mend | None


@blueprint.get("/why")
@open_to(Access.READER)
def page() -> str:
    """The question, and its answer."""
    typed = forms.asked("q", _MAX_CHARS)
    before = _place(forms.asked("before", _MAX_CHARS))
    answer = _ask(typed, before) if typed else None
    return flask.render_template(
        "why/why.html",
        typed=typed,
        answer=answer,
        told=[_told(one) for one in answer.found] if answer else [],
        rows=_rows(answer) if answer else [],
        remarks=[explained.said(one) for one in answer.remarks] if answer else [],
        nothing=_what_to_do(typed) if answer and before is None and not answer.found and not answer.activities else [],
        is_first=before is None,
        further="-".join(map(str, answer.further)) if answer and answer.further else None,
    )


def _place(typed: str) -> Place | None:
    """The place where an earlier answer ended, from the URL of the link that continues it; None for other text."""
    found = _PLACE.fullmatch(typed)
    return Place(int(found[1]), int(found[2])) if found else None


def _ask(typed: str, before: Place | None) -> Answer:
    settings = here.site().settings
    days = settings.retention.decision_days
    question = Question(
        text=typed, limit=_MOST_FOUND, max_activities=_MOST_ACTIVITIES, decision_days=days, before=before
    )
    traces = Traces(settings.token_key_path)
    return missing_mail.ask(here.database(), question, traces, deployment=here.deployment(), asker=_asker())


def _asker() -> Asker:
    """The asker for this account. It sees the same part of the record as on other pages."""
    own = here.membership()
    if own is not None and own.username is not None:
        found = missing_mail.asker(here.database(), here.deployment(), own.username, is_admin=here.is_admin())
        return replace(found, reader=here.reader())
    return Asker(reader=here.reader(), username="", capture_address="", is_admin=here.is_admin())


def _told(found: Found) -> _Told:
    one = found.tracked
    mend = mending.of(found.remedy)
    if isinstance(one, Waits):
        waiting = one.waiting
        about: tuple[str, ...] = (gettext("in the mailbox %(address)s", address=waiting.mailbox),)
        at = waiting.dead_at or waiting.queued_at
        return _Told(at=at, sentence=explained.said(one.reason), about=about, is_kept=False, url=None, mend=mend)
    if isinstance(one, Refused):
        refused = one.refusal
        about = (gettext("to %(address)s", address=refused.recipient),) if refused.recipient else ()
        sentence = explained.said(one.reason)
        return _Told(at=refused.time, sentence=sentence, about=about, is_kept=False, url=None, mend=mend)
    return _decided(one, mend)


def _decided(one: Decided, mend: Mend | None) -> _Told:
    decision = one.decision
    about = []
    if decision.author:
        about.append(gettext("from %(address)s", address=decision.author))
    if decision.recipients:
        about.append(gettext("to %(address)s", address=", ".join(decision.recipients)))
    if decision.mailbox:
        about.append(gettext("in the mailbox %(address)s", address=decision.mailbox))
    if one.proof:
        about.append(gettext("author: %(why)s", why=explained.said(one.proof)))
    about += [explained.said(origin) for origin in one.origins]
    if one.hint:
        about.append(explained.said(one.hint))
    return _Told(
        at=decision.time,
        sentence=f"{explained.said(one.outcome)}: {explained.said(one.reason)}",
        about=tuple(about),
        is_kept=decision.activity is not None,
        url=rows.url(decision.activity) if decision.activity is not None else None,
        mend=mend,
    )


def _rows(answer: Answer) -> list[Row]:
    """The activities that were found by words, without those of the decisions above."""
    told = {one.tracked.decision.activity for one in answer.found if isinstance(one.tracked, Decided)}
    return rows.of([one for one in answer.activities if one.id not in told])


def _is_ours(known: str) -> bool:
    """Is it an address of the capture domain or of a user? No contact can have such an address."""
    tenant = here.deployment()
    if address.split(known)[1] == tenant.domain:
        return True
    key = tenant.folding.key(known)
    own = (one for user in users.list_all(here.database(), tenant) for one in user.addresses)
    return key in map(tenant.folding.key, own)


def _what_to_do(typed: str) -> list[Mend]:
    """Advice if nothing is known: either no contact has the address, or the contact's mail doesn't reach Mailweir."""
    wanted = asked.read(typed)
    if wanted.kind is not None:
        return []  # the answer itself says what to look for
    known = address.normalise_path(wanted.text) or address.typed(wanted.text)
    arrives = mending.of(Remedy(Action.CHECK_FORWARDING))
    if not known or _is_ours(known):
        return [arrives] if arrives else []
    holders = contact_lists.holders(here.database(), here.deployment(), known)
    if not holders:
        make = mending.of(Remedy(Action.MAKE_CONTACT, known))
        return [Mend(gettext("No contact has this address, so its mail isn't recorded.")), *([make] if make else [])]
    words = gettext("It is an address of the contact %(name)s: its mail is recorded.", name=holders[0].name)
    return [Mend(words), *([arrives] if arrives else [])]
