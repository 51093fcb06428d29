"""`make fuzz`: mutants for FUZZ_SECONDS. Prints its progress; at a finding prints the input and how to keep it, and exits 1."""

import argparse
import hashlib
import random
import sys
import time
import traceback

from tests.fuzz import properties

_PROGRESS_SECONDS = 30.0


def main() -> int:
    """Returns 0 if all properties held for the whole time, 1 at the first finding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=None, help="of the random numbers, to repeat a run")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}, {arguments.seconds:.0f} s", flush=True)
    chance = random.Random(seed)
    begun = said = time.monotonic()
    ran = dict.fromkeys(properties.PROPERTIES, 0)
    while time.monotonic() - begun < arguments.seconds:
        for name in properties.PROPERTIES:
            raw = properties.mutated(name, chance)
            try:
                properties.check(name, raw)
            except Exception:  # noqa: BLE001  any exception is a finding
                return _report(name, raw)
            ran[name] += 1
        if time.monotonic() - said > _PROGRESS_SECONDS:
            said = time.monotonic()
            print(f"{said - begun:.0f} s: {ran}", flush=True)
    print(f"nothing found in {time.monotonic() - begun:.0f} s: {ran}")
    return 0


def _report(name: str, raw: bytes) -> int:
    traceback.print_exc()
    file = f"tests/fuzz/corpus/{name}/{hashlib.sha256(raw).hexdigest()[:12]}"
    print(f"\nfound ({name}, {len(raw)} bytes): {raw!r}")
    print(f"keep it as a seed: xxd -r -p > {file} <<< {raw.hex()}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
