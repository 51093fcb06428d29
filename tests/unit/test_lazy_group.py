"""The lazy group of the command line: it shows the commands' own lines, and behaves like a group that has loaded all commands."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from admin_cli import main
from admin_cli.commands import gmail
from admin_cli.lazy_group import LazyCommand, LazyGroup

REPOSITORY = Path(__file__).parents[2]
# wider than any terminal, and narrower than a word
LIMITS = range(1, 250)


@pytest.mark.parametrize("command", [*main.Commands.lazy, *gmail.Commands.lazy], ids=lambda one: str(one.name))
def test_a_commands_line_is_its_modules_own(command: LazyCommand) -> None:
    loaded, line = command.load(), TyperCommand(command.name, help=command.help)
    assert loaded.name == command.name
    assert not loaded.hidden
    assert [line.get_short_help_str(limit) for limit in LIMITS] == [
        loaded.get_short_help_str(limit) for limit in LIMITS
    ]
    assert loaded.get_short_help_str(1000) == command.help


def test_each_module_that_registers_a_command_is_in_the_table() -> None:
    files = [
        file for file in (REPOSITORY / "admin_cli").rglob("*.py") if "\ndef register(app: " in file.read_text("utf-8")
    ]
    modules = [".".join(file.relative_to(REPOSITORY).with_suffix("").parts) for file in files]
    assert sorted(one.module for one in main.Commands.lazy) == sorted(modules)


def test_the_list_is_that_of_a_group_that_has_loaded_all() -> None:
    group = typer.main.get_command(main.build())
    assert isinstance(group, LazyGroup)
    loaded = TyperGroup(commands={one.name: one.load() for one in main.Commands.lazy})
    shown = []
    for one in (group, loaded):
        formatter = typer.Context(one).make_formatter()
        one.format_commands(typer.Context(one), formatter)
        shown.append(formatter.getvalue())
    assert shown[0] == shown[1] != ""


def test_a_mistyped_name_is_answered_with_those_like_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["usr"]) == 2
    assert "No such command 'usr'. Did you mean 'user'?" in capsys.readouterr().err


def test_a_command_loads_no_other() -> None:
    script = "import sys; from admin_cli import main; main.run(['todo', '--help']); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    loaded = {one.module for one in main.Commands.lazy} & set(ran.stdout.split())
    assert loaded == {"admin_cli.commands.todo"}


def test_the_status_of_mailboxes_needs_nothing_of_google() -> None:
    script = "import sys; from admin_cli import main; main.run(['gmail', 'status', '--help']); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert "peewee" in loaded
    assert loaded.isdisjoint({"google", "googleapiclient", "google_auth_oauthlib", "requests"})
