"""References of the documents: links, commands, settings and quoted messages; and the files that name documents.

Reads Markdown only as far as these documents use it. Called by `test_documents`.
"""

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.imports import PROGRAMS, REPOSITORY, sources

FROZEN = REPOSITORY / "tests" / "unit" / "frozen"
_NAMING = (".py", ".j2", ".yml", ".example", ".po", ".html", ".sh")
_FENCED = re.compile(r"^[ ]*```.*?^[ ]*```", re.M | re.S)
_SPAN = re.compile(r"`([^`]+)`")


class Document(NamedTuple):
    """A Markdown file of the repository."""

    path: Path
    text: str

    @property
    def prose(self) -> str:
        """The text without blocks of code."""
        return _FENCED.sub("", self.text)

    @property
    def spans(self) -> list[str]:
        """Code within sentences, each piece on one line."""
        return [" ".join(span.split()) for span in _SPAN.findall(self.prose)]

    @property
    def code(self) -> list[str]:
        """Code within sentences, and the lines of blocks without their comments."""
        blocks = "\n".join(_FENCED.findall(self.text)).replace("\\\n", " ")
        return [*self.spans, *(re.sub(r"(^| )# .*", "", line) for line in blocks.splitlines())]


def of_folder(root: Path) -> list[Document]:
    """All documents of a checkout, including those of decisions, tests and bench."""
    files = [*root.glob("*.md"), *(file for top in ("docs", "tests", "bench") for file in (root / top).rglob("*.md"))]
    return [Document(file, file.read_text("utf-8")) for file in sorted(files) if "node_modules" not in file.parts]


def anchor(heading: str) -> str:
    """A heading as GitHub links to it."""
    words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    return re.sub(r"[^\w -]", "", words.strip().lower()).replace(" ", "-")


@cache
def anchors(document: Document) -> frozenset[str]:
    """The anchors of a document; no link may go to a second heading of the same words."""
    return frozenset(anchor(heading) for heading in re.findall(r"^#+ (.+)$", document.prose, re.M))


def broken_links(documents: Collection[Document]) -> Iterator[str]:
    """Links to files that don't exist, and to headings that their file doesn't have."""
    known = {document.path.resolve(): document for document in documents}
    for document in documents:
        for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", document.prose):
            path, _, heading = link.partition("#")
            target = (document.path.parent / path).resolve() if path else document.path.resolve()
            if not target.exists() or (heading and heading not in anchors(known[target])):
                yield f"{document.path.name}: {link}"


def named_in_code(root: Path) -> Iterator[tuple[Path, str]]:
    """The documents that a checkout's programs, settings, scripts and tests name, each with the file that names it:
    `docs/...md`."""
    for folder in (*PROGRAMS, "webapp", "bench", "ansible", "scripts", "tests"):
        for file in sorted((root / folder).rglob("*.*")):
            if file.suffix in _NAMING and file.is_file() and "node_modules" not in file.parts:
                yield from ((file, name) for name in re.findall(r"\bdocs/[\w/-]+\.md\b", file.read_text("utf-8")))


@cache
def commands() -> Mapping[str, frozenset[str]]:
    """The options of each command of the command line, from the frozen file."""
    found: dict[str, set[str]] = {}
    for line in (FROZEN / "commands.txt").read_text("utf-8").splitlines():
        command, _, option = line.partition(": ")
        found.setdefault(command, set()).update(re.findall(r"--[a-z-]+", option))
    return {command: frozenset(options) for command, options in found.items()}


def unknown_commands(code: str) -> Iterator[str]:
    """Commands and options of `mailweir` in a line of code that the command line doesn't have."""
    for found in re.findall(r"(?<![\w.@'-])mailweir ((?!-)[a-z].*)", code):
        words = re.split(r"\s+", re.split(r"\s[;&|>]|[;)`]", found)[0])
        command = "mailweir"
        while words and f"{command} {words[0]}" in commands():
            command = f"{command} {words.pop(0)}"
        options = {word.partition("=")[0] for word in words if word.startswith("--")} - {"--help"}
        is_group = any(one.startswith(f"{command} ") for one in commands())
        rest = words[0].split("|") if is_group and words and words[0].islower() else []
        are_known = all(f"{command} {one}" in commands() for one in rest)
        if command == "mailweir" or not are_known or not options <= commands()[command]:
            yield f"mailweir {found}"


@cache
def texts() -> tuple[str, ...]:
    """All texts in the programs' source; f-strings in pieces."""
    trees = (ast.parse(file.read_text("utf-8")) for file in sources(PROGRAMS))
    constants = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return tuple({value for value in constants if isinstance(value, str)})


def column(document: Document, heading: str) -> Iterator[str]:
    """The cells below a heading in a document's tables."""
    at = None
    for line in document.text.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")] if line.startswith("|") else []
        if heading in cells:
            at = cells.index(heading)
        elif not cells:
            at = None
        elif at is not None and "---" not in line:
            yield cells[at]


def pieces(cell: str) -> Iterator[str]:
    """The quoted texts of a cell, without placeholders: `…`, numbers, and words in capitals."""
    for quoted in _SPAN.findall(cell):
        yield from (one for one in re.split(r"…|\b(?:[A-Z]+|\d+)\b", quoted) if len(one.strip()) > 5)
