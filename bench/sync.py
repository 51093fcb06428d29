"""The cost of the sync: `python -m bench.sync`. Measures `mailweir-gmail-sync` itself, with a load server in place of Gmail.

Measures an idle sweep (with cached access tokens), a matched message from list to commit, and memory. Measures the CPU of both
again with many contacts and with large mailboxes, and prints the ratios. Exit 1 if a goal is missed.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import report
from bench.processes import cpu_seconds, peak_memory_bytes
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from tests import postgresql
from tests.gmail import load_client
from tests.gmail.load_mail import Mix
from tests.gmail.load_site import LoadSite
from tests.gmail.processes import SyncProcess

# CPU of an idle sweep and of a matched message in ms; a sweep of all mailboxes in s; memory in MB
GOALS = {"idle_calls": 1.0, "idle_ms": 0.4, "sweep_s": 40.0, "matched_ms": 1.5, "peak_mb": 150.0}
KINDS = ("sqlite", "postgresql")
_SETTINGS = "sweep_seconds = 1800\naudit_hours = 0\nuser_units_per_minute = 10000000\n"
_MESSAGES, _BOXES_WITH_MAIL = 20, 100
_DAY_POLLS, _DAY_MAIL, _USERS = 1440, 60, 10_000
_WAIT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One site's figures; see GOALS."""

    idle_calls: float
    idle_ms: float
    sweep_s: float
    matched_ms: float
    peak_mb: float


def main() -> int:
    """Measures and prints; returns the exit code."""
    options = _options()
    found: dict[str, Measured] = {}
    for kind in KINDS:
        found[kind] = _measured(options.rounds, kind, options.mailboxes, options.delay_ms, Mix(1_000, 1.0), 100)
    ratios = {kind: _growth(kind, options.rounds) for kind in KINDS}
    failures = [
        f"{kind}: {name} is {getattr(one, name):.2f}, and {goal:g} is the goal"
        for kind, one in found.items()
        for name, goal in GOALS.items()
        if getattr(one, name) > goal
    ]
    units = {str(share): _units_a_day(found["sqlite"].idle_calls, share) for share in (0.1, 0.5, 1.0)}
    if options.json:
        rows = {kind: asdict(one) for kind, one in found.items()}
        facts = {"machine": report.machine(), "ratios": ratios, "units_a_day": units, "goals_missed": failures}
        print(json.dumps({**facts, **rows}, indent=2))
    else:
        print(f"Sync of {options.mailboxes:,} mailboxes, {datetime.now(UTC):%Y-%m-%d}, {report.machine()}")
        for kind, one in found.items():
            print(f"  {kind}: " + ", ".join(f"{name} {getattr(one, name):.2f}" for name in GOALS))
        for kind, grown in ratios.items():
            for what, ratio in grown.items():
                print(f"  {kind}, {what}: idle {ratio['idle']:.2f}, matched {ratio['matched']:.2f} times as much")
        for share, count in units.items():
            print(f"  units a day, {_USERS:,} users, {_DAY_MAIL} new mails each, matched {share}: {count:,}")
    for line in failures:
        _say(line)
    return 1 if failures and not options.no_goal else 0


def _growth(kind: str, rounds: int) -> dict[str, dict[str, float]]:
    """The cost of an idle sweep and of a matched message, as a ratio to a site with 1,000 contacts and mailboxes of 100
    messages."""
    boxes = _BOXES_WITH_MAIL * 3
    base = _measured(rounds, kind, boxes, 0, Mix(1_000, 1.0), 100)
    grown = {
        "100,000 contacts": _measured(rounds, kind, boxes, 0, Mix(100_000, 1.0), 100),
        "mailboxes of 10,000 messages": _measured(rounds, kind, boxes, 0, Mix(1_000, 1.0), 10_000),
    }
    return {
        what: {"idle": one.idle_ms / base.idle_ms, "matched": one.matched_ms / base.matched_ms}
        for what, one in grown.items()
    }


def _measured(rounds: int, kind: str, boxes: int, delay_ms: float, mix: Mix, initial: int) -> Measured:
    """Measures a site in this many rounds; returns the medians."""
    found = [_measure(kind, boxes, delay_ms, mix, initial) for _ in range(rounds)]
    median = Measured(**{name: statistics.median(getattr(one, name) for one in found) for name in GOALS})
    figures = ", ".join(f"{name} {value:.2f}" for name, value in asdict(median).items())
    _say(f"{kind}, {boxes:,} mailboxes of {initial:,} messages, {mix.contacts:,} contacts: {figures}")
    return median


def _units_a_day(idle_calls: float, share: float) -> int:
    """Units of quota, by Google's newer costs: a poll takes 2; reading headers or a whole message takes 20."""
    return round(_USERS * (_DAY_POLLS * idle_calls * 2 + _DAY_MAIL * 20 * (1 + share)))


def _measure(kind: str, boxes: int, delay_ms: float, mix: Mix, initial: int) -> Measured:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailweir-bench-")))
        database_url = None
        if kind == "postgresql":
            database_url = stack.enter_context(postgresql.running(as_on_hosts=True)).make_database()
        server = stack.enter_context(load_client.running(mix, mailboxes=boxes, initial=initial, delay_ms=delay_ms))
        site = LoadSite(server, folder, database_url, boxes=boxes, gmail=_SETTINGS)
        database = stack.enter_context(closing(site.open()))
        process = SyncProcess(site.settings_file, folder / "log")
        stack.callback(process.kill)
        _wait(lambda: _swept(database, "") >= boxes)  # afterwards, each mailbox has its access token
        server.forget()
        at, cpu, began = rfc3339(datetime.now(UTC)), cpu_seconds(process.pid), time.monotonic()
        database.execute("UPDATE gmail_mailboxes SET next_sweep_at = ?", (at,))
        _wait(lambda: _swept(database, at) >= boxes)
        seconds, idle = time.monotonic() - began, cpu_seconds(process.pid) - cpu
        calls = sum(server.counts()["calls"].values()) / boxes
        with_mail = min(boxes, _BOXES_WITH_MAIL)
        for number in range(with_mail):
            server.add(number, _MESSAGES)
        cpu = cpu_seconds(process.pid)
        database.execute("UPDATE gmail_mailboxes SET next_sweep_at = ? WHERE id <= ?", (at, with_mail))
        _wait(lambda: _count(database, "SELECT COUNT(*) FROM activities") >= with_mail * _MESSAGES)
        matched = (cpu_seconds(process.pid) - cpu) / (with_mail * _MESSAGES)
        return Measured(calls, idle / boxes * 1e3, seconds, matched * 1e3, peak_memory_bytes(process.pid) / 1e6)


def _swept(database: Database, since: str) -> int:
    return _count(database, "SELECT COUNT(*) FROM gmail_mailboxes WHERE swept_at >= ?", since)


def _count(database: Database, sql: str, *parameters: str) -> int:
    return int(database.execute(sql, parameters).fetchone()[0])


def _wait(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT_SECONDS
    while not ready():
        if time.monotonic() > end:
            raise SystemExit(f"bench: not done within {_WAIT_SECONDS:.0f} s")
        time.sleep(0.1)


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.sync", description="The cost of the sync.")
    parser.add_argument("--mailboxes", type=int, default=10_000)
    parser.add_argument("--delay-ms", type=float, default=80.0, help="how long Gmail takes for an answer")
    parser.add_argument("--rounds", type=int, default=1, help="of each measurement; the median counts")
    parser.add_argument("--no-goal", action="store_true", help="exit 0 even where a goal is missed")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
