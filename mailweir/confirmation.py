"""Gmail's forwarding confirmation: does a message look like one, which link does it offer, who asked for it, and which mail shows
that it was answered.

Pure: `sender_auth` proves that it is really Google's. Language and branding don't matter. The envelope sender, the author,
Google's header and the link's path do (../shared/facts: subjects differ by year, language and organisation). Standard library
only.
"""

import base64
import binascii
import quopri
import re
from dataclasses import dataclass

from mailweir import address, headers
from mailweir.headers import Header, HeaderView

SENDER = "forwarding-noreply@google.com"
SIGNING_DOMAIN = "google.com"
# Google's signature must cover these. Otherwise anybody could send a genuine confirmation on to others, any number of times.
COVERED_HEADERS = frozenset({b"to", b"message-id", b"subject"})
MAX_LOOK_BYTES = 65_536

# `vf-` confirms; `uf-` cancels, and is never shown to anybody.
_LINK = re.compile(rb"https://(?:mail-settings|mail)\.google\.com/mail/(?:u/\d+/)?vf-[A-Za-z0-9%_.~=&?+\-\[\]/]+")
_FORWARDED_BY = "+caf_="
# ASCII only, like all of Google's accounts: some languages write the words beside an address without a space. The length is
# bounded: otherwise a long run without an @ would be tried from each of its characters on.
_ADDRESS = re.compile(r"[A-Za-z0-9._+\-][A-Za-z0-9._+'\-]{0,63}@[A-Za-z0-9.\-]{1,252}[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """link: the confirming link, or None. requester: the mailbox that wants to forward, or None if the mail doesn't say."""

    link: str | None
    requester: str | None


def resembles(sender: str, view: HeaderView) -> bool:
    """Is it worth proving: are envelope sender and author exactly Google's?"""
    return sender == SENDER and view.author == SENDER


def read(view: HeaderView, body: bytes, own_domains: frozenset[str]) -> Confirmation | None:
    """The content of a forwarding confirmation; None if it has neither Google's header nor a confirming link.

    body: the raw body (7bit, base64 or quoted-printable), of which the first 64 kB count. own_domains: capture domains, whose
    addresses are never the requester.
    """
    text = _decoded(body[:MAX_LOOK_BYTES], view.transfer_encoding)
    match = _LINK.search(text)
    if match is None and not view.marked_confirmation:
        return None
    requester = _first_foreign(view.subject, own_domains) or _first_foreign(
        text.decode("utf-8", "replace"), own_domains
    )
    return Confirmation(match[0].decode("ascii") if match else None, requester)


def asked_addresses(header_lines: list[Header]) -> tuple[str, ...]:
    """The addresses to which mail shall be forwarded: those of To, in normal form. Cc is ignored."""
    return headers.look([line for line in header_lines if line[0].rstrip().lower() == b"to"]).recipients


def forwarder(sender: str) -> tuple[str, str] | None:
    """The mailbox that Gmail forwarded from, and the address that it forwards to, by the envelope sender that such mail has
    (`jane+caf_=richard=demo.example.net@gmail.com`); None for any other sender. sender: in normal form. Anybody can write such a
    sender: it proves nothing."""
    local, domain = address.split(sender)
    own, _, target = local.rpartition(_FORWARDED_BY)
    target_local, _, target_domain = target.rpartition("=")
    if not (own and target_local and target_domain):
        return None
    return f"{own}@{domain}", f"{target_local}@{target_domain}"


def _decoded(body: bytes, transfer_encoding: bytes) -> bytes:
    if transfer_encoding == b"quoted-printable":
        return quopri.decodestring(body)
    if transfer_encoding == b"base64":
        compact = b"".join(body.split())
        try:
            return base64.b64decode(compact[: len(compact) // 4 * 4])
        except binascii.Error:
            return b""
    return body


def _first_foreign(text: str, own_domains: frozenset[str]) -> str | None:
    for match in _ADDRESS.finditer(text):
        found = address.normalise(match[0])
        if found and address.split(found)[1] not in own_domains and found != SENDER:
            return found
    return None
