"""Whom a message was to, where it isn't recorded: keyed digests, by which `why` finds a message that a person asks for by its
recipient.

Who reads the database can't tell from them who writes to whom: the key is not in it, and one deployment's digests say nothing
about another one's. They go with their decision, after `retention.decision_days`. Called by the filter, the sync and `why`.
"""

import hmac
import time
from collections.abc import Iterable
from pathlib import Path

from mailweir import secrets_file
from mailweir.errors import SettingsError
from mailweir.matching import DeploymentRef

DIGEST_BYTES = 12
MAX_RECIPIENTS = 50  # of a message
_LOOK_AGAIN_SECONDS = 60.0


class Traces:
    """Makes the digests of a host's key file. Without that file there are none, and nothing else is different."""

    def __init__(self, key_file: Path) -> None:
        self._file = key_file
        self._key: bytes | None = None
        self._look_at = 0.0

    def of(self, deployment: DeploymentRef, recipients: Iterable[str]) -> bytes | None:
        """Digests of the first recipients (addresses in normal form), in one string; None where there is no key, or no
        recipient."""
        key = self._own_key()
        if key is None:
            return None
        folded = dict.fromkeys(map(deployment.folding.key, recipients))
        return b"".join(_digest(key, deployment.id, one) for one in [*folded][:MAX_RECIPIENTS]) or None

    def _own_key(self) -> bytes | None:
        if self._key is None and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_AGAIN_SECONDS
            try:
                self._key = hmac.digest(
                    secrets_file.load_key(self._file), b"recipients of mail that isn't recorded", "sha256"
                )
            except SettingsError:  # `doctor` tells of it
                return None
        return self._key


def _digest(key: bytes, deployment_id: int, recipient: str) -> bytes:
    text = b"%d\0%s" % (deployment_id, recipient.encode("utf-8", "surrogatepass"))
    return hmac.digest(key, text, "sha256")[:DIGEST_BYTES]
