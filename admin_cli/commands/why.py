"""`mailweir why`: what became of a message, and why."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from admin_cli import context, options, output

if TYPE_CHECKING:
    from mailweir.store.decisions import Decision


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
    """Says what became of a message, the newest first. Exits 1 where nothing is known of it."""
    from mailweir.settings import load
    from mailweir.store import decisions

    settings = load()
    with context.opened(settings) as database:
        found = decisions.find(database, text, context.narrow(database, deployment), limit)
    if as_json:
        output.show_json([_object(decision) for decision in found])
    for decision in [] if as_json else found:
        output.say(_sentence(decision))
    if not found and not as_json:
        days = settings.retention.decision_days
        output.say(
            f"No decision is known for {text}: it has not come here, was refused while it was sent, "
            f"or was ignored more than {days} days ago."
        )
    if not found:
        raise typer.Exit(1)


def _sentence(decision: "Decision") -> str:
    from admin_cli import wording

    recipients = ", ".join(decision.recipients)
    what, cause = wording.outcome(decision), wording.reason(decision)
    return f"{output.moment(decision.time)}  {what}: {cause} (queue id {decision.queue_id}, to {recipients})"


def _object(decision: "Decision") -> dict[str, Any]:
    from admin_cli import wording

    return {**output.plain(decision), "reason": wording.reason(decision)}
