"""The load server's mailboxes and their answers: thousands, each stored as a few numbers. Knows no sockets.

A mailbox has `initial` messages from before, one an hour back in time, and a log of later events: N is message N added, -N its
label IMPORTANT added. A historyId is a place in that log, counted from 2**63, which fits into no signed integer.
"""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.gmail import load_mail
from tests.gmail.load_mail import Message, Mix

FIRST_HISTORY_ID = 2**63
_HOUR_MS = 3_600_000
_MOST_A_PAGE = 500
_DEFAULT_A_PAGE = 100
_ASKED_ADDRESS = re.compile(r"(?<![^\s{(])(?:from|to|cc|bcc):([^\s{}()]+)")
_ASKED_MESSAGE_ID = re.compile(r"(?<![^\s{(])rfc822msgid:<?([^\s{}()<>]+)")
_AFTER = re.compile(r"(?<![^\s{(])after:(\d+)")
_BEFORE = re.compile(r"(?<![^\s{(])before:(\d+)")

Query = dict[str, str]


class NoSuch(LookupError):
    """The answer is 404."""


class BadQuestion(ValueError):
    """The answer is 400."""


@dataclass
class Mailbox:
    """A mailbox. floor: cursors below it are too old."""

    log: list[int] = field(default_factory=list)
    times_ms: list[int] = field(default_factory=list)
    floor: int = 0
    revoked: bool = False


class Mailboxes:
    """All of them, numbered from 0."""

    def __init__(self, count: int, initial: int, mix: Mix, *, relabel: bool, clock: Callable[[], float] = time.time):
        self.mix = mix
        self.initial = initial
        self.put = 0
        self._relabel = relabel
        self._clock = clock
        self._begun_ms = int(clock() * 1000)
        self._all = [Mailbox() for _ in range(count)]

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, mailbox: int) -> Mailbox:
        return self._all[mailbox]

    def last(self, mailbox: int) -> int:
        """The number of the newest message."""
        return self.initial + len(self._all[mailbox].times_ms)

    def add(self, mailbox: int, count: int = 1) -> None:
        """Adds new mail; with `relabel`, each message is in the log twice, as when a filter marks it."""
        box = self._all[mailbox]
        for _ in range(count):
            box.times_ms.append(int(self._clock() * 1000))
            number = self.last(mailbox)
            box.log.append(number)
            if self._relabel:
                box.log.append(-number)
        self.put += count

    def expire(self, mailbox: int) -> None:
        """From now on, cursors before now are too old."""
        self._all[mailbox].floor = len(self._all[mailbox].log)

    def new_mail(self) -> dict[int, int]:
        """The added mail: the newest number in each mailbox that got any; added mail begins with initial + 1."""
        return {number: self.last(number) for number, box in enumerate(self._all) if box.times_ms}

    def profile(self, mailbox: int) -> bytes:
        """users.getProfile."""
        total = self.last(mailbox)
        return b'{"emailAddress": "%s", "messagesTotal": %d, "threadsTotal": %d, "historyId": "%d"}' % (
            load_mail.address(mailbox).encode(),
            total,
            total,
            self._newest(mailbox),
        )

    def _newest(self, mailbox: int) -> int:
        return FIRST_HISTORY_ID + len(self._all[mailbox].log)

    def history(self, mailbox: int, query: Query) -> bytes:
        """users.history.list."""
        box = self._all[mailbox]
        start = _number(query, "startHistoryId") - FIRST_HISTORY_ID
        if not box.floor <= start <= len(box.log):
            raise NoSuch
        if start == len(box.log):
            return b'{"historyId": "%d"}' % self._newest(mailbox)
        begin = _number(query, "pageToken") if "pageToken" in query else start
        end = begin + _page_size(query)
        body: dict[str, object] = {
            "history": [self._record(mailbox, place) for place in range(begin, min(end, len(box.log)))],
            "historyId": str(self._newest(mailbox)),
        }
        if end < len(box.log):
            body["nextPageToken"] = str(end)
        return json.dumps(body).encode()

    def _record(self, mailbox: int, place: int) -> dict[str, object]:
        event = self._all[mailbox].log[place]
        one = load_mail.message(mailbox, abs(event), self.mix)
        reference = {"id": one.id, "threadId": one.id}
        labelled = {**reference, "labelIds": list(one.labels)}
        record: dict[str, object] = {"id": str(FIRST_HISTORY_ID + place + 1), "messages": [reference]}
        if event > 0:
            record["messagesAdded"] = [{"message": labelled}]
        else:
            record["labelsAdded"] = [{"message": labelled, "labelIds": ["IMPORTANT"]}]
        return record

    def messages(self, mailbox: int, query: Query) -> bytes:
        """users.messages.list, newest first.

        Of `q` it reads only addresses (from, to, cc and bcc mean the same), rfc822msgid:, after: and before: (seconds).
        """
        begin = _number(query, "pageToken") if "pageToken" in query else 0
        end = begin + _page_size(query)
        hits: list[str] = []
        for one in self._matching(mailbox, query.get("q", "")):
            hits.append(one.id)
            if len(hits) > end:
                break
        body: dict[str, object] = {"resultSizeEstimate": len(hits)}
        if page := [{"id": id_, "threadId": id_} for id_ in hits[begin:end]]:
            body["messages"] = page
        if len(hits) > end:
            body["nextPageToken"] = str(end)
        return json.dumps(body).encode()

    def _matching(self, mailbox: int, text: str) -> Iterator[Message]:
        people = set(_ASKED_ADDRESS.findall(text.lower()))
        message_ids = {f"<{one}>" for one in _ASKED_MESSAGE_ID.findall(text)}
        after = max((int(one) * 1000 for one in _AFTER.findall(text)), default=-1)
        before = min((int(one) * 1000 for one in _BEFORE.findall(text)), default=2**62)
        for number in range(self.last(mailbox), 0, -1):
            at = self._time_ms(mailbox, number)
            if at <= after:
                return
            one = load_mail.message(mailbox, number, self.mix)
            wanted = not (people or message_ids) or one.person in people or one.message_id in message_ids
            if wanted and at < before:
                yield one

    def _time_ms(self, mailbox: int, number: int) -> int:
        if number > self.initial:
            return self._all[mailbox].times_ms[number - self.initial - 1]
        return self._begun_ms - (self.initial - number + 1) * _HOUR_MS

    def message(self, mailbox: int, message_id: str, message_format: str) -> bytes:
        """users.messages.get: raw, or metadata with all its headers."""
        place = load_mail.parse_id(message_id)
        if place is None or place[0] != mailbox or not 1 <= place[1] <= self.last(mailbox):
            raise NoSuch
        one = load_mail.message(mailbox, place[1], self.mix)
        base = (
            b'{"id": "%s", "threadId": "%s", "labelIds": %s, "historyId": "%d", "internalDate": "%d", "sizeEstimate": %d'
            % (
                one.id.encode(),
                one.id.encode(),
                json.dumps(one.labels).encode(),
                FIRST_HISTORY_ID,
                self._time_ms(mailbox, one.number),
                self.mix.size,
            )
        )
        if message_format == "raw":
            return base + b', "raw": "' + base64.urlsafe_b64encode(one.raw(self.mix.size)) + b'"}'
        headers = [{"name": name, "value": value} for name, value in one.headers]
        payload = {"partId": "", "mimeType": "text/plain", "filename": "", "headers": headers, "body": {"size": 0}}
        return base + b', "payload": ' + json.dumps(payload).encode() + b"}"


def _number(query: Query, name: str) -> int:
    value = query.get(name, "")
    if not (value.isascii() and value.isdigit()):
        raise BadQuestion(f"Invalid {name}")
    return int(value)


def _page_size(query: Query) -> int:
    return max(1, min(_number(query, "maxResults"), _MOST_A_PAGE)) if "maxResults" in query else _DEFAULT_A_PAGE
