"""`mailweir why`: what became of a message, and why."""

from typing import Annotated, Any

import typer

from admin_cli import context, options, output, wording
from mailweir import address
from mailweir.decision import Reason
from mailweir.directory import DeploymentRef
from mailweir.settings import Settings, load
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_queue
from mailweir.store.gmail.gmail_queue import Waiting
from mailweir.store.people import deployments
from mailweir.store.record import decisions, overview
from mailweir.store.record.decisions import Decision
from mailweir.traces import Traces
from postfix import log_lines, maillog
from postfix.maillog import Refusal


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    lines = (
        "mailweir why jane@client.example",
        "mailweir why '<20261124.1@client.example>'",
        "mailweir why 4XyZ0t1Kz8z9",
        "mailweir why 19ab04c7d2e1f356",
    )
    app.command("why", epilog=options.example(*lines))(why)


def why(
    text: Annotated[
        str,
        typer.Argument(
            metavar="MESSAGE-ID|ADDRESS|QUEUE-ID|GMAIL-ID|SUBJECT",
            help="A Message-ID, an author's or recipient's address, Postfix's queue id, Gmail's id of a message, or a part of "
            "the subject of one that is recorded.",
        ),
    ],
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many.")] = None,
    deployment: Annotated[
        str | None, typer.Option("--deployment", metavar="NAME", help="Only what this deployment decided.")
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Says what became of a message, the newest first; then what waits in the sync, and what Postfix refused. Exits 1 where
    nothing is known of it."""
    settings = load()
    with context.opened(settings) as database:
        chosen = context.narrow(database, deployment)
        found = decisions.find(database, text, chosen, limit, _digests(settings, database, text))
        hints = [_hint(database, one) for one in found]
        waiting = [one for one in gmail_queue.find(database, text) if chosen is None or one.deployment == chosen.name]
        names = {one.domain: one.name for one in deployments.list_all(database)}
    refused = _refused(settings, text, names)
    refused = [(one, name) for one, name in refused if chosen is None or name == chosen.name]
    objects = [*map(_object, found), *map(_waiting_object, waiting), *(_refusal_object(*one) for one in refused)][
        :limit
    ]
    sentences = [
        *(_sentence(one) + hint for one, hint in zip(found, hints, strict=True)),
        *map(_waiting_sentence, waiting),
        *(_refusal_sentence(one) for one, _ in refused),
    ]
    if as_json:
        output.show_json(objects)
    for sentence in [] if as_json else sentences[:limit]:
        output.say(sentence)
    if objects:
        return
    if not as_json:
        output.say(
            f"No decision is known for {text}: it has not come here, was refused before the part of the log that is read, "
            f"or was ignored more than {settings.retention.decision_days} days ago."
        )
    raise typer.Exit(1)


def _hint(database: Database, decision: Decision) -> str:
    """What helps where a user copies mail to the log address from an address of his that nobody has registered. Said for
    domains of users' own addresses alone: a forged mail must not get a stranger registered."""
    at_log = any(address.split(one)[0].partition("+")[0] == address.LOG_LOCAL_PART for one in decision.recipients)
    if decision.reason != Reason.UNKNOWN_AUTHOR or not decision.author or not at_log:
        return ""
    if not overview.is_staff_domain(database, decision.deployment, address.split(decision.author)[1]):
        return ""
    return f"; if {decision.author} is a user's own address: mailweir user alias USERNAME {decision.author}"


def _digests(settings: Settings, database: Database, text: str) -> dict[int, bytes]:
    """What ignored mail to this address would have, by deployment; nothing where it is no address, or there is no key."""
    recipient, traces = address.normalise_path(text) or address.typed(text), Traces(settings.token_key_path)
    if not recipient:
        return {}
    rows = deployments.list_all(database)
    refs = [DeploymentRef(row.id, row.name, row.domain, row.folding) for row in rows]
    return {ref.id: found for ref in refs if (found := traces.of(ref, [recipient]))}


def _refused(settings: Settings, text: str, names: dict[str, str]) -> list[tuple[Refusal, str | None]]:
    """What Postfix's log tells, each with the deployment that it was for; nothing, and a remark, where it can't be read.

    names: of the deployments, by domain.
    """
    try:
        found = maillog.find(settings.postfix_log_file, text, context.now())
    except log_lines.LogUnreadable as error:
        output.remark(f"mailweir: {error}")
        return []
    if found.left_out:
        output.remark(
            f"mailweir: left out {found.left_out} lines of Postfix's log that can be read in two ways (somebody may forge)"
        )
    return [(one, names.get(maillog.domain_of(one.recipient))) for one in found.refusals]


def _sentence(decision: Decision) -> str:
    to = (
        f", to {', '.join(decision.recipients)}" if decision.recipients else ""
    )  # what is relayed may have none of ours
    what, cause = wording.outcome(decision), wording.reason(decision)
    name = (
        f"Gmail id {decision.gmail_id}, in {decision.mailbox}" if decision.mailbox else f"queue id {decision.queue_id}"
    )
    return f"{output.moment(decision.time)}  {what}: {cause} ({name}{to})"


def _object(decision: Decision) -> dict[str, Any]:
    return {**output.plain(decision), "reason": wording.reason(decision), "gmail_id": decision.gmail_id}


def _waiting_sentence(waiting: Waiting) -> str:
    time = output.moment(waiting.dead_at or waiting.queued_at)
    return f"{time}  {wording.waiting(waiting)} (Gmail id {waiting.gmail_id}, in {waiting.mailbox})"


def _waiting_object(waiting: Waiting) -> dict[str, Any]:
    """The keys of a decision."""
    return {
        "time": waiting.dead_at or waiting.queued_at,
        "deployment": waiting.deployment,
        "queue_id": None,
        "recipients": [],
        "author": None,
        "message_id": None,
        "outcome": "waiting" if waiting.dead_at is None else "given up",
        "reason": wording.waiting(waiting),
        "activity": None,
        "direction": None,
        "mailbox": waiting.mailbox,
        "gmail_id": waiting.gmail_id,
    }


def _refusal_sentence(refusal: Refusal) -> str:
    queue_id = f"queue id {refusal.queue_id}, " if refusal.queue_id else ""
    to = f", to {refusal.recipient}" if refusal.recipient is not None else ""
    client = f"from {refusal.client}" if refusal.client else "from an unknown client"
    sender = "" if refusal.sender is None else f", envelope sender {refusal.sender or '<>'}"
    return f"{output.moment(refusal.time)}  {wording.refusal(refusal)} ({queue_id}{client}{sender}{to})"


def _refusal_object(refusal: Refusal, deployment: str | None) -> dict[str, Any]:
    """The keys of a decision. author: the envelope sender, for no header was seen, or none was kept."""
    return {
        "time": refusal.time,
        "deployment": deployment,
        "queue_id": refusal.queue_id,
        "recipients": [refusal.recipient] if refusal.recipient else [],
        "author": refusal.sender or None,
        "message_id": refusal.message_id,
        "outcome": "broken off" if refusal.is_broken_off else "refused",
        "reason": wording.refusal(refusal) + (f" (from {refusal.client})" if refusal.client else ""),
        "activity": None,
        "direction": None,
        "mailbox": None,
        "gmail_id": None,
    }
