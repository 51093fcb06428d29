"""A small DNS server on loopback, UDP and TCP, that answers from a dictionary.

Lets the demo publish a DKIM key that nobody else sees. Never asks another server, and listens only on 127.0.0.1. Called by
`scenario`, and by tests, which make it fail.
"""

import socketserver
import struct
import threading
from collections.abc import Mapping, Sequence
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

HOST = "127.0.0.1"
TTL_SECONDS = 60
MAX_UDP_BYTES = 512  # RFC 1035 4.2.1; a longer answer is cut, and the client asks again over TCP
_PORT_TRIES = 20

Records = Mapping[tuple[str, str], Sequence[str]]


class ZoneServer:
    """Serves while it is entered as a context.

    records: the key is (name without the final dot, type), the values are as in a zone file. A name that only has records of
    other types is answered with no data, an unknown name with NXDOMAIN.
    """

    def __init__(self, records: Records) -> None:
        self.records: dict[tuple[str, str], Sequence[str]] = dict(records)
        self._udp, self._tcp = _bind_both(self)
        self.port: int = self._udp.server_address[1]
        self._threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            for server in (self._udp, self._tcp)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()

    def reply(self, wire: bytes, max_bytes: int) -> bytes | None:
        """The reply to a query, or None for silence. Only queries are answered."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if query.rcode() != dns.rcode.NOERROR or len(query.question) != 1:
            return None
        answer = self.answer(query)
        try:
            return answer.to_wire(max_size=max_bytes)
        except dns.exception.TooBig:
            cut = dns.message.make_response(query)
            cut.flags |= dns.flags.TC
            return cut.to_wire()

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The answer to a query with one question, by the records."""
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        values = self.records.get((name, dns.rdatatype.to_text(question.rdtype)))
        if values:
            answer.answer.append(dns.rrset.from_text(question.name, TTL_SECONDS, "IN", question.rdtype, *values))
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


class _Server(socketserver.ThreadingMixIn):
    daemon_threads = True
    zone: ZoneServer


class _UdpServer(_Server, socketserver.UDPServer):
    pass


class _TcpServer(_Server, socketserver.TCPServer):
    allow_reuse_address = True


class _UdpHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _UdpServer)
        wire, sock = self.request
        reply = self.server.zone.reply(wire, MAX_UDP_BYTES)
        if reply is not None:
            sock.sendto(reply, self.client_address)


class _TcpHandler(socketserver.StreamRequestHandler):
    timeout = 5  # seconds

    def handle(self) -> None:
        assert isinstance(self.server, _TcpServer)
        length = self.rfile.read(2)
        if len(length) < 2:
            return
        reply = self.server.zone.reply(self.rfile.read(struct.unpack("!H", length)[0]), 65_535)
        if reply is not None:
            self.wfile.write(struct.pack("!H", len(reply)) + reply)


def _bind_both(zone: ZoneServer) -> tuple[_UdpServer, _TcpServer]:
    """UDP and TCP on one port that is free for both."""
    for tries_left in reversed(range(_PORT_TRIES)):
        tcp = _TcpServer((HOST, 0), _TcpHandler)
        try:
            udp = _UdpServer(tcp.server_address, _UdpHandler)
        except OSError:
            tcp.server_close()
            if not tries_left:
                raise
            continue
        tcp.zone = udp.zone = zone
        return udp, tcp
    raise AssertionError("not reached")
