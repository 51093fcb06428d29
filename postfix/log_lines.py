"""The lines of Postfix's log, from the last one backwards, and their common beginning.

Attackers write into this log, so a line of more than MAX_LINE_BYTES isn't trusted: Postfix cuts lines near 2,000 bytes, and a
client could make its own text the end of a line. Reads a bounded part. Called by `maillog`, `broken_off` and `log_tail`.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailweir.errors import MailweirError

MAX_BYTES = 64 * 2**20
MAX_LINE_BYTES = 1000
BLOCK_BYTES = 2**20

CLIENT = r"(?P<client>[\w.-]+\[[0-9A-Fa-f.:]+\])(?::\d+)?"
_TIME = r"(?P<time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*)"


class LogUnreadable(MailweirError):
    """The log doesn't exist, or we may not read it."""


def program(*names: str) -> str:
    """The pattern of a line's beginning, up to the message of one of these daemons: groups `time`, `program`, `pid`."""
    return rf"{_TIME} \S+ postfix(?:-[\w-]+)?/(?:\w+/)?(?P<program>{'|'.join(names)})\[(?P<pid>\d+)\]: "


def text_of(raw: bytes) -> str:
    """A line as text; bytes that aren't UTF-8 show as their code."""
    return raw.decode("utf-8", "backslashreplace")


def moment(text: str, now: datetime) -> datetime | None:
    """A line's time, UTC. The old form of syslog has local time and no year: it is the last such moment up to now."""
    if text[0].isdigit():
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(text).astimezone(UTC)
        return None
    for year in (now.year + 1, now.year, now.year - 1):  # +1: in the last hours of a year, east of Greenwich
        with contextlib.suppress(ValueError):  # 29 February exists in some years only
            found = datetime.strptime(f"{year} {text}", "%Y %b %d %H:%M:%S").astimezone(UTC)
            if found <= now + timedelta(hours=1):
                return found
    return None


def backwards(log: Path, max_bytes: int) -> Iterator[bytes]:
    """The last lines of the log and of its predecessor, the last one first; at most this many bytes of both. LogUnreadable."""
    left = max_bytes
    for file in (log, log.with_name(log.name + ".1")):
        try:
            # doesn't wait for a writer if it is a pipe
            with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    raise LogUnreadable(f"{file} is no file, so refused mail isn't looked for")
                end = stream.seek(0, 2)
                start = max(0, end - left)
                left -= end - start
                rest = b""
                while end > start:
                    size = min(BLOCK_BYTES, end - start)
                    end -= size
                    stream.seek(end)
                    first, *lines = (stream.read(size) + rest).split(b"\n")
                    rest = first[: 2 * MAX_LINE_BYTES]  # a line without an end must not accumulate over blocks
                    yield from reversed(lines)
                if start == 0:
                    yield rest
        except FileNotFoundError as error:
            if file == log:
                raise LogUnreadable(f"there is no log of Postfix at {log}, so refused mail isn't looked for") from error
        except OSError as error:
            raise LogUnreadable(
                f"can't read Postfix's log {file} ({error.strerror}), so refused mail isn't looked for"
            ) from error
        if not left:
            return
