"""Does the stack run: the supervisor, its processes, and one SMTP dialogue that goes through all of them."""

import fcntl
import json
import os
import smtplib
from collections.abc import Iterator
from contextlib import suppress

from admin_cli import processes
from admin_cli.doctor.findings import Finding, note, ok, wrong
from admin_cli.processes import Remembered
from mailweir.settings import Settings

AREA = "processes"
_SMTP_SECONDS = 15.0  # Postfix waits 10 s for a filter that doesn't answer
_MAX_RECORD_BYTES = 65_536


def is_running(settings: Settings) -> bool | None:
    """Does a `mailweir up` hold the lock of the data folder? None where that can't be seen."""
    return _look_at_lock(settings)[0]


def _look_at_lock(settings: Settings) -> tuple[bool | None, bytes]:
    path = settings.milter_socket.with_name("up.lock")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
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
    """The supervisor and what it keeps running."""
    running, record = _look_at_lock(settings)
    if running is None:
        yield note(AREA, "whether 'mailweir up' runs can't be seen without root", "run 'mailweir doctor' as root")
        return
    if not running:
        yield wrong(
            AREA,
            f"no 'mailweir up' runs on {settings.data_dir}: nothing takes mail, and senders keep it for some days",
            f"start it: mailweir up --data {settings.data_dir}",
        )
        return
    kept = _remembered(record)
    dead = [one.name for one in kept if processes.remember(one.name, one.pid) != one]
    missing = {"postfix", "mailweir-lookups", "mailweir-milter"} - {one.name for one in kept if one.name not in dead}
    if missing:
        names = ", ".join(sorted(missing))
        yield wrong(
            AREA,
            f"not running: {names}; 'mailweir up' starts it again within seconds, so it may be failing over and over",
            f"see what 'mailweir up' printed, and the logs in {settings.log_dir}",
        )
    else:
        yield ok(AREA, f"'mailweir up' and its {len(kept)} processes run")


def _remembered(record: bytes) -> list[Remembered]:
    with suppress(ValueError, TypeError, KeyError):
        return [Remembered(one["name"], one["pid"], one["started_ticks"]) for one in json.loads(record)]
    return []


def check_dialogue(settings: Settings) -> Iterator[Finding]:
    """220 is Postfix; 250 to MAIL is the filter; 554 to RCPT of a foreign address is the look-ups and their database."""
    host, port = settings.smtp.bind_address, settings.smtp.smtp_port
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    logs = settings.log_dir
    try:
        client = smtplib.SMTP(host, port, "localhost", _SMTP_SECONDS)
    except (OSError, smtplib.SMTPException) as error:
        yield wrong(AREA, f"Postfix doesn't answer on {host} port {port}: {error}", f"see {logs / 'postfix.log'}")
        return
    try:
        with client:
            client.ehlo()
            code, text = client.mail("")
            if code != 250:
                yield wrong(
                    AREA,
                    f"the filter doesn't answer: senders get {code} {text.decode(errors='replace')} and come again",
                    f"see {logs / 'mailweir-milter.log'}",
                )
                return
            code, text = client.rcpt("ready@probe.invalid")
    except (OSError, smtplib.SMTPException) as error:
        yield wrong(AREA, f"Postfix or the filter stopped answering in mid-session: {error}", f"see the logs in {logs}")
        return
    if code != 554:
        yield wrong(
            AREA,
            f"the look-ups don't answer: senders get {code} {text.decode(errors='replace')} and come again",
            f"see {logs / 'mailweir-lookups.log'}, and what is said of the database here",
        )
    else:
        yield ok(AREA, f"Postfix answers on {host} port {port}, and so do the filter and the look-ups")
