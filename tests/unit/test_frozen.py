"""Interfaces that users and their programs rely on: commands, settings, stored words, log events, replies, exit codes, metrics.

`frozen/*.txt` has them, a fact a line, as released. A removed or changed line breaks somebody's script: that needs a decision
record. A new line is added to the file with the change that brings it. `tests/integration/test_frozen_json.py` freezes the
commands' JSON output.
"""

import ast
import enum
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from admin_cli import main
from mailweir import errors
from mailweir.settings import Settings
from tests import frozen

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = ("admin_cli", "gmail_sync", "mailweir", "milter/capture_milter", "postfix")
LEVELS = frozenset({"debug", "info", "warning", "error", "critical", "exception"})
REPLY = re.compile(r"[245]\d\d [245]\.\d{1,3}\.\d{1,3}\b.*", re.DOTALL)


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """Each file of the programs, read."""
    for folder in PROGRAMS:
        for file in sorted((REPOSITORY / folder).rglob("*.py")):
            yield file, ast.parse(file.read_text("utf-8"))


def commands() -> Iterator[str]:
    """Each command with its arguments and options, as a script gives them."""
    yield from _commands(typer.main.get_command(main.build()), "mailweir")


def _commands(command: Any, path: str) -> Iterator[str]:
    for one in command.params:
        names = " ".join([*one.opts, *one.secondary_opts]) if one.param_type_name == "option" else one.name.upper()
        kind = "flag" if getattr(one, "is_flag", False) else "value"
        many = " (several)" if one.multiple or one.nargs != 1 else ""
        yield f"{path}: {names}: {kind}{many}{', needed' if one.required else ''}"
    for name in getattr(command, "commands", {}):
        child = command.get_command(None, name)
        yield f"{path} {name}{' (hidden)' if child.hidden else ''}"
        yield from _commands(child, f"{path} {name}")


def settings() -> Iterator[str]:
    """Each key with its type, default and bounds."""
    schema = Settings.model_json_schema()
    yield from _settings(schema, schema["$defs"], "")


def _settings(schema: dict[str, Any], definitions: dict[str, Any], path: str) -> Iterator[str]:
    for name, found in schema["properties"].items():
        section = definitions.get(str(found.get("$ref", "")).rpartition("/")[2])
        if section:
            yield from _settings(section, definitions, f"{path}{name}.")
        else:
            facts = {key: found[key] for key in sorted(found) if key not in ("title", "description")}
            yield f"{path}{name}: {facts}"


def stored_words() -> Iterator[str]:
    """The members of each enumeration. They are stored, logged, or in JSON."""
    for file, tree in sources():
        names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        module = ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removeprefix("milter.")
        for name in names:
            found = getattr(importlib.import_module(module), name)
            if issubclass(found, enum.Enum) and name not in ("Whose", "Asked", "NoKey"):
                yield from (f"{name}.{one.name} = {one.value!r}" for one in found)


def events() -> Iterator[str]:
    """Each log event with its keys; `**` means further keys."""
    for file, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and _is_logging(node.func, file):
                keys = sorted({one.arg or "**" for one in node.keywords} - {"exc_info"})
                yield from (f"{text}: {' '.join(keys)}" for text in _texts(node.args[0]))


def _is_logging(function: ast.expr, file: Path) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr in LEVELS
    # the level is chosen by its severity
    return isinstance(function, ast.Name) and function.id == "say" and "admin_cli" not in file.parts


def _texts(node: ast.AST) -> Iterator[str]:
    """The possible texts of an expression; {} replaces parts known only at run time."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(next(_texts(one), "{}") for one in node.values)
    elif not isinstance(node, ast.FormattedValue):
        for child in ast.iter_child_nodes(node):
            yield from _texts(child)


def replies() -> Iterator[str]:
    """Each SMTP reply of ours, and each sentence that becomes a reply."""
    for file, tree in sources():
        if not {"capture_milter", "postfix"} & {*file.parts}:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) in ("setreply", "Refusal", "_sayable") and node.args:
                yield from (one for one in [" ".join(next(_texts(one), "{}") for one in node.args)] if one.strip("{} "))
            if isinstance(node, ast.Return) and node.value is not None and "capture_milter" in file.parts:
                yield from (f"... {text}" for text in _texts(node.value) if text.count(" ") > 2)
        yield from (text for text in _texts(tree) if REPLY.fullmatch(text))
    for template in sorted((REPOSITORY / "postfix" / "templates").rglob("*")):
        if template.is_file():
            found = re.findall(r"\b[45]\d\d [45]\.\d\.\d [^,}\n]*", template.read_text("utf-8"))
            yield from (f"{template.name}: {one.strip()}" for one in found)


def _name(function: ast.expr) -> str:
    return str(getattr(function, "attr", None) or getattr(function, "id", ""))


def exit_codes() -> Iterator[str]:
    """The exit code of each of our errors, and the other exit codes."""
    ours = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, Exception)]
    raised: list[type[BaseException]] = [*ours, KeyboardInterrupt, SystemExit]
    for kind in raised:

        def fail(*_: object, kind: type[BaseException] = kind, **__: object) -> None:
            raise kind("why")

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(typer.main, "get_command", lambda _, fail=fail: fail)
            yield f"{kind.__name__}: {main.run([])}"
    yield f"no such command: {main.run(['no-such-command'])}"
    yield f"--version: {main.run(['--version'])}"


def metrics() -> Iterator[str]:
    """Each figure for Prometheus, and the labels."""
    for file, tree in sources():
        if file.name == "metrics.py":
            yield from (text for text in _texts(tree) if re.fullmatch(r"mailweir_[a-z_]+", text))
            for node in ast.walk(tree):
                if isinstance(node, ast.keyword) and node.arg == "labels":
                    yield from (f"label {text}" for text in _texts(node.value))


def sealed_for() -> Iterator[str]:
    """The purpose of each sealed secret, and of each derived key: with other words, stored secrets can't be opened any more."""
    for _, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.endswith("purpose"):
                yield from (text for one in node.body if isinstance(one, ast.Return) for text in _texts(one))
            if isinstance(node, ast.Call) and _name(node.func) == "PurposeKey":
                yield ast.unparse(node.args[1])


WHAT: dict[str, Callable[[], Iterator[str]]] = {
    "commands": commands,
    "settings": settings,
    "stored words": stored_words,
    "events": events,
    "replies": replies,
    "exit codes": exit_codes,
    "metrics": metrics,
    "sealed for": sealed_for,
}


@pytest.mark.parametrize("name", WHAT)
def test_nothing_that_users_rely_on_changes(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = sorted(set(WHAT[name]()))
    capfd.readouterr()
    assert found
    frozen.compare(Path(__file__).parent / "frozen" / f"{name.replace(' ', '_')}.txt", found)
