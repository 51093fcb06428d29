"""Dovecot's dict protocol on a unix socket (Dovecot 2.3, src/lib-dict/dict-client.h): lines of fields that tabs separate.

Only what a passdb needs: the hello, and look-ups. A function answers. Whatever else is asked ends its connection and nothing
else. Called by `lookups`.
"""

import asyncio
import json
from collections.abc import Callable

from postfix import socketmap

MAX_LINE_BYTES = 10_000
# Postfix 3.7 takes Dovecot's "not now" for a wrong password (535), and Dovecot's silence of 10 s for "not now" (454).
WITHHOLD_SECONDS = 12.0
RETRY_SECONDS = 0.5
_PREFIX = "shared/passdb/"
_ESCAPED = {"0": "\0", "1": "\1", "t": "\t", "r": "\r", "n": "\n"}
_NONE = "N\n"

Ask = Callable[[str], str | None]  # a login -> the hash of its password, or None where nobody logs in by that name


class CannotAnswer(Exception):
    """The question can't be answered now."""


def unescape(text: str) -> str:
    """Undoes Dovecot's str_tabescape. socketmap.MalformedRequest where it isn't that."""
    parts = iter(text)
    plain = []
    for char in parts:
        if char != "\1":
            plain.append(char)
            continue
        code = _ESCAPED.get(next(parts, ""))
        if code is None:
            raise socketmap.MalformedRequest("an escape that there isn't")
        plain.append(code)
    return "".join(plain)


def escape(text: str) -> str:
    """Dovecot's str_tabescape."""
    for code, char in sorted(_ESCAPED.items(), key=lambda pair: pair[0] != "1"):  # \1 first
        text = text.replace(char, "\1" + code)
    return text


def answer(line: str, ask: Ask) -> str:
    """The reply to one line, with its end; "" where none is due.

    Errors: socketmap.MalformedRequest where the line is none of ours; CannotAnswer, of `ask`.
    """
    if line.startswith("H"):
        return ""  # version, value type, user, name of the dict: there is only one here
    if not line.startswith("L"):
        raise socketmap.MalformedRequest("a command other than a look-up")
    key = unescape(line[1:].partition("\t")[0])
    if not key.startswith(_PREFIX):
        return _NONE
    password_hash = ask(key.removeprefix(_PREFIX))
    return _NONE if password_hash is None else "O" + escape(json.dumps({"password": password_hash})) + "\n"


class Connection(socketmap.Connection):
    """One client: answers its lines in their order. What can't be answered now is asked again until it is too late for it."""

    def __init__(self, ask: Ask, complain: Callable[[str], None], open_ones: set[socketmap.Connection]) -> None:
        super().__init__(lambda *_: "", complain, open_ones)
        self._ask = ask
        self._withheld_since: float | None = None

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._buffer += data
        if self._withheld_since is None:
            self._go_on()

    def _go_on(self) -> None:
        assert self._transport is not None
        try:
            while (end := self._buffer.find(b"\n")) >= 0:
                line = bytes(self._buffer[:end]).decode("utf-8", "surrogateescape")
                reply = self._reply(line)
                if reply is None:
                    return
                del self._buffer[: end + 1]
                self._transport.write(reply.encode("utf-8", "surrogateescape"))
            if len(self._buffer) > MAX_LINE_BYTES:
                raise socketmap.MalformedRequest("a line without an end")
        except socketmap.MalformedRequest as error:
            self._complain(str(error))
            self._buffer.clear()
            self._transport.close()

    def _reply(self, line: str) -> str | None:
        """None where it is withheld for now; those behind it wait with it, and fail with it."""
        loop = asyncio.get_running_loop()
        try:
            reply = answer(line, self._ask)
        except CannotAnswer as error:
            since = self._withheld_since = self._withheld_since or loop.time()
            if loop.time() - since >= WITHHOLD_SECONDS:
                return f"F{escape(str(error))}\n"
            loop.call_later(RETRY_SECONDS, self._try_again)
            return None
        self._withheld_since = None
        return reply

    def _try_again(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._go_on()
        if b"\n" not in self._buffer:
            self._withheld_since = None


def protocol(ask: Ask, complain: Callable[[str], None]) -> Callable[[set[socketmap.Connection]], asyncio.Protocol]:
    """What `socketmap.serving` makes connections with."""
    return lambda open_ones: Connection(ask, complain, open_ones)
