"""Mails as programs write them, in our own words, with the expected reading of each: the files in tests/unit/reading/probes.

`replies.txt` describes their form.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mailweir.reading.folds import Fold, FoldKind

_HERE = Path(__file__).parent / "unit" / "reading" / "probes"
_NUMBERED = re.compile(r"\\u([0-9a-f]{4})")
_KINDS = {"q": FoldKind.QUOTE, "s": FoldKind.SIGNATURE, "d": FoldKind.DISCLAIMER, "f": FoldKind.FORWARDED}


@dataclass(slots=True, kw_only=True)
class Probe:
    """A text. lines: each with the kind of fold that hides it, or None. told: the values after `@` above the text."""

    name: str
    told: dict[str, list[str]] = field(default_factory=dict)
    lines: list[tuple[FoldKind | None, str]] = field(default_factory=list)
    html: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for _, line in self.lines)

    @property
    def shown(self) -> list[str]:
        """The words that aren't folded."""
        return [word for kind, line in self.lines if kind is None for word in line.split()]

    @property
    def kinds(self) -> list[FoldKind]:
        """The kinds of its folds, in order, without repetitions."""
        found = [kind for kind, line in self.lines if line.strip()]
        return [kind for kind, before in zip(found, [None, *found], strict=False) if kind and kind is not before]

    def told_once(self, name: str) -> str:
        return self.told.get(name, [""])[0]


def of(name: str) -> list[Probe]:
    """The probes of a file."""
    return list(_read((_HERE / name).read_text("utf-8").splitlines()))


def mail(probe: Probe) -> bytes:
    """A message with only the probe's HTML, in reply to another message."""
    html = "\n".join(probe.html)
    head = (
        f"From: Bob <bob@demo.example>\nTo: Jane <jane@client.example>\nSubject: {probe.told_once('subject')}\n"
        "Date: Tue, 4 Jun 2024 12:00:00 +0200\nIn-Reply-To: <1@client.example>\nMIME-Version: 1.0\n"
        "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    )
    return (head + html).encode()


def shown(text: str, folds: tuple[Fold, ...]) -> list[str]:
    """The words of a text that aren't folded."""
    ends = [0, *(fold.end for fold in folds)]
    starts = [*(fold.start for fold in folds), len(text)]
    return " ".join(text[end:start] for end, start in zip(ends, starts, strict=True)).split()


def _read(rows: list[str]) -> Iterator[Probe]:
    probe: Probe | None = None
    for row in rows:
        if row.startswith("=== "):
            if probe:
                yield probe
            probe = Probe(name=row[4:])
        elif probe and row.startswith("@"):
            name, _, value = row[1:].partition(" ")
            probe.told.setdefault(name, []).append(_plain(value))
        elif probe and row.startswith("h|"):
            probe.html.append(_plain(row[2:]))
        elif probe and "|" in row[:2]:
            mark, _, line = row.partition("|")
            probe.lines.append((_KINDS.get(mark), _plain(line)))
    if probe:
        yield probe


def _plain(row: str) -> str:
    return _NUMBERED.sub(lambda match: chr(int(match[1], 16)), row.replace("·", " "))
