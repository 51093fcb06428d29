"""The cost of a DKIM signature, compared with dkimpy: `python -m bench.signing`.

Measures the CPU time of one thread for a message of 5 kB, which comes in one piece: the body's digest and the signature. Our key
is loaded before, as in a worker. dkimpy loads its key each time, because its interface requires it. Both take turns; a ratio is
the median over the rounds. Also measures a 30 MB body in pieces as Postfix sends them. Exit 1 if the goal is missed.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bench import report
from mailweir import dkim_signing
from mailweir.dkim_canonical import RelaxedBody
from mailweir.dkim_signing import SigningKey
from mailweir.headers import Header

GOAL_MS = 1.0
BODY_BYTES = 5_000
LARGE_BYTES = 30_000_000
PIECE_BYTES = 65_535  # the milter protocol's
HEADERS: list[Header] = [
    (b"Received", b" from mail.google.example by mx.host.example"),
    (b"From", b" Richard <richard@firm.example>"),
    (b"To", b" Jane <jane@client.example>"),
    (b"Subject", b" An offer"),
    (b"Message-ID", b" <1@firm.example>"),
    (b"Date", b" Tue, 24 Nov 2026 03:12:55 +0000"),
    (b"MIME-Version", b" 1.0"),
    (b"Content-Type", b' text/plain; charset="utf-8"'),
    (b"References", b" <0@client.example>"),
]
LINE = b"The quick brown fox jumps over  the lazy dog. \r\n"


def main() -> int:
    """Measures and prints; returns the exit code."""
    options = _options()
    private, _ = dkim_signing.generate()
    key = SigningKey("firm.example", "mw1", private)
    body = LINE * (BODY_BYTES // len(LINE))
    theirs = _dkimpy(private, body)
    ours_ms, theirs_ms = [], []
    for number in range(options.rounds):
        ours_ms.append(_milliseconds(lambda: _sign(key, body, len(body)), options.messages))
        theirs_ms.append(_milliseconds(theirs, max(1, options.messages // 10)))
        print(
            f"round {number + 1} of {options.rounds}: {ours_ms[-1]:.3f} ms, dkimpy {theirs_ms[-1]:.3f} ms",
            file=sys.stderr,
        )
    large = LINE * (LARGE_BYTES // len(LINE))
    large_ms = _milliseconds(lambda: _sign(key, large, PIECE_BYTES), 1)
    found = {
        "machine": report.machine(),
        "milliseconds": round(statistics.median(ours_ms), 3),
        "dkimpy_milliseconds": round(statistics.median(theirs_ms), 3),
        "ratio": round(statistics.median(a / b for a, b in zip(ours_ms, theirs_ms, strict=True)), 3),
        "milliseconds_30_mb": round(large_ms),
    }
    if options.json:
        print(json.dumps(found))
    else:
        print(
            f"a signature of {BODY_BYTES:,} bytes takes {found['milliseconds']} ms of CPU (goal: {GOAL_MS}), "
            f"{found['ratio']} of dkimpy's {found['dkimpy_milliseconds']} ms; of 30 MB {found['milliseconds_30_mb']} ms"
        )
    return 0 if options.no_goal or statistics.median(ours_ms) <= GOAL_MS else 1


def _sign(key: SigningKey, body: bytes, piece_bytes: int) -> None:
    digest = RelaxedBody()
    for at in range(0, len(body), piece_bytes):
        digest.update(body[at : at + piece_bytes])
    key.signature(HEADERS, digest.digest(), datetime.now(UTC))


def _dkimpy(private_der: bytes, body: bytes) -> Callable[[], object]:
    import dkim
    from cryptography.hazmat.primitives import serialization

    opened = serialization.load_der_private_key(private_der, None)
    pem = opened.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    raw = b"".join(b"%s:%s\r\n" % header for header in HEADERS) + b"\r\n" + body
    names = dkim_signing.signed_names(HEADERS)
    return lambda: dkim.sign(
        raw, b"mw1", b"firm.example", pem, canonicalize=(b"relaxed", b"relaxed"), include_headers=names
    )


def _milliseconds(work: Callable[[], object], times: int) -> float:
    work()
    begun = time.thread_time()
    for _ in range(times):
        work()
    return (time.thread_time() - begun) / times * 1_000


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The cost of a DKIM signature, compared with dkimpy.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=500, help="our signatures in a round; dkimpy makes a tenth")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-goal", action="store_true", help="exit 0 however slow it is")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
