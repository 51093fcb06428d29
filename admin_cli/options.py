"""Options that the commands share, and help that shows an example."""

import enum
from typing import Annotated

import typer
from typer.core import TyperGroup

from mailweir.visibility import Visibility


class Switch(enum.StrEnum):
    """A person's choice: on or off."""

    ON = "on"
    OFF = "off"


DeploymentOption = Annotated[
    str | None,
    typer.Option("--deployment", metavar="NAME", help="The deployment. You may omit it if there is only one."),
]
SharedOption = Annotated[
    bool,
    typer.Option("--shared", help="Also take addresses that another contact has; their mail is recorded for both."),
]
_VISIBILITY = typer.Option(
    "--visibility",
    help="The readers: everyone; participants only; or metadata, where all others see only who and when.",
)
VisibilityOption = Annotated[Visibility, _VISIBILITY]
OptionalVisibility = Annotated[Visibility | None, _VISIBILITY]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def noun(app: typer.Typer, name: str, purpose: str, epilog: str, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """A group of commands on one noun. epilog: the end of its help; see `example`."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name=name, help=purpose, epilog=epilog, cls=cls)
    return group


def example(*lines: str) -> str:
    """The end of a command's help; \\b keeps the lines as they are."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)
