"""What Postfix refused, or gave up amid a message, explained. Never asks the database.

Reading Postfix's log isn't for the heart: whoever can read it hands in what it found, in the form of `Refusal`. Called by
`tracking`.
"""

from datetime import datetime
from typing import Protocol

from mailweir.explain.explanation import Explanation, explain


class Refusal(Protocol):
    """One time that Postfix refused something, to one recipient. time: UTC. queue_id: None before there was one.

    stage: RCPT, DATA, …. client: name and address, "" where they aren't known. reply: what the client was told. sender,
    recipient: of the envelope as the client gave them, None where none was given yet. is_for_good, is_broken_off: one at most is
    true; where none is, the mail was put off, and the sender comes again. key: tells it from others, wherever it is read.
    """

    @property
    def time(self) -> datetime: ...
    @property
    def queue_id(self) -> str | None: ...
    @property
    def stage(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def reply(self) -> str: ...
    @property
    def sender(self) -> str | None: ...
    @property
    def recipient(self) -> str | None: ...
    @property
    def message_id(self) -> str | None: ...
    @property
    def is_for_good(self) -> bool: ...
    @property
    def is_broken_off(self) -> bool: ...
    @property
    def key(self) -> str: ...


def refusal(refused: Refusal) -> Explanation:
    """What Postfix told the client, and what follows from that."""
    kind = "refused" if refused.is_for_good else "broken_off" if refused.is_broken_off else "put_off"
    return explain(f"postfix.{kind}", stage=refused.stage, reply=refused.reply)
