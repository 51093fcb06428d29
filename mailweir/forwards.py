"""Which contacts' mail a user forwarded by hand: the originals that contacts wrote (decision 0036).

Originals in the text come before attached ones, because a contact's mail may itself have messages attached. In a forward of a
forward, the outermost original by a contact counts. An original by anybody else is searched further only if its subject says that
it is a forward too: other mails contain only the mail that they answer. Pure: asks the directory that it is given. Called by
`holding`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from mailweir import address, headers, subjects
from mailweir.authorship import who_wrote
from mailweir.decision import Decision, Direction, Doubt, Outcome, Reason, Route
from mailweir.directory import ContactRef, DeploymentRef, Directory, UserRef, people_among
from mailweir.headers import HeaderView
from mailweir.reading.forwarded import Original
from mailweir.reading.originals import Attached, Originals


class Found(NamedTuple):
    """An original by a contact. candidates: all addresses that its From could name. attached, inline: see `holding.Pick`."""

    decision: Decision
    candidates: tuple[str, ...]
    attached: Attached | None = None
    inline: Original | None = None


@dataclass
class Search:
    """The search in one user's forward. addresses: the capture addresses that it came to."""

    deployment: DeploymentRef
    addresses: tuple[str, ...]
    forwarder: UserRef
    directory: Directory
    _has_original: bool = field(default=False, init=False)
    _has_stranger: bool = field(default=False, init=False)

    @property
    def reason(self) -> Reason:
        """Why nothing was found."""
        if not self._has_original:
            return Reason.NO_CONTACT
        return Reason.FORWARD_OF_NOBODY if self._has_stranger else Reason.FORWARD_OF_STAFF

    def of(self, originals: Originals, carrier: Attached | None = None) -> list[Found]:
        """All originals that contacts wrote. carrier: the attached message that contains these originals."""
        inline = self._in_text(originals, carrier)
        return [inline] if inline else list(self._among_attached(originals))

    def _in_text(self, originals: Originals, carrier: Attached | None) -> Found | None:
        for one in originals.inline:
            contacts = self._contacts(one.author)
            if one.author and contacts:
                decision = self._decision(one.author, contacts, doubt=Doubt.FORWARDED)
                return Found(decision, (one.author,), attached=carrier, inline=one)
            if not subjects.read(one.subject).is_forward:
                return None
        return None

    def _among_attached(self, originals: Originals) -> Iterator[Found]:
        for one in originals.attached:
            view = headers.look(one.headers, may_be_cut=False)
            found = self._written(one, view)
            if found:
                yield found
            elif subjects.read(view.subject).is_forward:
                yield from self.of(one.inner, one)

    def _written(self, attached: Attached, view: HeaderView) -> Found | None:
        recipients = [a for a in view.recipients if address.split(a)[1] != self.deployment.domain]
        author, people = who_wrote(self.deployment, view, recipients, self.directory)
        self._has_original = True
        if author is None or author.address in people.users:
            self._has_stranger = self._has_stranger or author is None
            return None
        contacts = people.contacts.get(author.address)
        if not contacts:
            self._has_stranger = True
            return None
        is_wanted = self.deployment.automatic_todos or not view.is_automatic_answer
        is_todo = author.doubt is not Doubt.SEVERAL and is_wanted
        decision = self._decision(
            author.address,
            contacts,
            doubt=author.doubt,
            via=author.via,
            message_id=view.message_id,
            is_todo=is_todo,
        )
        return Found(decision, view.candidates, attached=attached)

    def _contacts(self, author: str | None) -> tuple[ContactRef, ...]:
        """The contacts with this address; none if it is also a user's, because staff come before contacts."""
        self._has_original = True
        users, contacts = people_among(self.deployment, (author,) if author else (), self.directory)
        if author in users:
            return ()
        found = contacts.get(author or "", ())
        self._has_stranger = self._has_stranger or not found
        return found

    def _decision(
        self,
        author: str,
        contacts: tuple[ContactRef, ...],
        *,
        doubt: Doubt | None,
        via: str | None = None,
        message_id: str | None = None,
        is_todo: bool = True,
    ) -> Decision:
        users = (self.forwarder.id,)
        return Decision(
            deployment=self.deployment,
            addresses=self.addresses,
            outcome=Outcome.CAPTURED,
            reason=Reason.FORWARDED_BY_USER,
            author=author,
            message_id=message_id,
            direction=Direction.INCOMING,
            contacts=contacts,
            users=users,
            todo_users=users if is_todo else (),
            sightings=((Route.LOG, self.forwarder.id),),
            doubt=doubt,
            via=via,
        )
