"""`mailweir why`: explains what happened to a message."""

from typing import Annotated, Any

import typer

from admin_cli import context, options, output
from admin_cli.change_notes import reads
from mailweir.explain import asked, english, missing_mail
from mailweir.explain.missing_mail import Question
from mailweir.explain.tracking import Decided, Refused, Tracked, Waits
from mailweir.settings import Settings, load
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


@reads
def why(
    text: Annotated[
        str,
        typer.Argument(
            metavar="MESSAGE-ID|ADDRESS|QUEUE-ID|GMAIL-ID|SUBJECT",
            help="A Message-ID, an author's or recipient's address, Postfix's queue id, Gmail's id of a message, "
            "or a part of a recorded message's subject. Refusals in Postfix's log are also found by a host, an IP address, "
            "a domain, or NOQUEUE.",
        ),
    ],
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="The most results to show.")] = None,
    deployment: Annotated[
        str | None, typer.Option("--deployment", metavar="NAME", help="Only decisions of this deployment.")
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Explains what happened to mail, newest first; then lists mail that waits in the sync or that Postfix refused. Exits 1 if
    nothing is found."""
    settings = load()
    in_log, remarks = _in_log(settings, asked.read(text).text)
    traces = Traces(settings.token_key_path)
    with context.opened(settings) as database:
        chosen = context.narrow(database, deployment)
        days = settings.retention.decision_days
        question = Question(text=text, limit=limit, decision_days=days, goes_on=True)
        answer = missing_mail.ask(database, question, traces, deployment=chosen, in_log=in_log)
    found = [one.tracked for one in answer.found]
    for remark in remarks:
        output.remark(f"mailweir: {remark}")
    if as_json:
        output.show_json([_object(one) for one in found])
    for one in [] if as_json else found:
        output.say(_sentence(one))
    if found:
        return
    if not as_json:
        output.say(" ".join(map(english.text, answer.remarks)))
    raise typer.Exit(1)


def _in_log(settings: Settings, text: str) -> tuple[list[Refusal], list[str]]:
    """The refusals in Postfix's log, and remarks: the log can't be read, or lines are left out."""
    try:
        found = maillog.find(settings.postfix_log_file, text, context.now())
    except log_lines.LogUnreadable as error:
        return [], [str(error)]
    doubtful = f"left out {found.left_out} lines of Postfix's log that are ambiguous (somebody may forge them)"
    return found.refusals, [doubtful] if found.left_out else []


def _sentence(found: Tracked) -> str:
    if isinstance(found, Decided):
        return _decision_sentence(found)
    return _waiting_sentence(found) if isinstance(found, Waits) else _refusal_sentence(found)


def _object(found: Tracked) -> dict[str, Any]:
    """A result for JSON. Mail that waits and refused mail have the main keys of a decision, too."""
    if isinstance(found, Decided):
        decision = found.decision
        origins = [english.text(one) for one in found.origins]
        about = {"reason": english.text(found.reason), "gmail_id": decision.gmail_id, "contact_origins": origins}
        return {**output.plain(decision), **about}
    return _waiting_object(found) if isinstance(found, Waits) else _refusal_object(found)


def _decision_sentence(found: Decided) -> str:
    decision = found.decision
    what, cause = english.text(found.outcome), english.text(found.reason)
    # relayed mail may be to neither a contact nor a user: then no recipient is shown
    to = f", to {', '.join(decision.recipients)}" if decision.recipients else ""
    name = f"queue id {decision.queue_id}" if decision.queue_id else "it had no queue id yet"
    if decision.mailbox:
        name = f"Gmail id {decision.gmail_id}, in {decision.mailbox}"
    hint = f"; {english.text(found.hint)}" if found.hint else ""
    proof = f"; author: {english.text(found.proof)}" if found.proof else ""
    origins = "".join(f"; {english.text(one)}" for one in found.origins)
    return f"{output.moment(decision.time)}  {what}: {cause} ({name}{to}){proof}{origins}{hint}"


def _waiting_sentence(found: Waits) -> str:
    waiting = found.waiting
    time = output.moment(waiting.dead_at or waiting.queued_at)
    return f"{time}  {english.text(found.reason)} (Gmail id {waiting.gmail_id}, in {waiting.mailbox})"


def _waiting_object(found: Waits) -> dict[str, Any]:
    waiting = found.waiting
    return {
        "time": output.json_value(waiting.dead_at or waiting.queued_at),
        "deployment": waiting.deployment,
        "queue_id": None,
        "recipients": [],
        "author": None,
        "message_id": None,
        "outcome": "waiting" if waiting.dead_at is None else "given up",
        "reason": english.text(found.reason),
        "activity": None,
        "direction": None,
        "mailbox": waiting.mailbox,
        "gmail_id": waiting.gmail_id,
        "contact_origins": [],
    }


def _refusal_sentence(found: Refused) -> str:
    refusal = found.refusal
    queue_id = f"queue id {refusal.queue_id}, " if refusal.queue_id else ""
    to = f", to {refusal.recipient}" if refusal.recipient is not None else ""
    client = f"from {refusal.client}" if refusal.client else "from an unknown client"
    sender = "" if refusal.sender is None else f", envelope sender {refusal.sender or '<>'}"
    return f"{output.moment(refusal.time)}  {english.text(found.reason)} ({queue_id}{client}{sender}{to})"


def _refusal_object(found: Refused) -> dict[str, Any]:
    """author: the envelope sender, because no header was seen, or none was kept."""
    refusal = found.refusal
    return {
        "time": output.json_value(refusal.time),
        "deployment": found.deployment,
        "queue_id": refusal.queue_id,
        "recipients": [refusal.recipient] if refusal.recipient else [],
        "author": refusal.sender or None,
        "message_id": refusal.message_id,
        "outcome": "broken off" if refusal.is_broken_off else "refused",
        "reason": english.text(found.reason) + (f" (from {refusal.client})" if refusal.client else ""),
        "activity": None,
        "direction": None,
        "mailbox": None,
        "gmail_id": None,
        "contact_origins": [],
    }
