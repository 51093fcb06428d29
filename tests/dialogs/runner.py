"""Runs a dialog against a running stack, and compares the record with the dialog's expectations.

Independent of the dialog's subject. Called by tests/integration/test_dialogs.py, which owns the stack.
"""

import re
import socket
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from mailweir.database_url import DatabaseUrl
from mailweir.store.database.connection import Database
from mailweir.store.record import activities, decision_search, raw_messages
from mailweir.store.record.activities import Activity
from mailweir.store.record.decisions import Decision
from tests.dialogs.script import CLOSED, Command, DecisionExpected, Expect, Script, Send

TIMEOUT_SECONDS = 30.0
_QUEUED = re.compile(r"queued as (\S+)")
_DELIVERED_TO = re.compile(rb"^X-Original-To: (\S+)$", re.MULTILINE)


class DialogFailure(AssertionError):
    """The server or the record differs from the dialog."""


@dataclass(frozen=True)
class Target:
    """A running stack. cli runs `mailweir`, and fails if that fails. outbox: the mail sent so far, in any order, once all is
    delivered."""

    port: int
    database_url: DatabaseUrl
    cli: Callable[..., subprocess.CompletedProcess[str]]
    outbox: Callable[[], list[bytes]]


def run(script: Script, target: Target) -> None:
    """DialogFailure, which names file and line, if anything differs."""
    with closing(Database(target.database_url)) as database:
        activities_before, outbox_before = _count_activities(database), Counter(target.outbox())
        queue_ids = _Conversation(script, target).hold()
        found = [one for queue_id in queue_ids for one in decision_search.find(database, queue_id)[::-1]]
        _compare_decisions(script, database, found)
        grown = _count_activities(database) - activities_before
        if grown != script.outcome.activities:
            raise DialogFailure(f"{script.file}: activities: +{grown} instead of +{script.outcome.activities}")
    _compare_outbox(script, Counter(target.outbox()) - outbox_before)


class _Conversation:
    """The client's side of one connection."""

    def __init__(self, script: Script, target: Target) -> None:
        self._script = script
        self._target = target
        self._buffer = b""

    def hold(self) -> list[str]:
        """Holds the whole dialog; returns the queue ids under which something was accepted."""
        queue_ids: list[str] = []
        with socket.create_connection(("127.0.0.1", self._target.port), TIMEOUT_SECONDS) as connection:
            for step in self._script.steps:
                if isinstance(step, Send):
                    connection.sendall(step.raw)
                elif isinstance(step, Command):
                    self._target.cli(*step.arguments, check=True)
                else:
                    queue_ids += _QUEUED.findall(self._hear(connection, step))
            if self._buffer:
                raise DialogFailure(
                    f"{self._script.file}: the server says more: {self._buffer.decode(errors='replace')}"
                )
        return queue_ids

    def _hear(self, connection: socket.socket, expected: Expect) -> str:
        place = f"{self._script.file}:{expected.line}"
        said = self._read_reply(connection, place)
        if expected.start == CLOSED:
            if said:
                raise DialogFailure(f"{place}: the server goes on: {said}")
            return ""
        if not re.match(re.escape(expected.start) + r"(?![\w.])", said.replace("-", " ", 1)):
            raise DialogFailure(f"{place}: '{expected.start}' was expected, and the server said: {said or '(nothing)'}")
        if expected.pattern and not re.search(expected.pattern, said, re.MULTILINE):
            raise DialogFailure(f"{place}: /{expected.pattern}/ isn't in: {said}")
        return said

    def _read_reply(self, connection: socket.socket, place: str) -> str:
        """One reply (RFC 5321 4.2.1: lines `250-…`, the last `250 …`); empty if the server has closed."""
        lines: list[str] = []
        while not lines or lines[-1][3:4] == "-":
            while b"\r\n" not in self._buffer:
                try:
                    received = connection.recv(65536)
                except TimeoutError as error:
                    raise DialogFailure(f"{place}: the server says nothing for {TIMEOUT_SECONDS:.0f} s") from error
                except ConnectionResetError:
                    received = b""
                if not received:
                    return "\n".join(lines)
                self._buffer += received
            line, self._buffer = self._buffer.split(b"\r\n", 1)
            lines.append(line.decode(errors="replace"))
        return "\n".join(lines)


def _count_activities(database: Database) -> int:
    return int(database.execute("SELECT COUNT(*) FROM activities").fetchone()[0])


def _compare_decisions(script: Script, database: Database, found: list[Decision]) -> None:
    left = list(found)
    for expected in script.outcome.decisions:
        wanted = (expected.deployment, expected.outcome, expected.reason)
        fitting = [one for one in left if (one.deployment, one.outcome, one.reason) == wanted]
        if not fitting:
            raise DialogFailure(f"{script.file}:{expected.line}: no such decision; there are: {_in_words(left)}")
        left.remove(fitting[0])
        _compare_details(script, database, expected, fitting[0])
    if left:
        raise DialogFailure(f"{script.file}: decisions that the dialog doesn't name: {_in_words(left)}")


def _in_words(found: list[Decision]) -> str:
    words = [f"{one.deployment} {one.outcome} ({one.reason})" for one in found]
    return "; ".join(words) or "none"


def _compare_details(script: Script, database: Database, expected: DecisionExpected, found: Decision) -> None:
    facts = {"for": ", ".join(found.recipients), "author": found.author or "none"}
    raw = b""
    if found.activity is not None:
        activity = activities.find(database, found.activity)
        facts |= _facts(database, activity)
        raw = raw_messages.read(database, activity)
    for line, key, value in expected.details:
        place = f"{script.file}:{line}"
        if key.startswith("raw "):
            line_is_there = value.encode().decode("unicode_escape").encode("latin-1") in raw
            if line_is_there != (key == "raw has"):
                raise DialogFailure(f"{place}: {key} '{value}' isn't so: {raw!r}")
        elif facts.get(key) != value:
            raise DialogFailure(f"{place}: {key} is '{facts.get(key, '(there is no activity)')}'")


def _facts(database: Database, activity: Activity) -> dict[str, str]:
    sql = "SELECT u.username FROM todos t JOIN users u ON u.id = t.user_id WHERE t.activity_id = ? ORDER BY 1"
    todos = [name for (name,) in database.execute(sql, (activity.id,)).fetchall()]
    return {
        "direction": activity.direction,
        "contacts": ", ".join(contact.address for contact in activity.contacts) or "none",
        "users": ", ".join(activity.users) or "none",
        "todos": ", ".join(todos) or "none",
        "routes": ", ".join(activity.routes),
        "subject": activity.subject,
        "message-id": activity.message_id or "none",
    }


def _compare_outbox(script: Script, went_out: Counter[bytes]) -> None:
    recipients = []
    for raw in went_out.elements():
        match = _DELIVERED_TO.search(raw)
        recipients.append(match[1].decode() if match else "(unknown)")
    if sorted(recipients) != sorted(script.outcome.outbox):
        raise DialogFailure(
            f"{script.file}: went out to {', '.join(recipients) or 'nobody'} instead of"
            f" {', '.join(script.outcome.outbox) or 'nobody'}"
        )
