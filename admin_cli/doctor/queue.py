"""Waiting mail: Postfix's queue and the outbox."""

import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from admin_cli import data_folder
from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.sentence import said
from mailweir.settings import Settings
from postfix.instance import SEARCH_PATH
from postfix.rendering import Places

AREA = "queue"
_MAX_MESSAGES = 20_000
_LONG = timedelta(hours=1)


def check(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Mail that couldn't be delivered yet, and since when; and the host's own mail, which nothing delivers."""
    found = _waiting(settings)
    dropped = [one for one in found if one["queue_name"] == "maildrop"]
    waiting = [one for one in found if one["queue_name"] != "maildrop"]
    if dropped:
        yield note(
            AREA,
            said(
                "{number} messages of this host's own programs, such as cron and sudo, lie in {folder}: Mailweir's Postfix"
                " takes none of them",
                number=len(dropped),
                folder=Places.of(settings).queue_dir / "maildrop",
            ),
            said(
                "let these programs send to another server, and remove the messages: 'postsuper -c {config_dir} -d ALL maildrop'",
                config_dir=Places.of(settings).config_dir,
            ),
            key="queue.own_mail",
            messages=len(dropped),
        )
    deferred = [one for one in waiting if one["queue_name"] == "deferred"]
    if not deferred:
        yield ok(
            AREA,
            said("no mail waits for another try ({number} on their way)", number=len(waiting)),
            key="queue.nothing_waits",
            under_way=len(waiting),
        )
        return
    oldest = min(deferred, key=lambda one: one["arrival_time"])
    since = datetime.fromtimestamp(oldest["arrival_time"], UTC)
    reason = next(
        (to["delay_reason"] for to in oldest.get("recipients", []) if "delay_reason" in to), said("no reason is known")
    )
    sentence = said(
        "{number} messages wait for another try, the oldest since {since:%Y-%m-%d %H:%M}Z: {reason}",
        number=len(deferred),
        since=since,
        reason=reason,
    )
    to_do = said(
        "see 'postqueue -c {config_dir} -p', and the setting outbound", config_dir=Places.of(settings).config_dir
    )
    yield (
        wrong(AREA, sentence, to_do, key="queue.old_mail", messages=len(deferred), since=since, why=reason)
        if now - since > _LONG
        else note(AREA, sentence, to_do, key="queue.mail_waits", messages=len(deferred), since=since, why=reason)
    )


def folders(settings: Settings) -> list[Path]:
    """The folders that Postfix writes to, for the check of the disk."""
    places = Places.of(settings)
    return [places.queue_dir, places.log_file.parent]


def _waiting(settings: Settings) -> list[dict[str, Any]]:
    command = ["postqueue", "-c", str(Places.of(settings).config_dir), "-j"]
    environment = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8"}
    with subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        try:
            found = [json.loads(line) for line in itertools.islice(process.stdout, _MAX_MESSAGES)]
            complaint = process.stderr.read(500).decode(errors="replace") if not found else ""
            failed = not found and process.wait() != 0  # a warning alone isn't a fault
        finally:
            process.kill()
    if failed:
        raise OSError(f"postqueue: {' '.join(complaint.split())}")
    return found


def check_outbox(settings: Settings) -> Iterator[Finding]:
    """Outgoing mail that became files in the outbox, which nobody collects."""
    if settings.outbound != "outbox":
        return
    try:
        if any(path.is_symlink() for path in data_folder.outbox_folders(settings)):
            return  # the check of the data folder reports that
        count = sum(1 for _ in os.scandir(settings.outbox_dir / "new"))
    except (FileNotFoundError, NotADirectoryError):
        count = 0
    except PermissionError:
        yield note(
            AREA,
            said("can't look into {outbox_dir}", outbox_dir=settings.outbox_dir),
            said("run 'mailweir doctor' as root"),
            key="queue.outbox_closed",
        )
        return
    if count:
        yield note(
            AREA,
            said(
                "{count} outgoing messages are files in {outbox_dir} (perhaps forwarding confirmations)",
                count=count,
                outbox_dir=settings.outbox_dir,
            ),
            said('read them there, and set outbound to "mx" or "relayhost HOST:PORT" for mail to leave this host'),
            key="queue.outbox",
            messages=count,
        )
    else:
        yield ok(AREA, said("the outbox is empty"), key="queue.outbox_empty")
