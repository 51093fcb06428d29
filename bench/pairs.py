"""Compares two versions of the filter in one run: `python -m bench.pairs OLD.whl NEW.whl`.

Installs each wheel into a virtual environment of its own, which also sees this environment's packages, and measures both in turn,
each on its own stack. The result is the median of the pairs' ratios, with its interval of 95 %: within a run, the machine's speed
changes by more than the two versions differ. Exit 1 if the whole interval of the CPU's ratio is above the goal. Needs root;
progress goes to stderr.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import report, rounds, stack, variants
from bench.rounds import Load, Measurement
from bench.stack import BenchError, Stack
from bench.variants import Variant
from mailweir.errors import MailweirError

GOAL = 1.03
_LEVEL = 0.95
_VARIANTS = {"captured": variants.CAPTURED, "ignored": variants.IGNORED, "relay": variants.RELAYED}

Pair = tuple[Measurement, Measurement]


def main() -> int:
    """Measures and prints; the exit code."""
    options = _options()
    chosen = [_VARIANTS[name] for name in options.variants]
    load = Load(options.messages, min(options.messages, rounds.SESSIONS * 10), keep_connections=False)
    try:
        with _stacks(options.old, options.new, chosen) as stacks:
            pairs = _measure(stacks, chosen, options.pairs, load)
    except MailweirError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    rows = [_row(variant, pairs[variant]) for variant in chosen]
    if options.json:
        found = {"machine": report.machine(), "pairs": options.pairs, "variants": [asdict(row) for row in rows]}
        print(json.dumps(found, indent=2))
    else:
        _print(options, rows)
    return 1 if any(row.cpu.low > GOAL for row in rows) else 0


@contextmanager
def _stacks(old: Path, new: Path, chosen: Sequence[Variant]) -> Iterator[tuple[Stack, Stack]]:
    """A running stack with its own database for each wheel, because a newer version may need a newer schema."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="mailweir-pairs-", dir="/var/tmp")))
        folder.chmod(0o711)
        programs = [_install(wheel, folder / name) for wheel, name in ((old, "old"), (new, "new"))]
        first, second = (opened.enter_context(stack.running(chosen, programs=each)) for each in programs)
        yield first, second


def _install(wheel: Path, folder: Path) -> Path:
    """The folder of the wheel's programs, in a virtual environment that also has this one's packages."""
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
    _run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(folder / "bin" / "python"),
        "install",
        "-q",
        "--no-deps",
        str(wheel),
    )
    return folder / "bin"


def _run(*arguments: str) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(arguments[1:3])}: {done.stderr.strip().splitlines()[-1]}")


def _measure(
    stacks: tuple[Stack, Stack], chosen: Sequence[Variant], count: int, load: Load
) -> dict[Variant, list[Pair]]:
    """Every other pair begins with the new version, so that neither version always comes first."""
    found: dict[Variant, list[Pair]] = {variant: [] for variant in chosen}
    for number in range(count):
        for variant in chosen:
            order = stacks if number % 2 == 0 else stacks[::-1]
            measured = {id(each): rounds.measure_one(each, variant, load) for each in order}
            old, new = (measured[id(each)] for each in stacks)
            found[variant].append((old, new))
            said = f"pair {number + 1} of {count}: {variant.name}: {_cpu(new) / _cpu(old):.3f}"
            print(f"bench: {said}", file=sys.stderr, flush=True)
    return found


@dataclass(frozen=True, slots=True)
class Interval:
    """The median of the pairs' ratios, new to old, and the bounds of its 95 % confidence interval."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """A variant's figures. Seconds: of the filter's CPU for 1,000 messages."""

    variant: str
    old_cpu_seconds: float
    new_cpu_seconds: float
    cpu: Interval
    messages_a_second: Interval


def _row(variant: Variant, pairs: Sequence[Pair]) -> Row:
    old, new = (statistics.median(_cpu(each) for each in side) for side in zip(*pairs, strict=True))
    cpu = interval([_cpu(new) / _cpu(old) for old, new in pairs])
    speed = interval([new.messages_a_second / old.messages_a_second for old, new in pairs])
    return Row(variant.name, round(old, 3), round(new, 3), cpu, speed)


def _cpu(measured: Measurement) -> float:
    """The filter's seconds for 1,000 messages."""
    return (measured.filter_cpu_seconds or math.nan) / measured.messages * 1000


def interval(ratios: Sequence[float]) -> Interval:
    """The interval by ranks (binomial), for any distribution of the ratios."""
    ordered, count = sorted(ratios), len(ratios)
    rank = 0
    while rank + 1 < count // 2 and 1 - 2 * _binomial(count, rank + 1) >= _LEVEL:
        rank += 1
    return Interval(round(statistics.median(ordered), 3), round(ordered[rank], 3), round(ordered[count - 1 - rank], 3))


def _binomial(count: int, most: int) -> float:
    """The probability that at most this many of `count` lie below the median."""
    return float(sum(math.comb(count, each) for each in range(most + 1)) / 2**count)


def _print(options: argparse.Namespace, rows: Sequence[Row]) -> None:
    table = Table(
        title=f"{options.old.name} and {options.new.name}, {datetime.now(UTC):%Y-%m-%d}", title_justify="left"
    )
    for head in ("variant", "filter CPU s per 1,000: old", "new", "new to old", "messages/s, new to old"):
        table.add_column(head, justify="left" if head == "variant" else "right")
    for row in rows:
        table.add_row(
            row.variant,
            f"{row.old_cpu_seconds:.3f}",
            f"{row.new_cpu_seconds:.3f}",
            _text(row.cpu),
            _text(row.messages_a_second),
        )
    console = Console()
    console.print(table)
    console.print(
        f"Medians of {options.pairs} interleaved pairs of {options.messages} messages, with the interval of 95 %."
        f" Goal: CPU at most {GOAL}. {report.machine()}"
    )


def _text(found: Interval) -> str:
    return f"{found.median:.3f} ({found.low:.3f} to {found.high:.3f})"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.pairs", description="Two versions of the filter in one run.")
    parser.add_argument("old", type=Path, help="a wheel")
    parser.add_argument("new", type=Path, help="a wheel")
    parser.add_argument("--pairs", type=int, default=15, help="default 15; fewer than 6 have no interval of 95 %%")
    parser.add_argument("--messages", type=int, default=900, help="a round and variant; default 900")
    parser.add_argument("--variants", nargs="+", choices=sorted(_VARIANTS), default=["captured", "ignored"])
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
