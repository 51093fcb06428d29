"""Gmail for benches and chaos: a lean server for thousands of mailboxes, in a process of its own.

    python -m tests.gmail.loadserver --mailboxes 10000 --delay-ms 80 --rate 20

It writes one line of JSON to standard output when it answers ({"endpoint": …}), and ends at SIGTERM or after --lifetime-seconds.
It serves history.list, getProfile, messages.list, messages.get (metadata, raw) and the token endpoint, each --delay-ms later.
`load_mail` defines message N of mailbox M. Below /control/ a test adds mail, expires history and queries the added mail:
`load_client` does.
"""

import argparse
import asyncio
import gzip
import json
import random
import signal
import sys
import time
import urllib.parse
import zlib
from collections import Counter
from collections.abc import Callable

from tests.gmail import faults
from tests.gmail.calls import Kind, classify, default_costs
from tests.gmail.google_errors import Answer, api_error, bad_request, not_found, token_error, unauthorized
from tests.gmail.load_mail import Mix
from tests.gmail.load_mailboxes import BadQuestion, Mailboxes, NoSuch
from tests.gmail.quota import Window

_TICK_SECONDS = 0.02
_MOST_HEAD_BYTES = 65_536
_JSON = b"Content-Type: application/json; charset=UTF-8\r\n"
_REASONS = {200: b"OK", 400: b"Bad Request", 401: b"Unauthorized", 403: b"Forbidden", 404: b"Not Found"}
_CHANCE = (
    faults.server_error(500),
    faults.server_error(502),
    faults.server_error(503),
    faults.too_many_requests(retry_after="1"),
    faults.user_rate_limit(),
    faults.project_rate_limit(retry_after="1"),
    faults.garbage(),
    faults.cut(),
    faults.hang_up(),
)
# Unintended errors: the next try works. They are rarer, because each makes a mailbox or a worker wait for half a minute.
_UNMEANT = (
    faults.precondition(),
    faults.mail_not_enabled(),
    faults.domain_policy(),
    faults.insufficient_scope(),
    faults.api_off(),
)
_TOKEN_CHANCE = (
    token_error("invalid_client", "Unauthorized", 401),
    token_error("unauthorized_client", "Unauthorized", 401),
    token_error("disabled_client", "The OAuth client was disabled.", 401),
    token_error("internal_failure", "Backend Error", 503),
)
_TOKEN_FAILS_MORE = 3.0  # tokens are requested seldom
_UNMEANT_PART = 0.1


class Books:
    """The requests: calls by kind, units, concurrent requests, bytes."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.failed = 0
        self.bytes_out = 0
        self.units = 0
        self.most_user_units = 0
        self.most_project_units = 0
        self.most_in_flight = 0
        self._costs = default_costs()
        self._users: dict[int, Window] = {}
        self._project = Window()
        self._flying: Counter[int] = Counter()

    def begun(self, mailbox: int, kind: Kind) -> None:
        """Counts a call of the API that came in."""
        now = time.monotonic()
        cost = self._costs.get(kind, 0)
        self.calls[kind] += 1
        self.units += cost
        for window in (self._users.setdefault(mailbox, Window()), self._project):
            window.at(now)
            window.add(now, cost)
        self.most_user_units = max(self.most_user_units, self._users[mailbox].at(now))
        self.most_project_units = max(self.most_project_units, self._project.at(now))
        self._flying[mailbox] += 1
        self.most_in_flight = max(self.most_in_flight, self._flying[mailbox])

    def ended(self, mailbox: int) -> None:
        """Counts its answer."""
        self._flying[mailbox] -= 1

    def totals(self) -> dict[str, object]:
        """For /control/counts; units in the busiest 60 seconds."""
        return {
            "calls": dict(self.calls),
            "failed": self.failed,
            "bytes_out": self.bytes_out,
            "units": self.units,
            "most_user_units_a_minute": self.most_user_units,
            "most_project_units_a_minute": self.most_project_units,
            "most_in_flight": self.most_in_flight,
        }


class Service:
    """Answers requests; knows no socket. delay: seconds. fail: the part of API calls that goes wrong."""

    def __init__(self, mailboxes: Mailboxes, delay: float, fail: float, rate: float) -> None:
        self.mailboxes = mailboxes
        self.books = Books()
        self.delay = delay
        self.fail = fail
        self.rate = rate
        self._dice = random.Random(1)
        self._sequence = 0
        self._due = 0.0

    def feed(self, seconds: float) -> None:
        """Adds the mail that comes in within so many seconds, spread over the mailboxes."""
        self._due += self.rate * seconds
        while self._due >= 1:
            self._due -= 1
            self._sequence += 1
            self.mailboxes.add(zlib.crc32(b"%d" % self._sequence) % len(self.mailboxes))

    def chance(self) -> faults.Fault | None:
        """A fault for this call, or None."""
        if not self.fail or self._dice.random() >= self.fail:
            return None
        return self._dice.choice(_UNMEANT if self._dice.random() < _UNMEANT_PART else _CHANCE)

    def api(self, mailbox: int, kind: Kind, message_id: str | None, query: dict[str, str]) -> bytes | Answer:
        """Answers a call of the API by a mailbox's token."""
        try:
            if kind is Kind.HISTORY:
                return self.mailboxes.history(mailbox, query)
            if kind is Kind.PROFILE:
                return self.mailboxes.profile(mailbox)
            if kind is Kind.LIST:
                return self.mailboxes.messages(mailbox, query)
            if kind in (Kind.GET_METADATA, Kind.GET_RAW) and message_id is not None:
                return self.mailboxes.message(mailbox, message_id, kind.partition(".")[2])
            if kind is Kind.SEND_AS:
                return b"{}"
        except NoSuch:
            return not_found()
        except BadQuestion as error:
            return bad_request(str(error))
        return api_error(501, f"the load server has no {kind}", "notImplemented")

    def holder(self, token: str) -> int | None:
        """The mailbox of an access token (`access-7`)."""
        return self._mailbox(token, "access-")

    def token(self, form: dict[str, str]) -> Answer:
        """The token endpoint: `refresh-7` gives `access-7`, for any client. An assertion isn't verified."""
        mailbox = self._mailbox(form.get("refresh_token", ""), "refresh-")
        if mailbox is None:
            return token_error("invalid_grant", "Token has been expired or revoked.")
        self.books.calls[Kind.TOKEN] += 1
        if self.fail and self._dice.random() < self.fail * _TOKEN_FAILS_MORE:
            self.books.failed += 1
            return self._dice.choice(_TOKEN_CHANCE)
        body = {"access_token": f"access-{mailbox}", "expires_in": 3599, "token_type": "Bearer"}
        return Answer(200, json.dumps(body).encode())

    def _mailbox(self, token: str, prefix: str) -> int | None:
        number = token.removeprefix(prefix)
        if not token.startswith(prefix) or not (number.isascii() and number.isdigit()):
            return None
        mailbox = int(number)
        return mailbox if mailbox < len(self.mailboxes) and not self.mailboxes[mailbox].revoked else None

    def control(self, name: str, query: dict[str, str]) -> object:
        """A test's command or query. Raises KeyError, ValueError, IndexError if it can't be parsed."""
        boxes = self.mailboxes
        several = range(len(boxes)) if query.get("mailbox", "all") == "all" else [int(query["mailbox"])]
        if name == "add":
            for mailbox in several:
                boxes.add(mailbox, int(query.get("count", "1")))
        elif name == "expire":
            for mailbox in several:
                boxes.expire(mailbox)
        elif name == "revoke":
            for mailbox in several:
                boxes[mailbox].revoked = query.get("on", "1") == "1"
        elif name == "set":
            self.rate = float(query.get("rate", self.rate))
            self.fail = float(query.get("fail", self.fail))
            self.delay = float(query.get("delay_ms", self.delay * 1000)) / 1000
        elif name == "forget":
            self.books = Books()
        elif name == "counts":
            return self.books.totals()
        elif name == "put":
            return {"messages": boxes.put, "initial": boxes.initial, "newest": boxes.new_mail()}
        else:
            raise KeyError(name)
        return {"messages": boxes.put}


class Connection(asyncio.Protocol):
    """A client's connection. Requests are answered one after the other."""

    def __init__(self, service: Service, packs: bool) -> None:
        self._service = service
        self._packs = packs
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = int(_header(head, b"content-length") or 0)
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self._request(head, body)
        if len(self._buffer) > _MOST_HEAD_BYTES:
            self._close()

    def _request(self, head: bytes, body: bytes) -> None:
        method, target = head[: head.index(b"\r\n")].decode("latin-1").split(" ")[:2]
        path, _, text = target.partition("?")
        if _header(head, b"x-http-method-override") == b"GET":
            method, text = "GET", body.decode("latin-1")
        query = dict(urllib.parse.parse_qsl(text))
        if path.startswith("/control/"):
            self._control(path, query)
            return
        asked = classify(method, path, query.get("format", "full"))
        if asked.kind is Kind.TOKEN:
            self._later(self._service.token(dict(urllib.parse.parse_qsl(body.decode("latin-1")))))
            return
        if asked.kind is Kind.REVOKE:
            self._later(b"{}")
            return
        mailbox = self._service.holder((_header(head, b"authorization") or b"").decode("latin-1")[7:])
        if mailbox is None:
            self._later(unauthorized())
            return
        books = self._service.books
        books.begun(mailbox, asked.kind)
        fault = self._service.chance()
        if fault is not None:
            books.failed += 1
        answer = fault.answer if fault is not None and fault.answer is not None else None
        self._later(
            answer or self._service.api(mailbox, asked.kind, asked.message_id, query),
            fault,
            lambda: books.ended(mailbox),
        )

    def _control(self, path: str, query: dict[str, str]) -> None:
        try:
            found = self._service.control(path.removeprefix("/control/"), query)
        except (KeyError, ValueError, IndexError) as error:
            self._send(_packed(bad_request(f"{path}: {error!r}"), False))
            return
        self._send(_packed(json.dumps(found).encode(), False))

    def _later(
        self,
        answer: bytes | Answer,
        fault: faults.Fault | None = None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        data = _packed(answer, self._packs)
        hurts = fault is not None and (fault.silent or fault.keep is not None)
        if fault is not None and hurts:
            data = b"" if fault.silent else data[: int(len(data) * (fault.keep or 0))]

        def send() -> None:
            ended()
            self._send(data)
            if hurts:
                self._close()

        if self._service.delay:
            asyncio.get_running_loop().call_later(self._service.delay, send)
        else:
            send()

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
            self._service.books.bytes_out += len(data)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _header(head: bytes, name: bytes) -> bytes | None:
    """A header's value; the name in lower case."""
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return None


def _packed(answer: bytes | Answer, packs: bool) -> bytes:
    """The answer's bytes on the wire."""
    if isinstance(answer, bytes):
        status, body, headers = 200, answer, _JSON
    else:
        status, body = answer.status, answer.body
        headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items()).encode("latin-1")
    if packs and status == 200 and b"Content-Encoding" not in headers:
        body, headers = gzip.compress(body, compresslevel=1), headers + b"Content-Encoding: gzip\r\n"
    reason = _REASONS.get(status, b"Error")
    return b"HTTP/1.1 %d %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, reason, headers, len(body), body)


async def _serve(options: argparse.Namespace) -> None:
    mix = Mix(options.contacts, options.contact_share, options.size)
    mailboxes = Mailboxes(options.mailboxes, options.initial, mix, relabel=options.relabel)
    service = Service(mailboxes, options.delay_ms / 1000, options.fail, options.rate)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(
        lambda: Connection(service, options.gzip), "127.0.0.1", options.port, backlog=1024
    )
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps({"endpoint": f"http://127.0.0.1:{port}/"}) + "\n")
    sys.stdout.flush()
    end = time.monotonic() + options.lifetime_seconds
    before = time.monotonic()
    while not stop.is_set() and before < end:
        await asyncio.sleep(_TICK_SECONDS)
        now = time.monotonic()
        service.feed(now - before)
        before = now
    server.close()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.gmail.loadserver", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0: a free one")
    parser.add_argument("--mailboxes", type=int, default=1_000)
    parser.add_argument("--initial", type=int, default=100, help="messages that each has from before")
    parser.add_argument("--contacts", type=int, default=1_000)
    parser.add_argument("--contact-share", type=float, default=0.5, help="the part of the mail that is of contacts")
    parser.add_argument("--size", type=int, default=10_240, help="bytes of a message, about")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="how much later each answer comes")
    parser.add_argument("--rate", type=float, default=0.0, help="new messages a second, spread over the mailboxes")
    parser.add_argument("--fail", type=float, default=0.0, help="the part of API calls that goes wrong in some way")
    parser.add_argument("--relabel", action="store_true", help="each new message is in the history twice")
    parser.add_argument("--gzip", action="store_true", help="answers are packed")
    parser.add_argument("--lifetime-seconds", type=float, default=3_600.0, help="it ends by itself after this")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
