"""Whole messages, read and carried through the frame, for `make fuzz`: mutated mails, and lines of several mails combined.

    python -m tests.fuzz.messages [--seconds 600] [--seed N]

Prints its progress. At the first finding it writes the mail into the temporary folder, prints the path, and exits 1.
"""

import argparse
import hashlib
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from mailweir.reading import frame, message
from tests.conftest import shared_folder
from tests.unit.reading import properties
from tests.unit.reading.mails import part
from tests.unit.reading.test_any_mail import MADE, mutated

MAX_BYTES = 100_000
MAX_SECONDS = 2.0
_PROGRESS_SECONDS = 30.0
_KINDS = (
    "text/plain",
    "text/html",
    "text/plain; format=flowed; delsp=yes",
    "text/calendar",
    "multipart/mixed; boundary=x",
)


def seeds() -> list[bytes]:
    """Mails of at most MAX_BYTES; only the generated ones if there is no shared folder."""
    paths = sorted(path for path in (shared_folder() / "corpus").rglob("*") if path.suffix in (".eml", ".raw", ".txt"))
    return [*MADE, *(raw for raw in (path.read_bytes() for path in paths) if len(raw) <= MAX_BYTES)]


def changed(raws: Sequence[bytes], chance: random.Random) -> bytes:
    """A changed mail, or a mail made of lines of several mails."""
    if chance.random() < 0.5:
        return mutated(chance.choice(raws), chance)
    lines = [line for raw in chance.choices(raws, k=3) for line in raw.splitlines(keepends=True)] or [b"\n"]
    begin = chance.randrange(len(lines))
    chosen = [*lines[begin : begin + 20], *chance.choices(lines, k=chance.randint(0, 40))]
    chance.shuffle(chosen)
    joined = b"".join(line.rstrip(b"\r\n") if chance.random() < 0.2 else line for line in chosen)
    subject = chance.choice(("x", "Re: x", "Fwd: x"))
    return mutated(part(chance.choice(_KINDS), joined, headers=f"Subject: {subject}"), chance)


def check(raw: bytes, slowness: float = 1) -> None:
    """Nothing raises, the result is reproducible, the frame preserves it, and it doesn't take long.

    slowness: the factor by which everything is slower while branches are counted.
    """
    begun = time.thread_time()
    found = message.read(raw)
    took = time.thread_time() - begun
    assert took < MAX_SECONDS * slowness, f"{took:.2f} s for {len(raw)} bytes"
    assert message.read(raw) == found
    assert frame.unpack(frame.pack(found)) == found
    properties.check(raw)


def main() -> int:
    """Returns 0 if all properties held for the whole time, 1 at the first finding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=None, help="of the random numbers, to repeat a run")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    raws = seeds()
    print(f"seed {seed}, {arguments.seconds:.0f} s, {len(raws)} mails", flush=True)
    chance = random.Random(seed)
    begun = said = time.monotonic()
    ran = 0
    while time.monotonic() - begun < arguments.seconds:
        raw = changed(raws, chance)
        try:
            check(raw)
        except Exception:  # noqa: BLE001  any exception is a finding
            return _report(raw)
        ran += 1
        if time.monotonic() - said > _PROGRESS_SECONDS:
            said = time.monotonic()
            print(f"{said - begun:.0f} s: {ran} mails", flush=True)
    print(f"nothing found in {time.monotonic() - begun:.0f} s: {ran} mails")
    return 0


def _report(raw: bytes) -> int:
    traceback.print_exc()
    path = Path(tempfile.gettempdir()) / f"mailweir-fuzz-{hashlib.sha256(raw).hexdigest()[:12]}.eml"
    path.write_bytes(raw)
    print(f"\nfound, {len(raw)} bytes: {path}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
