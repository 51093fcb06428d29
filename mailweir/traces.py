"""The recipients of mail that isn't recorded, as keyed digests. `why` uses them to find a message by its recipient.

A reader of the database can't tell from the digests who writes to whom: their key is not in it, and one deployment's digests
reveal nothing about another's. They are deleted with their decision, after `retention.decision_days`. Called by the filter, the
sync and `why`, and by the role, which stores their key separately.
"""

import hmac
from collections.abc import Iterable
from pathlib import Path

from mailweir.directory import DeploymentRef
from mailweir.secrets_file import PurposeKey

DIGEST_BYTES = 12
MAX_RECIPIENTS = 50  # of a message
OWN_KEY = "traces.key"


class Traces:
    """Makes the digests with a host's key file. Without that file there are none, and nothing else changes.

    On hosts that the role sets up, the page can't read that file: it uses `traces.key` beside it, which can't decrypt anything.
    """

    def __init__(self, key_file: Path) -> None:
        own_file = key_file.with_name(OWN_KEY)
        self._key = PurposeKey(key_file, b"recipients of mail that isn't recorded", own_file)

    def keep_apart(self) -> bool:
        """Writes `traces.key` if it is missing or belongs to another key file; returns whether it did. SettingsError, OSError."""
        if self._key.is_apart():
            return False
        self._key.keep_apart()
        return True

    def is_apart(self) -> bool:
        """Does `traces.key` exist and belong to this key file? SettingsError if the key file can't be read."""
        return self._key.is_apart()

    def of(self, deployment: DeploymentRef, recipients: Iterable[str]) -> bytes | None:
        """Digests of the first recipients (addresses in normal form), in one string; None if there is no key, or no recipient."""
        key = self._key.get()
        if key is None:
            return None
        folded = dict.fromkeys(map(deployment.folding.key, recipients))
        return b"".join(_digest(key, deployment.id, one) for one in [*folded][:MAX_RECIPIENTS]) or None


def _digest(key: bytes, deployment_id: int, recipient: str) -> bytes:
    text = b"%d\0%s" % (deployment_id, recipient.encode("utf-8", "surrogatepass"))
    return hmac.digest(key, text, "sha256")[:DIGEST_BYTES]
