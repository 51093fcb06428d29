"""The keys of a message's conversation: its own id, the ids that it names, and the base of its subject.

Conversations are found by ids (RFC 5322 3.6.4), and by the subject only for a reply that names no id. Otherwise subjects only
exclude ids: clients reuse old mail for a new matter, and then References names unrelated mail; and a forward names its source
without being part of that conversation. Outlook's Thread-Index and Thread-Topic are not ids. Ids are stored as digests. Never
raises, on any bytes. Pure; called by the reading of a message.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mailweir import encoded_words, identity, subjects
from mailweir.headers import MAX_MESSAGE_ID_BYTES, HeaderView

MAX_REFERENCES = 100
MAX_IN_REPLY_TO = 10
MAX_VALUE_BYTES = 60_000  # of References: its end counts, because the latest answered message is there
DIGEST_BYTES = 16
FORWARD_MARK = "fwd: "
_MIN_ID_CHARS_WITHOUT_AT = 16  # shorter ones (`<null>`, `<1>`) are shared by many senders

_ID = re.compile(rb"<[^<>]+>")
_BARE_ID = re.compile(rb"[^\s<>]+@[^\s<>]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadKeys:
    """Ids are digests of 16 bytes. own: None if the message has no distinctive Message-ID.

    in_reply_to: the answered messages; these count, whatever the subject. references: the last 100 of all other named ids, the
    latest last; these count if the subject is the same. base_subject: without prefixes and tags; preceded by `fwd: ` if the
    message, or the mail that it answers, is a forward. is_reply: by its subject. has_ids: the message names other messages,
    whether they count or not; then its subject alone doesn't join it to a thread.
    """

    own: bytes | None
    in_reply_to: tuple[bytes, ...]
    references: tuple[bytes, ...]
    base_subject: str
    is_reply: bool
    has_ids: bool


def read(view: HeaderView) -> ThreadKeys:
    """The keys in the headers."""
    subject = subjects.read(view.subject)
    parents = view.found.get(b"in-reply-to", ())
    references = view.found.get(b"references", ())
    sources = view.found.get(b"x-forwarded-message-id", ())
    people = {*view.candidates, *view.named_in_from, *view.recipients}
    own = digest(view.message_id) if view.message_id else None
    # A forward isn't an answer, whatever ids it names.
    is_forward = subject.is_forward or any(value.strip() for value in sources)
    answered = _digests(_ids(parents, bare=True), people, {own, None})[-MAX_IN_REPLY_TO:]
    forwarded = set(_digests(_ids(sources, bare=True), people, set()))
    named = [*_digests(_ids(references, bare=False), people, {own, None}), *(answered if is_forward else ())]
    apart = forwarded if is_forward else {*forwarded, *answered}
    return ThreadKeys(
        own=own,
        in_reply_to=() if is_forward else tuple(one for one in answered if one not in forwarded),
        references=tuple(_each_once(one for one in named if one not in apart)[-MAX_REFERENCES:]),
        base_subject=(FORWARD_MARK if is_forward or subject.has_forward else "") + subject.core,
        is_reply=subject.is_reply and not is_forward,
        has_ids=bool(answered or named or forwarded),
    )


def digests_of(view: HeaderView, name: bytes) -> list[bytes]:
    """Digests of the ids in a header, in their order. name: in lower case, of those that `headers` keeps."""
    values = view.found.get(name, ())
    people = {*view.candidates, *view.named_in_from, *view.recipients}
    return _digests(_ids(values, bare=True), people, {None})


def digest(message_id: str) -> bytes | None:
    """Digest of a Message-ID, with or without angle brackets; None if it isn't distinctive."""
    plain = identity.plain_id(message_id).strip("<>")
    local, at, _ = plain.rpartition("@")
    if not any(char.isalnum() for char in local) if at else len(plain) < _MIN_ID_CHARS_WITHOUT_AT:
        return None
    return hashlib.sha256(plain.encode("utf-8", "replace")[:MAX_MESSAGE_ID_BYTES]).digest()[:DIGEST_BYTES]


def subject_digest(base_subject: str) -> bytes:
    """The digest by which the record compares base subjects."""
    return hashlib.sha256(base_subject.encode("utf-8", "replace")).digest()[:DIGEST_BYTES]


def _ids(values: Sequence[bytes], *, bare: bool) -> Iterator[str]:
    """The ids in angle brackets of all values. bare: if a value has none, the whole value counts if it looks like an id."""
    for value in values:
        part = value[-MAX_VALUE_BYTES:]
        found = _ID.findall(part)
        if not found and bare and _BARE_ID.fullmatch(part.strip()):
            found = [part.strip()]
        for one in found:
            yield encoded_words.flatten(one.decode("utf-8", "replace"))


def _digests(ids: Iterable[str], people: set[str], without: set[bytes | None]) -> list[bytes]:
    """Digests of ids, each once. people: addresses: `In-Reply-To: Jane's message <jane@client.example>` names her, not a
    message."""
    found = (digest(one) for one in ids if one.strip("<>").lower() not in people)
    return _each_once(one for one in found if one is not None and one not in without)


def _each_once(digests: Iterable[bytes]) -> list[bytes]:
    """The digests in their order; a repeated digest keeps its last place."""
    found: dict[bytes, None] = {}
    for one in digests:
        found.pop(one, None)
        found[one] = None
    return list(found)
