"""Postfix's own notices that a message couldn't be delivered: which of them may be sent, and to whom.

Law 6: only senders that used the relay are notified. bounce(8) addresses a notice to the envelope sender of the message, and
writes the message's queue id into the notice's MIME boundary. So a notice is sent if a login sent the message with this queue id,
and the notice's recipient is still an address of that login's user. Mail that came by SMTP could imitate a notice, so `session`
calls this module only if the macro `{daemon_name}` has the name that master.cf gives to `cleanup-notice`.
"""

import re
from collections.abc import Sequence
from typing import Protocol

from capture_milter import relay, relay_directory
from mailweir.envelope import Recipient
from mailweir.headers import Header
from mailweir.store.people.relay_logins import Holder

DAEMON_NAME = "notice"
# As bounce_notify_util.c writes it: "QUEUEID.seconds/myhostname"
_BOUNDARY = re.compile(rb'\s*multipart/report\s*;.*\bboundary="([0-9A-Za-z]{1,64})\.[0-9]+/[^"]*"\s*', re.DOTALL)


class NoticeDirectory(relay_directory.RelayDirectory, Protocol):
    """The known people, and the relayed messages."""

    def relayed_by(self, queue_id: str) -> Holder | None:
        """The login that sent the message with this queue id."""


def bounced_queue_id(header_lines: Sequence[Header]) -> str | None:
    """The queue id of the message that a notice is about; None if it isn't certain."""
    types = [value for name, value in header_lines if name.lower() == b"content-type"]
    match = _BOUNDARY.fullmatch(types[0]) if len(types) == 1 else None
    return match[1].decode("ascii") if match else None


def is_owed(recipients: Sequence[Recipient], queue_id: str | None, directory: NoticeDirectory) -> bool:
    """May this notice go to its recipient? Errors: DatabaseUnavailable.

    A login that was disconnected or suspended since then still gets it, because it sent the mail. Removed users get no notice.
    Users who no longer have the address get none either, because it may belong to somebody else now.
    """
    if queue_id is None or len(recipients) != 1 or not recipients[0].address:
        return False
    holder = directory.relayed_by(queue_id)
    return holder is not None and bool(relay.owned([recipients[0].address], holder, directory))
