"""`mailweir why`: what became of a message, and why."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from admin_cli import context, options, output

if TYPE_CHECKING:
    from mailweir.settings import Settings
    from mailweir.store.decisions import Decision
    from postfix.maillog import Refusal


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    lines = (
        "mailweir why jane@client.example",
        "mailweir why '<20261124.1@client.example>'",
        "mailweir why 4XyZ0t1Kz8z9",
    )
    app.command("why", epilog=options.example(*lines))(why)


def why(
    text: Annotated[
        str,
        typer.Argument(
            metavar="MESSAGE-ID|ADDRESS|QUEUE-ID", help="A Message-ID, an author's address, or Postfix's queue id."
        ),
    ],
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many.")] = None,
    deployment: Annotated[
        str | None, typer.Option("--deployment", metavar="NAME", help="Only what this deployment decided.")
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Says what became of a message, the newest first; then what Postfix refused. Exits 1 where nothing is known of it."""
    from mailweir.settings import load
    from mailweir.store import decisions, deployments

    settings = load()
    with context.opened(settings) as database:
        chosen = context.narrow(database, deployment)
        found = decisions.find(database, text, chosen, limit)
        names = {one.domain: one.name for one in deployments.list_all(database)}
    refused = _refused(settings, text, names)
    refused = [(one, name) for one, name in refused if chosen is None or name == chosen.name]
    refused = refused[: None if limit is None else max(0, limit - len(found))]
    if as_json:
        output.show_json([*(_object(decision) for decision in found), *(_refusal_object(*one) for one in refused)])
    else:
        for decision in found:
            output.say(_sentence(decision))
        for refusal, _ in refused:
            output.say(_refusal_sentence(refusal))
    if found or refused:
        return
    if not as_json:
        output.say(
            f"No decision is known for {text}: it has not come here, was refused before the part of the log that is read, "
            f"or was ignored more than {settings.retention.decision_days} days ago."
        )
    raise typer.Exit(1)


def _refused(settings: "Settings", text: str, names: dict[str, str]) -> "list[tuple[Refusal, str | None]]":
    """What Postfix's log tells, each with the deployment that it was for; nothing, and a remark, where it can't be read.

    names: of the deployments, by domain.
    """
    from postfix import maillog

    try:
        found = maillog.find(settings.postfix_log_file, text, context.now())
    except maillog.LogUnreadable as error:
        output.remark(f"mailweir: {error}")
        return []
    if found.left_out:
        output.remark(
            f"mailweir: left out {found.left_out} lines of Postfix's log that can be read in two ways (somebody may forge)"
        )
    return [(one, names.get(maillog.domain_of(one.recipient))) for one in found.refusals]


def _sentence(decision: "Decision") -> str:
    from admin_cli import wording

    to = (
        f", to {', '.join(decision.recipients)}" if decision.recipients else ""
    )  # what is relayed may have none of ours
    what, cause = wording.outcome(decision), wording.reason(decision)
    return f"{output.moment(decision.time)}  {what}: {cause} (queue id {decision.queue_id}{to})"


def _object(decision: "Decision") -> dict[str, Any]:
    from admin_cli import wording

    return {**output.plain(decision), "reason": wording.reason(decision)}


def _refusal_sentence(refusal: "Refusal") -> str:
    from admin_cli import wording

    queue_id = f"queue id {refusal.queue_id}, " if refusal.queue_id else ""
    to = f", to {refusal.recipient}" if refusal.recipient is not None else ""
    sender = "" if refusal.sender is None else f", envelope sender {refusal.sender or '<>'}"
    return f"{output.moment(refusal.time)}  {wording.refusal(refusal)} ({queue_id}from {refusal.client}{sender}{to})"


def _refusal_object(refusal: "Refusal", deployment: str | None) -> dict[str, Any]:
    """The keys of a decision. author: the envelope sender, for no header was seen, or none was kept."""
    from admin_cli import wording

    return {
        "time": refusal.time,
        "deployment": deployment,
        "queue_id": refusal.queue_id,
        "recipients": [refusal.recipient] if refusal.recipient else [],
        "author": refusal.sender or None,
        "message_id": refusal.message_id,
        "outcome": "refused",
        "reason": f"{wording.refusal(refusal)} (from {refusal.client})",
        "activity": None,
        "direction": None,
    }
