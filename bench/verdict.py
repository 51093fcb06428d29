"""The cost of verifying a DKIM signature, compared with dkimpy: `python -m bench.verdict`.

Measures the CPU time of one thread for a signed message of 5 kB, 38 kB and 1 MB (half HTML with indented lines, half a base64
attachment): splitting the message, the body's digest, the signature. No DNS: the key's record is given. Both take turns; ratios
are medians over the rounds. Exit 1 if a goal is missed.
"""

import argparse
import base64
import json
import random
import statistics
import sys
import time
from collections.abc import Callable

import dkim

from admin_cli.demo import signing
from admin_cli.demo.signing import SigningKey
from bench import report
from mailweir import dkim_message, dkim_verifying

SIZES = (5_000, 38_000, 1_000_000)
GOAL_RATIO = 0.3  # share of dkimpy's time, at each size
HEADERS = (
    b"Received: from mail.client.example by mx.host.example with ESMTPS\r\n\tfor <richard@demo.example.net>;"
    b" Tue, 24 Nov 2026 03:12:55 +0000\r\nFrom: Jane <jane@client.example>\r\nTo: Richard <richard@firm.example>\r\n"
    b"Subject: An offer\r\nMessage-ID: <1@client.example>\r\nDate: Tue, 24 Nov 2026 03:12:55 +0000\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="x"\r\nReferences: <0@firm.example>\r\nX-Mailer: something 1.0\r\n\r\n'
)
LINE = b'      <td class="a">The quick brown fox jumps over the lazy dog, as it always has done.</td> \r\n'


def main() -> int:
    """Measures and prints; returns the exit code."""
    options = _options()
    key = SigningKey.generate()
    record = f"v=DKIM1; k=rsa; p={key.public}".encode()
    found = {size: _compared(key, record, size, options.rounds) for size in SIZES}
    if options.json:
        print(json.dumps({"machine": report.machine(), "sizes": found}))
    else:
        for size, one in found.items():
            print(
                f"{size:>9,} bytes: {one['milliseconds']:.3f} ms of CPU, {one['ratio']:.3f} of dkimpy's"
                f" {one['dkimpy_milliseconds']:.2f} ms (goal: {GOAL_RATIO})"
            )
    missed = any(one["ratio"] > GOAL_RATIO for one in found.values())
    return 1 if missed and not options.no_goal else 0


def _compared(key: SigningKey, record: bytes, size: int, rounds: int) -> dict[str, float]:
    raw = signing.sign(HEADERS + _body(size), key, selector="sel", domain="client.example")
    times = max(2, 2_000_000 // size)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_milliseconds(lambda: _ours(raw, record), times))
        theirs.append(_milliseconds(lambda: _dkimpys(raw, record), max(2, times // 4)))
    return {
        "milliseconds": round(statistics.median(ours), 4),
        "dkimpy_milliseconds": round(statistics.median(theirs), 3),
        "ratio": round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 4),
    }


def _body(size: int) -> bytes:
    file = base64.encodebytes(random.Random(1).randbytes(size * 3 // 8)).replace(b"\n", b"\r\n")
    return (LINE * (size // 2 // len(LINE)) + file)[:size] + b"\r\n"


def _ours(raw: bytes, record: bytes) -> bool:
    message = dkim_message.read(raw)
    assert message
    signature = dkim_verifying.read(message.named(b"dkim-signature")[0])
    found = dkim_verifying.check(message, signature, lambda _: record, time.time())
    return found.is_good is True


def _dkimpys(raw: bytes, record: bytes) -> bool:
    return bool(dkim.verify(raw, dnsfunc=lambda name, timeout=5: record))


def _milliseconds(work: Callable[[], bool], times: int) -> float:
    assert work()
    begun = time.thread_time()
    for _ in range(times):
        work()
    return (time.thread_time() - begun) / times * 1_000


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The cost of verifying a DKIM signature, compared with dkimpy.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-goal", action="store_true", help="exit 0 however slow it is")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
