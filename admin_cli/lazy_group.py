"""A group of commands whose modules are imported only when a command is used: most of a start's time is imports.

The list of the commands needs only this module, because the group knows a line about each. Called by `main` and `commands.gmail`.
"""

import importlib
from dataclasses import dataclass
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command, or a noun with commands of its own.

    module: its `register` adds it to a `typer.Typer`. help: the first sentence of its help, which is all that a list shows.
    """

    name: str
    module: str
    help: str

    def load(self) -> Any:
        """The library's command, ready to be run; imports the module. Errors: those of the import."""
        app = typer.Typer(rich_markup_mode=None, add_completion=False)
        importlib.import_module(self.module).register(app)
        return typer.main.get_group(app).commands[self.name]


class LazyGroup(TyperGroup):
    """A subclass names its commands in `lazy`, in the order of help; it has no others."""

    lazy: ClassVar[tuple[LazyCommand, ...]] = ()

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # These stand for the real ones if a name and a line are enough: in a list, and for a mistyped name.
        self.commands = {one.name: TyperCommand(one.name, help=one.help) for one in self.lazy}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself, newly loaded; None if there is none of this name."""
        return next((one.load() for one in self.lazy if one.name == cmd_name), None)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the list as the library does, without loading anything for it."""
        TyperGroup(commands=dict(self.commands)).format_commands(ctx, formatter)
