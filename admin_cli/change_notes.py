"""Notes changes by commands in the log of changes, which also has changes by the page: the person, the change, and its subject.

Each command has one of these marks: `changes`, `unnoted` or `reads`; a test checks all commands. The first transaction of the
command that writes anything also writes the note. So neither exists without the other, and a command that changed nothing leaves
no note. Called by the commands, and by `context`, which opens the database.
"""

import functools
import inspect
import os
import pwd
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar, get_type_hints

from typer.models import OptionInfo

from mailweir.printable import printable
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.web import change_log
from mailweir.store.web.change_log import COMMAND_LINE

_Command = TypeVar("_Command", bound=Callable[..., Any])
MARK = "_changes"
READS, UNNOTED = "", "-"
_MAX_LOGIN_CHARS = 64
_OF_NO_INTEREST = ("deployment", "as_json", "is_confirmed")


@dataclass(slots=True)
class _Note:
    """A change by the running command. what: a key of `webapp.changes`. names_deployment: the subject is a deployment's name."""

    what: str
    subject: str
    detail: str
    names_deployment: bool
    deployment_ids: list[int | None] = field(default_factory=lambda: [None])
    is_written: bool = False


_running: ContextVar[_Note | None] = ContextVar("running", default=None)


def changes(what: str, about: str, *, names_deployment: bool = False) -> Callable[[_Command], _Command]:
    """Marks a command that changes something. about: the parameter that names the subject; the other options are the details."""

    def mark(command: _Command) -> _Command:
        @functools.wraps(command)
        def run(*arguments: Any, **options: Any) -> Any:
            note = _Note(what, _shown(options.get(about)), _typed(command, about, options), names_deployment)
            token = _running.set(note)
            try:
                return command(*arguments, **options)
            finally:
                _running.reset(token)

        setattr(run, MARK, what)
        return run  # type: ignore[return-value]

    return mark


def unnoted(command: _Command) -> _Command:
    """Marks a command whose changes aren't noted: to-dos, repeated work of the digest, the database as a whole, files."""
    setattr(command, MARK, UNNOTED)
    return command


def reads(command: _Command) -> _Command:
    """Marks a command that changes nothing."""
    setattr(command, MARK, READS)
    return command


def instead(what: str) -> None:
    """Notes this change for the running command, and not the change that its mark names. what: a key of `webapp.changes`."""
    note = _running.get()
    if note is not None:
        note.what = what


def of_deployments(deployment_ids: Iterable[int]) -> None:
    """The running command's change belongs to these deployments. Without this call, or without an id, it belongs to no
    deployment, and operators see it."""
    note = _running.get()
    if note is not None:
        note.deployment_ids = list(dict.fromkeys(deployment_ids)) or [None]


def watch(database: Database) -> None:
    """Lets the first transaction that writes also write the note of the running command's change, if it has one."""
    note = _running.get()
    if note is not None:
        database.before_commit = functools.partial(_write, database, note)


def who() -> str:
    """The login name of the person who runs the command on this system; with sudo, such as `richard as root`."""
    own = _login_name(os.getuid())
    before = _clean(os.environ.get("SUDO_USER", ""))
    return f"{before} as {own}" if before and before != own else own


def _login_name(uid: int) -> str:
    try:
        return _clean(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return f"uid {uid}"


def _clean(text: str) -> str:
    """Makes a short, printable line of any text from outside."""
    return printable(" ".join(text.split()))[:_MAX_LOGIN_CHARS]


def _write(database: Database, note: _Note) -> None:
    if note.is_written:
        return
    note.is_written = True
    ids = [deployments.find(database, note.subject).id] if note.names_deployment else note.deployment_ids
    for deployment_id in ids:
        by, now = COMMAND_LINE + who(), datetime.now(UTC)
        change_log.note(database, deployment_id, by, note.what, note.subject, note.detail, now)


def _typed(command: Callable[..., Any], about: str, given: Mapping[str, Any]) -> str:
    """The arguments and options without the subject, and without those that have their default value."""
    kinds = get_type_hints(command, include_extras=True)
    shown = []
    for name, one in inspect.signature(command).parameters.items():
        if name == about or name in _OF_NO_INTEREST or name not in given or given[name] == one.default:
            continue
        value = "" if given[name] is True else _shown(given[name])
        shown.append(" ".join(filter(None, [_option(name, kinds[name]), value])))
    return " ".join(shown)


def _option(name: str, kind: Any) -> str:
    """The option as a person types it; "" for an argument."""
    for one in getattr(kind, "__metadata__", ()):
        if isinstance(one, OptionInfo):
            named = (one.default, *(one.param_decls or ()))  # typer stores the first name as the default
            own = [word for word in named if isinstance(word, str) and word.startswith("-")]
            return (own or [f"--{name.replace('_', '-')}"])[0].partition("/")[0]
    return ""


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return "" if value is None else printable(str(value))
