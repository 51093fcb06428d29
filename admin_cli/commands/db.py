"""`mailweir db`: the database's version and what it forgets."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from admin_cli import context, options, output

if TYPE_CHECKING:
    from mailweir.place import Place


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(app, "db", "The database.", options.example("mailweir db upgrade"))
    group.command("upgrade", epilog=options.example("mailweir db upgrade"))(upgrade)
    group.command("prune", epilog=options.example("mailweir db prune"))(prune)


def upgrade(as_json: options.JsonOption = False) -> None:
    """Makes the database, or brings an older one to this program's version."""
    from mailweir.settings import load

    settings = load()
    place = settings.database_place
    applied = _upgrade(place, settings.run_as)
    if as_json:
        output.show_json({"database": str(place), "applied": applied})
    elif applied:
        output.say(f"The database {place} is upgraded: {', '.join(applied)}.")
    else:
        output.say(f"The database {place} is up to date; nothing was done.")


def prune(as_json: options.JsonOption = False) -> None:
    """Deletes old decisions. Those on mail that was not captured, older than the decision_days of the settings."""
    from mailweir.settings import load
    from mailweir.store import retention

    settings = load()
    days = settings.retention.decision_days
    with context.opened(settings) as database:
        deleted = retention.prune_decisions(database, context.now(), days)
    if as_json:
        output.show_json({"deleted": deleted, "decision_days": days})
        return
    output.say(f"Deleted {deleted} decisions older than {days} days on mail that was not captured.")


def _upgrade(place: "Place", run_as: str) -> list[str]:
    from mailweir.store import versions

    return _upgrade_file(place, run_as) if isinstance(place, Path) else versions.upgrade(place)


def _upgrade_file(path: Path, run_as: str) -> list[str]:
    from admin_cli.ownership import acting_as_owner, give_to_owner, make_folder
    from mailweir.errors import DatabaseUnavailable
    from mailweir.store import versions

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
