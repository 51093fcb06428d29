"""The kind of a message, by marks that programs write: automatic, of a list, a bounce, a receipt and so on.

A label is a fact about the message and not a judgement: CRMs write `List-Unsubscribe` into personal mail too, so no mail is left
out because of it. `of_headers` gives the labels that are known when a message is recorded; `of` looks at its parts too. Never
raises, on any bytes. Pure; called by `content` and by the reading of a message.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from mailweir import automatic
from mailweir.headers import HeaderView

MAX_CONTENT_TYPE_BYTES = 2_000


class Part(Protocol):
    """The properties of a part that labels need (`parts.Part`)."""

    @property
    def path(self) -> tuple[int, ...]: ...
    @property
    def media_type(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, str]: ...


class Label(StrEnum):
    """A fact about a message. Each has a bit in the record: see `to_bits`."""

    AUTOMATIC = "automatic"
    LIST = "list"
    BULK = "bulk"
    BOUNCE = "bounce"
    RECEIPT = "receipt"
    INVITATION = "invitation"
    ENCRYPTED = "encrypted"
    SIGNED = "signed"


# The record stores these numbers: a new label gets the next bit, and no bit is reused.
_BITS = {label: 1 << place for place, label in enumerate(Label)}

# RFC 5546 1.4: the methods that don't invite anybody. Answers and cancellations have their method in `Invitation`.
_NO_INVITATION = frozenset({"REPLY", "CANCEL", "REFRESH", "DECLINECOUNTER"})
_BULK_PRECEDENCE = frozenset({b"bulk", b"list", b"junk"})
_DELIVERY = frozenset({"message/delivery-status", "message/global-delivery-status"})  # RFC 3464 2.1, RFC 6533 3
_DISPOSITION = frozenset(
    {"message/disposition-notification", "message/global-disposition-notification"}
)  # RFC 8098 3, RFC 6533 5
_MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})
_SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
# RFC 8551 3.2.2. Without smime-type it is usually enveloped data: mailers that sign say so.
_ENVELOPED = frozenset({"enveloped-data", "authenveloped-data", ""})
_PARAMETER = re.compile(r';\s*([a-z-]{1,40})\s*=\s*("[^"]*"|[^\s;"]*)')
_PGP_ENCRYPTED, _PGP_SIGNED = "-----BEGIN PGP MESSAGE-----", "-----BEGIN PGP SIGNED MESSAGE-----"


def of_headers(view: HeaderView, envelope_sender: str | None) -> frozenset[Label]:
    """The labels by the headers alone. envelope_sender: empty for the null sender, None if unknown."""
    found = view.found
    media_type, parameters = _content_type(found.get(b"content-type", ()))
    is_answer = view.is_automatic_answer if envelope_sender is None else automatic.is_answer(found, envelope_sender)
    return frozenset(
        label
        for label, holds in (
            (Label.AUTOMATIC, is_answer),
            (Label.LIST, _says_something(found, b"list-id") or _says_something(found, b"list-post")),
            (Label.BULK, _says_something(found, b"list-unsubscribe") or _is_bulk(found.get(b"precedence", ()))),
            (Label.BOUNCE, _is_report(media_type, parameters, "delivery-status")),
            (Label.RECEIPT, _is_report(media_type, parameters, "disposition-notification")),
            (Label.ENCRYPTED, _is_encrypted(media_type, parameters)),
            (Label.SIGNED, _is_signed(media_type, parameters)),
        )
        if holds
    )


def of(
    view: HeaderView, parts: Sequence[Part], envelope_sender: str | None, *, text: str = "", method: str | None = None
) -> frozenset[Label]:
    """The labels by headers and parts. Messages within the message, forwarded or bounced, have labels of their own.

    text: as a reader sees it, for PGP's marks in it. method: of the invitation that was read (`invitation.read`), in capitals;
    None if none was readable, and then the part's parameter gives it.
    """
    labels = set(of_headers(view, envelope_sender))
    own = _own(parts)
    kinds = {part.media_type for part in own}
    is_report = bool(own) and own[0].media_type.startswith("multipart/")
    if is_report and kinds & _DELIVERY:
        labels.add(Label.BOUNCE)
    if kinds & _DISPOSITION:
        labels.add(Label.RECEIPT)
    calendars = [part for part in own if part.media_type == "text/calendar"]
    if calendars and (method or _method(calendars)) not in _NO_INVITATION:
        labels.add(Label.INVITATION)
    if "application/pgp-encrypted" in kinds or any(_is_encrypted(part.media_type, part.parameters) for part in own):
        labels.add(Label.ENCRYPTED)
    if any(_is_signed(part.media_type, part.parameters) for part in own):
        labels.add(Label.SIGNED)
    if _begins_a_line(text, _PGP_ENCRYPTED):
        labels.add(Label.ENCRYPTED)
    if _begins_a_line(text, _PGP_SIGNED):
        labels.add(Label.SIGNED)
    return frozenset(labels)


def to_bits(labels: Collection[Label]) -> int:
    """The number in which the record stores them."""
    return sum(_BITS[label] for label in frozenset(labels))


def from_bits(bits: int | None) -> frozenset[Label]:
    """The labels in a number of `to_bits`. None, of a record older than labels, gives no labels; bits of a newer version are
    ignored."""
    return frozenset(label for label, bit in _BITS.items() if (bits or 0) & bit)


def in_order(labels: Iterable[Label]) -> list[str]:
    """Their words, in the order for people and programs."""
    wanted = frozenset(labels)
    return [label.value for label in Label if label in wanted]


def _says_something(found: Mapping[bytes, Sequence[bytes]], name: bytes) -> bool:
    return any(value.strip() for value in found.get(name, ()))


def _is_bulk(precedence: Sequence[bytes]) -> bool:
    return any(value.strip().lower() in _BULK_PRECEDENCE for value in precedence)


def _content_type(values: Sequence[bytes]) -> tuple[str, Mapping[str, str]]:
    """Media type and parameters of the first Content-Type, in lower case, as far as labels need them."""
    text = values[0][:MAX_CONTENT_TYPE_BYTES].decode("latin-1").lower() if values else ""
    parameters = {name: value.strip('"') for name, value in _PARAMETER.findall(text)}
    return text.partition(";")[0].strip(), parameters


def _is_report(media_type: str, parameters: Mapping[str, str], report_type: str) -> bool:
    return media_type == "multipart/report" and parameters.get("report-type", "").strip().lower() == report_type


def _is_encrypted(media_type: str, parameters: Mapping[str, str]) -> bool:
    if media_type in _SMIME:
        return parameters.get("smime-type", "").strip().lower() in _ENVELOPED
    return media_type == "multipart/encrypted"


def _is_signed(media_type: str, parameters: Mapping[str, str]) -> bool:
    if media_type in _SMIME:
        return parameters.get("smime-type", "").strip().lower() == "signed-data"
    return media_type == "multipart/signed"


def _own(parts: Sequence[Part]) -> list[Part]:
    """The parts outside of attached messages."""
    nested = {part.path for part in parts if part.media_type in _MESSAGES}
    if not nested:
        return list(parts)
    return [part for part in parts if not any(part.path[:length] in nested for length in range(len(part.path)))]


def _method(calendars: Sequence[Part]) -> str:
    return next((found.strip().upper() for part in calendars if (found := part.parameters.get("method", ""))), "")


def _begins_a_line(text: str, mark: str) -> bool:
    """Does the mark occur at the beginning of an unquoted line?"""
    return text.startswith(mark) or f"\n{mark}" in text
