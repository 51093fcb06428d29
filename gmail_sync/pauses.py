"""How long a mailbox or a message waits after it failed. Called by `ending`, `failing_messages` and `scheduler`."""

from datetime import timedelta

from mailweir import backoff
from mailweir.store.gmail import gmail_leases

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
# That Gmail may ask for: what lies further ahead counts as a clock's mistake, and Gmail is asked again after it.
LONGEST_ASKED = gmail_leases.LONGEST_WAIT - timedelta(minutes=1)


def pause_after(failures: int) -> timedelta:
    """After so many earlier failures: twice as long each time, up to an hour."""
    return backoff.pause(failures, FIRST_PAUSE, LONGEST_PAUSE)
