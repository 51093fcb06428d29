"""Is a mail an automatic answer, such as an out-of-office: by marks that only programs write.

`Auto-Submitted: auto-generated` (RFC 3834 5) alone isn't enough: Microsoft writes it into mail of people that a rule forwards,
and into its out-of-office too, which is an answer and asks for none. Pure. Called by `headers`. Standard library only.
"""

from collections.abc import Mapping, Sequence

_SUBMITTED, _SUPPRESS, _IN_REPLY_TO = b"auto-submitted", b"x-auto-response-suppress", b"in-reply-to"
_PRECEDENCE = b"precedence"
_OTHERS = (b"x-autoreply", b"x-autorespond", b"x-autoresponder")
NAMES = frozenset({_SUBMITTED, _SUPPRESS, _IN_REPLY_TO, _PRECEDENCE, *_OTHERS})


def is_answer(found: Mapping[bytes, Sequence[bytes]]) -> bool:
    """found: header values by name in lower case."""
    submitted = {value.partition(b";")[0].strip().lower() for value in found.get(_SUBMITTED, ())}
    if b"auto-replied" in submitted:
        return True
    if any(value.strip().lower() not in (b"", b"no") for name in _OTHERS for value in found.get(name, ())):
        return True
    if any(value.strip().lower() in (b"auto_reply", b"auto-reply") for value in found.get(_PRECEDENCE, ())):
        return True
    return b"auto-generated" in submitted and _SUPPRESS in found and _IN_REPLY_TO in found
