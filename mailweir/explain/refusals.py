"""Refusals by Postfix, and broken connections, explained. Never asks the database.

The core doesn't read Postfix's log: callers that can read it hand in its entries in the form of `Refusal`. Called by
`tracking`.
"""

from datetime import datetime
from typing import Protocol

from mailweir.explain.explanation import Explanation, explain


class Refusal(Protocol):
    """A refusal by Postfix, for one recipient. time: UTC. queue_id: None if there was none yet.

    stage: RCPT, DATA, …. client: name and address, "" if unknown. reply: the reply to the client. sender, recipient: of the
    envelope as the client gave them, None if not given yet. is_for_good, is_broken_off: at most one is true; if neither is, the
    mail was put off, and the sender tries again. key: identifies the refusal, the same for each reading.
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
    """Postfix's reply to the client, and whether the mail was refused, put off or broken off."""
    kind = "refused" if refused.is_for_good else "broken_off" if refused.is_broken_off else "put_off"
    return explain(f"postfix.{kind}", stage=refused.stage, reply=refused.reply)
