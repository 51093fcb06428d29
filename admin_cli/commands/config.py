"""`mailweir config`: the settings in force."""

from typing import Any

import typer
from pydantic import BaseModel

from admin_cli import options, output, tables
from admin_cli.change_notes import reads
from mailweir.settings import Settings, load, path_in_force


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(app, "config", "The settings.", options.example("mailweir config show"))
    lines = "mailweir config show", "MAILWEIR_CONFIG=./data/mailweir.toml mailweir config show --json"
    group.command("show", epilog=options.example(*lines))(show)


@reads
def show(as_json: options.JsonOption = False) -> None:
    """Shows the settings in force, and whether each is from the file or a default."""
    settings, path = load(), path_in_force()
    values = _in_force(settings)
    if as_json:
        output.show_json({"file": str(path), "settings": values, "from_file": sorted(_given(settings))})
        return
    output.say(f"Settings of {path}:")
    given = _given(settings)
    rows = [(key, _text(value), "file" if key in given else "default") for key, value in _flat(values)]
    tables.show(("key", "value", "from"), rows, empty="")


def _in_force(settings: Settings) -> dict[str, Any]:
    values: dict[str, Any] = settings.model_dump(mode="json")
    # shows what an empty value means
    database = settings.database or f"sqlite:{settings.database_path}"
    return {**values, "database": database, "admin_mailbox": settings.admin_address}


def _given(model: BaseModel, prefix: str = "") -> set[str]:
    return {key for name in model.model_fields_set for key in _keys(getattr(model, name), prefix + name)}


def _keys(value: Any, key: str) -> set[str]:
    if isinstance(value, dict):  # tables with names of the admin's choice
        return {inner for name, one in value.items() for inner in _given(one, f"{key}.{name}.")}
    return _given(value, f"{key}.") if isinstance(value, BaseModel) else {key}


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for name, value in values.items():
        flat += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return flat


def _text(value: Any) -> str:
    return "-" if value is None or value == "" else str(value)
