"""Where modules import: at the top, and not in a circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = {
    **{name: REPOSITORY / name for name in ("admin_cli", "bench", "gmail_sync", "mailweir", "postfix", "tests")},
    "capture_milter": REPOSITORY / "milter" / "capture_milter",
}
# by (module, function): a comment there gives the reason
INSIDE_FUNCTIONS = {
    ("admin_cli.main", "_show_version"),
    ("admin_cli.progress", "bar"),
    ("admin_cli.progress", "copying"),
    ("admin_cli.progress", "counting"),
    ("admin_cli.tables", "_draw"),
}

Graph = dict[str, set[str]]


def _modules(packages: dict[str, Path]) -> dict[str, ast.Module]:
    """Each module, by import name; a package by the name of its folder."""
    found = {}
    for package, folder in packages.items():
        for file in folder.rglob("*.py"):
            if "node_modules" not in file.parts:
                parts = (package, *file.relative_to(folder).with_suffix("").parts)
                found[".".join(part for part in parts if part != "__init__")] = ast.parse(file.read_text("utf-8"))
    return found


def _imports_inside_functions(tree: ast.Module) -> Iterator[str]:
    """The names of the functions that import; for a nested function, with the functions around it."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(
            isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function)
        ):
            yield function.name


def _imports_at_the_top(tree: ast.AST) -> Iterator[str]:
    """Code that runs when the module is imported: all except functions' bodies, and blocks for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from _imports_at_the_top(node)


def _graph(modules: dict[str, ast.Module]) -> Graph:
    """For each module: the modules of ours that it imports, with their packages, except its own packages."""
    return {
        name: {
            found
            for imported in _imports_at_the_top(tree)
            for found in _with_packages(imported)
            if found in modules and not f"{name}.".startswith(f"{found}.")
        }
        for name, tree in modules.items()
    }


def _with_packages(name: str) -> Iterator[str]:
    """`a.b.c`, `a.b` and `a`."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _circles(graph: Graph) -> list[set[str]]:
    """The modules that import one another in some way, each set once."""
    reached = {name: _reached(graph, name) for name in graph}
    circles = []
    for name in sorted(graph):
        circle = {other for other in reached[name] if name in reached[other]}
        if circle and circle not in circles:
            circles.append(circle)
    return circles


def _reached(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def test_the_command_line_imports_at_the_top_of_its_modules() -> None:
    inside = {
        (name, function)
        for name, tree in _modules({"admin_cli": PACKAGES["admin_cli"]}).items()
        for function in _imports_inside_functions(tree)
    }
    assert inside == INSIDE_FUNCTIONS


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph = _graph(_modules(PACKAGES))
    assert "admin_cli.main" in _reached(graph, "admin_cli.demo.command")
    assert _circles(graph) == []


@pytest.mark.parametrize(
    ("sources", "circles"),
    [
        ({"a": "import b", "b": "import a"}, [{"a", "b"}]),
        ({"a": "from b import f", "b": "from c import g", "c": "import a"}, [{"a", "b", "c"}]),
        ({"a": "import b", "b": "def f():\n    import a"}, []),
        ({"a": "import b", "b": "class C:\n    import a"}, [{"a", "b"}]),
        ({"a": "import b", "b": "try:\n    import a\nexcept ImportError:\n    pass"}, [{"a", "b"}]),
        ({"a": "import b", "b": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a"}, []),
        ({"p": "import a", "p.b": "", "a": "import p.b"}, [{"a", "p"}]),
        ({"p": "import p.b", "p.b": ""}, []),
        ({"p.a": "from p import b", "p.b": "from p.a import f"}, [{"p.a", "p.b"}]),
    ],
)
def test_a_circle_is_found(sources: dict[str, str], circles: list[set[str]]) -> None:
    assert _circles(_graph({name: ast.parse(text) for name, text in sources.items()})) == circles
