"""Writes docs/reference/: every command of the command line, and every setting.

Commands come from `admin_cli`, with the texts that `--help` shows. Settings come from `mailweir.settings` (names, types,
defaults) and the comments of mailweir.toml.example. Called by `make reference`; a test compares the files with `pages`.
"""

import enum
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import typer

from admin_cli import main as command_line
from mailweir.settings import Settings

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
_COLUMNS = 100
_KINDS = {"ipv4": "IPv4 address", "ipv6": "IPv6 address", "object": "table", "boolean": "true or false"}
_COMMANDS = """\
# Commands
`make reference` makes this page from the program: each text is that of the command's `--help`.

Commands read the settings file that `MAILWEIR_CONFIG` names, or `/etc/mailweir/mailweir.toml`
([settings](settings.md)). `--json` prints JSON for programs.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | failed; one line on stderr says why |
| 2 | wrong usage, such as an unknown option |
| 130 | interrupted by Ctrl-C |

Commands with other exit codes name them below.
"""
_SETTINGS = """\
# Settings
`make reference` makes this page from the program and from `mailweir/mailweir.toml.example`.

The settings are one TOML file: the file that `MAILWEIR_CONFIG` names, or
`/etc/mailweir/mailweir.toml`. Each process reads it once at its start. An unknown key is an error.
`mailweir config show` prints the settings in force.
"""


def pages() -> dict[str, str]:
    """Each file's name in docs/reference, and its text."""
    return {"commands.md": _COMMANDS + "".join(_commands()), "settings.md": _SETTINGS + "".join(_settings())}


# ---- commands


def walk(command: Any = None, path: tuple[str, ...] = ("mailweir",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command and group of the command line, with the words that name it, in the order of the program's help."""
    command = command or typer.main.get_command(command_line.build())
    yield path, command
    for name in getattr(command, "commands", {}):
        yield from walk(command.get_command(None, name), (*path, name))


def help_texts(command: Any) -> list[str]:
    """A command's text, paragraph by paragraph, each on one line."""
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", inspect.cleandoc(command.help or ""))]


def parameters(command: Any) -> list[Any]:
    """The arguments and options, without --help."""
    return [one for one in command.params if one.name != "help"]


def _commands() -> Iterator[str]:
    for path, command in walk():
        is_group = hasattr(command, "commands")
        yield f"\n{'##' if len(path) < 3 else '###'} {' '.join(path)}\n"
        yield "\n\n".join(_wrapped(text) for text in help_texts(command)) + "\n"
        yield f"\n{_below(path, command)}\n" if is_group else f"\n```\n{_usage(path, command)}\n```\n"
        rows = [(_names(one, command).replace("|", "\\|"), _meaning(one, command)) for one in parameters(command)]
        yield _table(("argument or option", "meaning"), rows)
        if not is_group:
            example = re.sub(r"^(?:\x08\n)?Example:\n", "", command.epilog)
            yield f"\nExample:\n\n```\n{textwrap.dedent(example).rstrip()}\n```\n"


def _below(path: tuple[str, ...], group: Any) -> str:
    """The group's commands, as links to their sections."""
    links = [f"[{name}](#{'-'.join((*path, name))})" for name in group.commands]
    return textwrap.fill(f"Commands: {', '.join(links)}.", _COLUMNS, break_long_words=False, break_on_hyphens=False)


def _usage(path: tuple[str, ...], command: Any) -> str:
    words = [_metavar(one, command) for one in parameters(command) if not _is_option(one)]
    options = ["[OPTIONS]"] if any(_is_option(one) for one in parameters(command)) else []
    return " ".join((*path, *options, *words))


def _is_option(parameter: Any) -> bool:
    return str(parameter.opts[0]).startswith("-")


def _is_flag(parameter: Any) -> bool:
    return bool(getattr(parameter, "is_flag", False))


def _type_of(parameter: Any, command: Any) -> Any:
    """The type that the command's function gives the parameter, without None."""
    found = typing.get_type_hints(inspect.unwrap(command.callback))[parameter.name]
    kinds = [one for one in typing.get_args(found) if one is not type(None)]
    return kinds[0] if kinds and typing.get_origin(found) is not list else found


def _choices(parameter: Any, command: Any) -> list[str]:
    kind = _type_of(parameter, command)
    return [str(one.value) for one in kind] if isinstance(kind, type) and issubclass(kind, enum.Enum) else []


def _metavar(parameter: Any, command: Any) -> str:
    word: str = parameter.metavar or "|".join(_choices(parameter, command)) or parameter.name.upper()
    if _is_option(parameter) or parameter.required:
        return word + ("..." if parameter.nargs == -1 and not word.endswith("...") else "")
    return word if word.startswith("[") else f"[{word}]"


def _names(parameter: Any, command: Any) -> str:
    if not _is_option(parameter):
        return f"`{_metavar(parameter, command)}`"
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return names if _is_flag(parameter) else f"{names[:-1]} {_metavar(parameter, command)}`"


def _meaning(parameter: Any, command: Any) -> str:
    said = [_plain(parameter.help)]
    if _is_option(parameter) and parameter.required:
        said.append("Required.")
    if _is_option(parameter) and parameter.multiple and "repeat" not in said[0]:
        said.append("You can repeat it.")
    default = getattr(parameter.default, "value", parameter.default)
    if not _is_flag(parameter) and default not in (None, "", (), []):
        said.append(f"Default: `{default}`.")
    return " ".join(said)


# ---- settings


def sample() -> dict[str, str]:
    """The comment of mailweir.toml.example on each key, by the key's name with its section; without lines of code."""
    text = resources.files("mailweir").joinpath("mailweir.toml.example").read_text("utf-8")
    section, found = "", dict[str, str]()
    said: list[str] = []
    for line in text.splitlines():
        heading, key = re.match(r"\[(\w+)\]$", line), re.match(r"#?(\w+) = ", line)
        provider = re.match(r"#   (\w+) = \".*?\"\s+(\S.*)$", line)
        if heading:
            section = f"{heading[1]}."
        elif provider:
            found[f"web.openid.NAME.{provider[1]}"] = f"{provider[2][0].upper()}{provider[2][1:]}."
        elif key:
            found[section + key[1]] = " ".join(said)
        elif line.startswith("# "):
            said += [] if line.startswith("#   ") else [line[2:]]
            continue
        said = said if provider else []
    return found


def _settings() -> Iterator[str]:
    schema, said = Settings.model_json_schema(), sample()
    sections = {name: one["$ref"] for name, one in schema["properties"].items() if "$ref" in one}
    yield "\n## At the top of the file\n"
    yield _section(schema, "", said)
    for name, reference in sections.items():
        section = _definition(schema, reference)
        yield f"\n## [{name}]\n{_wrapped(_first(section['description']))}\n"
        yield _section(section, f"{name}.", said)
        if name == "web":
            provider = schema["$defs"]["OpenId"]
            yield f"\n## [web.openid.NAME]\n{_wrapped(_first(provider['description']))}\n"
            yield _section(provider, "web.openid.NAME.", said)


def _first(description: str) -> str:
    """A docstring's first sentence."""
    return " ".join(description.split()).partition(". ")[0].rstrip(".") + "."


def _definition(schema: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schema["$defs"][reference.rpartition("/")[2]]
    return found


def _section(section: Mapping[str, Any], prefix: str, said: Mapping[str, str]) -> str:
    rows = [
        (f"`{name}`", _type(one), _default(name, one, section), _plain(said[prefix + name]))
        for name, one in section["properties"].items()
        if "$ref" not in one
    ]
    return _table(("key", "type", "default", "meaning"), rows)


def _type(one: Mapping[str, Any], ending: str = "") -> str:
    """A JSON schema's type in words, with its bounds. ending: of the plural."""
    if "anyOf" in one:
        return " or ".join(dict.fromkeys(_type(kind, ending) for kind in one["anyOf"] if kind["type"] != "null"))
    if "enum" in one:
        return " or ".join(f'`"{value}"`' for value in one["enum"])
    if one["type"] == "array":
        return f"list of {_type(one['items'], 's')}"
    kind: str = _KINDS.get(one.get("format", one["type"]), one["type"])
    plural = f"e{ending}" if ending and kind.endswith("s") else ending
    return kind + plural + _bounds(one)


def _bounds(one: Mapping[str, Any]) -> str:
    low = f"above {one['exclusiveMinimum']}" if "exclusiveMinimum" in one else one.get("minimum")
    if low is None:
        return ""
    return f", {low} to {one['maximum']}" if "maximum" in one else f", {low} or more"


def _default(name: str, one: Mapping[str, Any], section: Mapping[str, Any]) -> str:
    if name in section.get("required", ()):
        return "required"
    value = one["default"]
    if value is None:
        return "none"
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, list):
        return "`[" + ", ".join(f'"{item}"' for item in value) + "]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


# ---- Markdown


def _plain(text: str) -> str:
    """A text, escaped for Markdown."""
    return re.sub(r"([*<|])", r"\\\1", " ".join(text.split()))


def _wrapped(text: str) -> str:
    return textwrap.fill(_plain(text), _COLUMNS, break_long_words=False, break_on_hyphens=False)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = [head, ("---",) * len(head), *rows]
    return "\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def main() -> None:
    """Writes the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
