"""`mailweir todo`: activities on users' lists until they are done."""

from typing import Annotated

import typer

from admin_cli import context, options, output, tables
from admin_cli.change_notes import reads, unnoted
from mailweir.explain import english, record
from mailweir.store.record import todos
from mailweir.store.record.todos import Todo


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(
        app,
        "todo",
        "Activities on users' lists until they are done.",
        options.example("mailweir todo list --user richard"),
    )
    group.command("list", epilog=options.example("mailweir todo list --user richard"))(list_some)
    group.command("done", epilog=options.example("mailweir todo done 7"))(done)


@reads
def list_some(
    user: Annotated[str | None, typer.Option("--user", metavar="U", help="Only this user's to-dos.")] = None,
    with_done: Annotated[bool, typer.Option("--all", help="Show to-dos that are done, too.")] = False,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Lists open to-dos, the newest first."""
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        found = todos.select(database, chosen, user, with_done=with_done)
    if as_json:
        output.show_json([output.plain(todo) for todo in found])
        return
    rows = [(*_row(todo), *([output.moment(todo.done_at)] if with_done else [])) for todo in found]
    columns = (
        "id",
        "user",
        "activity",
        "recorded",
        "direction",
        "author",
        "verdict",
        "subject",
        *(["done"] * with_done),
    )
    tables.show(columns, rows, empty=f"There is no {'' if with_done else 'open '}to-do in {chosen.name}.")


@unnoted
def done(
    todo_id: Annotated[int, typer.Argument(metavar="ID", help="The number that 'mailweir todo list' shows.")],
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Marks a to-do as done: it leaves its user's list, and the activity stays on the record."""
    with context.opened() as database:
        finished = todos.finish(database, todo_id, context.narrow(database, deployment), context.now())
    if as_json:
        output.show_json(output.plain(finished))
        return
    state = english.text(record.todo(finished))
    output.say(f"The to-do {finished.id} of {finished.user} is {state}: {finished.activity.subject}")


def _row(todo: Todo) -> tuple[str, ...]:
    activity = todo.activity
    return (
        str(todo.id),
        todo.user,
        str(activity.id),
        output.moment(activity.recorded_at),
        activity.direction,
        activity.author,
        activity.sender_verdict,
        activity.subject,
    )
