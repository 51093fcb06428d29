"""The server side of Dovecot's authentication protocol, as far as Postfix's smtpd uses it. Lines in, lines out; no socket.

Source: Dovecot's "Authentication Protocol" 1.x, and Postfix's client of it (src/xsasl/xsasl_dovecot_server.c), which names 1.0.
Lines end in LF, fields are separated by tabs. Two mechanisms: PLAIN (RFC 4616), and LOGIN (draft-murchison-sasl-login), which
asks for a username and then for a password. Doesn't check logins: that is the caller's task. Called by `auth`.
"""

import base64
import binascii
import os
import re
import secrets
from dataclasses import dataclass, field

from postfix.malformed import Malformed

# Postfix accepts a response of 12,288 characters (smtpd_sasl_response_limit), and passes it on in one line.
MAX_LINE_BYTES = 16_384
MAX_LOGIN_CHARS = 320  # RFC 3696, errata 1690: the longest address is shorter
MAX_PASSWORD_BYTES = 1_024
_REQUEST_ID = re.compile(rb"[0-9]{1,10}")
_REASON = b"wrong login or password"  # Postfix sends it to its client


@dataclass(frozen=True, slots=True)
class Question:
    """Is this login's password right? client: the address of smtpd's client, as smtpd gave it."""

    request_id: bytes
    client: str
    login: str = field(repr=False)  # after a mistake, a user may have typed the password here
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An invalid request: it has no login and password, or no TLS."""

    request_id: bytes


@dataclass(slots=True)
class _Exchange:
    """An incomplete AUTH. login: LOGIN's first answer, once known."""

    request_id: bytes
    client: str
    mechanism: bytes
    login: bytes | None = field(default=None, repr=False)


def greeting(number: int) -> bytes:
    """The server's first lines. number: of the connection, unique in this process."""
    # MECH must precede SPID, or Postfix takes this for another kind of socket. "plaintext": not offered before TLS.
    lines = (
        "VERSION\t1\t2",
        "MECH\tPLAIN\tplaintext",
        "MECH\tLOGIN\tplaintext",
        f"SPID\t{os.getpid()}",
        f"CUID\t{number}",
        f"COOKIE\t{secrets.token_hex(16)}",
        "DONE",
        "",
    )
    return "\n".join(lines).encode()


def ok(request_id: bytes, login: str) -> bytes:
    """The reply for a right password. login: spelled as in the look-up of a sender's owners, with which smtpd compares it."""
    return b"OK\t%b\tuser=%b\n" % (request_id, login.encode())


def fail(request_id: bytes, login: str | None) -> bytes:
    """The reply for a wrong password. login: an existing one; Postfix logs it, and doesn't tell its client."""
    user = b"user=%b\t" % login.encode() if login else b""
    return b"FAIL\t%b\t%breason=%b\n" % (request_id, user, _REASON)


class Conversation:
    """The conversation with one client. It has at most one AUTH in progress: smtpd has one client at a time."""

    def __init__(self) -> None:
        self._greeted = False
        self._open: _Exchange | None = None

    def receive(self, line: bytes) -> bytes | Question | Refusal | None:
        """The result of a line, without its LF: a reply to send now, a request to decide, or nothing. Malformed."""
        command, _, rest = line.partition(b"\t")
        fields = rest.split(b"\t")
        match command:
            case b"VERSION":
                if fields[0] != b"1":
                    raise Malformed("another version of the protocol")
                self._greeted = True
            case b"AUTH":
                return self._begin(fields)
            case b"CONT":
                return self._go_on(fields)
            case b"CANCEL":
                self._open = None
            # "Unknown commands" must be ignored: CPID and those that later versions add.
        return None

    def _begin(self, fields: list[bytes]) -> bytes | Question | Refusal | None:
        if not self._greeted or len(fields) < 2 or not _REQUEST_ID.fullmatch(fields[0]):
            raise Malformed("an AUTH that is none")
        request_id, mechanism, parameters = fields[0], fields[1].upper(), fields[2:]
        # smtpd doesn't report when its client cancels an AUTH: the next one replaces it.
        self._open = None
        if b"secured" not in parameters or mechanism not in (b"PLAIN", b"LOGIN"):
            return Refusal(request_id)
        self._open = _Exchange(request_id, _client(parameters), mechanism)
        for place, parameter in enumerate(parameters):
            if parameter.startswith(b"resp="):
                # It is the last parameter, and base64 has no tab.
                if place + 1 < len(parameters):
                    raise Malformed("something behind the response")
                given = parameter.removeprefix(b"resp=")
                # RFC 4954 4: "=" is an empty response.
                return self._respond(self._open, b"" if given == b"=" else given)
        return _prompt(request_id, b"" if mechanism == b"PLAIN" else b"Username:")

    def _go_on(self, fields: list[bytes]) -> bytes | Question | Refusal | None:
        if self._open is None or len(fields) != 2 or fields[0] != self._open.request_id:
            raise Malformed("a CONT that continues nothing")
        return self._respond(self._open, fields[1])

    def _respond(self, exchange: _Exchange, encoded: bytes) -> bytes | Question | Refusal:
        response = _decoded(encoded)
        if exchange.mechanism == b"LOGIN" and exchange.login is None and response is not None:
            exchange.login = response
            return _prompt(exchange.request_id, b"Password:")
        self._open = None
        if response is None:
            return Refusal(exchange.request_id)
        pair = _plain(response) if exchange.mechanism == b"PLAIN" else (exchange.login or b"", response)
        login = _printable(pair[0]) if pair else None
        if pair is None or login is None or not 0 < len(pair[1]) <= MAX_PASSWORD_BYTES:
            return Refusal(exchange.request_id)
        return Question(exchange.request_id, exchange.client, login, pair[1])


def _prompt(request_id: bytes, text: bytes) -> bytes:
    return b"CONT\t%b\t%b\n" % (request_id, base64.b64encode(text))


def _client(parameters: list[bytes]) -> str:
    for parameter in parameters:
        if parameter.startswith(b"rip="):
            return parameter[4:].decode("ascii", "replace")
    return ""


def _decoded(encoded: bytes) -> bytes | None:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None


def _plain(response: bytes) -> tuple[bytes, bytes] | None:
    """Login and password of a PLAIN message (RFC 4616 2). None if it is invalid, or names another authorization identity."""
    parts = response.split(b"\0")
    if len(parts) != 3 or (parts[0] and parts[0].lower() != parts[1].lower()):
        return None
    return parts[1], parts[2]


def _printable(login: bytes) -> str | None:
    try:
        text = login.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() and 0 < len(text) <= MAX_LOGIN_CHARS else None
