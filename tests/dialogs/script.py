"""Parses a dialog: a text file with a client's input, the server's expected answers, and the expected record.

README.md in this folder describes the format. Never opens a socket. Called by `runner`.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_SECTION_MARK = "---"
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([rnt\\]))")
_CONTROLS = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}
_REPLY = re.compile(r"(?P<start>[2-5]\d\d(?: [^/]*?)?)(?: /(?P<pattern>.*)/)?")
_DECISION = re.compile(
    r"(?P<deployment>[a-z0-9-]+) (?P<outcome>captured|ignored|redirected|refused) \((?P<reason>[^()]+)\)"
)
DETAILS = (
    *("for", "author", "direction", "contacts", "users", "todos"),
    *("routes", "subject", "message-id", "raw has", "raw lacks"),
)
CLOSED = "closed"


class ScriptError(Exception):
    """A file isn't a dialog; the text names file and line."""


@dataclass(frozen=True)
class Send:
    """The client's next input."""

    line: int
    raw: bytes


@dataclass(frozen=True)
class Expect:
    """The expected reply: the beginning of its first line, and a pattern in it. start is `closed` if the server hangs up."""

    line: int
    start: str
    pattern: str | None


@dataclass(frozen=True)
class Command:
    """A command of `mailweir`, run before the dialog goes on."""

    line: int
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class DecisionExpected:
    """One decision, and details of it and of its activity, by their keys in DETAILS."""

    line: int
    deployment: str
    outcome: str
    reason: str
    details: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass
class Outcome:
    """The expected result. outbox: recipients of the mail that was sent, in any order."""

    decisions: list[DecisionExpected] = field(default_factory=list)
    activities: int | None = None
    outbox: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Script:
    """A whole dialog."""

    file: Path
    steps: tuple[Send | Expect | Command, ...]
    outcome: Outcome


def parse(file: Path, text: str, token: str) -> Script:
    """Reads a dialog; `{id}` in it becomes the token. ScriptError."""
    lines = list(enumerate(text.replace("{id}", token).splitlines(), 1))
    if not lines[:1] or not lines[0][1].startswith("# "):
        raise ScriptError(f"{file}:1: a dialog begins with '# ' and a sentence that says what it shows")
    marks = [number for number, line in lines if line == _SECTION_MARK]
    if len(marks) != 1:
        raise ScriptError(
            f"{file}:{len(lines)}: a dialog has one line '{_SECTION_MARK}' before what must be on the record"
        )
    steps = tuple(_merged(_read_step(file, number, line) for number, line in lines if number < marks[0]))
    outcome = Outcome()
    for number, line in lines[marks[0] :]:
        _read_expectation(file, number, line, outcome)
    if outcome.activities is None:
        raise ScriptError(f"{file}:{len(lines)}: 'activities: +N' is missing after '{_SECTION_MARK}'")
    if not any(isinstance(step, Send) for step in steps):
        raise ScriptError(f"{file}:{marks[0]}: the client says nothing")
    return Script(file, steps, outcome)


def _merged(steps: Iterator[Send | Expect | Command | None]) -> Iterator[Send | Expect | Command]:
    """Consecutive lines of the client go out at once, as a message's do."""
    held: Send | None = None
    for step in steps:
        if isinstance(step, Send):
            held = Send(held.line, held.raw + step.raw) if held else step
        elif step is not None:
            if held:
                yield held
                held = None
            yield step
    if held:
        yield held


def _read_step(file: Path, number: int, line: str) -> Send | Expect | Command | None:
    if not line.strip() or line.startswith("#"):
        return None
    mark, _, rest = line.partition(" ")
    match mark:
        case "C:":
            return Send(number, _unescape(file, number, rest, only_bytes=True) + b"\r\n")
        case "C!":
            return Send(number, _unescape(file, number, rest, only_bytes=False))
        case "S:":
            return _read_reply(file, number, rest)
        case "$":
            return _read_command(file, number, rest)
    raise ScriptError(f"{file}:{number}: a line begins with 'C: ', 'C! ', 'S: ', '$ ' or '#', not with '{mark}'")


def _unescape(file: Path, number: int, text: str, *, only_bytes: bool) -> bytes:
    def replace(match: re.Match[bytes]) -> bytes:
        if match[1]:
            return bytes.fromhex(match[1].decode())
        return match[0] if only_bytes else _CONTROLS[match[2]]

    raw = text.encode()
    if not only_bytes and re.search(rb"\\(?!x[0-9A-Fa-f]{2}|[rnt\\])", re.sub(rb"\\\\", b"", raw)):
        raise ScriptError(f"{file}:{number}: an escape is \\r, \\n, \\t, \\\\ or \\xNN")
    return _ESCAPE.sub(replace, raw)


def _read_reply(file: Path, number: int, text: str) -> Expect:
    if text == CLOSED:
        return Expect(number, CLOSED, None)
    match = _REPLY.fullmatch(text)
    if match is None:
        raise ScriptError(
            f"{file}:{number}: a reply is a code, perhaps how its text begins, perhaps /a pattern/; or 'closed'"
        )
    try:
        re.compile(match["pattern"] or "")
    except re.error as error:
        raise ScriptError(f"{file}:{number}: the pattern can't be read: {error}") from error
    return Expect(number, match["start"], match["pattern"])


def _read_command(file: Path, number: int, text: str) -> Command:
    name, *arguments = shlex.split(text)
    if name != "mailweir":
        raise ScriptError(f"{file}:{number}: only 'mailweir …' can be run")
    return Command(number, tuple(arguments))


def _read_expectation(file: Path, number: int, line: str, outcome: Outcome) -> None:
    if not line.strip() or line.startswith("#"):
        return
    key, colon, value = (part.strip() for part in line.partition(":"))
    if not colon:
        raise ScriptError(f"{file}:{number}: 'key: value' is needed")
    if line[0] == " ":
        if key not in DETAILS or not outcome.decisions:
            raise ScriptError(f"{file}:{number}: below a decision stands one of: {', '.join(DETAILS)}")
        outcome.decisions[-1].details.append((number, key, value))
    elif key == "decision":
        match = _DECISION.fullmatch(value)
        if match is None:
            raise ScriptError(f"{file}:{number}: a decision is 'DEPLOYMENT OUTCOME (REASON)'")
        outcome.decisions.append(DecisionExpected(number, match["deployment"], match["outcome"], match["reason"]))
    elif key == "activities" and re.fullmatch(r"\+\d+", value):
        outcome.activities = int(value)
    elif key == "outbox":
        outcome.outbox.append(value)
    else:
        raise ScriptError(f"{file}:{number}: 'decision: …', 'activities: +N' or 'outbox: ADDRESS' is needed")
