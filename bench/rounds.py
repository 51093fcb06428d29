"""Runs the variants in turn, round after round, and measures each: time, CPU, memory, and its rows on the record.

Stops at a wrong count: the speed of a variant that loses or duplicates a message is meaningless. Called by `run`.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from bench import processes, submitter
from bench.stack import BenchError, Stack
from bench.variants import Door, Variant
from mailweir.database_url import DatabaseUrl
from mailweir.store.database.connection import Database
from postfix.instance import SEARCH_PATH

SESSIONS = 20
MESSAGE_BYTES = 5_000
GIVE_UP_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Load:
    """The client's load. keep_connections: send many messages over each connection, instead of one."""

    messages: int
    warm_up_messages: int
    keep_connections: bool


@dataclass(frozen=True, slots=True)
class Measurement:
    """One variant in one round. filter_*: None if there is no filter. filter_idle_bytes: before the first message. other_*: of
    look-ups and mailweir-auth."""

    messages: int
    seconds: float
    postfix_cpu_seconds: float
    other_cpu_seconds: float
    filter_cpu_seconds: float | None
    filter_peak_bytes: int | None
    filter_idle_bytes: int | None

    @property
    def messages_a_second(self) -> float:
        """The speed."""
        return self.messages / self.seconds

    @property
    def cpu_seconds(self) -> float:
        """The sum for all of our processes."""
        return self.postfix_cpu_seconds + self.other_cpu_seconds + (self.filter_cpu_seconds or 0.0)


def measure(
    stack: Stack, chosen: Sequence[Variant], rounds: int, load: Load, say: Callable[[str], None]
) -> dict[Variant, list[Measurement]]:
    """Measures all variants in each round. Each round begins with another variant, so that none always comes first. BenchError if
    a count is wrong."""
    found: dict[Variant, list[Measurement]] = {variant: [] for variant in chosen}
    for number in range(rounds):
        start = number % len(chosen)
        for variant in (*chosen[start:], *chosen[:start]):
            measured = measure_one(stack, variant, load)
            found[variant].append(measured)
            say(f"round {number + 1} of {rounds}: {variant.name}: {measured.messages_a_second:.0f} messages/s")
    return found


def measure_one(stack: Stack, variant: Variant, load: Load) -> Measurement:
    """One variant in one round. BenchError if a count is wrong."""
    messages = min(load.messages, variant.most_messages or load.messages)
    with stack.filtering(variant.filter) as filter_pid:
        idle_bytes = processes.memory_bytes(filter_pid) if filter_pid else None
        warm_up = min(load.warm_up_messages, messages // 10 or 1) if variant.most_messages else load.warm_up_messages
        _send(stack, variant, warm_up, load.keep_connections)
        stack.drain()
        recorded, signed = _counts(stack.settings.database_url), stack.signed_messages()
        postfix_cpu = processes.cpu_seconds(stack.postfix_pid)
        other_cpu = _cpu_seconds(stack.other_pids)
        filter_cpu = processes.cpu_seconds(filter_pid) if filter_pid else 0.0
        start = time.monotonic()
        _send(stack, variant, messages, load.keep_connections)
        if variant.until_delivered:
            stack.drain()
        seconds = time.monotonic() - start
        stack.drain()
        measured = Measurement(
            messages,
            seconds,
            processes.cpu_seconds(stack.postfix_pid) - postfix_cpu,
            _cpu_seconds(stack.other_pids) - other_cpu,
            processes.cpu_seconds(filter_pid) - filter_cpu if filter_pid else None,
            processes.peak_memory_bytes(filter_pid) if filter_pid else None,
            idle_bytes,
        )
        _check_record(variant, messages, recorded, _counts(stack.settings.database_url))
        _check_signatures(variant, messages, stack.signed_messages() - signed)
    return measured


def _cpu_seconds(pids: Sequence[int]) -> float:
    return sum(processes.cpu_seconds(pid) for pid in pids)


def _send(stack: Stack, variant: Variant, messages: int, keep_connections: bool) -> None:
    port = stack.ports[variant]
    if variant.door is Door.SUBMISSIONS:
        assert stack.credentials
        submitter.send(port, stack.credentials, (variant.author, variant.recipient), SESSIONS, messages, MESSAGE_BYTES)
        return
    program = shutil.which("smtp-source", path=SEARCH_PATH)
    if program is None:
        raise BenchError("Postfix's smtp-source isn't here: 'make setup' installs the Debian package 'postfix'")
    # It gives every message a unique Message-Id; its From is its envelope sender.
    options = ["-s", str(SESSIONS), "-m", str(messages), "-l", str(MESSAGE_BYTES), "-M", "client.bench.example"]
    options += ["-d"] if keep_connections else []
    arguments = [program, *options, "-f", variant.author, "-t", variant.recipient, f"127.0.0.1:{port}"]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=GIVE_UP_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"smtp-source wasn't done after {GIVE_UP_SECONDS} s") from error
    if done.returncode or done.stderr:
        raise BenchError(f"smtp-source: {' '.join(done.stderr.split())}")


def _counts(database_url: DatabaseUrl) -> tuple[int, int, int]:
    with closing(Database(database_url)) as database:
        tables = ("decisions", "activities", "raw_messages")
        found = [int(database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]) for table in tables]
    return found[0], found[1], found[2]


def _check_record(variant: Variant, messages: int, before: tuple[int, ...], after: tuple[int, ...]) -> None:
    each = variant.activities
    expected = (0, 0, 0) if each is None else (messages, messages * each, messages * each)
    made = tuple(late - early for early, late in zip(before, after, strict=True))
    if made != expected:
        raise BenchError(
            f"{variant.name}: {messages} messages were taken, and decisions, activities and raw messages grew by"
            f" {made} instead of {expected}"
        )


def _check_signatures(variant: Variant, messages: int, signed: int) -> None:
    expected = messages if variant.door is not Door.INBOUND and variant.activities else 0
    if signed != expected:
        raise BenchError(f"{variant.name}: {signed} messages were signed instead of {expected}")
