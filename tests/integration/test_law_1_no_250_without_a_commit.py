"""Law 1: every acknowledged message has its decision, and every captured one exactly one activity with its raw bytes.

The filter's workers, and now and then their parent, are killed with -9 again and again, while clients deliver and try again until
they get a 250.
"""

import contextlib
import os
import random
import signal
import smtplib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import zstandard

from mailweir.database_url import DatabaseUrl
from mailweir.store.database.connection import Database

CLIENTS = 8
MESSAGES_A_CLIENT = 40  # at least; each client goes on until the kills are done
KILLS = 25
GIVE_UP_SECONDS = 90


class Client(threading.Thread):
    """Delivers its messages in order, each until it is acknowledged."""

    def __init__(self, number: int, port: int, give_up_at: float, kills_done: threading.Event) -> None:
        super().__init__()
        self.number = number
        self.port = port
        self.give_up_at = give_up_at
        self.kills_done = kills_done
        self.sent = 0
        self.acknowledged: list[str] = []
        self.temporary_refusals = 0
        self.permanent_refusals: list[str] = []

    def run(self) -> None:
        while self.sent < MESSAGES_A_CLIENT or not self.kills_done.is_set():
            self.deliver(f"<{self.number}-{self.sent}@law1.example>", self.sent)
            self.sent += 1

    def deliver(self, message_id: str, message_number: int) -> None:
        author = "client@client.example" if message_number % 2 else "stranger@elsewhere.example"
        body = f"From: {author}\r\nTo: richard@firm.example\r\nMessage-ID: {message_id}\r\n\r\nbody of {message_id}\r\n"
        while time.monotonic() < self.give_up_at:
            try:
                with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as smtp:
                    smtp.sendmail("sender@client.example", ["richard@demo.example.net"], body)
                self.acknowledged.append(message_id)
                return
            except (smtplib.SMTPException, OSError) as error:
                if any(500 <= code < 600 for code in reply_codes(error)):
                    self.permanent_refusals.append(f"{message_id}: {error}")
                    return
                self.temporary_refusals += 1
                time.sleep(0.05)


def reply_codes(error: Exception) -> Iterator[int]:
    """The reply codes in an error of smtplib."""
    if isinstance(error, smtplib.SMTPResponseException):
        yield error.smtp_code
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        yield from (code for code, _ in error.recipients.values())


@pytest.fixture(params=["sqlite", "postgresql"])
def on_database(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of a stack on each kind in turn."""
    return {} if request.param == "sqlite" else {"database": str(request.getfixturevalue("postgresql_url"))}


@pytest.mark.slow
def test_law_1_holds_while_the_filter_is_killed(make_stack: Any, on_database: dict[str, str]) -> None:
    stack = make_stack(**on_database)
    stack.cli("deployment", "add", "demo", "--domain", "demo.example.net")
    stack.cli("user", "add", "richard", "--email", "richard@firm.example")
    stack.cli("contact", "add", "The client", "client@client.example")
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    kills_done = threading.Event()
    clients = [Client(number, stack.smtp_port, give_up_at, kills_done) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        kills = kill(stack, give_up_at)
    finally:
        kills_done.set()
    for client in clients:
        client.join()

    assert [refusal for client in clients for refusal in client.permanent_refusals] == []
    acknowledged = {message_id for client in clients for message_id in client.acknowledged}
    assert len(acknowledged) == sum(client.sent for client in clients), "a client gave up: the filter didn't come back"
    assert kills == KILLS
    assert sum(client.temporary_refusals for client in clients) > 0, "no kill hit a delivery: the test shows nothing"
    check_record(stack.settings.database_url, acknowledged)


def kill(stack: Any, give_up_at: float) -> int:
    """Kills a random worker, and now and then the parent; returns the number of kills."""
    chance = random.Random(1)
    kills = 0
    while kills < KILLS and time.monotonic() < give_up_at:
        time.sleep(chance.uniform(0.1, 0.4))
        parent, *workers = stack.pids("mailweir-milter") or [None]
        victims = [parent] if kills % 6 == 5 else workers
        if victims and victims[0]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(victims), signal.SIGKILL)
                kills += 1
    return kills


def check_record(database_url: DatabaseUrl, acknowledged: set[str]) -> None:
    """Decisions, activities and raw bytes of every acknowledged message."""
    with contextlib.closing(Database(database_url)) as database:
        outcomes: dict[str, set[str]] = {}
        of_messages = (
            "SELECT message_id, outcome FROM decisions WHERE source_id NOT LIKE '%:%'"  # not out of Postfix's log
        )
        for message_id, outcome in database.execute(of_messages).fetchall():
            outcomes.setdefault(message_id, set()).add(outcome)
        activities: dict[str, list[bytes]] = {}
        for message_id, content in database.execute(
            "SELECT a.message_id, r.content_zstd FROM activities a JOIN raw_messages r ON r.id = a.leading_raw_id"
        ).fetchall():
            activities.setdefault(message_id, []).append(zstandard.decompress(content))
        (rows,) = database.execute("SELECT COUNT(*) FROM activities").fetchone()
    for message_id in acknowledged:
        number = int(message_id.split("@")[0].split("-")[1])
        expected = "captured" if number % 2 else "ignored"
        assert outcomes.get(message_id) == {expected}, message_id
        assert len(activities.get(message_id, [])) == number % 2, message_id
        if number % 2:
            assert f"body of {message_id}".encode() in activities[message_id][0]
    assert rows == sum(int(message_id.split("@")[0].split("-")[1]) % 2 for message_id in acknowledged)
