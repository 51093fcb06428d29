"""`mailweir db`: the database's version, its backups, and what it forgets."""

from pathlib import Path
from typing import Annotated

import typer

from admin_cli import backups, context, options, output, progress
from admin_cli.change_notes import unnoted
from admin_cli.ownership import acting_as_owner, acting_for, give_to_owner, make_folder
from mailweir.database_url import DatabaseUrl
from mailweir.errors import DatabaseUnavailable
from mailweir.settings import load
from mailweir.store.database import versions
from mailweir.store.people import relay_logins
from mailweir.store.record import erasing, held, retention
from mailweir.store.web import retention as web_retention

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup's file.")]


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(app, "db", "The database.", options.example("mailweir db upgrade"))
    group.command("upgrade", epilog=options.example("mailweir db upgrade"))(upgrade)
    group.command("backup", epilog=options.example("mailweir db backup /srv/backup/mailweir-20261124.db"))(back_up)
    group.command("restore", epilog=options.example("mailweir db restore /srv/backup/mailweir-20261124.db"))(restore)
    group.command("prune", epilog=options.example("mailweir db prune"))(prune)


@unnoted
def upgrade(
    check: Annotated[bool, typer.Option("--check", help="Only show what would be done.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Makes the database, or upgrades an older one to this program's version."""
    settings = load()
    database_url = settings.database_url
    if check:
        _show_pending(database_url, as_json)
        return
    applied = _upgrade(database_url, settings.run_as)
    if as_json:
        output.show_json({"database": str(database_url), "applied": applied})
    elif applied:
        output.say(f"The database {database_url} is upgraded: {', '.join(applied)}.")
    else:
        output.say(f"The database {database_url} is up to date; nothing was done.")


@unnoted
def prune(as_json: options.JsonOption = False) -> None:
    """Deletes old decisions: those on mail that was not captured, older than the setting decision_days.

    Also deletes the page's ended sessions and links, and entries of its reader log older than the setting reader_log_days.
    Then removes the deleted data from the database's files.
    """
    settings = load()
    days = settings.retention.decision_days
    with context.opened(settings) as database:
        deleted = retention.prune_decisions(database, context.now(), days)
        relay_logins.prune_uses(database, context.now(), days)
        web_retention.prune(database, context.now(), settings.retention.reader_log_days)
        with progress.copying("Erasing") as show:
            _, is_held_erased = held.erase_expired(database, context.now())
            is_erased = erasing.finish(database, show) and erasing.truncate_log(database) and is_held_erased
    if not is_erased:
        output.remark(
            "The deleted data is still in the database's log, because a backup or another program reads it. "
            "The next run removes it."
        )
    if as_json:
        output.show_json({"deleted": deleted, "decision_days": days})
        return
    output.say(f"Deleted {deleted} decisions older than {days} days on mail that was not captured.")


@unnoted
def back_up(
    file: FileArgument,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Copies the whole record into one file, while mail flows. The file appears once it is complete and checked."""
    with progress.copying("Copying") as show:
        made = backups.make(load().database_url, file.absolute(), force=force, progress=show)
    if as_json:
        output.show_json({"file": str(made.file), "size_bytes": made.size_bytes, "counts": made.counts})
        return
    output.say(f"The backup {made.file} is complete and checked: {made.size_bytes:,} bytes, {_counted(made.counts)}.")


@unnoted
def restore(file: FileArgument, as_json: options.JsonOption = False) -> None:
    """Replaces the database by a backup, while nothing runs. Keeps the previous database under another name."""
    with progress.copying("Copying") as show:
        done = backups.restore(load(), file.absolute(), context.now(), show)
    if as_json:
        output.show_json(
            {"database": str(done.database), "kept": done.kept, "applied": done.applied, "counts": done.counts}
        )
        return
    output.say(f"The database {done.database} is restored: {_counted(done.counts)}.")
    if done.applied:
        output.say(f"It was upgraded: {', '.join(done.applied)}.")
    if done.kept:
        output.say(f"The previous database is kept as {done.kept}.")


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())


def _upgrade(database_url: DatabaseUrl, run_as: str) -> list[str]:
    return _upgrade_file(database_url, run_as) if isinstance(database_url, Path) else versions.upgrade(database_url)


def _show_pending(database_url: DatabaseUrl, as_json: bool) -> None:
    try:
        with acting_for(database_url):
            pending = versions.pending(database_url)
    except PermissionError as error:
        raise DatabaseUnavailable(f"no permission to open the database {database_url}: run this as root") from error
    if as_json:
        output.show_json({"database": str(database_url), "pending": pending})
    elif pending:
        output.say(f"The database {database_url} lacks {', '.join(pending)}; nothing was done.")
    else:
        output.say(f"The database {database_url} is up to date.")


def _upgrade_file(path: Path, run_as: str) -> list[str]:
    try:
        make_folder(path.parent, run_as)
        with acting_as_owner(path.parent) as stepped_down:
            applied = versions.upgrade(path)
        if not stepped_down:
            made = [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm", ".upgrade-lock")]
            give_to_owner(path.parent, made)
        return applied
    except PermissionError as error:
        raise DatabaseUnavailable(f"no permission for {error.filename}: run this as root") from error
