"""The demo's findings as tables that need no explanation. Never interprets: it prints what was found.

Called by `command`.
"""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from admin_cli.demo import mail
from admin_cli.demo.scenario import DEPLOYMENT, Delivered, Findings
from admin_cli.output import moment
from mailweir.decision import Outcome
from mailweir.explain import english, reasons
from mailweir.printable import printable

_WIDTH_WITHOUT_TERMINAL = 110


def show(findings: Findings) -> None:
    """Prints all of it on stdout."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH_WITHOUT_TERMINAL)
    sections = (_came_in, _captured, _synced, _redirected, _ignored, _todos)
    for section in sections:
        console.print()
        console.print(section(findings))


def _came_in(findings: Findings) -> RenderableType:
    title = f"{len(findings.delivered)} mails came in over SMTP, on 127.0.0.1 port {findings.smtp_port}"
    rows = [(number, _sentence(one.story), one.queue_id) for number, one in _numbered(findings)]
    return _table(title, ("mail", "where it came from", "queue id"), rows)


def _captured(findings: Findings) -> RenderableType:
    rows = [
        (
            str(activity.id),
            _numbers(findings, activity.id),
            f"{activity.direction}\nby {' and '.join(activity.routes)}",
            activity.author,
            "\n".join(_contact(one.name, one.company) for one in activity.contacts),
            activity.subject,
        )
        for activity in findings.activities
    ]
    columns = ("activity", "mails", "way", "author", "contact", "subject")
    return _table(f"Captured: now on the record of the deployment {DEPLOYMENT}", columns, rows)


def _synced(findings: Findings) -> RenderableType:
    gmail = findings.gmail
    rows = [
        (
            str(one.id),
            one.author,
            one.subject,
            "forwarded too: one activity" if len(one.routes) > 1 else "by the sync alone",
        )
        for one in findings.activities
        if one.id in gmail.activities
    ]
    return Group(
        _table(f"Synced from the Gmail of {gmail.address}", ("activity", "author", "subject", "how"), rows),
        Text(
            f"  of the {gmail.messages} messages there {gmail.downloaded} were downloaded, of the others only the headers"
        ),
    )


def _redirected(findings: Findings) -> RenderableType:
    rows = [(one.mailbox, one.author, one.subject) for one in findings.sent_on]
    return Group(
        _table(
            f"Redirected to {mail.USERNAME}'s own mailbox, as it is in the outbox", ("to", "author", "subject"), rows
        ),
        *_reasons(findings, Outcome.REDIRECTED),
        *(Text(printable(f"  its envelope sender, which tells of a bounce: {one.sender}")) for one in findings.sent_on),
    )


def _ignored(findings: Findings) -> RenderableType:
    rows = [
        (number, decision.author or "-", ", ".join(decision.recipients), english.text(reasons.reason(decision)))
        for number, one in _numbered(findings)
        for decision in one.decisions
        if decision.outcome == Outcome.IGNORED
    ]
    return _table("Ignored: only this is kept", ("mail", "author", "to", "why"), rows)


def _todos(findings: Findings) -> RenderableType:
    rows = [
        (str(todo.id), str(todo.activity.id), todo.activity.author, todo.activity.subject, moment(todo.created_at))
        for todo in findings.todos
    ]
    return _table(f"To-dos of {mail.USERNAME}", ("to-do", "activity", "author", "subject", "since"), rows)


def _reasons(findings: Findings, outcome: Outcome) -> Iterable[Text]:
    for number, one in _numbered(findings):
        for decision in one.decisions:
            if decision.outcome == outcome:
                yield Text(printable(f"  mail {number}: {english.text(reasons.reason(decision))}"))


def _numbered(findings: Findings) -> Iterable[tuple[str, Delivered]]:
    return ((str(number), one) for number, one in enumerate(findings.delivered, 1))


def _numbers(findings: Findings, activity_id: int) -> str:
    """The numbers of the mails that became this activity."""
    return ", ".join(
        number
        for number, one in _numbered(findings)
        if any(decision.activity == activity_id for decision in one.decisions)
    )


def _contact(name: str, company: str | None) -> str:
    return f"{name}\n{company}" if company else name


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> RenderableType:
    heading = Text(title, style="bold")
    if not rows:
        return Group(heading, Text("  nothing"))
    table = Table(box=SIMPLE_HEAD, show_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "author")
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    return Group(heading, table)


def _cell(text: str) -> Text:
    return Text("\n".join(printable(line) for line in text.split("\n")))  # Text: brackets in a subject are no markup
