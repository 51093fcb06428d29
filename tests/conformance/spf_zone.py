"""A zone of the SPF suite on a real DNS server: its records, its time-outs, its aliases."""

from collections.abc import Mapping, Sequence
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from admin_cli.demo.zone import ZoneServer

_MAX_ALIASES = 8


class SuiteZone(ZoneServer):
    """Answers by the suite's zonedata. TIMEOUT there means that the server doesn't answer. SPF records become TXT if there is no
    TXT."""

    def __init__(self, zonedata: Mapping[str, Sequence[Any]]) -> None:
        super().__init__({})
        self.zone = self.parsed(zonedata)

    @staticmethod
    def parsed(zonedata: Mapping[str, Sequence[Any]]) -> dict[bytes, dict[str, list[Any]]]:
        """The argument of `zone`: values by name and type."""
        return {name.lower().encode(): _by_type(entries) for name, entries in zonedata.items()}

    def reply(self, wire: bytes, max_bytes: int) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        name, kind = question.name, dns.rdatatype.to_text(question.rdtype)
        for _ in range(_MAX_ALIASES):
            known = self.zone.get(b".".join(name.labels[:-1]).lower())
            if known is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif kind in known or "TIMEOUT" in known:
                values = known.get(kind, ["TIMEOUT"])
                if "TIMEOUT" in values:
                    return None
                answer.answer.append(_rrset(name, kind, values))
            elif "CNAME" in known:
                answer.answer.append(_rrset(name, "CNAME", known["CNAME"]))
                name = dns.name.from_text(known["CNAME"][0])
                continue
            break
        else:
            answer.set_rcode(dns.rcode.SERVFAIL)
        try:
            return answer.to_wire(max_size=max_bytes)
        except Exception:  # noqa: BLE001 - the answer is too large: the server cuts it, and the client asks again over TCP
            cut = dns.message.make_response(query)
            cut.flags |= dns.flags.TC
            return cut.to_wire()


def _by_type(entries: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for entry in entries:
        if entry == "TIMEOUT":
            found["TIMEOUT"] = []
        else:
            for kind, value in entry.items():
                found.setdefault(kind, []).append(value)
    spf = found.pop("SPF", [])
    if spf and "TXT" not in found:
        found["TXT"] = spf
    if found.get("TXT") == ["NONE"]:
        del found["TXT"]
    return found


def _rrset(name: dns.name.Name, kind: str, values: Sequence[Any]) -> dns.rrset.RRset:
    rdatas = [_rdata(kind, value) for value in values]
    rrset = dns.rrset.RRset(name, dns.rdataclass.IN, dns.rdatatype.from_text(kind))
    rrset.update_ttl(60)
    for rdata in rdatas:
        rrset.items[rdata] = None  # in the suite's order
    return rrset


def _rdata(kind: str, value: Any) -> dns.rdata.Rdata:
    if kind == "TXT":
        strings = (value or [""]) if isinstance(value, list) else [value]
        wire = b"".join(
            bytes([len(one)]) + one for one in (part.encode("utf-8", "surrogateescape") for part in strings)
        )
        return dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.TXT, wire, 0, len(wire))
    text = f"{value[0]} {value[1] or '.'}" if kind == "MX" else str(value)
    if kind in ("MX", "PTR", "CNAME"):
        text = text if text.endswith(".") else text + "."
    return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), text)
