"""Which mail may merge two conversations: with real signatures and keys in DNS, through the digest, on both databases.

Anybody who has a signed mail can send it again with additional headers that its signature doesn't cover.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from admin_cli.demo import signing
from admin_cli.demo.signing import SigningKey
from mailweir.digest import children
from mailweir.digest.server import Digest
from mailweir.digest.workers import Limits, Pool
from mailweir.settings import Dns, Settings
from mailweir.store.database.connection import Database
from mailweir.store.record import threads
from mailweir.store.record.digest_queue import Lane, Stage
from tests import sealing
from tests.moody_zone import MoodyZoneServer
from tests.sealing import seal

Put = Callable[..., int]
JANE, SELECTOR, DOMAIN = "jane@client.example", "sel", "client.example"
# those headers of importance here that Outlook and iCloud sign
PLAIN = ("from", "to", "subject", "date", "message-id")
WHOLE = (*PLAIN, "in-reply-to", "references")
BOTH = "<one@client.example> <two@client.example>"
LIMITS = Limits(data_bytes=600_000_000, cpu_seconds=20.0, wall_seconds=60.0, answer_bytes=children.MAX_READING_BYTES)


@pytest.fixture
def now() -> datetime:
    """The time at which the mails are signed: a signature from the future isn't valid yet."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture
def zone(key: SigningKey) -> Iterator[MoodyZoneServer]:
    keys = ((SELECTOR, DOMAIN), (sealing.SELECTOR, "google.com"))
    with MoodyZoneServer({(signing.key_name(*one), "TXT"): [key.record] for one in keys}) as server:
        yield server


@contextmanager
def _digest(database: Database, zone: MoodyZoneServer, now: datetime) -> Iterator[Digest]:
    dns = Dns(nameserver="127.0.0.1", port=zone.port, timeout_seconds=20.0)
    examine = children.Examiner(Settings(data_dir=Path("/nonexistent"), dns=dns))
    works: dict[Stage, Any] = {Stage.VERDICT: examine, Stage.READING: children.read}
    pools: Any = {(stage, lane): Pool(1, works[stage], LIMITS) for stage in Stage for lane in Lane}
    digest = Digest(database, pools, structlog.get_logger(), lambda: now)
    yield digest
    digest.stop()


@pytest.fixture
def digest(mailweir: Any, database: Database, zone: MoodyZoneServer, now: datetime) -> Iterator[Digest]:
    """The digest of a deployment that knows richard and Jane."""
    mailweir("deployment", "add", "demo", "--domain", "demo.example.net")
    mailweir("user", "add", "richard", "--email", "richard@firm.example")
    mailweir("contact", "add", "Jane", JANE)
    with _digest(database, zone, now + timedelta(hours=1)) as made:
        yield made


def _mail(name: str, *more: str) -> bytes:
    lines = [
        f"From: Jane <{JANE}>",
        "To: richard@firm.example",
        f"Subject: {name}",
        f"Message-ID: <{name}@client.example>",
        "Date: Tue, 24 Nov 2026 03:12:55 +0000",
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\nhello\r\n").encode()


def _sign(key: SigningKey, raw: bytes, headers: tuple[str, ...]) -> bytes:
    return signing.sign(raw, key, selector=SELECTOR, domain=DOMAIN, headers=headers)


def _answers(ids: str = BOTH) -> str:
    return f"In-Reply-To: {ids}"


def _replayed(key: SigningKey) -> bytes:
    """A genuine mail that names no other mail. Somebody who has it sends it again, with such names."""
    return _sign(key, _mail("three"), PLAIN).replace(b"\r\n\r\n", f"\r\n{_answers()}\r\n\r\n".encode(), 1)


def _on_top(key: SigningKey) -> bytes:
    """A mail that names another mail. A second header of that name stands above it; the signature covers the lower one."""
    return _answers().encode() + b"\r\n" + _sign(key, _mail("three", _answers("<one@client.example>")), WHOLE)


def _other_id(key: SigningKey) -> bytes:
    """Its Message-ID isn't signed, and another conversation names it."""
    return _sign(key, _mail("three", _answers()), ("from", "to", "subject", "in-reply-to", "references"))


def _sealed(key: SigningKey) -> bytes:
    """A trusted sealer vouches for the author and for the headers at that time."""
    return seal(key, _mail("three", _answers()), b"dmarc=pass header.from=client.example", covers=":".join(WHOLE))


def _twice(key: SigningKey) -> bytes:
    return _sign(key, _sign(key, _mail("three", _answers()), WHOLE), PLAIN)


def _covered(key: SigningKey) -> bytes:
    return _sign(key, _mail("three", _answers()), WHOLE)


@pytest.mark.parametrize(
    ("made", "merges"),
    [(_replayed, False), (_on_top, False), (_other_id, False), (_sealed, False), (_covered, True), (_twice, True)],
)
def test_law_8_only_ids_that_a_good_signature_is_over_merge_conversations(
    digest: Digest, database: Database, record: Put, key: SigningKey, made: Callable[[SigningKey], bytes], merges: bool
) -> None:
    """Mail without a proof for both ids joins the first conversation, whoever the author is."""
    first = record("demo", "richard", JANE, number=1, raw=_sign(key, _mail("one"), PLAIN))
    second = record("demo", "richard", JANE, number=2, raw=_sign(key, _mail("two"), PLAIN))
    digest.work_off()
    assert threads.of(database, first) != threads.of(database, second)
    third = record("demo", "richard", JANE, number=3, raw=made(key))
    digest.work_off()
    sql = "SELECT id, sender_verdict FROM activities ORDER BY id"
    assert [tuple(row) for row in database.execute(sql).fetchall()] == [(one, "pass") for one in (first, second, third)]
    assert threads.of(database, third) == threads.of(database, first)
    assert (threads.of(database, second) == threads.of(database, first)) is merges
