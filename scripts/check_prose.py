"""Finds sentences that are hard to read in documents, docstrings, comments and texts, and lines of documents that are too long.

Texts are the strings of programs and of the page's templates.

    check_prose.py [PATH...]

Without a path it checks the whole tree, otherwise these files or folders. scripts/prose_exceptions.toml holds single exceptions
with their reasons; an exception that nothing matches is a finding, too. A word has to be English, in the glossary, or among the
names and terms of scripts/prose_words.txt (`prose_words`).
Prints `file:line: pattern: text; advice`. Exit codes: 0 clean, 1 findings, 2 usage. Called by `make check-code`.

A text is split into clauses at `. ! ? : ;`. Questions, headings, code and words in quotation marks are no findings.
"""

import argparse
import ast
import fnmatch
import io
import os
import re
import signal
import sys
import tokenize
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import prose_words
from jinja2 import Environment
from prose_words import Words

REPOSITORY = Path(__file__).resolve().parents[1]
EXCEPTIONS = "scripts/prose_exceptions.toml"
DOCUMENTS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*", "bench/*", "tests/*", "ansible/*")
TEMPLATES = "webapp/*.html"
# Elements of a template that hold a heading or a name, and no sentence
HEADING = re.compile(r"<(?:h[1-6]|title|th|dt|legend|summary|strong)\b[^<]*$")
COMMENTED = (".toml", ".yml", ".yaml", ".j2", ".cf", ".sh", ".example")
PASSED_OVER = {"build", "dist", "node_modules", "typings", "__pycache__"}
COLUMNS = 100
MIN_BARE_WORDS = 3  # a name has fewer
GLOSSARY = "words.md"

AUXILIARIES = (
    r"(?:is|are|was|were|has|have|had|does|do|did|may|might|can|could|will|would|shall|should|must)(?:n't)?|"
    r"can't|won't|cannot"
)
# Before one of these, "that" opens a clause ("That nobody asks is no fault"). Before a verb or a singular noun, it points at
# something ("That costs a second", "That mailbox waits").
SUBJECTS = (
    r"(?:it|he|she|we|you|they|I|there|these|those|somebody|someone|everybody|everyone|anybody|anyone|nobody|nothing|no|not|"
    r"a|an|the|its|our|your|their|his|her|both|each|all|every|some|any|many|most|few|two|three)\b"
)
THAT = rf"hat (?:{SUBJECTS}|[A-Z]\S* (?:{AUXILIARIES})\b|(?!(?:{AUXILIARIES})\b)[a-z-]+s (?:{AUXILIARIES})\b)"
SENTENCE = r"(?:^[*_(]*|(?<=[.!?:;] )|(?<=[.!?:;][*_)”’\"'] ))"
WITHIN = r"(?:(?<=[:;] )|(?<=[:;][*_)”’\"'] ))"
REST = r"(?P<rest>.*?(?:[.!?](?=[\s\"'”’)*_]|$)|$))"
PLAIN = "say it as subject, verb, object"
UNDEFINED = (
    f"use a common word, define it in docs/{GLOSSARY}, or list a name or term of the field in {prose_words.LIST}"
)


class Pattern(NamedTuple):
    """A kind of finding. The expression's group `found` is the place; the group `rest`, if it has it, ends with the sentence."""

    name: str
    expression: re.Pattern[str]
    advice: str


def opening(capital: str, small: str, rest: str) -> re.Pattern[str]:
    """Words that open a sentence, with a capital letter, or a clause after a colon or semicolon, with a small one."""
    return re.compile(rf"(?P<found>{SENTENCE}{capital}{rest}|{WITHIN}{small}{rest}){REST}")


PATTERNS = (
    Pattern("opens with Who", opening("W", "w", r"ho\b"), PLAIN),
    Pattern("opens with What", opening("W", "w", r"hat\b"), PLAIN),
    Pattern("opens with That", opening("T", "t", THAT), PLAIN),
    Pattern(
        "can be had",
        re.compile(r"(?P<found>\b(?:can|could|cannot|can't|couldn't) be had\b)", re.I),
        "say: is available",
    ),
    Pattern("one that", re.compile(r"(?P<found>\bone that\b)", re.I), "name the thing again"),
    Pattern(
        "it is told",
        re.compile(r"(?P<found>\bit (?:is|was|isn't|wasn't) told\b)", re.I),
        "name who reports or receives it",
    ),
)


class Block(NamedTuple):
    """A paragraph, comment or text on one line, and the line of the file that each part of it comes from."""

    text: str
    starts: tuple[tuple[int, int], ...]  # offset in the text, line of the file
    is_program_text: bool = False  # a string of a program, which may be code

    def line(self, offset: int) -> int:
        """The line of the file that holds the character at an offset."""
        return max(start for start in self.starts if start[0] <= offset)[1]


class Finding(NamedTuple):
    """One place that is to be rewritten."""

    path: str
    line: int
    pattern: str
    text: str
    advice: str


Exceptions = tuple[
    tuple[str, str], ...
]  # texts that may stay: (path, beginning of the text; `*` is any text of the file)


# ---- files to blocks


def block_of(lines: Iterable[tuple[int, str]]) -> Block:
    """Joins numbered lines by single spaces."""
    text, starts = "", []
    for number, line in lines:
        text += " " if text else ""
        starts.append((len(text), number))
        text += " ".join(line.split())
    return Block(text, tuple(starts))


def paragraphs(lines: Iterable[tuple[int, str]]) -> Iterator[Block]:
    """Numbered lines of plain text or Markdown as blocks. Empty lines, headings, and items of lists and tables part them."""
    held: list[tuple[int, str]] = []
    for number, line in lines:
        bare = re.sub(r"^\s*(?:[-*+] |\d+[.)] |> ?)*", "", line)
        if bare != line.strip() or not bare or bare.startswith(("#", "|")):
            if held:
                yield block_of(held)
            held = []
        if bare.startswith("|"):
            yield from (block_of([(number, cell)]) for cell in bare.strip("| ").split("|"))
        elif bare and not bare.startswith("#"):
            held.append((number, bare))
    if held:
        yield block_of(held)


def without_code(text: str) -> str:
    """The same text, as long, with code between backticks replaced by x."""
    return re.sub(r"(`+)[^`]+\1", lambda code: "x" * len(code[0]), text)


def prose_lines(text: str) -> Iterator[tuple[int, str]]:
    """A document's numbered lines outside its code blocks; those of code are empty."""
    fenced = False
    for number, line in enumerate(text.split("\n"), 1):
        fence = line.lstrip().startswith(("```", "~~~"))
        fenced ^= fence
        yield number, "" if fence or fenced else line


def long_lines(path: str, text: str) -> Iterator[Finding]:
    """Lines of a document over COLUMNS, without its tables, code, and addresses of links."""
    for number, line in prose_lines(text):
        shown = re.sub(r"\]\([^)]*\)|https?://\S+", "]", line)
        if len(shown) > COLUMNS and not line.lstrip().startswith("|"):
            yield Finding(path, number, f"over {COLUMNS} columns", f"{line[:60]}…", "wrap the line")


def comment_blocks(comments: Iterable[tuple[int, bool, str]]) -> Iterator[Block]:
    """Comments as (line, alone on it, text): neighbouring whole lines belong together."""
    held: list[tuple[int, str]] = []
    for number, alone, text in comments:
        if held and (not alone or number != held[-1][0] + 1):
            yield from paragraphs(held)
            held = []
        held.append((number, text))
    yield from paragraphs(held)


def hash_comments(text: str) -> Iterator[tuple[int, bool, str]]:
    """Comments of a file of settings, a script or a template: `# …` at a line's start or after a space, and Jinja's `{# … #}`."""
    for number, line in enumerate(text.split("\n"), 1):
        found = re.match(r"(?P<code>.*?)(?:^|(?<=\s)|\{)#+ (?P<text>.*?)(?:#\})?$", line)
        if found and not found["code"].count('"') % 2:
            yield number, not found["code"].strip(" {"), found["text"]


def python_blocks(text: str) -> Iterator[Block]:
    """Comments, docstrings and other string texts of a module."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline) if "#" in text else ()
    yield from comment_blocks(
        (token.start[0], not token.line[: token.start[1]].strip(), token.string.lstrip("#"))
        for token in tokens
        if token.type == tokenize.COMMENT
    )
    lines = text.split("\n")
    stack: list[ast.AST] = [ast.parse(text)]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
            yield from program_texts(string_blocks("".join(map(str, parts)), node, lines))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from program_texts(string_blocks(node.value, node, lines))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from string_blocks(node.value.value, node.value, lines)  # a docstring
        else:
            stack.extend(ast.iter_child_nodes(node))


def program_texts(blocks: Iterable[Block]) -> Iterator[Block]:
    """The same blocks, marked."""
    return (block._replace(is_program_text=True) for block in blocks)


def string_blocks(value: str, node: ast.expr, lines: Sequence[str]) -> Iterator[Block]:
    """A string's paragraphs. If the string has several source lines, the parts of the text are looked up in these lines."""
    if " " not in value:
        return
    if "\n" in value and lines[node.lineno - 1].count('"""'):
        yield from paragraphs(enumerate(value.split("\n"), node.lineno))
        return
    for block in paragraphs((node.lineno, line) for line in value.split("\n")):
        starts = list(block.starts)
        for number in range(node.lineno + 1, (node.end_lineno or node.lineno) + 1):
            opening = re.sub(r"^\s*f?[\"']|[\"'{].*$", "", lines[number - 1]).strip()
            offset = block.text.find(opening) if len(opening) > 5 else -1
            if offset > starts[-1][0]:
                starts.append((offset, number))
        yield Block(block.text, tuple(starts))


def template_blocks(text: str) -> Iterator[Block]:
    """Comments and string texts of a page's template. A heading gets an ellipsis in front, so that it opens no sentence."""
    before, words = "", ["", ""]
    for line, kind, value in Environment().lex(text):
        if kind == "data":
            before += value
        elif kind == "name":
            words = [words[-1], value]
        elif kind == "comment":
            yield from paragraphs(enumerate(value.split("\n"), line))
        elif kind == "string" and " " in value:
            heading = HEADING.search(before) or words == ["title", "_"]
            yield block_of([(line, ("… " if heading else "") + ast.literal_eval(value))])


def bare_texts(path: str, text: str) -> Iterator[Finding]:
    """Sentences of a template outside its strings: nobody translates them, and no other check reads them."""
    data = "".join(value if kind == "data" else "\n" * value.count("\n") for _, kind, value in Environment().lex(text))
    for element in (r"<(script|style|code|pre)\b.*?</\1>", r"<!--.*?-->", r"<[^<>]*>"):
        data = re.sub(element, lambda found: "\n" * found[0].count("\n"), data, flags=re.S)
    for number, line in enumerate(data.split("\n"), 1):
        if len(re.findall(r"[A-Za-z]{2,}", re.sub(r"&#?\w+;|\S*\w\.\w\S*", " ", line))) >= MIN_BARE_WORDS:
            yield Finding(path, number, "bare text", line.strip()[:60], "put it into _()")


def blocks_of(path: str, text: str) -> Iterator[Block]:
    """All prose of a file, by its name."""
    if path.endswith(".md"):
        yield from paragraphs(prose_lines(text))
    elif path.endswith(".py"):
        yield from python_blocks(text)
    elif path.endswith(".html"):
        yield from template_blocks(text)
    else:
        yield from comment_blocks(hash_comments(text))


# ---- blocks to findings


def findings_in(path: str, text: str, retired: Sequence[Pattern], words: Words) -> Iterator[Finding]:
    """All findings in one file. SyntaxError if a module can't be parsed."""
    if path.endswith(".md"):
        yield from long_lines(path, text)
    if path.endswith(".html"):
        yield from bare_texts(path, text)
    for block in blocks_of(path, text):
        plain = without_code(block.text)
        for begin, word in () if block.is_program_text else words.unknown(plain):
            yield Finding(path, block.line(begin), "undefined word", word, UNDEFINED)
        for pattern in PATTERNS if path.endswith(GLOSSARY) else (*PATTERNS, *retired):
            for found in pattern.expression.finditer(plain):
                begin = found.start("found")
                if not found.groupdict().get("rest", "").endswith("?"):
                    yield Finding(path, block.line(begin), pattern.name, block.text[begin : begin + 60], pattern.advice)


def glossary_of(root: Path) -> Path | None:
    """The glossary's file, if the tree has one."""
    return next(iter(sorted((root / "docs").rglob(GLOSSARY))), None)


def retired_words(root: Path) -> list[Pattern]:
    """Words that the glossary has retired: the rows below its heading `## Retired words`, as | word | say |."""
    glossary = glossary_of(root)
    below = glossary.read_text("utf-8").partition("## Retired words")[2] if glossary else ""
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", below, re.M)
    return [
        Pattern(f"retired word {word}", re.compile(rf"(?P<found>\b{re.escape(word)}s?\b)", re.I), f"say: {instead}")
        for word, instead in rows
        if word not in ("retired", "---")
    ]


def is_checked(path: str) -> bool:
    """Whether a file's prose is looked at: documents and templates by name, programs and settings by their ending."""
    if path.endswith(".html"):
        return fnmatch.fnmatch(path, TEMPLATES)
    if path.endswith(".md"):
        return any(fnmatch.fnmatch(path, document) for document in DOCUMENTS)
    return path.endswith((".py", *COMMENTED))


def files_below(root: Path, within: Path) -> Iterator[str]:
    """Checked files in a folder, or the file itself, as paths from the root, sorted."""
    if within.is_file():
        yield str(within.relative_to(root))
    for folder, folders, names in os.walk(within):
        folders[:] = sorted(name for name in folders if name not in PASSED_OVER and not name.startswith("."))
        for name in sorted(names):
            path = str((Path(folder) / name).relative_to(root))
            if is_checked(path):
                yield path


def read_exceptions(root: Path) -> Exceptions:
    """The list. ValueError if an exception has other keys than path, text and reason, or an empty value."""
    file = root / EXCEPTIONS
    allowed = tomllib.loads(file.read_text("utf-8")).get("exception", []) if file.exists() else []
    for number, exception in enumerate(allowed, 1):
        if set(exception) != {"path", "text", "reason"} or not all(map(str.strip, exception.values())):
            raise ValueError(f"{EXCEPTIONS}: exception {number} needs path, text and reason")
    return tuple((one["path"], one["text"]) for one in allowed)


class Result(NamedTuple):
    """All findings that no exception covers; exceptions that nothing matches; listed names that no text has."""

    findings: list[Finding]
    unused: list[tuple[str, str]]
    unused_names: list[str]


def check(root: Path, within: Sequence[Path], exceptions: Exceptions) -> Result:
    """Checks the files in some folders."""
    retired, words = retired_words(root), Words(root, glossary_of(root))
    findings, unused = [], set(exceptions)
    for path in sorted({file for place in within for file in files_below(root, place)}):
        for finding in findings_in(path, (root / path).read_text("utf-8"), retired, words):
            allowed = {
                one for one in exceptions if one[0] == path and (one[1] == "*" or finding.text.startswith(one[1]))
            }
            unused -= allowed
            if not allowed:
                findings.append(finding)
    return Result(findings, sorted(unused), sorted(words.listed - words.used))


def main() -> None:
    """Checks and prints. Exit 1 with findings, 2 if a path or the file of exceptions is wrong."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    parser = argparse.ArgumentParser(description="Finds sentences that are hard to read.")
    parser.add_argument("paths", nargs="*", type=Path, help="files or folders to check (default: the tree)")
    options = parser.parse_args()
    paths = [path.resolve() for path in options.paths]
    for path in paths:
        if not path.exists() or not path.is_relative_to(REPOSITORY):
            parser.error(f"not in this tree: {path}")
    try:
        exceptions = read_exceptions(REPOSITORY)
    except ValueError as error:
        parser.error(str(error))
    found = check(REPOSITORY, paths or [REPOSITORY], exceptions)
    printed = [f"{one.path}:{one.line}: {one.pattern}: {one.text!r}; {one.advice}" for one in found.findings]
    if not paths:
        printed += [
            f"{EXCEPTIONS}: {path}: nothing matches {text!r} any more; remove it" for path, text in found.unused
        ]
        printed += [f"{prose_words.LIST}: no text has {name!r} any more; remove it" for name in found.unused_names]
    if printed:
        print("\n".join(printed))
        sys.exit(1)


if __name__ == "__main__":
    main()
