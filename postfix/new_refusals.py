"""Postfix's refusals in the new lines of its log, by the rules of `maillog`.

A connection that was lost in the middle of a message is left out: nobody refused it. Never opens a file. Called by
`refusal_chore`.
"""

from dataclasses import replace
from datetime import datetime

from postfix import maillog
from postfix.broken_off import Transactions
from postfix.log_tail import Tail
from postfix.maillog import Refusal


def find(tail: Tail, now: datetime) -> list[Refusal]:
    """Refusals with a recipient, the oldest first, with the Message-ID if the log shows it. now: for the lines' year."""
    search = _Search(now)
    for raw in reversed(tail.lines):
        search.take(raw)
    search.begins_only()
    for raw in reversed(tail.context):
        search.take(raw)
    return search.end()


class _Search:
    """Takes the lines, the newest first."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._found: list[Refusal] = []
        self._wanted: set[str | None] = set()  # queue ids
        self._message_ids: dict[str | None, str] = {}  # by queue id
        self._transactions = Transactions(now)
        self._begins_only = False

    def begins_only(self) -> None:
        """Older lines were reported before; they may be the beginning of messages that were given up since."""
        self._begins_only = True
        self._transactions.begins_only()

    def take(self, raw: bytes) -> None:
        if b"reject: " in raw:
            refusal = None if self._begins_only else maillog.parse(raw, self._now)
            self._add([refusal] if refusal else [])
        elif b": message-id=" in raw:
            # Refusals and failures with this queue id are below this line, so they have been read.
            queue_id, found = maillog.message_id_of(raw) or ("", "")
            if queue_id in self._wanted or self._transactions.awaits(queue_id):
                self._message_ids[queue_id] = found
        elif done := self._transactions.take(raw):
            self._add(maillog.given_up(done, None))

    def _add(self, refusals: list[Refusal]) -> None:
        told = [one for one in refusals if one.recipient and not one.is_broken_off]
        self._found += told
        self._wanted |= {one.queue_id for one in told if one.queue_id}

    def end(self) -> list[Refusal]:
        for done in self._transactions.rest():
            self._add(maillog.given_up(done, None))
        found = [replace(one, message_id=self._message_ids.get(one.queue_id)) for one in self._found]
        return sorted(reversed(found), key=lambda one: one.time)
