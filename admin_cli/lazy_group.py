"""A group of commands whose modules are imported only when a command is used: imports take most of the time of a start.

The list of the commands needs only this module, because the group has a line of help for each. Called by `main` and
`commands.gmail`.
"""

import importlib
from dataclasses import dataclass
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command, or a group of commands on one noun.

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
    """A subclass names all its commands in `lazy`, in the order of its help."""

    lazy: ClassVar[tuple[LazyCommand, ...]] = ()

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Placeholders, with a name and a line of help: that is enough for a list, and for the hint about a mistyped name.
        self.commands = {one.name: TyperCommand(one.name, help=one.help) for one in self.lazy}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself, newly loaded; None if there is none of this name."""
        return next((one.load() for one in self.lazy if one.name == cmd_name), None)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the list as the library does, without loading anything for it."""
        TyperGroup(commands=dict(self.commands)).format_commands(ctx, formatter)
