"""The entries for held mail that was accepted: each pick of `holding` becomes an entry of `recording`.

Writes nothing; checks whether the record already has an original. Called by `held`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mailweir import content, headers, identity, subjects
from mailweir.holding import Facts, Mail, Pick, Picks
from mailweir.reading import thread_keys
from mailweir.reading.forwarded import Original
from mailweir.reading.originals import Attached
from mailweir.recording import Content, Entry
from mailweir.store.database.connection import Database
from mailweir.store.record import forwarded_versions
from mailweir.store.record.held import Held

_MOST_AHEAD = timedelta(days=1)  # of a date that the forwarder states


@dataclass(frozen=True, slots=True)
class Made:
    """An entry, and the pick that it was made from."""

    entry: Entry
    pick: Pick


def make(database: Database, mail: Mail, held: Held, picks: Picks, content_zstd: bytes) -> Iterator[Made]:
    """Yields the entries, within the transaction that writes them. content_zstd: the held mail's bytes."""
    for number, pick in enumerate(picks):
        if pick.inline:
            kept = _of_text(database, mail, held, pick, pick.inline, number, content_zstd)
        elif pick.attached:
            kept = _of_attached(database, mail, pick, pick.attached)
        else:
            kept = _whole(mail.facts, held, content_zstd)
        yield Made(Entry(pick.decision, held.source_id, held.held_at, kept), pick)


def _whole(facts: Facts, held: Held, content_zstd: bytes) -> Content:
    """The held mail itself, as if it had been recorded at once."""
    return Content(
        identity=facts.identity,
        version_digest=facts.version_digest,
        raw_zstd=content_zstd,
        size_bytes=held.size_bytes,
        subject=facts.subject,
        sent_at=facts.sent_at,
        is_proven=facts.has_proven_author,
        header_labels=facts.header_labels,
    )


def _of_attached(database: Database, mail: Mail, pick: Pick, attached: Attached) -> Content:
    """The message as its forwarder received it. Any other copy of the message has the same key."""
    view = headers.look(attached.headers, may_be_cut=False)
    message = content.Bytes(attached.headers, attached.body_digest, attached.kept, attached.size_bytes)
    kept = content.of(pick.decision, view, message, is_proven=False)
    own_id = thread_keys.digest(view.message_id) if view.message_id else None
    named_ids = (own_id,) if own_id else ()
    known = _known(database, mail, pick, kept.subject, None if own_id else kept.sent_at, named_ids)
    return replace(kept, identity=known) if known else kept


def _of_text(
    database: Database, mail: Mail, held: Held, pick: Pick, original: Original, number: int, content_zstd: bytes
) -> Content:
    """The forward itself, stored as a version of the original. Several forwards of one original become one activity, if its date
    or an id identifies it."""
    facts = mail.facts
    raw_zstd, size_bytes, version_digest = content_zstd, held.size_bytes, facts.version_digest
    forward_subject, named_ids = facts.subject, mail.originals.named_ids
    if pick.attached:
        carrier = pick.attached
        view = headers.look(carrier.headers, may_be_cut=False)
        raw_zstd, size_bytes, forward_subject = carrier.kept, carrier.size_bytes, view.subject
        version_digest = identity.version(carrier.headers, carrier.body_digest)
        named_ids = carrier.inner.named_ids
    subject = " ".join((original.subject or _without_prefix(forward_subject)).split())[: headers.MAX_SUBJECT_CHARS]
    date = original.date if original.date and original.date <= held.held_at + _MOST_AHEAD else None
    known = _known(database, mail, pick, subject, date, named_ids)
    author = pick.decision.author or ""
    return Content(
        identity=known or _key(facts, author, subject, date, number),
        version_digest=version_digest,
        raw_zstd=raw_zstd,
        size_bytes=size_bytes,
        subject=subject,
        sent_at=date,
        header_labels=facts.header_labels,
    )


def _known(
    database: Database, mail: Mail, pick: Pick, subject: str, date: datetime | None, named_ids: tuple[bytes, ...]
) -> bytes | None:
    return forwarded_versions.identity_of_original(
        database,
        mail.deployment,
        author=pick.decision.author or "",
        contact_ids=[one.id for one in pick.decision.contacts],
        subject=subject,
        date=date,
        named_ids=named_ids,
    )


def _key(facts: Facts, author: str, subject: str, date: datetime | None, number: int) -> bytes:
    """32 bytes, of author, subject and minute. Without a date another mail could have the same author and subject, so the key is
    specific to this forward."""
    if date is None:
        parts = [facts.identity, b"%d" % number]
    else:
        parts = [subjects.core(subject).encode("utf-8", "replace"), date.strftime("%Y-%m-%dT%H:%M").encode()]
    parts = [b"forwarded by hand", author.encode("utf-8", "replace"), *parts]
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).digest()


def _without_prefix(subject: str) -> str:
    if not subjects.read(subject).is_forward:
        return subject
    return subject.partition(":" if ":" in subject else "：")[2].strip()
