"""Reports a decided message once it is on the disk: one line in the log, and counts.

Never raises and never delays a message for long: the lines of all messages that were committed together are one write. The line
contains the recorded decision and nothing of the content. Called by `session`; `server` passes `committed` to `group_commit`.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from capture_milter.counters import Page, TempfailCause
from capture_milter.group_commit import Written
from mailweir import daemons, logfmt
from mailweir.recording import Entry, Recorded
from mailweir.store.database.moments import rfc3339

_STDERR = 2


class Events:
    """A worker's reports. page: for its counts, or None. log_decisions: write log lines?"""

    def __init__(self, page: Page | None, *, log_decisions: bool, descriptor: int = _STDERR) -> None:
        self._page = page
        self._log_decisions = log_decisions
        self._descriptor = descriptor

    def committed(self, batch: Sequence[Written]) -> None:
        """Reports messages that were committed together."""
        # The mail is safe by now; a full disk for the log, or any fault here, must not look like a fault of the mail.
        with suppress(Exception):
            if self._log_decisions and batch:
                now = rfc3339(datetime.now(UTC))
                text = "".join([_line(now, *each, one.seconds) for one in batch for each in _pairs(one)])
                os.write(self._descriptor, text.encode("ascii"))
        with suppress(Exception):
            if self._page and batch:
                self._page.count_batch(
                    [(r.outcome, r.reason or e.decision.reason) for one in batch for e, r in _pairs(one)],
                    [one.seconds for one in batch],
                )

    def tempfailed(self, cause: TempfailCause) -> None:
        """Counts a temporary failure; its line is in the log already."""
        with suppress(Exception):
            if self._page:
                self._page.count_tempfail(cause)


def _pairs(written: Written) -> "zip[tuple[Entry, Recorded]]":
    return zip(written.entries, written.results, strict=True)


def _line(now: str, entry: Entry, result: Recorded, seconds: float) -> str:
    decision = entry.decision
    fields = {
        "timestamp": now,
        "level": "info",
        "process": daemons.FILTER.name,
        "event": result.outcome.value,
        "queue_id": entry.source_id,
        "message_id": decision.message_id,
        "deployment": decision.deployment.name,
        "author": decision.author,
        "reason": (result.reason or decision.reason).value,
        "activity": result.activity_id,
        "bytes": entry.content.size_bytes if entry.content else None,
        "commit_ms": f"{seconds * 1000:.1f}",
    }
    return logfmt.line(fields) + "\n"
