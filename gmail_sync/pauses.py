"""The pause of a mailbox or a message after a failure. Called by `ending`, `failing_messages` and `scheduler`."""

from datetime import timedelta

from mailweir import backoff
from mailweir.store.gmail import gmail_leases

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
# Longest Retry-After that we honour: a later moment counts as a clock error, and Gmail is asked again after this time.
LONGEST_ASKED = gmail_leases.LONGEST_WAIT - timedelta(minutes=1)


def pause_after(failures: int) -> timedelta:
    """The pause after this many earlier failures: doubles each time, up to an hour."""
    return backoff.pause(failures, FIRST_PAUSE, LONGEST_PAUSE)
