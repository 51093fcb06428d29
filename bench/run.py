"""`make bench`: how fast the stack captures and ignores mail, compared with Postfix alone and with a no-op filter.

Exit 0 if the goals are reached, 1 if one is missed or nothing could be measured. Progress goes to stderr.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from bench import report, rounds, stack, variants
from mailweir.database_url import DatabaseUrl
from mailweir.errors import MailweirError


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; the exit code."""
    options = _options(arguments)
    try:
        if os.geteuid() != 0:
            raise stack.BenchError("Postfix's master runs as root: run this as root")
        return _run(options)
    except MailweirError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    left_out = {variants.NOOP_LEAN: not options.lean, variants.PIPE: not options.pipe}
    rows = variants.RELAY if options.relay else variants.INBOUND
    chosen = [each for each in rows if not left_out.get(each)]
    load = rounds.Load(options.messages, min(options.messages, rounds.SESSIONS * 10), options.keep_connections)
    now = datetime.now(UTC)
    stack.build()
    with _database(options) as database_url, stack.running(chosen, options.fsync_delay_ms, database_url) as running:
        measured = rounds.measure(running, chosen, options.rounds, load, _say)
    summaries = report.summarise(measured)
    failures = report.missed(summaries, options.database, options.fsync_delay_ms)
    if options.json:
        conditions = {
            "time": now.isoformat(timespec="seconds"),
            "machine": report.machine(),
            "rounds": options.rounds,
            "messages": options.messages,
            "sessions": rounds.SESSIONS,
            "message_bytes": rounds.MESSAGE_BYTES,
            "relay": options.relay,
            "keep_connections": options.keep_connections,
            "fsync_delay_ms": options.fsync_delay_ms,
            "database": options.database,
        }
        print(json.dumps(report.as_json(summaries, conditions, failures), indent=2))
    else:
        report.print_table(summaries, now, _remark(options))
    for failure in failures:
        print(f"bench: {failure}", file=sys.stderr)
    return 1 if failures and not options.no_goal else 0


@contextmanager
def _database(options: argparse.Namespace) -> Iterator[DatabaseUrl | None]:
    """Our own PostgreSQL server, if requested. Its fsync is on, unlike in the tests."""
    if options.database == "sqlite":
        yield None
        return
    from tests import postgresql  # the tests can make a cluster

    if postgresql.server_programs() is None:
        raise stack.BenchError("PostgreSQL's server isn't here: 'make setup' installs the Debian package 'postgresql'")
    with postgresql.running(as_on_hosts=True) as cluster:
        yield cluster.make_database()


def _remark(options: argparse.Namespace) -> str:
    connections = "many messages a connection" if options.keep_connections else "a connection for each message"
    slow = f", {options.fsync_delay_ms:g} ms added to each fsync of our filter" if options.fsync_delay_ms else ""
    slow += ", PostgreSQL" if options.database == "postgresql" else ""
    return (
        "Postfix's CPU includes the look-ups' and mailweir-auth's. "
        f"Medians of {options.rounds} interleaved rounds of {options.messages} messages; smtp-source, {rounds.SESSIONS} sessions,"
        f" {rounds.MESSAGE_BYTES} bytes, {connections}{slow}. Ratios are medians of each round's own ratio."
    )


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=_count, default=5, help="default 5; fewer than 3 say little")
    parser.add_argument("--messages", type=_count, default=2000, help="for each variant in each round; default 2000")
    parser.add_argument("--keep-connections", action="store_true", help="send many messages over each connection")
    parser.add_argument("--relay", action="store_true", help="measure mail that logins send, not incoming mail")
    parser.add_argument("--lean", action="store_true", help="add the C filter with as few round trips as ours")
    parser.add_argument(
        "--fsync-delay-ms",
        type=float,
        default=0.0,
        metavar="MS",
        help="make each fsync of our filter this much longer, as on a slow disk; the goal is then 0.8",
    )
    parser.add_argument("--pipe", action="store_true", help="add a script that pipe(8) starts for each message")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite", help="default sqlite")
    parser.add_argument("--no-goal", action="store_true", help="exit 0 even where a goal is missed")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


if __name__ == "__main__":
    sys.exit(main())
