"""Every regular expression of `mailweir.reading` is linear in the length of the text, for any run of characters.

The test finds the expressions itself, and derives the runs from the characters of each. A new slow one fails here.
"""

import ast
import functools
import importlib
import itertools
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from mailweir import reading

_SMALL, _FACTOR, _MAX_RATIO = 1_000, 4, 9  # quadratic time is 16 times as long
_QUICK_SECONDS = 0.0007  # faster expressions aren't examined more closely
_SEARCHES = {"search", "sub", "subn", "findall", "finditer", "split"}
# Their callers give these expressions only short texts: at most so many characters.
BOUNDED = {"label_words.FORWARD_PREFIX": 300, "label_words.REPLY_PREFIX": 300}
_ALWAYS = " \t\n\0aA0.:-=<>(\"'/@é日"
_IN_PAIRS = ' a0\n:<"'
_SPOILER = "\x02"  # ends each run: no expression matches it there, so that it backtracks after a success


def _expressions() -> dict[str, re.Pattern[str] | re.Pattern[bytes]]:
    """All expressions by module and name, including those in a table and those of `word_hints`. Each expression is there once."""
    found: dict[str, re.Pattern[str] | re.Pattern[bytes]] = {}
    for module in pkgutil.iter_modules(reading.__path__):
        for name, value in vars(importlib.import_module(f"mailweir.reading.{module.name}")).items():
            for place, one in enumerate(_within(value)):
                label = f"{module.name}.{name}" + (f"[{place}]" if place else "")
                if one not in found.values():
                    found[label] = one
    return found


def _within(value: object) -> Iterator[re.Pattern[str] | re.Pattern[bytes]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from (one for one in value.values() if isinstance(one, re.Pattern))
    elif isinstance(value, list | tuple):
        yield from (one for one in value if isinstance(one, re.Pattern))
    elif type(value).__module__.startswith("mailweir.reading"):
        yield from itertools.chain.from_iterable(_within(one) for one in getattr(value, "__dict__", {}).values())


EXPRESSIONS = _expressions()


@cache
def _trees() -> dict[str, ast.Module]:
    return {file.stem: ast.parse(file.read_text("utf-8")) for file in sorted(Path(reading.__path__[0]).glob("*.py"))}


def _methods(name: str) -> set[str]:
    """The methods by which the program uses an expression: without a search, it is only tried at the start of a text."""
    module, _, rest = name.partition(".")
    bare = rest.partition("[")[0]
    trees = [_trees().get(module)] if bare.startswith("_") else _trees().values()
    used = {
        node.attr
        for node in itertools.chain.from_iterable(ast.walk(tree) for tree in trees if tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == bare
    }
    return used or _SEARCHES


def _runs(source: str) -> Iterator[Callable[[int], str]]:
    """Texts of a length: one character, two in turn, a word of the expression again and again, or a word before a run."""
    plain = source.replace("\\", "")
    own = list(dict.fromkeys(char for char in plain if not char.isalnum()))[:8]
    singles = dict.fromkeys((*_ALWAYS, *own, *dict.fromkeys(filter(str.isalnum, plain[:60]))))
    pairs = itertools.permutations(dict.fromkeys((*_IN_PAIRS, *own)), 2)
    words = list(dict.fromkeys(re.findall(r"[\w:;/<(=@#,.! -]{3,30}", plain)))[:6]
    for unit in (*singles, *map("".join, pairs), *words):
        yield functools.partial(_repeated, "", unit)
    for word, one in itertools.product(words, _IN_PAIRS):
        yield functools.partial(_repeated, word, one)


def _repeated(head: str, unit: str, size: int) -> str:
    return head + unit * ((size - len(head)) // len(unit)) + _SPOILER


def _seconds(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def _slow_run(name: str, expression: re.Pattern[str] | re.Pattern[bytes]) -> str:
    """The beginning of a text for which the time grows faster than its length; empty if there is none."""
    source = expression.pattern if isinstance(expression.pattern, str) else expression.pattern.decode("latin-1")
    is_searched = bool(_methods(name) & _SEARCHES)

    def work(run: Callable[[int], str], size: int) -> Callable[[], object]:
        text = run(size) if isinstance(expression.pattern, str) else run(size).encode("utf-8", "replace")
        if is_searched:
            return lambda: len(expression.findall(text))  # type: ignore[arg-type]
        return lambda: (expression.match(text), expression.fullmatch(text))  # type: ignore[arg-type]

    for run in _runs(source):
        small, large = work(run, _SMALL), work(run, _SMALL * _FACTOR)
        if _seconds(large) < _QUICK_SECONDS:
            continue
        ratios = (_seconds(large) / max(_seconds(small), 1e-5) for _ in range(4))
        if all(ratio > _MAX_RATIO for ratio in ratios):
            return repr(run(40))
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in EXPRESSIONS if name not in BOUNDED])
def test_time_grows_with_the_text_only(name: str) -> None:
    assert _slow_run(name, EXPRESSIONS[name]) == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "slow"),
    [
        ("x.A", r"\s+$"),
        ("x.B", r"<[!?][^>]*>"),
        ("x.C", r"a+b"),
        ("x.D", r"On .*, .* wrote:"),
    ],
)
def test_a_slow_expression_is_found(name: str, slow: str) -> None:
    assert _slow_run(name, re.compile(slow))


def test_all_expressions_are_found_and_have_names() -> None:
    """The test can't find inline expressions such as `re.sub("x", …)`."""
    assert len(EXPRESSIONS) > 100
    assert set(BOUNDED) <= set(EXPRESSIONS)
    inline = [
        f"{module}: {ast.unparse(node)[:60]}"
        for module, tree in _trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "re"
        and node.func.attr not in ("compile", "escape")
    ]
    assert inline == []
