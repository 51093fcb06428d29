"""Whom a message was to, where it isn't recorded: keyed digests, by which `why` finds a message that a person asks for by its
recipient.

Who reads the database can't tell from them who writes to whom: the key is not in it, and one deployment's digests say nothing
about another one's. They go with their decision, after `retention.decision_days`. Called by the filter, the sync and `why`.
"""

import hmac
from collections.abc import Iterable
from pathlib import Path

from mailweir.directory import DeploymentRef
from mailweir.secrets_file import PurposeKey

DIGEST_BYTES = 12
MAX_RECIPIENTS = 50  # of a message


class Traces:
    """Makes the digests of a host's key file. Without that file there are none, and nothing else is different."""

    def __init__(self, key_file: Path) -> None:
        self._key = PurposeKey(key_file, b"recipients of mail that isn't recorded")

    def of(self, deployment: DeploymentRef, recipients: Iterable[str]) -> bytes | None:
        """Digests of the first recipients (addresses in normal form), in one string; None where there is no key, or no
        recipient."""
        key = self._key.get()
        if key is None:
            return None
        folded = dict.fromkeys(map(deployment.folding.key, recipients))
        return b"".join(_digest(key, deployment.id, one) for one in [*folded][:MAX_RECIPIENTS]) or None


def _digest(key: bytes, deployment_id: int, recipient: str) -> bytes:
    text = b"%d\0%s" % (deployment_id, recipient.encode("utf-8", "surrogatepass"))
    return hmac.digest(key, text, "sha256")[:DIGEST_BYTES]
