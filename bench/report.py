"""The figures of all rounds as a table or as JSON, and whether the goals are reached. Called by `run`."""

import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import variants
from bench.rounds import Measurement
from bench.variants import CAPTURED, IGNORED, LOGIN_RELAYED, RELAYED, Filter, Variant

GOALS_OF_NOOP = {"sqlite": {CAPTURED: 1.3, IGNORED: 1.4}, "postgresql": {CAPTURED: 1.1}}
GOAL_OF_NOOP_RELAYED = 0.85
GOAL_CPU_OF_NOOP_WITH_LOGIN = 1.10
GOAL_OF_NOOP_WITH_SLOW_FSYNC = 0.8
GOAL_IDLE_BYTES = 60_000_000


@dataclass(frozen=True, slots=True)
class Summary:
    """A variant's figures, as medians over its rounds. slowest, fastest: messages a second. of_postfix_alone, of_noop: messages a
    second as a ratio to that variant on the same service. cpu_of_noop: the same for the CPU of all processes. A ratio is the
    median of each round's own ratio, because the machine's speed changes from round to round."""

    variant: Variant
    messages_a_second: float
    slowest: float
    fastest: float
    postfix_cpu_seconds_a_thousand: float
    filter_cpu_seconds_a_thousand: float | None
    filter_peak_bytes: int | None
    filter_idle_bytes: int | None
    of_postfix_alone: float | None
    of_noop: float | None
    cpu_of_noop: float | None


def summarise(measured: dict[Variant, list[Measurement]]) -> list[Summary]:
    """One summary for each variant, in order."""
    return [_summarise_one(variant, rounds, measured) for variant, rounds in measured.items()]


def _summarise_one(variant: Variant, rounds: list[Measurement], measured: dict[Variant, list[Measurement]]) -> Summary:
    speeds = [each.messages_a_second for each in rounds]
    filter_cpu = [_a_thousand(m.filter_cpu_seconds, m) for m in rounds if m.filter_cpu_seconds is not None]
    return Summary(
        variant,
        statistics.median(speeds),
        min(speeds),
        max(speeds),
        statistics.median(_a_thousand(each.postfix_cpu_seconds + each.other_cpu_seconds, each) for each in rounds),
        statistics.median(filter_cpu) if filter_cpu else None,
        max((each.filter_peak_bytes for each in rounds if each.filter_peak_bytes is not None), default=None),
        max((each.filter_idle_bytes for each in rounds if each.filter_idle_bytes is not None), default=None),
        _ratio(rounds, _beside(variant, Filter.NONE, measured), _speed),
        _ratio(rounds, _beside(variant, Filter.NOOP, measured), _speed),
        _ratio(rounds, _beside(variant, Filter.NOOP, measured), lambda each: _a_thousand(each.cpu_seconds, each)),
    )


def _beside(
    variant: Variant, which: Filter, measured: dict[Variant, list[Measurement]]
) -> Sequence[Measurement] | None:
    other = variants.beside(variant, which)
    return measured.get(other) if other else None


def _speed(measured: Measurement) -> float:
    return measured.messages_a_second


def _a_thousand(seconds: float, measured: Measurement) -> float:
    return seconds / measured.messages * 1000


def _ratio(
    rounds: Sequence[Measurement], others: Sequence[Measurement] | None, figure: Callable[[Measurement], float]
) -> float | None:
    if others is None:
        return None
    return statistics.median(figure(one) / figure(other) for one, other in zip(rounds, others, strict=True))


def missed(summaries: Sequence[Summary], database: str, fsync_delay_ms: float) -> list[str]:
    """A line for each goal that isn't reached. database: `sqlite` or `postgresql`."""
    goals = GOALS_OF_NOOP[database]
    if fsync_delay_ms:
        goals = dict.fromkeys(goals, GOAL_OF_NOOP_WITH_SLOW_FSYNC)
    goals = {**goals, RELAYED: GOAL_OF_NOOP_RELAYED}
    too_large = [
        f"{each.variant.name}: an idle worker takes {(each.filter_idle_bytes or 0) / 1e6:.0f} MB, and 60 MB is the goal"
        for each in summaries
        if each.variant.filter is Filter.OURS and (each.filter_idle_bytes or 0) > GOAL_IDLE_BYTES
    ]
    too_slow = [
        f"{each.variant.name}: {each.of_noop:.2f} of the no-op filter in C, and {least} is the goal"
        for each in summaries
        for least in (goals.get(each.variant),)
        if least is not None and each.of_noop is not None and each.of_noop < least
    ]
    too_dear = [
        f"{each.variant.name}: {each.cpu_of_noop:.2f} times the CPU with the no-op filter in C, and"
        f" {GOAL_CPU_OF_NOOP_WITH_LOGIN} is the goal"
        for each in summaries
        if each.variant == LOGIN_RELAYED and (each.cpu_of_noop or 0) > GOAL_CPU_OF_NOOP_WITH_LOGIN
    ]
    return too_large + too_slow + too_dear


def as_table(summaries: Sequence[Summary], title: str, caption: str) -> Table:
    """The table that is printed."""
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    table.add_column("variant")
    for heading in (
        "messages/s",
        "slowest–fastest",
        "of Postfix alone",
        "of C no-op",
        "CPU of C no-op",
        "filter CPU s per 1,000",
        "Postfix CPU s per 1,000",
        "filter idle MB",
        "filter peak MB",
    ):
        table.add_column(heading, justify="right")
    for each in summaries:
        table.add_row(
            each.variant.name,
            f"{each.messages_a_second:,.0f}",
            f"{each.slowest:,.0f}–{each.fastest:,.0f}",
            _figure(each.of_postfix_alone),
            _figure(each.of_noop),
            _figure(each.cpu_of_noop),
            _figure(each.filter_cpu_seconds_a_thousand),
            _figure(each.postfix_cpu_seconds_a_thousand),
            f"{each.filter_idle_bytes / 1e6:.0f}" if each.filter_idle_bytes else "–",
            f"{each.filter_peak_bytes / 1e6:.0f}" if each.filter_peak_bytes else "–",
        )
    return table


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def as_json(summaries: Sequence[Summary], conditions: dict[str, Any], failures: Sequence[str]) -> dict[str, Any]:
    """Everything in the table, for programs."""
    rows = [
        {
            "variant": each.variant.name,
            "messages_per_second": round(each.messages_a_second, 1),
            "slowest": round(each.slowest, 1),
            "fastest": round(each.fastest, 1),
            "filter_cpu_seconds_per_1000": each.filter_cpu_seconds_a_thousand,
            "postfix_cpu_seconds_per_1000": each.postfix_cpu_seconds_a_thousand,
            "filter_peak_bytes": each.filter_peak_bytes,
            "filter_idle_bytes": each.filter_idle_bytes,
            "of_postfix_alone": each.of_postfix_alone,
            "of_noop_filter": each.of_noop,
            "cpu_of_noop_filter": each.cpu_of_noop,
        }
        for each in summaries
    ]
    return {**conditions, "variants": rows, "goals_missed": list(failures)}


def machine() -> str:
    """The machine of the measurement, in a line."""
    cpuinfo = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    lines = cpuinfo.splitlines()
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    cores = sum(line.startswith("processor") for line in lines)
    return f"{cores} × {' / '.join(sorted(models)) or platform.machine()}, Linux {platform.release()}"


def print_table(summaries: Sequence[Summary], now: datetime, remark: str) -> None:
    """The table on stdout."""
    title = f"Mailweir throughput, {now:%Y-%m-%d %H:%M} UTC, {machine()}"
    Console(width=None if sys.stdout.isatty() else 150).print(as_table(summaries, title, remark))
