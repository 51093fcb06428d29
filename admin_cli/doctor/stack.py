"""Does the stack run: the supervisor, its processes, each of their sockets, and one SMTP dialogue through all of them."""

import fcntl
import json
import os
import smtplib
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from admin_cli import preflight, processes
from admin_cli.processes import Remembered
from mailweir import daemons
from mailweir.daemons import Daemon
from mailweir.health import advice
from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.sentence import said
from mailweir.settings import Settings
from postfix.rendering import Places

AREA = "processes"
_SMTP_SECONDS = 15.0  # Postfix waits 10 s for a filter that doesn't answer
_ANSWER_SECONDS = 4.0
_OPTION_NEGOTIATION = struct.pack(
    ">IcIII", 13, b"O", 6, 0x1FF, 0x1FFFFF
)  # Postfix's first message to a filter: version 6, with everything that Postfix supports
_QUIT = struct.pack(">Ic", 1, b"Q")
_QUESTION = b"rcpt ready@probe.invalid"
_MAX_RECORD_BYTES = 65_536
_GO_ON = 334  # RFC 4954 4


def is_running(settings: Settings) -> bool | None:
    """Does a `mailweir up` hold the lock of the data folder? None if that can't be seen, or if systemd runs everything."""
    if settings.run_by == "systemd":
        return None
    return _look_at_lock(settings)[0]


def running_since(settings: Settings) -> datetime | None:
    """When the running `mailweir up` was started: it wrote its settings file then. None if none is seen running."""
    with suppress(OSError):
        if is_running(settings):
            return datetime.fromtimestamp(settings.milter_socket.with_name("mailweir.toml").stat().st_mtime, UTC)
    return None


def _look_at_lock(settings: Settings) -> tuple[bool | None, bytes]:
    path = settings.milter_socket.with_name("up.lock")
    try:
        # if the path is a pipe, this doesn't wait for its writer
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False, b""
    except OSError:
        return None, b""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True, os.pread(descriptor, _MAX_RECORD_BYTES, 0)
    finally:
        os.close(descriptor)
    return False, b""


def check_processes(settings: Settings) -> Iterator[Finding]:
    """The supervisor and the processes that it keeps running."""
    running, record = _look_at_lock(settings)
    if running is None:
        yield note(
            AREA,
            said("only root can see whether 'mailweir up' runs"),
            said("run 'mailweir doctor' as root"),
            key="processes.unseen",
        )
        return
    if not running:
        yield wrong(
            AREA,
            said(
                "no 'mailweir up' runs on {data_dir}: nothing accepts mail, and senders keep it for some days",
                data_dir=settings.data_dir,
            ),
            said("start it: mailweir up --data {data_dir}", data_dir=settings.data_dir),
            key="processes.up_down",
        )
        return
    wanted = {"postfix", *(one.name for one in preflight.wanted(settings))}
    kept = [one for one in _remembered(record) if one.name in wanted]  # a chore may be running, or have ended
    dead = [one.name for one in kept if processes.remember(one.name, one.pid) != one]
    missing = wanted - {one.name for one in kept if one.name not in dead}
    if missing:
        names = ", ".join(sorted(missing))
        yield wrong(
            AREA,
            said(
                "not running: {names}; 'mailweir up' starts it again within seconds, so it may be failing over and "
                "over",
                names=names,
            ),
            said("see what 'mailweir up' printed, and the logs in {log_dir}", log_dir=settings.log_dir),
            key="processes.not_running",
            names=names,
        )
    else:
        yield ok(
            AREA,
            said("'mailweir up' and its {number} processes run", number=len(kept)),
            key="processes.run",
            processes=len(kept),
        )


def _remembered(record: bytes) -> list[Remembered]:
    with suppress(ValueError, TypeError, KeyError):
        return [Remembered(one["name"], one["pid"], one["started_ticks"]) for one in json.loads(record)]
    return []


def check_filter(settings: Settings) -> Iterator[Finding]:
    """Does the filter answer Postfix's first message?"""
    try:
        with _connected(settings.milter_socket) as channel:
            channel.sendall(_OPTION_NEGOTIATION)
            answer = channel.recv(5)
            channel.sendall(_QUIT)
    except OSError as error:
        yield _silent(daemons.FILTER, error, settings)
        return
    if answer[4:5] == b"O":
        yield ok(AREA, said("the filter answers"), key="processes.filter_answers")
    else:
        yield _silent(daemons.FILTER, "it hung up", settings)


def check_lookups(settings: Settings) -> Iterator[Finding]:
    """Do the look-ups, and the database behind them, answer about a recipient?"""
    try:
        with _connected(settings.lookups_socket) as channel:
            channel.sendall(b"%d:%s," % (len(_QUESTION), _QUESTION))
            answer = channel.recv(1000).partition(b":")[2].decode(errors="replace")
    except OSError as error:
        yield _silent(daemons.LOOKUPS, error, settings)
        return
    if answer.startswith("OK 554"):
        yield ok(AREA, said("the look-ups answer"), key="processes.lookups_answer")
    else:
        yield _silent(daemons.LOOKUPS, answer.rstrip(",") or "they hung up", settings)


def _silent(daemon: Daemon, why: object, settings: Settings) -> Finding:
    return wrong(
        AREA,
        said(
            "no answer from {who}: {what}; senders get 451 and try again",
            who=daemon.words,
            what=getattr(why, "strerror", None) or why,
        ),
        said(
            "see {log}, and the findings about the database here; if {daemon} hangs, end its process: it is "
            "started again",
            log=advice.log_of(settings, daemon.name),
            daemon=daemon.name,
        ),
        key="processes.no_answer",
        process=daemon.name,
    )


@contextmanager
def _connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(_ANSWER_SECONDS)
        channel.connect(str(path))
        yield channel


def check_dialogue(settings: Settings) -> Iterator[Finding]:
    """The way of a mail, as far as it leaves no trace: Postfix greets, accepts a sender, and refuses a foreign recipient."""
    host, port = _host(settings), settings.smtp.smtp_port
    to_do = said("see {log}", log=Places.of(settings).log_file)
    try:
        with smtplib.SMTP(host, port, "localhost", _SMTP_SECONDS) as client:
            client.ehlo()
            answers = [client.mail(""), client.rcpt("ready@probe.invalid")]
    except (OSError, smtplib.SMTPException) as error:
        yield wrong(
            AREA,
            said("Postfix doesn't answer on {host} port {port}: {error}", host=host, port=port, error=error),
            to_do,
            key="processes.postfix_silent",
            host=host,
            port=port,
        )
        return
    if [code for code, _ in answers] == [250, 554]:
        yield ok(
            AREA,
            said("Postfix answers on {host} port {port} as it should", host=host, port=port),
            key="processes.postfix_answers",
            host=host,
            port=port,
        )
    else:
        replies = "; ".join(f"{code} {text.decode(errors='replace')}" for code, text in answers)
        yield wrong(
            AREA,
            said("Postfix on {host} port {port} puts mail off: {replies}", host=host, port=port, replies=replies),
            to_do,
            key="processes.postfix_puts_off",
            host=host,
            port=port,
            replies=replies,
        )


def check_relay(settings: Settings) -> Iterator[Finding]:
    """Both of the relay's ports, as far as that is possible without a login: TLS, and then AUTH, which needs an answer of
    mailweir-auth."""
    host, smtp = _host(settings), settings.smtp
    untrusting = ssl.create_default_context()
    untrusting.check_hostname, untrusting.verify_mode = False, ssl.CERT_NONE  # `certificate` checks the certificate
    for port, wrapped in ((smtp.submission_port, False), (smtp.submissions_port, True)):
        try:
            with _relay_session(host, port, untrusting, wrapped=wrapped) as client:
                client.ehlo()
                code, text = _begin_auth(client)
        except (OSError, smtplib.SMTPException) as error:
            why = said("the relay doesn't answer on {host} port {port}: {error}", host=host, port=port, error=error)
            yield wrong(
                AREA,
                why,
                said(
                    "see {file} and {log}",
                    file=Places.of(settings).log_file,
                    log=advice.log_of(settings, daemons.AUTH.name),
                ),
                key="processes.relay_silent",
                host=host,
                port=port,
            )
            continue
        if code == _GO_ON:
            yield ok(
                AREA,
                said("the relay accepts AUTH within TLS on {host} port {port}", host=host, port=port),
                key="processes.relay_answers",
                host=host,
                port=port,
            )
        else:
            why = said(
                "the relay accepts no AUTH on {host} port {port}: {code} {text}",
                host=host,
                port=port,
                code=code,
                text=text,
            )
            yield wrong(
                AREA,
                why,
                said("see {log}", log=advice.log_of(settings, daemons.AUTH.name)),
                key="processes.relay_without_auth",
                host=host,
                port=port,
            )


def _begin_auth(client: smtplib.SMTP) -> tuple[int, str]:
    """The answer to AUTH; if the server asks for more, the exchange is cancelled (RFC 4954 4). EHLO's offer shows little: smtpd
    goes on offering the first list that it got, and asks mailweir-auth only at AUTH."""
    code, text = client.docmd("AUTH", "PLAIN")
    if code == _GO_ON:
        client.docmd("*")
    return code, text.decode("utf-8", "replace")


def _relay_session(host: str, port: int, context: ssl.SSLContext, *, wrapped: bool) -> smtplib.SMTP:
    if wrapped:
        return smtplib.SMTP_SSL(host, port, "localhost", timeout=_ANSWER_SECONDS, context=context)
    client = smtplib.SMTP(host, port, "localhost", _ANSWER_SECONDS)
    try:
        client.starttls(context=context)
    except (OSError, smtplib.SMTPException):
        client.close()
        raise
    return client


def _host(settings: Settings) -> str:
    """The address at which this host reaches Postfix."""
    address = settings.smtp.bind_address
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
