"""What a message says of the conversation that it belongs to: its own id, those that it names, and what its subject is about.

Conversations are found by ids alone (RFC 5322 3.6.4). Subjects only say where ids don't count: clients reuse old mail for a new
matter, and then References names what it has nothing to do with; and a forward names its source, and is no part of it. Outlook's
Thread-Index and Thread-Topic are no ids. Ids are kept as digests. Never raises, on any bytes. Pure; called by the reading of a
message.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mailweir import encoded_words, identity, subjects
from mailweir.headers import MAX_MESSAGE_ID_BYTES, HeaderView

MAX_REFERENCES = 100
MAX_IN_REPLY_TO = 10
MAX_VALUE_BYTES = 60_000  # of References: its end counts, for there stands what was answered last
DIGEST_BYTES = 16
FORWARD_MARK = "fwd: "
_MIN_ID_CHARS_WITHOUT_AT = 16  # shorter ones (`<null>`, `<1>`) are the same in the mail of many

_ID = re.compile(rb"<[^<>]+>")
_BARE_ID = re.compile(rb"[^\s<>]+@[^\s<>]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadKeys:
    """Ids are digests of 16 bytes. own: None where the message has no Message-ID that can tell it from others.

    in_reply_to: what it answers; these count alone. references: the last 100 of all others that it names, the latest last; these
    count where the subject is the same. base_subject: without prefixes and tags; `fwd: ` stands before it where the message, or
    what it answers, is a forward. is_reply: by its subject. has_ids: it names other messages, whether they count or not; where it
    does, its subject alone joins it to none.
    """

    own: bytes | None
    in_reply_to: tuple[bytes, ...]
    references: tuple[bytes, ...]
    base_subject: str
    is_reply: bool
    has_ids: bool


def read(view: HeaderView) -> ThreadKeys:
    """What the headers say."""
    subject = subjects.read(view.subject)
    parents = view.found.get(b"in-reply-to", ())
    references = view.found.get(b"references", ())
    sources = view.found.get(b"x-forwarded-message-id", ())
    people = {*view.candidates, *view.named_in_from, *view.recipients}
    own = digest(view.message_id) if view.message_id else None
    # a forward answers nobody, whatever it names
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
    """Of the ids that a header holds, in their order. name: in lower case, of those that `headers` keeps."""
    values = view.found.get(name, ())
    people = {*view.candidates, *view.named_in_from, *view.recipients}
    return _digests(_ids(values, bare=True), people, {None})


def digest(message_id: str) -> bytes | None:
    """Of a Message-ID, with its angles or without; None where it can't tell one message from others."""
    plain = identity.plain_id(message_id).strip("<>")
    local, at, _ = plain.rpartition("@")
    if not any(char.isalnum() for char in local) if at else len(plain) < _MIN_ID_CHARS_WITHOUT_AT:
        return None
    return hashlib.sha256(plain.encode("utf-8", "replace")[:MAX_MESSAGE_ID_BYTES]).digest()[:DIGEST_BYTES]


def subject_digest(base_subject: str) -> bytes:
    """What the record compares base subjects by."""
    return hashlib.sha256(base_subject.encode("utf-8", "replace")).digest()[:DIGEST_BYTES]


def _ids(values: Sequence[bytes], *, bare: bool) -> Iterator[str]:
    """The ids in angles of all values; of a value without any, the one that stands there alone."""
    for value in values:
        part = value[-MAX_VALUE_BYTES:]
        found = _ID.findall(part)
        if not found and bare and _BARE_ID.fullmatch(part.strip()):
            found = [part.strip()]
        for one in found:
            yield encoded_words.flatten(one.decode("utf-8", "replace"))


def _digests(ids: Iterable[str], people: set[str], without: set[bytes | None]) -> list[bytes]:
    """Of ids, each once. people: addresses: `In-Reply-To: Jane's message <jane@client.example>` names her, and no message."""
    found = (digest(one) for one in ids if one.strip("<>").lower() not in people)
    return _each_once(one for one in found if one is not None and one not in without)


def _each_once(digests: Iterable[bytes]) -> list[bytes]:
    """In their order; of one that stands there twice, the last place."""
    found: dict[bytes, None] = {}
    for one in digests:
        found.pop(one, None)
        found[one] = None
    return list(found)
