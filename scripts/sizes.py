"""Length of the programs' files and functions: median, 90th percentile, and the longest ones.

    sizes.py [FOLDER...] [--longest N]

A function counts from its `def` (or `async def`) to its last line, with its docstring and comments; a nested one also counts
separately. Methods are functions. Empty files count. Reads the tree that contains it, and changes nothing. Called by `make
sizes`.
"""

import argparse
import ast
import math
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = ("mailweir", "milter", "gmail_sync", "admin_cli", "postfix")


class Size(NamedTuple):
    """A number of lines, and the place."""

    lines: int
    place: str


def files_below(folders: Sequence[str], root: Path = REPOSITORY) -> list[Path]:
    """The Python files of some folders, sorted by name. FileNotFoundError if a folder is missing."""
    for folder in folders:
        if not (root / folder).is_dir():
            raise FileNotFoundError(f"there is no folder {folder}")
    return sorted(file for folder in folders for file in (root / folder).rglob("*.py"))


def file_sizes(files: Sequence[Path], root: Path = REPOSITORY) -> list[Size]:
    """A size for each file."""
    return [Size(len(file.read_text("utf-8").splitlines()), str(file.relative_to(root))) for file in files]


def function_sizes(files: Sequence[Path], root: Path = REPOSITORY) -> list[Size]:
    """A size for each function, with its line and its name within the file."""
    return [
        Size(lines, f"{file.relative_to(root)}:{first} {name}")
        for file in files
        for lines, first, name in _functions(ast.parse(file.read_text("utf-8")), "")
    ]


def _functions(node: ast.AST, within: str) -> Iterator[tuple[int, int, str]]:
    """Lines, first line and dotted name of each function in a node."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _functions(child, within)
            continue
        name = f"{within}.{child.name}" if within else child.name
        if not isinstance(child, ast.ClassDef):
            assert child.end_lineno is not None
            yield child.end_lineno - child.lineno + 1, child.lineno, name
        yield from _functions(child, name)


def percentile(sizes: Sequence[Size], part: float) -> int:
    """The smallest size that is at least as large as this part of all (nearest rank); 0 if there are none."""
    ordered = sorted(size.lines for size in sizes)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else 0


def report(what: str, sizes: Sequence[Size], longest: int) -> Iterator[str]:
    """The output lines for some sizes."""
    middle, most = percentile(sizes, 0.5), percentile(sizes, 0.9)
    yield f"{len(sizes)} {what}, lines: median {middle}, 90th percentile {most}"
    for size in sorted(sizes, key=lambda one: (-one.lines, one.place))[:longest]:
        yield f"  {size.lines:5}  {size.place}"


def main() -> None:
    """Prints the sizes of files and functions. Exit 1 with one line if a folder is missing."""
    parser = argparse.ArgumentParser(description="Sizes of files and functions.")
    parser.add_argument("folders", nargs="*", default=FOLDERS, metavar="FOLDER")
    parser.add_argument("--longest", type=int, default=10, metavar="N", help="how many are named (10)")
    asked = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends it silently
    try:
        files = files_below(asked.folders)
    except FileNotFoundError as error:
        sys.exit(f"sizes: {error}")
    for what, sizes in (("files", file_sizes(files)), ("functions", function_sizes(files))):
        for line in report(what, sizes, asked.longest):
            print(line)


if __name__ == "__main__":
    main()
