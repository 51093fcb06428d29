"""The demo's DNS server for tests: they see its queries, and the effects of DNS failures."""

import enum
from collections import Counter

import dns.message
import dns.rcode

from admin_cli.demo.zone import Records, ZoneServer


class Mood(enum.Enum):
    """How the server answers."""

    WELL = "well"
    SERVFAIL = "servfail"
    SILENT = "silent"


class MoodyZoneServer(ZoneServer):
    """mood and records may be changed while it serves. queries: how often each name was queried, except in silence."""

    def __init__(self, records: Records | None = None) -> None:
        super().__init__(records or {})
        self.mood = Mood.WELL
        self.queries: Counter[str] = Counter()

    def reply(self, wire: bytes, max_bytes: int) -> bytes | None:
        return None if self.mood is Mood.SILENT else super().reply(wire, max_bytes)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        self.queries[query.question[0].name.to_text(omit_final_dot=True).lower()] += 1
        answer = super().answer(query)
        if self.mood is Mood.SERVFAIL:
            answer.answer.clear()
            answer.set_rcode(dns.rcode.SERVFAIL)
        return answer
