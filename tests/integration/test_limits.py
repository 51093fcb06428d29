"""Limits: large, numerous or deep input is accepted or gets an honest 5xx. The worker stays small, and the next mail is
captured."""

import io
import itertools
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
import zstandard

from tests.integration import wire

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack

RICHARD = "richard@demo.example.net"
SENDER = "known@client.example"
MAX_WORKER_BYTES = 200_000_000
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def shared(make_module_stack: "MakeStack") -> "Stack":
    stack = make_module_stack()
    stack.cli("deployment", "add", "demo", "--domain", "demo.example.net", check=True)
    stack.cli("user", "add", "richard", "--email", "richard@firm.example", check=True)
    stack.cli("contact", "add", "The client", SENDER, check=True)
    return stack


@pytest.fixture
def stack(shared: "Stack") -> Iterator["Stack"]:
    """After each test, the next ordinary mail is captured, no worker died or grew, and nothing unexpected is in the log."""
    workers = shared.pids("mailweir-milter")
    yield shared
    assert _captured(shared, _deliver(shared, _mail())) == 1
    assert shared.pids("mailweir-milter") == workers
    assert max(_peak_bytes(pid) for pid in workers) < MAX_WORKER_BYTES
    assert "unexpected" not in shared.log("mailweir-milter")


def _peak_bytes(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def _mail(head: bytes = b"", body: bytes = b"hi\r\n") -> bytes:
    front = b"From: known@client.example\r\nMessage-ID: <%d@limits.example>\r\n" % next(_numbers)
    return front + head + b"\r\n" + body


def _deliver(stack: "Stack", raw: bytes) -> str:
    with wire.Connection(stack.smtp_port) as connection:
        code, text = connection.send(SENDER, RICHARD, raw)
    assert code == 250, text
    return wire.queue_id(text)


def _captured(stack: "Stack", queue_id: str) -> int:
    sql = "SELECT COUNT(*) FROM decisions WHERE source_id = ? AND outcome = 'captured'"
    count: int = stack.rows(sql, queue_id)[0][0]
    return count


def _raw(stack: "Stack", queue_id: str) -> bytes:
    sql = "SELECT r.content_zstd FROM sightings s JOIN raw_messages r ON r.id = s.raw_message_id WHERE s.source_id = ?"
    ((content,),) = stack.rows(sql, queue_id)
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content)).read()


def _large(seed: int) -> bytes:
    """30 MB of lines that don't compress."""
    noise = Random(seed).randbytes(31_000_000).translate(None, b"\r\n\0")
    return _mail(body=b"".join(noise[at : at + 998] + b"\r\n" for at in range(0, 29_900_000, 998)))


def test_a_mail_of_30_mb_is_on_the_record(stack: "Stack") -> None:
    raw = _large(1)
    assert len(raw) > 29_000_000
    assert _raw(stack, _deliver(stack, raw)) == raw


def test_four_mails_of_30_mb_at_once_are_on_the_record(stack: "Stack") -> None:
    mails = [_large(seed) for seed in range(2, 6)]
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda raw: _deliver(stack, raw), mails))
    assert [_raw(stack, queue_id) == raw for queue_id, raw in zip(ids, mails, strict=True)] == [True] * 4


def test_a_mail_over_the_limit_is_refused_for_good(stack: "Stack") -> None:
    raw = _mail(body=b"x" * 998 + b"\r\n") + (b"x" * 998 + b"\r\n") * (stack.settings.smtp.max_message_bytes // 1_000)
    with wire.Connection(stack.smtp_port) as connection:
        assert connection.send(SENDER, RICHARD, raw)[0] == 552


@pytest.mark.parametrize("number", [10_000])
def test_many_header_lines_are_on_the_record(stack: "Stack", number: int) -> None:
    raw = _mail(b"".join(b"X-%d: %d\r\n" % (at, at) for at in range(number)))
    assert _raw(stack, _deliver(stack, raw)) == raw


def test_a_from_of_300_kb_is_no_known_author(stack: "Stack") -> None:
    raw = b"From: " + b"known@client.example, " * 14_000 + b"\r\n\r\nhi\r\n"
    rows = stack.rows("SELECT outcome, reason FROM decisions WHERE source_id = ?", _deliver(stack, raw))
    assert rows == [("ignored", "unreadable author")]


def test_10_000_recipients_in_to_are_on_the_record(stack: "Stack") -> None:
    to = b",\r\n ".join(b"p%d@many.example" % at for at in range(10_000))
    queue_id = _deliver(stack, _mail(b"To: " + to + b"\r\n"))
    assert _captured(stack, queue_id) == 1
    assert b"p1000@many.example" in _raw(stack, queue_id)


def test_deep_nesting_is_on_the_record(stack: "Stack") -> None:
    parts = (b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (at, at) for at in range(3_000))
    raw = _mail(
        b"MIME-Version: 1.0\r\n" + next(parts)[: -len(b"\r\n--b0\r\n")], b"--b0\r\n" + b"".join(parts) + b"\r\nhi\r\n"
    )
    assert _raw(stack, _deliver(stack, raw)) == raw


def test_1_000_messages_in_one_connection_are_on_the_record(stack: "Stack") -> None:
    with wire.Connection(stack.smtp_port) as connection:
        replies = [connection.send(SENDER, RICHARD, _mail()) for _ in range(1_000)]
    assert {code for code, _ in replies} == {250}
    assert sum(_captured(stack, wire.queue_id(text)) for _, text in replies) == 1_000


def test_200_connections_at_once_are_served(stack: "Stack") -> None:
    """Postfix serves default_process_limit (100) at a time; the others wait in the listening socket's queue until one ends."""
    with ThreadPoolExecutor(200) as pool:
        ids = list(pool.map(lambda raw: _deliver(stack, raw), [_mail() for _ in range(200)]))
    assert sum(_captured(stack, queue_id) for queue_id in ids) == 200
