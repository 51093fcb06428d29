"""Hostile lines of Dovecot's authentication protocol: a million to the conversation, and as many to a real `mailweir-auth`.

Nothing raises except Malformed, and no stored data grows. Afterwards the process is the same one, isn't larger, and accepts a
login. `make fuzz` runs it; `test_auth_lines` runs a short form of it.
"""

import argparse
import base64
import contextlib
import random
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

from bench.auth_site import LOGIN, PASSWORD, Site, running
from bench.processes import descendants, memory_bytes
from postfix import auth_protocol
from postfix.auth_protocol import Conversation, Question, Refusal
from postfix.malformed import Malformed

LINES_A_CONNECTION = 50
MAX_GROWTH_BYTES = 4_000_000  # growth in the second half; the first half fills the allocator's cache
_PROGRESS_LINES = 200_000
_COMMANDS = (b"AUTH", b"CONT", b"CANCEL", b"VERSION", b"CPID", b"auth", b"", b"OK", b"FAIL", b"\0", b"AUTH ")
_IDS = (b"1", b"2", b"0", b"-1", b"4294967295", b"99999999999", b"", b"x", b"1\x0b", "１".encode())
_PARAMETERS = (
    *(b"secured", b"nologin", b"service=smtp", b"lip=192.0.2.1", b"rip=192.0.2.7", b"rip=\xff", b"rip=", b"resp=", b"resp=="),
    *(b"no-penalty", b"resp=\xff", b"user=root", b"OK\t1\tuser=root", b"PLAIN", b"LOGIN", b"plain", b"CRAM-MD5", b""),
)  # fmt: skip
_SPICE = (b"\t", b"\0", b"\xff", b"=", b"\r", b" ", b"\x01", "\u202e".encode(), b"A" * 100, b"\t" * 50)


def hostile_line(chance: random.Random) -> bytes:
    """A line without its LF: from nearly right to complete nonsense."""
    fields = [chance.choice(_COMMANDS), chance.choice(_IDS), *chance.choices(_PARAMETERS, k=chance.randrange(6))]
    if chance.random() < 0.5:
        fields = [b"AUTH", b"1", chance.choice((b"PLAIN", b"LOGIN")), b"secured", *fields[2:]]
    if chance.random() < 0.1:
        fields = [
            *fields[:4],
            b"resp=" + base64.b64encode(b"\0" + LOGIN + b"\0" + chance.randbytes(8).replace(b"\0", b"")),
        ]
    elif chance.random() < 0.4:
        response = b"\0".join(
            chance.choices((LOGIN, b"", b"\xff", b"x" * chance.randrange(2_000)), k=chance.randrange(5))
        )
        fields.append(b"resp=" * chance.randrange(2) + base64.b64encode(response))
    line = b"\t".join(fields)
    for _ in range(chance.randrange(3)):
        at = chance.randint(0, len(line))
        line = line[:at] + chance.choice(_SPICE) + line[at + chance.randrange(3) :]
    return line.replace(b"\n", b"")


def converse(lines: int, chance: random.Random) -> dict[str, int]:
    """Feeds this many lines to conversations, each until it is malformed; counts the results. AssertionError at a finding."""
    came: dict[str, int] = {}
    conversation = Conversation()
    tracemalloc.start()
    try:
        for number in range(lines):
            if number == lines // 10:
                begun, _ = tracemalloc.get_traced_memory()
            found: bytes | Question | Refusal | Malformed | None
            try:
                found = conversation.receive(b"VERSION\t1\t0" if number % 7 == 0 else hostile_line(chance))
            except Malformed:
                found, conversation = Malformed(), Conversation()
            assert found is None or isinstance(found, bytes | Question | Refusal | Malformed)
            assert not isinstance(found, bytes) or (found.startswith(b"CONT\t") and found.count(b"\n") == 1)
            came[type(found).__name__] = came.get(type(found).__name__, 0) + 1
            if number % _PROGRESS_LINES == _PROGRESS_LINES - 1:
                print(f"conversation: {number + 1} lines, {came}", flush=True)
        assert tracemalloc.get_traced_memory()[0] - begun < 1_000_000
    finally:
        tracemalloc.stop()
    return came


def _warm_up(site: Site) -> None:
    """Each of its threads compares a password: that takes 8 MB, which the allocator keeps."""
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: site.proves(), range(40)))


def attack(lines: int, chance: random.Random) -> None:
    """Sends so many lines to a real process, over connections that end in the middle. AssertionError at a finding."""
    with running() as site:
        _warm_up(site)
        before = descendants(site.pid)
        base = 0
        for number in range(0, lines, LINES_A_CONNECTION):
            with site.connect() as client:
                sent = b"".join(hostile_line(chance) + b"\n" for _ in range(LINES_A_CONNECTION))
                if chance.random() < 0.02:
                    sent = b"A" * (auth_protocol.MAX_LINE_BYTES + 1) + sent
                with contextlib.suppress(ConnectionError):  # it hung up on a malformed line
                    client.sendall(sent[: chance.randrange(len(sent))] if chance.random() < 0.2 else sent)
                client.settimeout(0.001 if chance.random() < 0.9 else 0.05)
                with contextlib.suppress(ConnectionError, TimeoutError):
                    client.recv(4096)
            if number <= lines // 2:
                base = memory_bytes(site.pid)
            if number % _PROGRESS_LINES == 0:
                print(f"process: {number} lines, {memory_bytes(site.pid) / 1e6:.1f} MB", flush=True)
        assert site.proves()
        assert descendants(site.pid) == before, site.log.read_text()[-2000:]
        assert memory_bytes(site.pid) - base < MAX_GROWTH_BYTES
        said = site.log.read_text()
        assert "Traceback" not in said
        assert PASSWORD.decode() not in said


def main() -> int:
    """Returns 0 if nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=None, help="of the random numbers, to repeat a run")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}, {arguments.lines} lines", flush=True)
    print(f"conversation: {converse(arguments.lines, random.Random(seed))}", flush=True)
    attack(arguments.lines, random.Random(seed))
    print("nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
