"""Is a mail an automatic answer, such as an out-of-office? Decided by marks that only programs write.

`Auto-Submitted: auto-generated` (RFC 3834 5) alone isn't enough: Microsoft writes it into people's mail that a rule forwards, and
into its out-of-office replies too. It counts if the mail asks for no answer: by the null sender, or as a reply that suppresses
replies. Pure. Called by `headers`. Standard library only.
"""

from collections.abc import Mapping, Sequence

from mailweir import dates

MAX_VALUE_BYTES = 1_000
_SUBMITTED, _SUPPRESS, _IN_REPLY_TO = b"auto-submitted", b"x-auto-response-suppress", b"in-reply-to"
_PRECEDENCE, _RETURN_PATH = b"precedence", b"return-path"
_OTHERS = (b"x-autoreply", b"x-autorespond", b"x-autoresponder")
NAMES = frozenset({_SUBMITTED, _SUPPRESS, _IN_REPLY_TO, _PRECEDENCE, _RETURN_PATH, *_OTHERS})


def is_answer(found: Mapping[bytes, Sequence[bytes]], envelope_sender: str | None = None) -> bool:
    """Is it an automatic answer? found: header values by name in lower case. envelope_sender: empty for the null sender, None if
    unknown; then the first Return-Path gives it, if there is one."""
    submitted = {_keyword(value) for value in found.get(_SUBMITTED, ())}
    if "auto-replied" in submitted:
        return True
    if submitted == {"no"}:  # RFC 3834's keyword for a person's mail; it outweighs all other marks
        return False
    if any(value.strip().lower() not in (b"", b"no") for name in _OTHERS for value in found.get(name, ())):
        return True
    if any(value.strip().lower() in (b"auto_reply", b"auto-reply") for value in found.get(_PRECEDENCE, ())):
        return True
    # RFC 3834 5: every keyword except `no`, even an unknown one, means a program.
    if not submitted - {"", "no"}:
        return False
    return _is_null(found, envelope_sender) or (_SUPPRESS in found and _IN_REPLY_TO in found)


def _keyword(value: bytes) -> str:
    """RFC 3834 5.2: a keyword in any case, then parameters; comments may stand anywhere."""
    text, _ = dates.without_comments(value[:MAX_VALUE_BYTES].decode("latin-1"))
    return text.partition(";")[0].strip().lower()


def _is_null(found: Mapping[bytes, Sequence[bytes]], envelope_sender: str | None) -> bool:
    if envelope_sender is not None:
        return not envelope_sender
    paths = found.get(_RETURN_PATH, ())
    return bool(paths) and b"".join(paths[0][:MAX_VALUE_BYTES].split()) == b"<>"
