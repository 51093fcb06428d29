"""Replies and forwards of other projects with the expected results. The texts are read from the shared corpus.

The expected results are in `replies.tsv` and `forwards.tsv`, without texts: the numbers of a reply's visible lines (`stated` by
the project's own tests, or `judged` by us), and the prefix of a forward's subject. Called by `bench.accuracy.run`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_FORWARDS = "crisp-oss+email-forward-parser"
_AUTHOR = "john.doe@acme.com"  # of each message in that project's fixtures
_SUBJECT = "Integer consequat non purus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A reply's text and its expected visible part. source: the folder, and who defined the expectation."""

    source: str
    name: str
    text: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """A text that may be forwarded, with its mail's subject. author: its original author; None if only a name is given.

    is_reply: does it contain no forward?
    """

    name: str
    text: str
    subject: str
    author: str | None
    is_reply: bool


def corpus() -> Path:
    """The folder of the shared samples: in MAILWEIR_SHARED, or else beside the checkout."""
    shared = os.environ.get("MAILWEIR_SHARED")
    return (Path(shared) if shared else _HERE.parents[2] / "shared") / "corpus"


def replies(folder: Path) -> Iterator[Reply]:
    """The shared replies whose files exist."""
    for row in (_HERE / "replies.tsv").read_text("utf-8").splitlines():
        project, name, source, shown = row.split("\t")
        path = folder / project / name
        if path.exists():
            text = read(path)
            yield Reply(source=f"{project}, {source}", name=name, text=text, expected=_lines(text, shown))


def further_replies(folder: Path) -> Iterator[Reply]:
    """Replies of any folder: each of `emails/`, with its visible part under the same name in `trimmed/`."""
    for path in sorted((folder / "emails").glob("*.txt")):
        yield Reply(source=folder.name, name=path.name, text=read(path), expected=read(folder / "trimmed" / path.name))


def forwards(folder: Path) -> Iterator[Forward]:
    """The shared forwards whose files exist. A forward with two known subjects comes twice."""
    for row in (_HERE / "forwards.tsv").read_text("utf-8").splitlines():
        name, prefix, kind = row.split("\t")
        path = folder / _FORWARDS / name
        if not path.exists():
            path = folder / name.removeprefix("test__fixtures__")
        if path.exists():
            subject = f"{prefix} {_SUBJECT}" if prefix else ""
            author = _AUTHOR if kind == "forward" else None
            yield Forward(name=name, text=read(path), subject=subject, author=author, is_reply=kind == "reply")


def read(path: Path) -> str:
    """A text with plain line ends."""
    return path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def _lines(text: str, shown: str) -> str:
    every = text.split("\n")
    numbers = [one.split("-") for one in shown.split()]
    return "\n".join("\n".join(every[int(first) - 1 : int(last[-1] if last else first)]) for first, *last in numbers)
