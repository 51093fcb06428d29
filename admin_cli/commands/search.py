"""`mailweir search`: finds activities by words.

A hit is two lines: the mail's author, and the text around the first word that was found.
"""

import shutil
import sys
from typing import Annotated

import typer

from admin_cli import context, options, output
from admin_cli.change_notes import reads
from admin_cli.commands.activity import read_since
from mailweir.printable import printable
from mailweir.reading import search_query, search_snippet
from mailweir.reading.search_snippet import Snippet
from mailweir.store.record import readings, search, search_index
from mailweir.store.record.search import Hit, Wanted

_COLUMNS = 80  # for output that isn't a terminal
_FEWEST_COLUMNS = 60
_AUTHOR_COLUMNS = 28
_SNIPPET_CHARS = 200  # in JSON
_INDENT = "    "


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    examples = (
        'mailweir search boiler "fixed price"',
        "mailweir search offer* --contact jane@client.example --since 30d",
    )
    app.command("search", epilog=options.example(*examples))(find)


@reads
def find(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="WORDS...", help='Words; "several words" for a phrase; wor* for words that begin like this.'
        ),
    ],
    user: Annotated[
        str | None, typer.Option("--user", metavar="U", help="Only activities on this user's record.")
    ] = None,
    contact: Annotated[
        str | None,
        typer.Option("--contact", metavar="A", help="Only activities with the contact who has this address."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="T", help="A date or time (UTC if you give no zone), or an age such as 7d or 24h."
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="The most results to show.")] = 20,
    before: Annotated[
        int | None,
        typer.Option("--before", metavar="ID", min=1, help="For the next page: the last activity on this page."),
    ] = None,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Finds activities by the words of text, subject, names, addresses and file names, the most recently recorded first."""
    terms = search_query.parse(" ".join(_as_typed(word) for word in words))
    wanted = Wanted(
        limit=limit,
        user=user,
        contact=contact,
        since=read_since(since, context.now()) if since is not None else None,
        before=before,
    )
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        hits = search.select(database, chosen, terms, wanted)
        texts = readings.texts(database, [hit.raw_id for hit in hits])
        unread = search_index.count_unread(database, chosen.id)
    width = _SNIPPET_CHARS if as_json else _width() - len(_INDENT)
    snippets = [search_snippet.around(texts.get(hit.raw_id) or hit.activity.subject, terms, width) for hit in hits]
    if as_json:
        pairs = zip(hits, snippets, strict=True)
        output.show_json([{**output.plain(hit.activity), "snippet": snippet.text} for hit, snippet in pairs])
    else:
        _show(hits, snippets)
        _say_the_rest(hits, limit, bool(terms), chosen.name)
    if unread:
        are = "message isn't" if unread == 1 else "messages aren't"
        output.remark(f"{unread:,} {are} read yet; results may be missing.")


def _as_typed(word: str) -> str:
    """The shell has removed the quotes around a phrase, so they are added again. A word that still has quotes stays unchanged."""
    return f'"{word}"' if any(map(str.isspace, word)) and '"' not in word else word


def is_terminal() -> bool:
    """Does a person read the output?"""
    return sys.stdout.isatty()


def _width() -> int:
    return max(_FEWEST_COLUMNS, shutil.get_terminal_size().columns) if is_terminal() else _COLUMNS


def _show(hits: list[Hit], snippets: list[Snippet]) -> None:
    if not hits:
        return
    id_columns = max(2, *(len(str(hit.activity.id)) for hit in hits))
    author_columns = min(_AUTHOR_COLUMNS, max(len(hit.activity.author) for hit in hits))
    output.say(f"{'id'.ljust(id_columns)}  {'recorded'.ljust(16)}  {'author'.ljust(author_columns)}  subject")
    subject_columns = _width() - id_columns - 16 - author_columns - 6
    for hit, snippet in zip(hits, snippets, strict=True):
        one = hit.activity
        author = search_snippet.cut(printable(one.author), author_columns).ljust(author_columns)
        subject = search_snippet.cut(printable(one.subject), subject_columns)
        recorded = output.moment(one.recorded_at)[:16]
        output.say(f"{str(one.id).rjust(id_columns)}  {recorded}  {author}  {subject}".rstrip())
        typer.echo(
            _INDENT + "".join(_marked(printable(text)) if mark else printable(text) for text, mark in snippet.pieces)
        )


def _marked(text: str) -> str:
    return typer.style(text, bold=True) if text and is_terminal() else text


def _say_the_rest(hits: list[Hit], limit: int, has_words: bool, deployment: str) -> None:
    if not has_words:
        output.remark("The search has no word: give letters or digits.")
    elif not hits:
        output.remark(f"Nothing is found in {deployment}.")
    elif len(hits) == limit:
        output.remark(f"There may be more: add '--before {hits[-1].activity.id}'.")
