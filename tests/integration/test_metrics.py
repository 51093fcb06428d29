"""The log and the metrics of a running stack agree with its decisions. Nothing listens unless configured."""

import contextlib
import os
import signal
import smtplib
import socket
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from tests.ports import free_port

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack

Wait = Callable[..., Any]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(port: int) -> Samples:
    """Every sample by name and labels; empty if nothing answers."""
    with contextlib.suppress(urllib.error.URLError, OSError):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as reply:
            text = reply.read().decode()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    return {}


def counted(samples: Samples) -> dict[tuple[str, str], int]:
    """Decisions by outcome and reason."""
    found = {}
    for (name, labels), value in samples.items():
        if name == "mailweir_decisions_total":
            found[dict(labels)["outcome"], dict(labels)["reason"]] = int(value)
    return found


def deliver_some(stack: "Stack", first: int) -> None:
    """Delivers two messages from a contact and three from a stranger."""
    for number in range(first, first + 5):
        author = "jane@client.example" if number - first < 2 else "stranger@elsewhere.example"
        raw = f"From: {author}\r\nMessage-ID: <{number}@client.example>\r\n\r\nhello\r\n".encode()
        assert stack.deliver(author, ["richard@demo.example.net"], raw) == {}


def test_counts_and_lines_are_those_of_the_decisions(make_stack: "MakeStack", wait_until: Wait) -> None:
    port = free_port()
    stack = make_stack(metrics={"port": port}, filter={"workers": 2})
    stack.cli("deployment", "add", "demo", "--domain", "demo.example.net", check=True)
    stack.cli("user", "add", "richard", "--email", "richard@firm.example", check=True)
    stack.cli("contact", "add", "Jane", "jane@client.example", check=True)
    deliver_some(stack, 0)
    workers = [pid for pid in stack.pids("mailweir-milter")][1:]
    for pid in workers:  # counts outlive workers
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(stack.pids("mailweir-milter")[1:]) - set(workers)) == 2, "new workers")
    with contextlib.suppress(smtplib.SMTPException):
        deliver_some(stack, 5)

    decided: Counter[tuple[str, str]] = Counter(
        stack.rows("SELECT outcome, reason FROM decisions WHERE source_id NOT LIKE '%:%'")
    )
    assert decided["captured", "author is a contact"] >= 2
    wait_until(lambda: counted(scrape(port)) == dict(decided), f"counts of {decided}")
    samples = scrape(port)
    assert samples["mailweir_commit_seconds_count", ()] == decided.total()
    assert samples["mailweir_commit_batch_size_sum", ()] == decided.total()
    assert samples["mailweir_worker_starts_total", ()] == 4
    wait_until(lambda: scrape(port).get(("mailweir_digest_queue", ())) == 0, "the digest's queue is worked off")

    lines = [line for line in stack.log("mailweir-milter").splitlines() if " queue_id=" in line]
    assert len(lines) == decided.total()
    for queue_id, message_id in stack.rows(
        "SELECT source_id, message_id FROM decisions WHERE source_id NOT LIKE '%:%'"
    ):
        (line,) = [line for line in lines if f" queue_id={queue_id} message_id={message_id} deployment=demo " in line]
        assert " commit_ms=" in line


def test_a_killed_metrics_process_comes_again_and_mail_goes_on(make_stack: "MakeStack", wait_until: Wait) -> None:
    port = free_port()
    stack = make_stack(metrics={"port": port})
    stack.cli("deployment", "add", "demo", "--domain", "demo.example.net", check=True)
    stack.cli("user", "add", "richard", "--email", "richard@firm.example", check=True)
    (pid,) = wait_until(lambda: stack.pids("mailweir-metrics"), "the metrics run")
    wait_until(lambda: scrape(port), "they answer")
    os.kill(pid, signal.SIGKILL)
    deliver_some(stack, 0)
    wait_until(lambda: sum(counted(scrape(port)).values()) == 5, "they answer again", 60)


def test_a_taken_port_hinders_no_mail(make_stack: "MakeStack") -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        stack = make_stack(metrics={"port": taken.getsockname()[1]})
        stack.cli("deployment", "add", "demo", "--domain", "demo.example.net", check=True)
        stack.cli("user", "add", "richard", "--email", "richard@firm.example", check=True)
        deliver_some(stack, 0)
        assert "metrics can't be served" in stack.log("mailweir-milter")


def test_no_port_is_open_by_default(stack: "Stack") -> None:
    assert stack.pids("mailweir-metrics") == []
    for pid in (*stack.pids("mailweir-milter"), *stack.pids("mailweir-digest")):
        assert listening(pid) == []


def listening(pid: int) -> list[str]:
    """The TCP sockets that a process listens on (proc(5), /proc/net/tcp: state 0A)."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(str(descriptor.readlink()))
    found = []
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError), Path(f"/proc/{pid}/net/{table}").open() as lines:
            for line in list(lines)[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                    found.append(fields[1])
    return found
