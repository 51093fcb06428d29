"""Fetches one message of a mailbox: examines it, and builds its entry for the record.

Headers first; the whole message only if it is from or to a contact, or must be held: other mail of strangers is never downloaded.
The raw message then decides, because it is stored. Called by `sweep`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from mailweir import content, headers, identity, matching, raw_message
from mailweir.cached_directory import CachedDirectory
from mailweir.decision import Decision, Outcome, Reason
from mailweir.directory import Directory
from mailweir.gmail.api import MailboxReader
from mailweir.gmail.parse import Metadata, possible_addresses
from mailweir.gmail_labels import Label, mask
from mailweir.headers import Header, HeaderView
from mailweir.matching import SyncedMailbox
from mailweir.recording import Entry
from mailweir.settings import Digest as HoldLimits
from mailweir.store.gmail.gmail_leases import Leased
from mailweir.store.gmail.gmail_queue import Origin, Queued, source_id
from mailweir.traces import Traces

_USUAL_LIMITS = HoldLimits()
SENT = "SENT"
# Not mail (yet): a draft is stored once it is sent, and spam once it is rescued, which history reports.
NOT_MAIL = frozenset({"DRAFT", "CHAT", "SPAM", "TRASH"})
_NOT_SENT = Label.SENT | Label.DRAFT | Label.SPAM | Label.TRASH  # a draft has only DRAFT of these
_NO_RECIPIENT = frozenset({Reason.NO_CONTACT, Reason.INTERNAL, Reason.UNREADABLE_RECIPIENTS})


@dataclass(frozen=True, slots=True)
class Fetch:
    """The context of examining a message: the mailbox and the directory. make_room: called with a message's size in bytes before
    it is downloaded whole; may raise. hold_limits: of mail that waits for its reading."""

    leased: Leased
    directory: Directory
    now: datetime
    make_room: Callable[[int], None] = lambda size_bytes: None
    traces: Traces | None = None
    hold_limits: HoldLimits = _USUAL_LIMITS

    @property
    def mailbox(self) -> SyncedMailbox:
        """The mailbox in the form that `matching` needs."""
        leased = self.leased
        return SyncedMailbox(
            deployment=leased.deployment, user=leased.user, inbound=leased.inbound, outbound=leased.outbound
        )


@dataclass(frozen=True, slots=True)
class Held:
    """A mail of the mailbox's own user that is to be sent later: no decision until then."""

    until: datetime


class Unsent:
    """The message is a draft again: its scheduled sending was cancelled."""


def fetch_one(look: Fetch, queued: Queued, reader: MailboxReader) -> Entry | Held | Unsent | None:
    """The entry to record; None if it isn't mail. Errors: those of `errors`; DatabaseUnavailable."""
    look = replace(look, directory=CachedDirectory(look.directory))
    seen = reader.metadata(queued.message_id)
    if seen.labels & NOT_MAIL:
        return Unsent() if mask(seen.labels) & _NOT_SENT == Label.DRAFT else None
    decision, view = _decide(look, list(seen.headers), is_sent=SENT in seen.labels)
    if SENT not in seen.labels and (until := _due(look, view)):
        return Held(until)
    is_wanted = decision.outcome is Outcome.CAPTURED or decision.held or _may_be_captured(look, seen, decision)
    if not is_wanted:
        return _ignored(look, queued, decision, view, seen.labels)
    look.make_room(seen.size_bytes)
    whole = reader.raw(queued.message_id)
    if whole.labels & NOT_MAIL:
        return None
    lines, body = raw_message.split(whole.raw)
    is_sent = SENT in whole.labels
    decision, view = _decide(look, lines, is_sent=is_sent)
    is_own = is_sent and matching.is_own(look.mailbox, decision.author, look.directory)
    is_proven = is_own and decision.doubt is None
    if queued.origin is Origin.BACKFILL or whole.received_at < look.leased.connected_at:
        decision = replace(decision, todo_users=())  # mail from long ago makes no to-do
    if decision.held:
        hold = content.held(
            decision, view, _bytes(lines, body, whole.raw), look.hold_limits, has_proven_author=is_proven
        )
        return replace(_ignored(look, queued, decision, view, whole.labels), hold=hold)
    if decision.outcome is not Outcome.CAPTURED:
        return _ignored(look, queued, decision, view, whole.labels)
    kept = content.of(decision, view, _bytes(lines, body, whole.raw), is_proven=is_proven)
    return Entry(decision, source_id(look.leased, queued.message_id), look.now, kept, labels=int(mask(whole.labels)))


def _due(look: Fetch, view: HeaderView) -> datetime | None:
    """When a mail of the mailbox's own user is to be sent, if that is in the future."""
    ahead = view.sent_at is not None and view.sent_at > look.now
    return view.sent_at if ahead and matching.is_own(look.mailbox, view.author, look.directory) else None


def _may_be_captured(look: Fetch, seen: Metadata, decision: Decision) -> bool:
    """Could the raw headers change the decision? Gmail decodes names, and `Jane (Client <jane@client.example>` gives no
    author."""
    doubtful = decision.reason is Reason.UNREADABLE_AUTHOR or (SENT in seen.labels and decision.reason in _NO_RECIPIENT)
    return doubtful and matching.knows_contact(look.mailbox, possible_addresses(seen.headers), look.directory)


def _decide(look: Fetch, lines: list[Header], *, is_sent: bool) -> tuple[Decision, HeaderView]:
    view = headers.look(lines, may_be_cut=False)
    hidden = raw_message.bcc(lines) if is_sent else ()
    return matching.decide_synced(look.mailbox, view, hidden, look.directory, is_sent=is_sent), view


def _ignored(look: Fetch, queued: Queued, decision: Decision, view: HeaderView, labels: frozenset[str]) -> Entry:
    digests = look.traces.of(decision.deployment, view.recipients) if look.traces else None
    source = source_id(look.leased, queued.message_id)
    return Entry(decision, source, look.now, traces=digests, labels=int(mask(labels)))


def _bytes(lines: list[Header], body: bytes, raw: bytes) -> content.Bytes:
    digest = identity.BodyDigest()
    digest.update(body)
    return content.Bytes(lines, digest.digest(), content.compress(raw), len(raw))
