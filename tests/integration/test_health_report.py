"""`mailweir health report` on a running stack: this host's reports and Postfix's refusals are on the record."""

import contextlib
import json
import os
import re
import smtplib
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from admin_cli import health_report
from mailweir.health.refusal_quota import A_MINUTE
from tests.integration import wire

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack

ROLE = Path(__file__).parents[2] / "ansible" / "roles" / "mailweir"
JANE, RICHARD = "jane@client.example", "richard@demo.example.net"
CHECKS = ["certificate", "disk", "postfix", "postfix log", "processes", "queue", "sockets"]


@pytest.fixture(scope="module")
def stack(make_module_stack: "MakeStack") -> "Stack":
    made = make_module_stack()
    for line in (
        "deployment add demo --domain demo.example.net",
        "deployment add other --domain other.example.org",
        "user add richard --email richard@firm.example --deployment demo",
    ):
        made.cli(*line.split(), check=True)
    made.cli("domain", "add", "firm.example", "--deployment", "demo", check=True)  # makes the key of the digests
    return made


def _refused(stack: "Stack", sender: str, *recipients: str) -> None:
    with stack.connect() as client:
        client.docmd(f"MAIL FROM:<{sender}>")
        for recipient in recipients:
            assert client.docmd(f"RCPT TO:<{recipient}>")[0] in (550, 554)


def _why(stack: "Stack", text: str, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stack.cli("why", text, "--json", *arguments).stdout)
    return found


def _report(stack: "Stack", wait_until: Any, *said: str) -> None:
    """Runs the chore once the log has these words. The supervisor's own chore may run at the same moment."""
    wait_until(lambda: all(one in stack.log() for one in said), "the log")
    done = wait_until(lambda: json.loads(stack.cli("health", "report", "--json", check=True).stdout), "a report")
    assert set(done[0]) == {"host", "check", "state", "at"}


@contextlib.contextmanager
def _without_log(stack: "Stack") -> Any:
    """A stack without Postfix's log, as on another host, or after the log was rotated away."""
    log = stack.data_dir / "log" / "postfix.log"
    log.rename(log.with_suffix(".away"))
    try:
        yield
    finally:
        log.with_suffix(".away").rename(log)


def _write(stack: "Stack", sql: str, *parameters: object) -> None:
    with contextlib.closing(sqlite3.connect(stack.settings.database_path)) as database, database:
        database.execute(sql, parameters)


def test_a_host_that_is_well_reports_each_check(stack: "Stack", wait_until: Any) -> None:
    _report(stack, wait_until)
    rows = stack.rows("SELECT check_name, state, host FROM health_reports ORDER BY check_name")
    assert [(name, host) for name, _, host in rows] == [(name, "mx.host.example") for name in CHECKS]
    assert {state for _, state, _ in rows} == {"ok"}, stack.rows("SELECT * FROM health_reports")
    files = [stack.settings.database_path.with_name(f"mailweir.db{suffix}") for suffix in ("", "-wal", "-shm")]
    assert len({file.stat().st_uid for file in files}) == 1, "the filter couldn't open root's files"


@pytest.mark.slow
def test_the_supervisor_runs_it(stack: "Stack", wait_until: Any) -> None:
    _write(stack, "DELETE FROM health_reports")
    wait_until(lambda: stack.rows("SELECT 1 FROM health_reports"), "a report by itself", 100)
    assert not [line for line in stack.said if "health report" in line], stack.log("mailweir-health")
    assert stack.log("mailweir-health") == ""


def test_what_postfix_refused_is_on_the_record_once(stack: "Stack", wait_until: Any) -> None:
    _refused(stack, JANE, "nobody@demo.example.net", "x@foreign.example", "who@other.example.org")
    before = _why(stack, JANE)
    _report(stack, wait_until, "to=<who@other.example.org>")
    assert _why(stack, JANE) == before, "once, as the log has it"
    with _without_log(stack):
        found = _why(stack, JANE)
        assert {(one["deployment"], one["outcome"]) for one in found} == {("demo", "refused"), ("other", "refused")}
        assert all("no user has the capture address" in one["reason"] for one in found)
        assert all(one["recipients"] == [] for one in found), "only known recipients are stored in plain text"
        (by_recipient,) = _why(stack, "Nobody@demo.example.net")
        assert (by_recipient["author"], by_recipient["queue_id"]) == (JANE, None)
        assert "refused: no user has the capture address" in stack.cli("why", JANE, "--deployment", "other").stdout
    rows = stack.rows("SELECT COUNT(*) FROM decisions")
    stack.cli("health", "report", check=True)
    assert stack.rows("SELECT COUNT(*) FROM decisions") == rows


def test_one_recipient_is_refused_and_the_other_gets_the_message(stack: "Stack", wait_until: Any) -> None:
    """Both have one queue id: a refusal doesn't prevent the message's decision."""
    raw = b"From: both@client.example\r\nMessage-ID: <both@client.example>\r\nSubject: x\r\n\r\nhi\r\n"
    with stack.connect() as client:
        assert client.docmd("MAIL FROM:<both@client.example>")[0] == 250
        assert client.docmd(f"RCPT TO:<{RICHARD}>")[0] == 250
        assert client.docmd("RCPT TO:<nobody@demo.example.net>")[0] == 550
        _report(stack, wait_until, "from=<both@client.example> to=<nobody@demo.example.net>")
        assert client.data(raw)[0] == 250
    with _without_log(stack):
        ignored, refused = _why(stack, "both@client.example")
    assert (ignored["outcome"], refused["outcome"]) == ("ignored", "refused")
    assert ignored["queue_id"] == refused["queue_id"] is not None
    with _without_log(stack):
        assert len(_why(stack, str(ignored["queue_id"]))) == 2


def test_what_is_given_up_amid_the_message_is_on_the_record_too(stack: "Stack", wait_until: Any) -> None:
    raw = b"From: hops@client.example\r\nMessage-ID: <hops@client.example>\r\n"
    raw += b"Received: from a.example by b.example\r\n" * 120 + b"\r\nhi\r\n"
    with wire.Connection(stack.smtp_port) as connection:
        assert connection.command("MAIL FROM:<hops@client.example>")[0] == 250
        assert connection.command(f"RCPT TO:<{RICHARD}>")[0] == 250
        _report(stack, wait_until, "from=<hops@client.example>")  # it reads the beginning of a session before its end
        assert connection.command("DATA")[0] == 354
        assert connection.finish(raw)[0] == 554
    _report(stack, wait_until, "hopcount exceeded")
    assert len(_why(stack, "hops@client.example")) == 1
    with _without_log(stack):
        (one,) = _why(stack, "<hops@client.example>")
    assert (one["recipients"], one["author"], one["outcome"]) == ([RICHARD], "hops@client.example", "refused")
    assert "Postfix refused it for good" in one["reason"]


def test_a_flood_is_bounded_and_counted(stack: "Stack", wait_until: Any) -> None:
    """The refusals of another deployment are written all the same."""
    with contextlib.suppress(smtplib.SMTPServerDisconnected), stack.connect() as client:
        client.docmd("MAIL FROM:<flood@client.example>")
        for number in range(4 * A_MINUTE):
            client.docmd(f"RCPT TO:<x{number}@demo.example.net>")
    sent = stack.log().count("from=<flood@client.example>")
    while sent < 4 * A_MINUTE:
        with contextlib.suppress(smtplib.SMTPServerDisconnected), stack.connect() as client:
            client.docmd("MAIL FROM:<flood@client.example>")
            for number in range(10):
                client.docmd(f"RCPT TO:<y{sent}-{number}@demo.example.net>")
        sent += 10
    _refused(stack, "calm@client.example", "nobody@other.example.org")
    _report(stack, wait_until, "to=<nobody@other.example.org>")
    count = "SELECT COUNT(*) FROM decisions WHERE author = ?"
    assert 0 < stack.rows(count, "flood@client.example")[0][0] <= 2 * A_MINUTE
    assert stack.rows(count, "calm@client.example") == [(1,)]
    ((state, report),) = stack.rows("SELECT state, report FROM health_reports WHERE check_name = 'postfix log'")
    assert state == "note"
    assert "of demo left out within a minute" in report


def test_the_capabilities_of_its_unit_are_enough(stack: "Stack", wait_until: Any) -> None:
    unit = (ROLE / "templates" / "mailweir-health.service.j2").read_text()
    (named,) = re.findall(r"^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE)
    wanted = "".join(f",+{one.removeprefix('CAP_').lower()}" for one in named.split())
    limits = ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all{wanted}"]
    _report(stack, wait_until)
    before = stack.rows("SELECT check_name, state FROM health_reports ORDER BY check_name")
    done = wait_until(
        lambda: subprocess.run(
            [*limits, stack.script, "health", "report", "--json"],
            env={**os.environ, "MAILWEIR_CONFIG": str(stack.config)},
            check=True,
            capture_output=True,
        ).stdout.strip(b"[]\n"),
        "a report",
    )
    assert b"queue" in done
    assert stack.rows("SELECT check_name, state FROM health_reports ORDER BY check_name") == before
    assert {file.stat().st_uid for file in stack.settings.database_path.parent.iterdir()} == {
        stack.settings.database_path.stat().st_uid
    }


def test_others_than_root_report_nothing(stack: "Stack") -> None:
    """Otherwise they would replace root's observations with gaps."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    environment = {**os.environ, "MAILWEIR_CONFIG": str(stack.config)}
    done = subprocess.run(
        [*nobody, stack.script, "health", "report"], env=environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"mailweir: this check needs root: run it as root\n"


def test_two_at_once_are_one(stack: "Stack", wait_until: Any) -> None:
    with contextlib.ExitStack() as held:
        # as soon as the supervisor's own chore has released the lock
        wait_until(lambda: held.enter_context(health_report.alone(stack.settings)), "the lock")
        done = stack.cli("health", "report", check=True)
    assert "nothing was done" in done.stderr


def test_doctor_tells_of_other_hosts_with_their_age_and_of_this_one_only_where_it_is_late(
    stack: "Stack", wait_until: Any
) -> None:
    def told() -> list[tuple[str, str, str]]:
        found = json.loads(stack.cli("doctor", "--json").stdout)
        return [
            (one["area"], one["level"], one["finding"]) for one in found if one["area"].startswith(("host", "health"))
        ]

    _report(stack, wait_until)
    assert told() == []
    now = datetime.now(UTC)
    started = stack.data_dir / "run" / "mailweir.toml"
    long_ago = started.stat().st_mtime - 3600

    def is_late() -> bool:
        """The supervisor's own chore may report meanwhile."""
        _write(stack, "UPDATE health_reports SET at = ?", f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%S.%fZ}")
        os.utime(started, (long_ago, long_ago))
        return [one[2] for one in told()] == ["this host hasn't reported its health for 1 hour"]

    wait_until(is_late, "a finding that this host is late")
    _report(stack, wait_until)
    assert told() == []
    report = json.dumps(
        [{"level": "wrong", "finding": "3 messages wait", "to_do": "see", "key": "queue.old_mail", "facts": {}}]
    )
    insert = (
        "INSERT OR REPLACE INTO health_reports (host, check_name, state, report, at) VALUES (?, 'queue', 'wrong', ?, ?)"
    )
    _write(stack, insert, "front2.host.example", report, f"{now - timedelta(seconds=185):%Y-%m-%dT%H:%M:%S.%fZ}")
    _write(stack, insert, "front3.host.example", report, f"{now - timedelta(minutes=25):%Y-%m-%dT%H:%M:%S.%fZ}")
    assert told() == [
        ("host front2.host.example", "wrong", "queue: 3 minutes ago: 3 messages wait"),
        ("host front3.host.example", "wrong", "it hasn't reported for 25 minutes"),
    ]
    stack.cli("health", "forget", "front3.host.example", check=True)
    forgotten = stack.cli("health", "forget", "front2.host.example", "--json", check=True).stdout
    assert json.loads(forgotten) == {"host": "front2.host.example", "forgotten": 1}
    assert stack.cli("health", "forget", "front2.host.example").returncode == 1
    assert told() == []
