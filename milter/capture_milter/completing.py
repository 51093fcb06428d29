"""The headers that a submission lacks, computed while its body passes; the body is kept until they are known.

Only for mail that the relay passes on and that lacks a Date or a Message-ID. The record contains the message as sent, with these
headers before the body. A large body is kept in an unnamed file. Called by `session`.
"""

import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from capture_milter.assembly import SPOOL_ABOVE_BYTES, Assembly
from capture_milter.handling import Plan
from mailweir import added_headers, address
from mailweir.added_headers import DATE, MESSAGE_ID, ContentId
from mailweir.decision import Reason
from mailweir.headers import Header
from mailweir.secrets_file import PurposeKey

_PIECE_BYTES = 65_536
_RANDOM_KEY_BYTES = 32


class Completion:
    """The missing headers of one message while they are computed. missing: their names. keep: is the body needed for the
    record?"""

    def __init__(
        self, plan: Plan, submitted: Sequence[Header], missing: Sequence[bytes], key: bytes, *, keep: bool
    ) -> None:
        login = plan.envelope.login or ""
        self._submitted = submitted
        self._missing = missing
        self._received_at = plan.envelope.received_at
        self._domain = address.split(plan.view.author or "")[1]
        self._content_id = ContentId(key, address.normalise(login) or login, submitted)
        self._body = tempfile.SpooledTemporaryFile(max_size=SPOOL_ABOVE_BYTES) if keep else None  # noqa: SIM115  closed with the object

    def add(self, chunk: bytes) -> None:
        """Adds the next part of the body."""
        if MESSAGE_ID in self._missing:
            self._content_id.update(chunk)
        if self._body:
            self._body.write(chunk)

    def headers(self) -> tuple[Header, ...]:
        """The headers to add, below the message's own. Call it when the body is complete."""
        made = {MESSAGE_ID: self._content_id.value(self._domain), DATE: added_headers.date(self._received_at)}
        return tuple((name, made[name]) for name in self._missing)

    def assembly(self) -> Assembly | None:
        """The message as sent; None if it isn't recorded. Called once."""
        if self._body is None:
            return None
        made = Assembly([*self._submitted, *self.headers()])
        self._body.seek(0)
        while piece := self._body.read(_PIECE_BYTES):
            made.add(piece)
        self._body.close()
        return made


class Completer:
    """A worker's key for Message-IDs. key_file: see `secrets_file`; without it Message-IDs are random, and each try of a message
    gets another one."""

    def __init__(self, key_file: Path) -> None:
        self._key = PurposeKey(key_file, b"Message-IDs of relayed mail")

    def begin(self, plan: Plan, submitted: Sequence[Header]) -> Completion | None:
        """A completion for a message that is passed on and lacks a header; else None.

        Gmail's "Send mail as" confirmation isn't completed: Google wrote and signed it, not the login's user.
        """
        missing = added_headers.missing(submitted)
        if not missing or plan.refusal or not plan.recipients.others:
            return None
        if plan.decisions[0].reason is Reason.SEND_AS_CONFIRMATION:
            return None
        key = self._key.get() or secrets.token_bytes(_RANDOM_KEY_BYTES)
        return Completion(plan, submitted, missing, key, keep=plan.wants_body)
