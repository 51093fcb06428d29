"""The command line as a whole: each command's help has an example, and start-up imports nothing heavy."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from admin_cli import main

HEAVY = {
    *("peewee", "playhouse", "sqlite3", "psycopg", "pydantic", "structlog", "zstandard"),
    *("dns", "dkim", "cryptography", "argon2", "jinja2", "rich", "schedule", "prometheus_client"),
    *("google", "googleapiclient", "google_auth_oauthlib", "requests", "urllib3", "certifi", "publicsuffixlist"),
}


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name in getattr(command, "commands", {}):
        yield from _commands(command.get_command(None, name), (*path, name))


PATHS = list(_commands(typer.main.get_command(main.build())))


def test_the_walk_finds_the_commands() -> None:
    """Otherwise the tests below might check nothing."""
    for path in (
        "deployment add",
        "user alias",
        "contact remove",
        "contact import",
        "activity raw",
        "todo done",
        "why",
        "db prune",
        "config show",
    ):
        assert tuple(path.split()) in PATHS


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_each_commands_help_has_an_example(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([*path, "--help"]) == 0
    text = capsys.readouterr().out
    _, example, lines = text.partition("Example:\n")
    assert example, text
    # the line may begin with sudo, or a variable
    command = " ".join(("mailweir", *path[:1]))
    assert all(command in line for line in lines.splitlines() if line.strip())


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"], ["--nonsense"]])
def test_the_first_page_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import contextlib, io, json, sys\n"
        "from admin_cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        f"    main.run({arguments!r})\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    modules = set(json.loads(ran.stdout))
    imported = {name.partition(".")[0] for name in modules}
    assert "typer" in imported
    assert imported.isdisjoint(HEAVY)
    assert {
        name for name in modules if name.startswith(("admin_cli.commands", "admin_cli.demo", "admin_cli.doctor"))
    } == set()
    assert ("importlib.metadata" in modules) == (arguments == ["--version"])


def test_an_unexpected_error_is_a_traceback_and_exit_1() -> None:
    script = (
        "import sys\n"
        "from admin_cli import main\n"
        "from admin_cli.commands import why\n"
        "def broken(app):\n"
        "    raise RuntimeError('a fault of ours')\n"
        "why.register = broken\n"
        "sys.exit(main.run(['why', 'x']))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, text=True)
    assert ran.returncode == 1
    assert "Traceback" in ran.stderr
    assert "a fault of ours" in ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["deployment", "add", "demo"],
        ["deployment", "add", "demo", "--domain"],
        ["contact", "add", "Jane"],
        ["activity", "show", "x"],
        ["activity", "list", "--limit", "0"],
        ["activity", "list", "--since", "yesterday"],
        ["activity", "list", "--nonsense"],
        ["user"],
        [],
    ],
)
def test_a_usage_error_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(arguments) == 2
    written = capsys.readouterr()
    assert "Traceback" not in written.err + written.out
    assert "Usage:" in written.err or "Error:" in written.err or "Usage:" in written.out
