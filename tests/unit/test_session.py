"""A fault in the middle of a message: Postfix doesn't wait for an answer then, and gets it at the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import structlog

import milter
from capture_milter import handling
from capture_milter.assembly import Assembly
from capture_milter.completing import Completer
from capture_milter.events import Events
from capture_milter.session import Services, Session
from mailweir.headers import Header
from mailweir.recording import Entry, Recorded
from mailweir.traces import Traces

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

RICHARD = "<richard@demo.example.net>"
JOE: list[Header] = [(b"From", b" joe@client.example"), (b"Message-ID", b" <1@client.example>")]


class _Postfix:
    """Postfix's side of a connection; stores the answers."""

    def __init__(self) -> None:
        self.reply: tuple[str, ...] | None = None

    def getsymval(self, name: str) -> str | None:
        return {"i": "4c1", "{daemon_name}": "inbound"}.get(name)

    def setreply(self, *reply: str) -> None:
        self.reply = reply

    def progress(self) -> None: ...


class _Commit:
    def __init__(self) -> None:
        self.recorded: list[Entry] = []

    def commit(self, entries: list[Entry], **_: object) -> list[Recorded]:
        self.recorded += entries
        return [Recorded(entry.decision.outcome, None) for entry in entries]


@pytest.fixture
def commit() -> _Commit:
    return _Commit()


@pytest.fixture
def postfix() -> _Postfix:
    return _Postfix()


@pytest.fixture
def session(people: "MemoryDirectory", commit: _Commit, postfix: _Postfix, tmp_path: Path) -> Session:
    @contextmanager
    def directory() -> Iterator[object]:
        yield people

    lent = cast(Any, SimpleNamespace(directory=directory))
    services = Services(
        lent,
        cast(Any, commit),
        cast(Any, None),
        cast(Any, None),
        structlog.stdlib.get_logger(),
        Events(None, log_decisions=False),
        cast(Any, None),
        Traces(tmp_path / "absent.key"),
        Completer(tmp_path / "absent.key"),
    )
    return Session(services, postfix)


def _begin(session: Session) -> None:
    session.connect(("192.0.2.1", 25))
    session.envfrom(b"<joe@client.example>")
    session.envrcpt(RICHARD.encode())
    for name, value in JOE:
        session.header(name.decode(), value)


def _failing_at(number: int) -> tuple[Callable[[Assembly, bytes], None], list[bytes]]:
    """`Assembly.add` with a fault at this piece, and the pieces that it gets."""
    add, took = Assembly.add, list[bytes]()

    def add_or_fail(self: Assembly, chunk: bytes) -> None:
        took.append(chunk)
        if len(took) == number:
            raise OSError("no space left on device")
        add(self, chunk)

    return add_or_fail, took


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_fault_at_a_piece_of_the_body_is_a_451_at_the_end_and_nothing_is_recorded(
    session: Session, commit: _Commit, postfix: _Postfix, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    add, took = _failing_at(failing)
    monkeypatch.setattr(Assembly, "add", add)
    _begin(session)
    assert [session.body(b"a line\r\n") for _ in range(3)] == [milter.NOREPLY] * 3
    assert len(took) == failing, "data after a fault is useless"
    assert session.eom() == milter.TEMPFAIL
    assert postfix.reply is not None
    assert postfix.reply[:2] == ("451", "4.3.0")
    assert commit.recorded == []

    _begin(session)  # the next message on the same connection isn't affected
    session.body(b"a line\r\n")
    assert session.eom() == milter.DISCARD
    assert len(commit.recorded) == 1


def test_a_directory_that_fails_at_the_first_piece_is_asked_no_more(
    session: Session, commit: _Commit, postfix: _Postfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def fail(*arguments: object) -> None:
        asked.append(arguments)
        raise RuntimeError("no plan")

    monkeypatch.setattr(handling, "plan", fail)
    _begin(session)
    assert [session.body(b"a line\r\n") for _ in range(3)] == [milter.NOREPLY] * 3
    assert session.eom() == milter.TEMPFAIL
    assert (len(asked), commit.recorded) == (1, [])
