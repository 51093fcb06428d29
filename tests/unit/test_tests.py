"""The tests themselves: none uses private names, and none branches. Each states the expected result of its one case."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.imports import sources

TESTS = Path(__file__).parents[1]
# They begin with an underscore so that no field can have their name. All of them are documented.
NAMED_TUPLE = {"_replace", "_asdict", "_fields", "_field_defaults", "_make"}
PRIVATE_EXCEPTIONS = {
    ("chaos/limited_filter.py", "_CLASS._connect"): "a program that is faulty on purpose, from within",
    ("chaos/lying_filter.py", "Session._try_again"): "likewise",
    ("integration/dying_filter.py", "Session._carry_out"): "likewise",
    ("warm_command.py", "os._exit"): "Python's; its documentation names it as the end of a fork",
    ("unit/test_charsets.py", "encodings._cache"): "Python's; nothing else shows which names it remembers for ever",
    ("unit/test_encoded_words.py", "encodings._cache"): "likewise",
    ("unit/test_models.py", "model._meta"): "peewee's documentation names it as the way to a model's columns",
}

# By file and test, each with its reason.
BRANCHING_EXCEPTIONS: dict[tuple[str, str], str] = {}


@cache
def _sources() -> list[tuple[str, ast.Module]]:
    return [(str(file.relative_to(TESTS)), ast.parse(file.read_text("utf-8"))) for file in sorted(sources(["tests"]))]


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in NAMED_TUPLE


def _is_own(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def private_names(tree: ast.Module) -> Iterator[str]:
    """Other modules' private names: `x._name`, `from x import _name`, and "_name" as an argument of setattr and similar
    functions."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=value, attr=name) if _is_private(name) and not _is_own(value):
                yield ast.unparse(node)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                path = getattr(node, "module", None) or ""
                paths = [f"{path}.{one.name}" for one in names]
                yield from (one for one in paths if any(map(_is_private, one.split("."))))
            case ast.Call(
                func=ast.Attribute(attr="setattr" | "delattr") | ast.Name(id="getattr" | "setattr"), args=args
            ):
                given = [one.value for one in args[:2] if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                yield from (one for one in given if any(map(_is_private, one.split("."))))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x._name", ["x._name"]),
        ("self.x._name = 1", ["self.x._name"]),
        ("x()._name[0]", ["x()._name"]),
        ("from mailweir import _hidden", ["mailweir._hidden"]),
        ("from mailweir._hidden import shown", ["mailweir._hidden.shown"]),
        ("import mailweir._hidden", [".mailweir._hidden"]),
        ("monkeypatch.setattr(module, '_NAME', 1)", ["_NAME"]),
        ("monkeypatch.setattr('module._NAME', 1)", ["module._NAME"]),
        ("getattr(module, '_name')", ["_name"]),
        ("self._name, cls._name, x.name, x.__name__, row._replace(a=1), _own(1)", []),
        ("monkeypatch.setattr(module, 'NAME', '_x')", []),
    ],
)
def test_private_names_are_found(code: str, expected: list[str]) -> None:
    assert list(private_names(ast.parse(code))) == expected


def test_no_test_reaches_into_private_names() -> None:
    found = {(file, name) for file, tree in _sources() for name in private_names(tree)}
    assert found == set(PRIVATE_EXCEPTIONS)


def branching(tree: ast.Module) -> Iterator[str]:
    """The tests with an `if`, a ternary, a `match`, or an `except` inside, including nested functions. A filter in a
    comprehension isn't a branch, nor is a `try` that only cleans up."""
    tests = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    for test in tests:
        if test.name.startswith("test_") and any(map(_branches, ast.walk(test))):
            yield test.name


def _branches(node: ast.AST) -> bool:
    return isinstance(node, ast.If | ast.IfExp | ast.Match) or (
        isinstance(node, ast.Try | ast.TryStar) and bool(node.handlers)
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("if x: pass", ["test_x"]),
        ("for one in x:\n  assert one if x else two", ["test_x"]),
        ("match x:\n  case _: pass", ["test_x"]),
        ("try: x()\n except ValueError: pass", ["test_x"]),
        ("def fake():\n  if x: return 1", ["test_x"]),
        ("assert x or y", []),
        ("try: x()\n finally: y()", []),
        ("with raises(ValueError): x()", []),
        ("assert [one for one in x if one]", []),
    ],
)
def test_branches_are_found(body: str, expected: list[str]) -> None:
    assert list(branching(ast.parse(f"def test_x():\n {body}\ndef helper():\n if x: pass"))) == expected


def test_no_test_branches() -> None:
    assert {(file, name) for file, tree in _sources() for name in branching(tree)} == set(BRANCHING_EXCEPTIONS)
