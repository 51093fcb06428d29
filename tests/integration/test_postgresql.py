"""PostgreSQL under the whole stack: several hosts on one record, a server that goes away and comes back, simultaneous
upgrades."""

import contextlib
import signal
import smtplib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mailweir.database_url import Postgresql
from mailweir.errors import SettingsError
from mailweir.store.database import versions
from mailweir.store.database.connection import Database

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack
    from tests.postgresql import Cluster

REPOSITORY = Path(__file__).parents[2]
PEOPLE = (
    ("deployment", "add", "demo", "--domain", "demo.example.net"),
    ("user", "add", "richard", "--email", "richard@firm.example"),
    ("user", "add", "mary", "--email", "mary@firm.example"),
    ("contact", "add", "The client", "client@client.example"),
)


@pytest.fixture
def hosts(make_stack: "MakeStack", postgresql_url: Postgresql) -> list["Stack"]:
    """Two hosts that share a record."""
    stacks = [make_stack(database=str(postgresql_url)) for _ in range(2)]
    for arguments in PEOPLE:
        stacks[0].cli(*arguments, check=True)
    return stacks


def deliver(stack: "Stack", message_id: str, recipient: str = "richard", author: str = "client@client.example") -> int:
    """Delivers a message; returns the reply's code."""
    raw = f"From: {author}\r\nDate: Tue, 24 Nov 2026 03:12:55 +0000\r\nMessage-ID: {message_id}\r\n\r\nhello\r\n"
    try:
        with smtplib.SMTP("127.0.0.1", stack.smtp_port, timeout=60) as smtp:
            smtp.sendmail("s@client.example", [f"{recipient}@demo.example.net"], raw)
    except smtplib.SMTPRecipientsRefused as error:
        return next(iter(error.recipients.values()))[0]
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    return 250


@contextlib.contextmanager
def asking(database_url: Postgresql) -> Iterator[Database]:
    """A database connection of the test's own."""
    with contextlib.closing(Database(database_url)) as database:
        yield database


def counts(database_url: Postgresql) -> dict[str, int]:
    """The number of rows in the record's tables."""
    with asking(database_url) as database:
        tables = ("activities", "raw_messages", "sightings", "todos", "decisions")
        return {table: database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables}


def test_two_hosts_share_a_record(hosts: list["Stack"], postgresql_url: Postgresql) -> None:
    """The same 40 messages come to both at once, for different users: one activity for each, with two to-dos."""
    codes: list[int] = []

    def send(stack: "Stack", recipient: str) -> None:
        codes.extend(deliver(stack, f"<{number}@client.example>", recipient) for number in range(40))

    threads = [threading.Thread(target=send, args=pair) for pair in zip(hosts, ("richard", "mary"), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [250] * 80
    assert counts(postgresql_url) == {
        "activities": 40, "raw_messages": 40, "sightings": 80, "todos": 80, "decisions": 80
    }  # fmt: skip


def test_what_is_added_at_one_host_counts_at_the_next_message_of_the_other(hosts: list["Stack"]) -> None:
    first, second = hosts
    assert deliver(second, "<1@new.example>", "anna") == 550
    first.cli("user", "add", "anna", "--email", "anna@firm.example", check=True)
    assert deliver(second, "<1@new.example>", "anna", "new@new.example") == 250
    assert "is not a contact" in second.cli("why", "<1@new.example>").stdout
    first.cli("contact", "add", "New", "new@new.example", check=True)
    assert deliver(second, "<2@new.example>", "anna", "new@new.example") == 250
    assert "captured" in second.cli("why", "<2@new.example>").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_server_that_is_gone_means_451_and_loses_nothing(
    hosts: list["Stack"], postgresql_url: Postgresql, cluster: "Cluster", number: int
) -> None:
    assert [deliver(host, f"<{n}@client.example>") for n, host in enumerate(hosts)] == [250, 250]
    cluster.stop(number)
    try:
        assert [deliver(host, f"<{n}@late.example>") for n, host in enumerate(hosts)] == [451, 451]
    finally:
        cluster.start()
    # The first message afterwards gets a new connection: no process has to be restarted.
    assert [deliver(host, f"<{n}@late.example>") for n, host in enumerate(hosts)] == [250, 250]
    assert counts(postgresql_url)["activities"] == 4


def test_upgrades_of_two_starting_hosts_do_the_work_once(cluster: "Cluster") -> None:
    database_url = cluster.make_database(empty=True)
    code = (
        "import sys; from mailweir.database_url import Postgresql; from mailweir.store.database import versions;"
        "print(*versions.upgrade(Postgresql(sys.argv[1])))"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(database_url)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    told = [worker.communicate(timeout=60)[0].strip() for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4
    steps = " ".join(sorted(file.stem for file in versions.STEPS.glob("0*.py")))
    assert sorted(told) == ["", "", "", steps]
    with asking(database_url) as database:
        versions.check(database)
    cluster.drop_database(database_url)


def test_an_empty_database_is_refused_by_the_daemons(cluster: "Cluster") -> None:
    database_url = cluster.make_database(empty=True)
    with (
        asking(database_url) as database,
        pytest.raises(Exception, match=r"older than this program.*'mailweir db upgrade'"),
    ):
        versions.check(database)
    cluster.drop_database(database_url)


def test_a_password_is_read_from_a_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("a secret\n")
    file.chmod(0o600)
    database_url = Postgresql("postgresql://mailweir@db.example/mailweir", file)
    assert database_url.password() == "a secret"
    assert "a secret" not in repr(database_url) + str(database_url)
    file.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        database_url.password()
    file.unlink()
    with pytest.raises(SettingsError, match="can't read the password"):
        database_url.password()
