"""Builds the stored form of a captured message from its headers, body and bytes, in the same way on every route.

Does the same for held mail. Never parses a body, and makes no queries. Called by the filter (`handling`; `assembly` compresses),
by the sync (`fetch`) and by the digest (`held_entries`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import zstandard

from mailweir import holding, identity
from mailweir.decision import Decision
from mailweir.headers import Header, HeaderView
from mailweir.reading import labels
from mailweir.recording import Content, Hold
from mailweir.settings import Digest as HoldLimits

LEVEL = 3  # of zstd; level 1 saves 5 % of the time, level 9 costs four times as much for a result 4 % smaller
_MOST_SPARE = 2
_SPARE_BELOW_BYTES = 65_536  # a compressor that has compressed more keeps over a megabyte


# Idle compressors: creating one takes longer than compressing a common message. Each serves one thread at a time.
_spare: list[zstandard.ZstdCompressor] = []


def compress(whole: bytes) -> bytes:
    """A message's bytes as one zstd frame."""
    if len(whole) > _SPARE_BELOW_BYTES:
        return zstandard.ZstdCompressor(level=LEVEL).compress(whole)
    try:
        compressor = _spare.pop()
    except IndexError:
        compressor = zstandard.ZstdCompressor(level=LEVEL)
    compressed = compressor.compress(whole)
    if len(_spare) < _MOST_SPARE:
        _spare.append(compressor)
    return compressed


class Bytes(NamedTuple):
    """A message's bytes. headers: all, including those that we add. body_digest: see `identity.BodyDigest`.

    raw_zstd: the whole message, compressed; size_bytes: its size before that.
    """

    headers: Sequence[Header]
    body_digest: bytes
    raw_zstd: bytes
    size_bytes: int


def of(
    decision: Decision, view: HeaderView, message: Bytes, *, is_proven: bool, sent_at: datetime | None = None
) -> Content:
    """The content that the decision's deployment stores.

    view: of the headers as submitted: the key is made of them (law 7). sent_at: the Date that we add, if the mail has none.
    """
    through_group = decision.via is not None
    return Content(
        identity=identity.key(view, message.body_digest, author=decision.author if through_group else None),
        version_digest=identity.version(
            message.headers, message.body_digest, through_group=through_group, author=decision.author
        ),
        raw_zstd=message.raw_zstd,
        size_bytes=message.size_bytes,
        subject=view.subject,
        sent_at=sent_at or view.sent_at,
        is_proven=is_proven,
        header_labels=labels.to_bits(labels.of_headers(view, None)),
    )


def held(
    decision: Decision,
    view: HeaderView,
    message: Bytes,
    limits: HoldLimits,
    *,
    has_proven_author: bool,
    envelope_sender: str | None = None,
) -> Hold:
    """The part that is stored while the mail waits for its reading. view: as of `of`. envelope_sender: None if unknown."""
    kept = of(decision, view, message, is_proven=has_proven_author)
    facts = holding.facts(
        decision,
        view,
        identity=kept.identity,
        version_digest=kept.version_digest,
        header_labels=kept.header_labels,
        envelope_sender=envelope_sender,
        has_proven_author=has_proven_author,
    )
    return Hold(
        facts=facts.to_json(),
        content_zstd=message.raw_zstd,
        size_bytes=message.size_bytes,
        keep=timedelta(hours=limits.held_keep_hours),
        max_author_bytes=limits.held_author_bytes,
        max_deployment_bytes=limits.held_deployment_bytes,
    )
