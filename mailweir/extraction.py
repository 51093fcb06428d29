"""Extracts bytes from a stored message: one of its files, or all of it. A child process does it under limits, because mail is
hostile.

The child is a separate program, because callers may have threads, and forking a process with threads is unsafe. The number of
running children is limited. The child's output is in an unnamed file, so a slow browser occupies no child. Called by the page and
by `mailweir activity attachment`.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from mailweir import extraction_child
from mailweir.errors import MailweirError
from mailweir.reading.attachments import Attachment
from mailweir.sentence import said
from mailweir.store.record.digest_queue import Version

_KEPT_OF_ENVIRONMENT = ("LANG", "PATH", "PYTHONPATH")  # nothing of the settings, which may hold a password


class Busy(MailweirError):
    """The maximum number of children is running, and none ended in time."""


class HasBcc(MailweirError):
    """The message names Bcc recipients that only its author may see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits for one child. data_bytes: of memory. answer_bytes: of its output. queue_seconds: the longest wait for a start."""

    data_bytes: int = 300_000_000
    cpu_seconds: int = 10
    wall_seconds: float = 30.0
    answer_bytes: int = 150_000_000
    queue_seconds: float = 10.0


class Extractor:
    """Extracts files from messages, with a limited number of children at once. Thread-safe."""

    def __init__(self, most_at_once: int, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._places = threading.BoundedSemaphore(most_at_once)

    def file(self, kept: Version, attachment: Attachment) -> IO[bytes]:
        """One attachment, decoded: an open unnamed file, at its start. MailweirError if it isn't available; Busy."""
        wanted = {"offset": attachment.offset, "length": attachment.length, "encoding": attachment.encoding}
        return self._taken_out(
            kept,
            wanted,
            said("the file can't be read out of activity {activity_id}'s message", activity_id=kept.activity_id),
        )

    def whole(self, kept: Version, *, with_bcc: bool) -> IO[bytes]:
        """The message, byte for byte. with_bcc: may it name recipients in Bcc? HasBcc if it does and may not."""
        wanted = {"with_bcc": with_bcc, "size": kept.size_bytes}
        return self._taken_out(
            kept, wanted, said("the message of activity {activity_id} can't be read", activity_id=kept.activity_id)
        )

    def _taken_out(self, kept: Version, wanted: dict[str, Any], fault: str) -> IO[bytes]:
        with self._place():
            answer = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
            try:
                code = self._run(kept, wanted, answer)
                if code == extraction_child.HAS_BCC:
                    raise HasBcc(
                        said(
                            "the message of activity {activity_id} names recipients in Bcc",
                            activity_id=kept.activity_id,
                        )
                    )
                if code == extraction_child.DAMAGED:
                    raise MailweirError(said("{fault}: it is damaged in the database", fault=fault))
                if code != extraction_child.DONE:
                    raise MailweirError(fault)
                answer.seek(0)
            except BaseException:
                answer.close()
                raise
        return answer

    def _run(self, kept: Version, wanted: dict[str, Any], answer: IO[bytes]) -> int:
        """The child's exit code; FAILED if it was killed."""
        limits = self._limits
        order = {
            **wanted,
            "data_bytes": limits.data_bytes,
            "cpu_seconds": limits.cpu_seconds,
            "answer_bytes": limits.answer_bytes,
        }
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", extraction_child.__name__],
                input=json.dumps(order).encode() + b"\n" + kept.content_zstd,
                stdout=answer,
                stderr=subprocess.DEVNULL,  # it may hold text of the mail
                env={name: os.environ[name] for name in _KEPT_OF_ENVIRONMENT if name in os.environ},
                timeout=limits.wall_seconds,
                check=False,
                start_new_session=True,  # the parent handles Ctrl-C
            )
        except subprocess.TimeoutExpired:
            return extraction_child.FAILED
        return done.returncode

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=self._limits.queue_seconds):
            raise Busy(said("too many files are being read at once: try again in a minute"))
        try:
            yield
        finally:
            self._places.release()
