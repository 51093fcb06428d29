"""The imports of the programs' own modules, read from their source, without importing anything."""

import ast
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[1]
PROGRAMS = ("mailweir", "milter", "postfix", "admin_cli", "gmail_sync")


class Module(NamedTuple):
    """docstring: in one line. imports: all its imports; for `from`, each with its names."""

    docstring: str
    imports: frozenset[str]
    is_package: bool


def sources(folders: Collection[str]) -> list[Path]:
    """The Python files below some folders of the repository, without those that npm installs."""
    found = [file for name in folders for file in (REPOSITORY / name).rglob("*.py")]
    return [file for file in found if "node_modules" not in file.parts]


def read(text: str, where: str = "", *, is_package: bool = False) -> Module:
    """Parses a module's source. where: for the error about a relative import, which the project doesn't use."""
    tree = ast.parse(text)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{where}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return Module(" ".join((ast.get_docstring(tree) or "").split()), frozenset(found), is_package)


@cache
def modules() -> Mapping[str, Module]:
    """The programs' modules by import name; a package has the name of its folder."""
    found: dict[str, Module] = {}
    for file in sources(PROGRAMS):
        parts = file.relative_to(REPOSITORY).with_suffix("").parts
        name = ".".join(part for part in parts if part not in ("milter", "__init__"))
        found[name] = read(file.read_text("utf-8"), str(file), is_package=file.name == "__init__.py")
    return found


def ours(imported: str, known: Collection[str]) -> str | None:
    """Our module that an import refers to (`mailweir.address.split` refers to `mailweir.address`); None if it isn't ours."""
    while imported and imported not in known:
        imported = imported.rpartition(".")[0]
    return imported or None


def within(name: str, packages: Collection[str]) -> bool:
    """Is it one of these, or below one of them?"""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def intruders(known: Mapping[str, Module], libraries: Collection[str], homes: Collection[str]) -> list[str]:
    """The modules outside of `homes` that import one of the libraries, each with its imports."""
    return [
        f"{name} imports {imported}"
        for name, module in sorted(known.items())
        if not within(name, homes)
        for imported in sorted(module.imports)
        if within(imported, libraries)
    ]


def reach(known: Mapping[str, Module], start: str) -> dict[str, str]:
    """Every module of ours that `start` imports, directly or indirectly, with the module that imports it."""
    found, left = {start: ""}, [start]
    while left:
        name = left.pop()
        for imported in known[name].imports:
            other = ours(imported, known)
            if other and other not in found:
                found[other] = name
                left.append(other)
    return found
